/* SPDX-License-Identifier: BSD-2-Clause */
/* host.c - a host and its domains: coming, becoming a client, dying. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xen/xen.h"

#define MIB (UINT64_C(1) << 20)

/* ---- the host ---- */

static bool is_zero(const uint64_t *words, size_t count)
{
    uint64_t any = 0;
    for (size_t i = 0; i < count; i++)
        any |= words[i];
    return any == 0;
}

enum tmem_result tmem_xen_open(struct tmem_store *store, const struct tmem_xen_settings *settings,
                               struct tmem_xen **result)
{
    const struct tmem_xen_settings defaults = TMEM_XEN_SETTINGS_INIT;
    if (settings == NULL)
        settings = &defaults;
    const char *prefix = settings->prefix != NULL ? settings->prefix : "domain-";
    size_t length = strlen(prefix);
    if (store == NULL || result == NULL || length >= TM_XEN_PREFIX_BYTES ||
        !is_zero(settings->reserved, TM_ARRAY_SIZE(settings->reserved)))
        return TMEM_INVALID;
    struct tmem_xen *xen = calloc(1, sizeof *xen);
    if (xen == NULL)
        return TMEM_NOMEM;
    xen->store = store;
    xen->settings = *settings;
    xen->settings.prefix = NULL; /* the caller's; the copy counts */
    memcpy(xen->prefix, prefix, length);
    xen->needs_no_right = settings->no_shared_auth;
    pthread_mutex_init(&xen->lock, NULL);
    pthread_cond_init(&xen->unpinned, NULL);
    TM_MAGIC_SET(xen, TM_XEN_MAGIC);
    *result = xen;
    return TMEM_OK;
}

void tmem_xen_close(struct tmem_xen *xen)
{
    if (xen == NULL)
        return;
    while (xen->domains != NULL)
        tmem_xen_domain_destroy(xen->domains);
    TM_MAGIC_END(xen, TM_XEN_MAGIC);
    pthread_cond_destroy(&xen->unpinned);
    pthread_mutex_destroy(&xen->lock);
    free(xen);
}

/* ---- domains ---- */

struct tmem_xen_domain *tm_xen_find(struct tmem_xen *xen, uint32_t id)
{
    struct tmem_xen_domain *domain = xen->domains;
    while (domain != NULL && domain->options.id != id)
        domain = domain->next;
    return domain;
}

struct tmem_xen_domain *tm_xen_find_client(struct tmem_xen *xen, uint32_t id)
{
    struct tmem_xen_domain *domain = tm_xen_find(xen, id);
    return domain != NULL && tm_xen_is_client(domain) ? domain : NULL;
}

static bool options_are_valid(const struct tmem_xen_domain_options *options)
{
    switch (options->release) {
    case TMEM_XEN_RELEASE_DEFAULT:
    case TMEM_XEN_RELEASE_4_0:
    case TMEM_XEN_RELEASE_4_3:
    case TMEM_XEN_RELEASE_4_7:
    case TMEM_XEN_RELEASE_4_12:
        break;
    default:
        return false;
    }
    bool is_abi = options->abi == TMEM_XEN_ABI_X86_64 || options->abi == TMEM_XEN_ABI_I386;
    return is_abi && options->id < TMEM_CLIENT_ALL &&
           is_zero(options->reserved, TM_ARRAY_SIZE(options->reserved));
}

/* The lock must let those who clear slots in, however many operations follow each other. */
static void init_slots_lock(pthread_rwlock_t *lock)
{
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(lock, &attributes);
    pthread_rwlockattr_destroy(&attributes);
}

static struct tmem_xen_domain *make_domain(struct tmem_xen *xen, const struct tmem_xen_domain_options *options)
{
    struct tmem_xen_domain *domain = calloc(1, sizeof *domain);
    if (domain == NULL)
        return NULL;
    domain->xen = xen;
    domain->options = *options;
    if (options->release == TMEM_XEN_RELEASE_DEFAULT)
        domain->options.release = TMEM_XEN_RELEASE_4_12;
    domain->compress = xen->settings.compress;
    memset(domain->rights, 0xff, sizeof domain->rights);
    init_slots_lock(&domain->slots_lock);
    TM_MAGIC_SET(domain, TM_XEN_DOMAIN_MAGIC);
    return domain;
}

static void free_domain(struct tmem_xen_domain *domain)
{
    TM_MAGIC_END(domain, TM_XEN_DOMAIN_MAGIC);
    pthread_rwlock_destroy(&domain->slots_lock);
    free(domain);
}

enum tmem_result tmem_xen_domain_create(struct tmem_xen *xen, const struct tmem_xen_domain_options *options,
                                        struct tmem_xen_domain **result)
{
    if (xen == NULL || options == NULL || result == NULL || !options_are_valid(options))
        return TMEM_INVALID;
    TM_MAGIC_CHECK(xen, TM_XEN_MAGIC);
    struct tmem_xen_domain *domain = make_domain(xen, options);
    if (domain == NULL)
        return TMEM_NOMEM;
    pthread_mutex_lock(&xen->lock);
    bool is_taken = tm_xen_find(xen, options->id) != NULL;
    if (!is_taken) {
        domain->next = xen->domains;
        xen->domains = domain;
    }
    pthread_mutex_unlock(&xen->lock);
    if (is_taken) {
        free_domain(domain);
        return TMEM_EXISTS;
    }
    *result = domain;
    return TMEM_OK;
}

/* What its pages may take before anybody caps it. */
static uint64_t own_limit_bytes(const struct tmem_xen_domain *domain)
{
    uint64_t pages = domain->options.max_pages;
    return pages < UINT64_MAX / TMEM_PAGE_SIZE ? pages * TMEM_PAGE_SIZE : UINT64_MAX;
}

long tm_xen_enlist(struct tmem_xen_domain *domain)
{
    struct tmem_xen *xen = domain->xen;
    struct tmem_client_options options = TMEM_CLIENT_OPTIONS_INIT;
    struct tmem_client *client;
    char name[TMEM_CLIENT_NAME_SIZE];
    if (tm_load_relaxed(&domain->is_dying) != 0)
        return -ENODEV;
    if (tm_xen_is_client(domain))
        return 0;
    options.cap_bytes = own_limit_bytes(domain);
    snprintf(name, sizeof name, "%s%u", xen->prefix, domain->options.id);
    enum tmem_result made = tmem_client_create(xen->store, name, &options, &client);
    if (made != TMEM_OK)
        return made == TMEM_UNAVAILABLE ? -EIO : -ENOMEM;
    struct tmem_xen_domain **at = &xen->clients;
    while (*at != NULL)
        at = &(*at)->next_client;
    *at = domain;
    tm_store_release(&domain->client, client); /* complete, for operations that look without the lock */
    return 0;
}

static long answer(enum tmem_result result)
{
    return result == TMEM_OK ? 0 : result == TMEM_UNSUPPORTED ? -EOPNOTSUPP
                                                              : -EIO;
}

long tm_xen_set_weight(struct tmem_xen_domain *domain, uint32_t weight)
{
    const struct tmem_client_options defaults = TMEM_CLIENT_OPTIONS_INIT;
    uint32_t share = weight == 0 ? defaults.weight : weight < TMEM_WEIGHT_MAX ? weight
                                                                              : TMEM_WEIGHT_MAX;
    long result = answer(tmem_client_set_weight(domain->client, share));
    if (result == 0)
        domain->weight = weight;
    return result;
}

long tm_xen_set_cap(struct tmem_xen_domain *domain, uint32_t cap_mib)
{
    uint64_t limit = own_limit_bytes(domain);
    if (cap_mib != 0)
        limit = tm_min_u64(limit, cap_mib * MIB);
    long result = answer(tmem_client_set_cap(domain->client, limit));
    if (result == 0)
        domain->cap = cap_mib;
    return result;
}

/* Host's lock held. */
static void delist(struct tmem_xen_domain *domain)
{
    struct tmem_xen *xen = domain->xen;
    for (struct tmem_xen_domain **at = &xen->clients; *at != NULL; at = &(*at)->next_client)
        if (*at == domain) {
            *at = domain->next_client;
            break;
        }
    domain->next_client = NULL;
}

void tmem_xen_domain_kill(struct tmem_xen_domain *domain)
{
    TM_MAGIC_CHECK(domain, TM_XEN_DOMAIN_MAGIC);
    struct tmem_xen *xen = domain->xen;
    tm_store_seq(&domain->is_dying, 1u);
    pthread_mutex_lock(&xen->lock);
    tm_xen_pools_end(domain, 0, TMEM_XEN_POOLS);
    while (domain->pins > 0)
        pthread_cond_wait(&xen->unpinned, &xen->lock);
    tm_xen_save_stop(domain);
    struct tmem_client *client = domain->client;
    tm_store_relaxed(&domain->client, NULL);
    delist(domain);
    pthread_mutex_unlock(&xen->lock);
    tmem_client_destroy(client);
}

void tmem_xen_domain_destroy(struct tmem_xen_domain *domain)
{
    if (domain == NULL)
        return;
    tmem_xen_domain_kill(domain);
    struct tmem_xen *xen = domain->xen;
    pthread_mutex_lock(&xen->lock);
    struct tmem_xen_domain **at = &xen->domains;
    while (*at != domain)
        at = &(*at)->next;
    *at = domain->next;
    xen->ended_operations += domain->operations;
    xen->ended_errors += domain->errors;
    xen->ended_bad_copies += domain->bad_copies;
    xen->ended_without_memory += domain->puts_without_memory;
    xen->ended_without_room += domain->puts_without_room;
    pthread_mutex_unlock(&xen->lock);
    free_domain(domain);
}

/* ---- guests' memory ---- */

bool tm_xen_read(const struct tmem_xen_domain *domain, uint64_t address, void *to, size_t size_bytes)
{
    const struct tmem_xen_guest *guest = &domain->options.guest;
    if (guest->read != NULL)
        return guest->read(guest->context, address, to, size_bytes);
    const void *from = (const void *)(uintptr_t)address;
    if (from == NULL)
        return false;
    memcpy(to, from, size_bytes);
    return true;
}

bool tm_xen_write(const struct tmem_xen_domain *domain, uint64_t address, const void *from, size_t size_bytes)
{
    const struct tmem_xen_guest *guest = &domain->options.guest;
    if (guest->write != NULL)
        return guest->write(guest->context, address, from, size_bytes);
    void *to = (void *)(uintptr_t)address;
    if (to == NULL)
        return false;
    memcpy(to, from, size_bytes);
    return true;
}
