/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tenant.h - the store's clients as the daemon knows them: who is connected, and who left persistent pages behind.
 *
 * A tenant lives from the first connection under its name until its pages are gone:
 *
 *   CONNECTED --hang-up--> ENDING --its ephemeral pools are gone--> ORPHAN --grace is over--> ENDING --> gone
 *       ^                                                             |
 *       +------------------------- the token is shown ----------------+
 *
 * Without persistent pages, and after tm_tenant_leave(), ENDING leads to the end at once.
 *
 * Who locks: the list and every state have one mutex, never held over a call of the store that takes long. The pools of
 * a tenant belong to the thread of the session that it is connected to, and to the reaper while it is ENDING.
 */
#ifndef TM_DAEMON_TENANT_H
#define TM_DAEMON_TENANT_H

#include "daemon/daemon.h"
#include "daemon/latency.h"
#include "wire/message.h"

struct tm_receive_pool;

enum tm_tenant_state {
    TM_TENANT_CONNECTED,
    TM_TENANT_ENDING,
    TM_TENANT_ORPHAN,
};

/* What was told of a tenant's losses. */
struct tm_tenant_watch {
    uint64_t refused[TMEM_REFUSAL_COUNT];
    struct tmem_evictor evictors[TMEM_EVICTORS_MAX];
    size_t evictor_count;
};

struct tm_tenant_pool {
    uint64_t id;
    struct tmem_pool *pool;
    uint32_t flags;  /* enum tmem_pool_flags */
    uint64_t former; /* id where it came from; 0: it was made here */
};

struct tm_tenant {
    struct tm_tenant *next;       /* in the list */
    struct tm_tenant *next_ended; /* in the reaper's queue */
    const struct tm_rule *rule;   /* atomic: another one when the configuration was read again */
    struct tmem_client *client;
    char name[TMEM_CLIENT_NAME_SIZE];
    uid_t uid;
    enum tm_tenant_state state;
    struct tm_wire_token token; /* the same for its life: a welcome that got lost loses nothing */
    uint32_t wished_weight;     /* 0: nothing, or it has not come back yet since the daemon was started */
    uint64_t wished_cap_bytes;
    uint64_t orphan_until_ns;
    struct tm_latency_sums latency; /* counted by whose thread serves it */
    uint64_t serial;                /* no other tenant has it, also none of this name */
    int socket;                     /* of its connection, while it is CONNECTED */
    bool is_doomed;                 /* an operator ends it: nothing waits */
    unsigned holds;                 /* operators who look at it: it does not end before they are done */
    bool is_put_off;                /* its end waits for them */
    uint32_t is_saved;              /* atomic: frozen between tm_tenant_save_begin() and tm_tenant_save_end() */
    bool is_frozen_after;           /* what it is to be then */
    bool is_save_over;              /* and that happened while it was ENDING */
    uint32_t paused;                /* atomic */
    uint32_t busy;                  /* atomic: it is being served */
    struct tm_tenant_watch watch;
    /* What the reaper does: */
    bool leaves;  /* everything goes, nothing waits */
    int farewell; /* a socket on which the end is answered and which is closed then, or -1 */
    uint32_t farewell_number;
    /* By id, ascending: ids only grow. */
    struct tm_tenant_pool *pools;
    uint32_t pool_count;
    uint32_t pool_capacity;
    uint32_t pool_last;            /* where the last one was found */
    struct tmem_pool *ending_pool; /* gone for the client, and not freed yet; or NULL */
};

/* What a connection asks for. */
struct tm_tenant_wish {
    uid_t uid;
    const char *name;
    uint64_t size_bytes;
    uint64_t cap_bytes;
    uint32_t weight;
    struct tm_wire_token token;
    int socket;      /* the connection's */
    bool must_claim; /* the tenant of this token, and no other */
};

/*
 * How long those who were there before the daemon was started again may take to come back, at least: they could not
 * come while there was none.
 */
#define TM_RETURN_SECONDS 10u

/* Makes the list, or NULL. Ends it; the reaper has ended before, and closing the store ends the clients. */
struct tm_tenants *tm_tenants_create(const struct tm_daemon *daemon);
void tm_tenants_destroy(struct tm_tenants *tenants);

/*
 * tm_tenant_connect - find or make the tenant of a connection, as the configuration allows.
 *
 * @tenant   receives it on TMEM_OK: it is the caller's until tm_tenant_disconnect().
 * @claimed  receives whether its token was good, and it has what it had.
 * @text     receives what is wrong and what to do, on all results but TMEM_OK.
 *
 * Results: TMEM_OK, TMEM_DENIED (configuration; nobody has the token that must be claimed), TMEM_INVALID (the name),
 * TMEM_EXISTS (connected, or waits for its token), TMEM_UNAVAILABLE (is just ending: again in a moment), TMEM_REFUSED
 * (too many clients), TMEM_NOMEM.
 */
enum tmem_result tm_tenant_connect(struct tm_tenants *tenants, const struct tm_tenant_wish *wish,
                                   struct tm_tenant **tenant, bool *claimed, char *text, size_t text_size);

/* tm_tenant_disconnect - the connection has ended, or never became one: the reaper takes over. */
void tm_tenant_disconnect(struct tm_tenants *tenants, struct tm_tenant *tenant);

/* tm_tenant_leave - the same, when the client asked to leave; @farewell is answered and closed when all is gone. */
void tm_tenant_leave(struct tm_tenants *tenants, struct tm_tenant *tenant, int farewell, uint32_t number);

/*
 * tm_tenant_settle - the reaper's part: destroy what goes at once, then keep the tenant as an orphan or end it. While
 * an operator holds it, its end is put off, and holds up no others.
 */
void tm_tenant_settle(struct tm_tenants *tenants, struct tm_tenant *tenant);

/*
 * tm_tenants_expire - one orphan whose grace is over, now ENDING, for tm_tenant_settle(); or NULL.
 *
 * @next_ns  where NULL is returned, receives when to ask again; UINT64_MAX: no orphans.
 */
struct tm_tenant *tm_tenants_expire(struct tm_tenants *tenants, uint64_t now_ns, uint64_t *next_ns);

/*
 * tm_tenant_restore - make the tenant of a client of the daemon before, who has not come back yet: an orphan with the
 * token, the user and the remaining grace of the client's note, and with its persistent pools. Before there are other
 * threads.
 *
 * Results: TMEM_OK, TMEM_NOT_FOUND (it has no note: its maker was killed before anybody knew of it), TMEM_NOMEM.
 */
enum tmem_result tm_tenant_restore(struct tm_tenants *tenants, struct tmem_client *client, const char *name);

/*
 * tm_tenants_reload - go on with another configuration: daemon->config is @config when this returns. Where a client's
 * rule says another weight or cap than before, the client has that now, bounded by what it wished for, whatever an
 * operator may have set.
 */
void tm_tenants_reload(struct tm_tenants *tenants, struct tm_daemon *daemon, const struct tm_config *config);

/*
 * tm_tenant_adopt - make the tenant of a client that came from elsewhere (receive.h), as an orphan that waits for who
 * shows @token. From here on everybody sees it.
 *
 * @pools  as they were received, @count of them.
 *
 * Results: TMEM_OK, TMEM_NOMEM (the client is the caller's still).
 */
enum tmem_result tm_tenant_adopt(struct tm_tenants *tenants, struct tmem_client *client, const char *name, uid_t uid,
                                 const struct tm_wire_token *token, const struct tm_receive_pool *pools, size_t count);

/* What would be lost if the daemon ended: persistent pages, and clients that have some. */
struct tm_tenants_sum {
    uint64_t persistent_pages;
    uint32_t clients;
};
void tm_tenants_sum(struct tm_tenants *tenants, struct tm_tenants_sum *sum);

/* ---- for operators, in any thread (tenant_operators.c) ---- */

/*
 * tm_tenant_hold - the tenant of this name, which does not end before tm_tenant_release(): its client may be used.
 * NULL: there is none, or it is just ending.
 */
struct tm_tenant *tm_tenant_hold(struct tm_tenants *tenants, const char *name);

/* tm_tenants_hold_next - the same for the one with the least name above @after. */
struct tm_tenant *tm_tenants_hold_next(struct tm_tenants *tenants, const char *after);
void tm_tenant_release(struct tm_tenants *tenants, struct tm_tenant *tenant);

/*
 * tm_tenant_doom - end the tenant of this name with all its pages, and its connection; it is gone when this returns.
 *
 * @pages  receives how many it had.
 *
 * False: there is none.
 */
bool tm_tenant_doom(struct tm_tenants *tenants, const char *name, uint64_t *pages);

/*
 * tm_tenant_pause, tm_tenant_go_on - nothing of what the tenant asks for by its rings is begun in between, and when
 * pausing returns nothing is under way: its client stands still. For who holds it, and for moments: whoever serves it
 * serves others meanwhile.
 */
void tm_tenant_pause(struct tm_tenant *tenant);
void tm_tenant_go_on(struct tm_tenants *tenants, struct tm_tenant *tenant);

/*
 * tm_tenant_save_begin - what is held may be read for as long as it takes, in several questions: until
 * tm_tenant_save_end() its pages only go, none come, and it makes no pools. tm_dirty_begin() has seen that nobody else
 * saves it. Answers whether it was frozen before.
 */
bool tm_tenant_save_begin(struct tm_tenants *tenants, struct tm_tenant *tenant);

/* tm_tenant_save_end - it goes on as it was, or as it was told meanwhile, and nobody watches it (tm_dirty_end()).
 * Nothing happens if the tenant of this serial is gone. */
void tm_tenant_save_end(struct tm_tenants *tenants, uint64_t serial);

/* tm_tenant_set_frozen - for who holds it: at once, or when it is saved no more. */
void tm_tenant_set_frozen(struct tm_tenants *tenants, struct tm_tenant *tenant, bool frozen);

/* tm_tenant_is_ending - its connection has ended, or its grace: who holds it had better let it go. */
bool tm_tenant_is_ending(struct tm_tenants *tenants, const struct tm_tenant *tenant);

/* tm_tenant_enter - begin to serve; false: it is paused. For the thread that it belongs to. */
bool tm_tenant_enter(struct tm_tenant *tenant);
void tm_tenant_leave_turn(struct tm_tenant *tenant);
bool tm_tenant_is_paused(const struct tm_tenant *tenant);

/* tm_tenants_watch - tell, as events, which pages and puts tenants have lost since the last call. One thread. */
void tm_tenants_watch(struct tm_tenants *tenants);

/* tm_tenant_waits - true: it left persistent pages, which wait for so long still. */
bool tm_tenant_waits(struct tm_tenants *tenants, const struct tm_tenant *tenant, uint64_t *left_ns);

/* ---- pools; for whoever the tenant belongs to ---- */

/* tm_tenant_pool - the pool of this id, or NULL. */
struct tmem_pool *tm_tenant_pool(struct tm_tenant *tenant, uint64_t id);

/* tm_tenant_pool_of_former - id of the pool that was called so where the tenant came from; 0: none. */
uint64_t tm_tenant_pool_of_former(const struct tm_tenant *tenant, uint64_t former);

/* tm_tenant_pool_after - the least id above @id; 0: none. */
uint64_t tm_tenant_pool_after(const struct tm_tenant *tenant, uint64_t id);

/*
 * tm_tenant_pool_create - make or join a pool, as the tenant's rule allows. *id on TMEM_OK.
 *
 * Results: as tmem_pool_create(); TMEM_DENIED also for persistent pools that the rule does not allow, TMEM_REFUSED for
 * too many.
 */
enum tmem_result tm_tenant_pool_create(struct tm_tenant *tenant, uint32_t flags, const struct tmem_uuid *uuid,
                                       uint64_t *id);

/*
 * tm_tenant_pool_destroy_begin - TMEM_OK or TMEM_NOT_FOUND. On TMEM_OK the pool is gone for its client and for a
 * restart; before anything else is done to the tenant, tm_tenant_pool_destroy_step() until it answers false, or its
 * end, frees it.
 */
enum tmem_result tm_tenant_pool_destroy_begin(struct tm_tenant *tenant, uint64_t id);
bool tm_tenant_pool_destroy_step(struct tm_tenant *tenant, uint32_t chunks);

#endif
