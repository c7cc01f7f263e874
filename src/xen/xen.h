/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xen.h - the original's interface on a store: decodes hypercalls and control operations, keeps what the original
 * kept for each domain (numbered pools, authorisations, counters), and calls the public API of <tmem/tmem.h>.
 *
 * Invariants: a slot of a domain and the pool it names are changed only under the host's lock *and* the domain's slots
 * lock held for writing. Whoever holds one of them may use what a slot names; so an operation reads its slot under the
 * slots lock for as long as it works, and a pool whose slots are all cleared is used by nobody. What operations read
 * of a pool without the host's lock is constant, or atomic.
 *
 * Locks: host's lock, then a domain's slots lock. The guest's callbacks are called under the slots lock, for reading
 * but for TMEM_WRITE, and never under the host's. Cost: two uncontended atomic operations and a copy of the page
 * beside what the public call costs; a get that misses asks for the pool's statistics, since an empty pool has a
 * result of its own.
 */
#ifndef TM_XEN_H
#define TM_XEN_H

#include <pthread.h>
#include <tmem/control.h>
#include <tmem/xen.h>

#include "base/atomic.h"
#include "base/base.h"
#include "xen/list_text.h"

#define TM_XEN_MAGIC 0x78656e68u
#define TM_XEN_DOMAIN_MAGIC 0x78656e64u

#define TM_XEN_PREFIX_BYTES 41u

/* A pool, whoever is in it. Counters are atomic. */
struct tm_xen_pool {
    bool is_persistent;
    bool is_shared;
    uint64_t uuid[2];
    uint32_t users; /* slots that name it; host's lock */
    /* The first to come of those that are in it: frozen, and counted, is it as its owner is. Host's lock. */
    struct tmem_xen_domain *owner;
    uint64_t objects_max;                                /* most seen; host's lock */
    uint32_t is_frozen;                                  /* atomic: the owner is */
    uint32_t is_migrating;                               /* atomic: and is saved while it runs */
    uint32_t sure;                                       /* atomic: pages that there are, see page.c */
    tm_atomic64 puts, puts_good, puts_bad, puts_flushed; /* asked for; stored; not; not, and the older page went */
    tm_atomic64 gets, gets_found;
    tm_atomic64 flushes, flushes_found;
    tm_atomic64 object_flushes, object_flushes_found;
};

/* Where a domain's pool number leads. */
struct tm_xen_slot {
    struct tm_xen_pool *pool; /* NULL: nowhere */
    struct tmem_pool *member; /* the domain's own handle; two slots of one shared pool have the same */
    uint64_t order;           /* of joining, in the host */
};

struct tmem_xen_domain {
    unsigned magic;
    struct tmem_xen *xen;
    struct tmem_xen_domain_options options;
    struct tmem_xen_domain *next;        /* of the host, newest first; host's lock */
    struct tmem_xen_domain *next_client; /* of those that are clients, in that order; host's lock */
    /* NULL before the first operation, and after the end. Atomic; host's lock to change. */
    struct tmem_client *client;
    uint32_t is_dying; /* atomic */

    pthread_rwlock_t slots_lock;
    struct tm_xen_slot slots[TMEM_XEN_POOLS];
    bool is_migrating;        /* changed as slots are, too; persistent pages that go are noted */
    struct tm_xen_save *save; /* NULL: nobody saves it; changed as slots are, and while there is no pin */

    /* Under the host's lock. */
    uint32_t pins; /* threads that work on it without the lock: its client stays until they are done */
    bool is_frozen;
    bool was_frozen; /* while it is saved: is so afterwards */
    bool compress;
    uint32_t weight;                    /* as it was set; 0: never */
    uint32_t cap;                       /* MiB; 0: none */
    uint64_t rights[TMEM_XEN_POOLS][2]; /* uuids it is authorised for; all ones: none */
    uint64_t pages_max;                 /* most ephemeral pages seen */

    /* Atomic. */
    tm_atomic64 operations, errors, bad_copies;
    tm_atomic64 ephemeral_gets, persistent_puts, persistent_gets;
    tm_atomic64 puts_without_memory, puts_without_room; /* the store had none; the domain, or the store, is full */
};

struct tmem_xen {
    unsigned magic;
    struct tmem_store *store;
    struct tmem_xen_settings settings;
    char prefix[TM_XEN_PREFIX_BYTES];

    pthread_mutex_t lock;
    pthread_cond_t unpinned; /* of any domain */
    struct tmem_xen_domain *domains, *clients;
    struct tm_xen_pool *shared[TMEM_XEN_POOLS];
    uint64_t next_order;
    bool needs_no_right; /* up to 4.7: shared pools are open to all */
    uint64_t gauge_max[TM_XEN_GAUGES];
    /* Of domains and pools that are no more. */
    uint64_t ended_operations, ended_errors, ended_bad_copies, ended_without_memory, ended_without_room;
    uint64_t ended_pools, ended_ephemeral_puts;
    uint64_t releases, released_pages, releases_short, release_evicted_most;
};

/* ---- host.c ---- */

/* Host's lock held: the domain with this id, or NULL. */
struct tmem_xen_domain *tm_xen_find(struct tmem_xen *xen, uint32_t id);
/* The same, but only if it has become a client. */
struct tmem_xen_domain *tm_xen_find_client(struct tmem_xen *xen, uint32_t id);

/* Host's lock held: makes it a client unless it is. Results: 0, -ENOMEM, -EIO, -ENODEV (it is dying). */
long tm_xen_enlist(struct tmem_xen_domain *domain);

/* Host's lock held, the domain is a client: its share, 0 for the default, and its limit in MiB, 0 for none but the
 * domain's own. Results: 0, -EOPNOTSUPP (the store's home lets nobody do that), -EIO. */
long tm_xen_set_weight(struct tmem_xen_domain *domain, uint32_t weight);
long tm_xen_set_cap(struct tmem_xen_domain *domain, uint32_t cap_mib);

static inline bool tm_xen_is_client(const struct tmem_xen_domain *domain)
{
    return tm_load_acquire(&domain->client) != NULL;
}

/* From @release on; the default release is the last. */
static inline bool tm_xen_since(const struct tmem_xen_domain *domain, enum tmem_xen_release release)
{
    return domain->options.release >= (uint32_t)release;
}

/* Guest's memory at an address; false: it cannot be reached. */
bool tm_xen_read(const struct tmem_xen_domain *domain, uint64_t address, void *to, size_t size_bytes);
bool tm_xen_write(const struct tmem_xen_domain *domain, uint64_t address, const void *from, size_t size_bytes);

/* ---- pool.c; host's lock held in all of these ---- */

/*
 * NEW_POOL for a domain that is a client: in slot @number, or in the lowest free one when it is negative.
 *
 * Results: the number, -EPERM, -ENOMEM.
 */
long tm_xen_pool_create(struct tmem_xen_domain *domain, int number, uint32_t flags, const uint64_t uuid[2]);

/*
 * Destroys the pools of @count slots from @number on, as far as there are any; shared ones are left. Gives the host's
 * lock back while private pages go, so that nobody waits for them; the domain stays meanwhile.
 */
void tm_xen_pools_end(struct tmem_xen_domain *domain, unsigned number, unsigned count);

/* Of a client that is saved, what it will be afterwards. */
void tm_xen_set_frozen(struct tmem_xen_domain *domain, bool is_frozen);
/* Its pools are frozen, and migrating, as it is from now on. */
void tm_xen_show_frozen(struct tmem_xen_domain *domain);

/* Who pinned a domain is done with it. */
void tm_xen_unpin(struct tmem_xen_domain *domain);

/* Results: 1, -ENOMEM: it has as many rights as there may be. */
long tm_xen_authorise(struct tmem_xen_domain *domain, const uint64_t uuid[2]);
/* Results: 1, 0: it had no such right. */
long tm_xen_deauthorise(struct tmem_xen_domain *domain, const uint64_t uuid[2]);

/* What the store counts of a slot's pool; all zero when it cannot be reached. */
void tm_xen_count(const struct tm_xen_slot *slot, struct tmem_counters *counters);

/* ---- page.c; the slots lock held ---- */

/* Any operation on pages; READ, WRITE, NEW_PAGE as well, whatever the release. WRITE wants the lock for writing. */
long tm_xen_page_op(struct tmem_xen_domain *domain, const struct tm_xen_slot *slot, const struct tmem_op *op);

/*
 * RESTORE_PUT_PAGE of the bytes at @page, or RESTORE_FLUSH_PAGE when it is NULL: into a frozen client as well, but no
 * page into one that is saved itself.
 */
long tm_xen_restore_op(struct tmem_xen_domain *domain, const struct tm_xen_slot *slot, const struct tmem_op *op,
                       unsigned char *page);

/* ---- save.c ---- */

/* Host's lock held, no pins: nothing of it is saved any more. */
void tm_xen_save_stop(struct tmem_xen_domain *domain);

/* The slots lock held, or a pin: a persistent page of pool @number was removed. */
void tm_xen_save_note(struct tmem_xen_domain *domain, uint32_t number, const struct tmem_object_id *object,
                      uint32_t index);

/* A pin held, the slot was cleared: removes all pages of the pool that was there, with a note of each. */
void tm_xen_save_empty(struct tmem_xen_domain *domain, uint32_t number, struct tmem_pool *member);

/*
 * Slots lock held for reading: removes an object's pages, with a note of each. Gives the lock back between steps.
 *
 * Results: TMEM_OK, TMEM_MISS (there was none), TMEM_UNAVAILABLE, TMEM_NOT_FOUND: the pool ended meanwhile.
 */
enum tmem_result tm_xen_save_remove(struct tmem_xen_domain *domain, uint32_t number,
                                    const struct tmem_object_id *object);

/* ---- control.c ---- */

/* CONTROL up to 4.5, AUTH and RESTORE_NEW up to 4.8, of a privileged domain. */
long tm_xen_control(struct tmem_xen_domain *domain, const struct tmem_op *op);
long tm_xen_old_auth(struct tmem_xen *xen, const struct tmem_op *op);
long tm_xen_old_restore_new(struct tmem_xen *xen, const struct tmem_op *op);

/* ---- list.c ---- */

/* Host's lock held: the list of all clients (@client NULL) or of one. */
void tm_xen_list(struct tmem_xen *xen, struct tmem_xen_domain *client, uint32_t release, bool is_long,
                 struct tm_xen_text *text);

#endif
