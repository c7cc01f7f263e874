/* SPDX-License-Identifier: BSD-2-Clause */
/* op.c - hypercall 38: what is checked in which order, and what each release knows. */
#include <errno.h>

#include "xen/xen.h"

/* ---- pools ---- */

static long new_pool(struct tmem_xen_domain *domain, const struct tmem_op *op)
{
    pthread_mutex_lock(&domain->xen->lock);
    long result = tm_xen_enlist(domain);
    if (result == 0)
        result = tm_xen_pool_create(domain, -1, op->u.creat.flags, op->u.creat.uuid);
    pthread_mutex_unlock(&domain->xen->lock);
    return result;
}

/* Never negative: a number that leads nowhere is nothing to destroy. */
static long destroy_pool(struct tmem_xen_domain *domain, const struct tmem_op *op)
{
    uint32_t number = (uint32_t)op->pool_id;
    pthread_mutex_lock(&domain->xen->lock);
    bool is_there = number < TMEM_XEN_POOLS && domain->slots[number].pool != NULL;
    if (is_there)
        tm_xen_pools_end(domain, number, 1);
    pthread_mutex_unlock(&domain->xen->lock);
    return is_there;
}

/* ---- pages ---- */

/* The order of checks is the original's: a pool that is not there comes before a command that is none. */
static long page_op_locked(struct tmem_xen_domain *domain, const struct tmem_op *op)
{
    uint32_t number = (uint32_t)op->pool_id;
    if (number >= TMEM_XEN_POOLS || domain->slots[number].pool == NULL)
        return -ENODEV;
    bool has_ranges = !tm_xen_since(domain, TMEM_XEN_RELEASE_4_7);
    switch (op->cmd) {
    case TMEM_PUT_PAGE:
    case TMEM_GET_PAGE:
    case TMEM_FLUSH_PAGE:
    case TMEM_FLUSH_OBJECT:
        return tm_xen_page_op(domain, &domain->slots[number], op);
    case TMEM_NEW_PAGE:
    case TMEM_READ:
    case TMEM_WRITE:
        return has_ranges ? tm_xen_page_op(domain, &domain->slots[number], op) : -ENOSYS;
    default:
        return has_ranges ? 0 : -ENOSYS; /* XCHG, too: nothing was ever done for it */
    }
}

static long page_op(struct tmem_xen_domain *domain, const struct tmem_op *op)
{
    if (op->cmd == TMEM_WRITE) /* reads, then puts: nobody may come between */
        pthread_rwlock_wrlock(&domain->slots_lock);
    else
        pthread_rwlock_rdlock(&domain->slots_lock);
    long result = page_op_locked(domain, op);
    pthread_rwlock_unlock(&domain->slots_lock);
    return result;
}

/* ---- order ---- */

/* A domain becomes a client with whatever it asks for first. */
static long enlist(struct tmem_xen_domain *domain)
{
    if (tm_xen_is_client(domain))
        return 0;
    pthread_mutex_lock(&domain->xen->lock);
    long result = tm_xen_enlist(domain);
    pthread_mutex_unlock(&domain->xen->lock);
    return result;
}

/* Commands of the control domain. In the original anybody could send AUTH and RESTORE_NEW, for anybody. */
static long privileged(struct tmem_xen_domain *domain, const struct tmem_op *op)
{
    if (op->cmd == TMEM_CONTROL ? tm_xen_since(domain, TMEM_XEN_RELEASE_4_7)
                                : tm_xen_since(domain, TMEM_XEN_RELEASE_4_12))
        return -EOPNOTSUPP;
    if (!domain->options.is_privileged)
        return -EPERM;
    if (op->cmd == TMEM_CONTROL)
        return tm_xen_control(domain, op);
    return op->cmd == TMEM_AUTH ? tm_xen_old_auth(domain->xen, op) : tm_xen_old_restore_new(domain->xen, op);
}

static long decoded(struct tmem_xen_domain *domain, const struct tmem_op *op)
{
    long result;
    switch (op->cmd) {
    case TMEM_CONTROL:
    case TMEM_AUTH:
    case TMEM_RESTORE_NEW:
        return privileged(domain, op);
    case TMEM_NEW_POOL:
        return new_pool(domain, op);
    case TMEM_DESTROY_POOL:
        result = enlist(domain);
        return result != 0 ? result : destroy_pool(domain, op);
    default:
        result = enlist(domain);
        return result != 0 ? result : page_op(domain, op);
    }
}

static long counted(struct tmem_xen_domain *domain, const void *address)
{
    struct tmem_op op;
    unsigned char bytes[sizeof op];
    size_t size_bytes = tmem_xen_op_size(domain->options.abi);
    if (tm_load_seq(&domain->is_dying) != 0)
        return -ENODEV;
    if (!tm_xen_read(domain, (uintptr_t)address, bytes, size_bytes) ||
        !tmem_xen_decode(domain->options.abi, bytes, size_bytes, &op))
        return -EFAULT;
    return decoded(domain, &op);
}

long tmem_xen_op(struct tmem_xen_domain *domain, const void *op)
{
    TM_MAGIC_CHECK(domain, TM_XEN_DOMAIN_MAGIC);
    const struct tmem_xen_domain_options *options = &domain->options;
    if (domain->xen->settings.is_off)
        return -ENODEV;
    if (options->permits != NULL && !options->permits(options->guest.context))
        return -EPERM;
    tm_fetch_add_relaxed(&domain->operations, 1u);
    long result = counted(domain, op);
    if (result < 0)
        tm_fetch_add_relaxed(&domain->errors, 1u);
    return result;
}
