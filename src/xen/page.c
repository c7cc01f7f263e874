/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * page.c - operations on pages: put, get, flush, and the sub-range ones that 4.3 was the last to have.
 *
 * A guest may change a frame at any moment, so a page that is stored is first copied to memory that nobody else
 * writes. A page that is got is copied to the guest when it is complete, into a frame that was found before anything
 * was removed: with a bad frame nothing is lost.
 */
#include <errno.h>
#include <string.h>

#include "xen/xen.h"

/* One operation under way. */
struct call {
    struct tmem_xen_domain *domain;
    struct tm_xen_pool *pool;
    struct tmem_pool *member;
    struct tmem_object_id object;
    const struct tmem_op *op;
};

/* Bytes of a stored page, of a frame, and how many. */
struct range {
    uint32_t in_page, in_frame, size_bytes;
};

static const struct range whole = {0, 0, TMEM_PAGE_SIZE};

static void count(uint64_t *counter)
{
    tm_fetch_add_relaxed(counter, 1u);
}

/* ---- guests' frames ---- */

static unsigned char *map_frame(struct call *call, bool for_write)
{
    const struct tmem_xen_guest *guest = &call->domain->options.guest;
    void *mapping = guest->map != NULL ? guest->map(guest->context, call->op->u.gen.cmfn, for_write) : NULL;
    if (mapping == NULL)
        count(&call->domain->bad_copies);
    return mapping;
}

static void unmap_frame(struct call *call, void *mapping, bool is_written)
{
    const struct tmem_xen_guest *guest = &call->domain->options.guest;
    if (guest->unmap != NULL)
        guest->unmap(guest->context, call->op->u.gen.cmfn, mapping, is_written);
}

/* Takes a range of the guest's frame over into @page. */
static bool copy_from_guest(struct call *call, unsigned char *page, const struct range *range)
{
    unsigned char *frame = map_frame(call, false);
    if (frame == NULL)
        return false;
    memcpy(page + range->in_page, frame + range->in_frame, range->size_bytes);
    unmap_frame(call, frame, false);
    return true;
}

/* ---- what is there ---- */

/* Whether there is a page, without a look at its bytes; TMEM_MISS, TMEM_UNAVAILABLE, or else there is one. */
static enum tmem_result look(struct call *call)
{
    struct tmem_stored stored;
    return tmem_get_stored(call->member, &call->object, call->op->u.gen.index, &stored);
}

static bool is_there(struct call *call)
{
    enum tmem_result result = look(call);
    return result != TMEM_MISS && result != TMEM_UNAVAILABLE;
}

/*
 * Whether a pool is empty is a question to the store, over a connection another one with each miss. So an answer holds
 * for some misses: for as many as there were pages, less those that guests have removed since, and no more than this,
 * since the store may have evicted all of them.
 */
#define SURE_MISSES 64u

/* One page less, or one miss more. False: it is to be asked whether any is left. */
static bool is_surely_not_empty(struct call *call)
{
    uint32_t sure = tm_load_relaxed(&call->pool->sure);
    while (sure != 0 && !tm_compare_exchange(&call->pool->sure, &sure, sure - 1u))
        continue;
    return sure != 0;
}

/* Nobody knows how many pages went. */
static void be_unsure(struct call *call)
{
    tm_store_relaxed(&call->pool->sure, 0u);
}

static bool is_empty(struct call *call)
{
    struct tmem_pool_stats stats;
    if (is_surely_not_empty(call) || tmem_pool_stats(call->member, &stats, sizeof stats) != TMEM_OK)
        return false;
    tm_store_relaxed(&call->pool->sure, (uint32_t)tm_min_u64(stats.counters.pages, SURE_MISSES));
    return stats.counters.pages == 0;
}

/* Whether somebody reads the pool's pages out while it is used, and has to know which go. */
static bool is_noted(const struct call *call)
{
    return call->domain->is_migrating && call->pool->is_persistent;
}

static enum tmem_result invalidate(struct call *call)
{
    enum tmem_result result = tmem_invalidate_page(call->member, &call->object, call->op->u.gen.index);
    if (result == TMEM_OK)
        (void)is_surely_not_empty(call);
    if (result == TMEM_OK && is_noted(call))
        tm_xen_save_note(call->domain, (uint32_t)call->op->pool_id, &call->object, call->op->u.gen.index);
    return result;
}

static bool remove_page(struct call *call)
{
    return invalidate(call) == TMEM_OK;
}

/* ---- put ---- */

/* A put that failed leaves nothing under its handle; what it answers depends on whether there was something. */
static long put_failed(struct call *call, bool was_there, long result_if_there, long result)
{
    be_unsure(call);
    count(was_there ? &call->pool->puts_flushed : &call->pool->puts_bad);
    return was_there ? result_if_there : result;
}

static long put_answer(struct call *call, enum tmem_result result)
{
    switch (result) {
    case TMEM_OK:
        count(&call->pool->puts_good);
        if (call->pool->is_persistent)
            count(&call->domain->persistent_puts);
        return 1;
    case TMEM_KEPT: /* a persistent pool's older page */
        count(&call->domain->puts_without_room);
        return put_failed(call, remove_page(call), -ENOSPC, -ENOMEM);
    case TMEM_REFUSED:
        count(&call->domain->puts_without_room);
        return put_failed(call, false, 0, -ENOMEM);
    case TMEM_NOMEM:
        count(&call->domain->puts_without_memory);
        return put_failed(call, false, 0, -ENOMEM);
    default:
        return put_failed(call, false, 0, -EIO);
    }
}

static long store_page(struct call *call, const unsigned char *page)
{
    /* Keeping the older page tells whether there was one. In an ephemeral pool none is left: it went to make room. */
    uint32_t flags = call->pool->is_persistent ? TMEM_PUT_KEEP : TMEM_PUT_PLAIN;
    return put_answer(call, tmem_put(call->member, &call->object, call->op->u.gen.index, page, flags));
}

/* Stores a page: the range of it that comes from the guest, over @page, or all of @page without a range. */
static long put_page(struct call *call, unsigned char *page, const struct range *range)
{
    count(&call->pool->puts);
    if (tm_load_relaxed(&call->pool->is_migrating) != 0)
        return put_failed(call, remove_page(call), -ENOSPC, -EFROZEN);
    if (tm_load_relaxed(&call->pool->is_frozen) != 0 && !is_there(call))
        return put_failed(call, false, 0, -EFROZEN);
    if (range != NULL && !copy_from_guest(call, page, range))
        return put_failed(call, remove_page(call), -EFAULT, -EFAULT);
    return store_page(call, page);
}

static long put(struct call *call)
{
    unsigned char page[TMEM_PAGE_SIZE];
    return put_page(call, page, &whole);
}

static long put_zeros(struct call *call)
{
    unsigned char page[TMEM_PAGE_SIZE] = {0};
    return put_page(call, page, NULL);
}

/* ---- get ---- */

/* An empty pool has a result of its own, and that is not counted as a get. */
static long get_missed(struct call *call)
{
    if (is_empty(call))
        return -EEMPTY;
    count(&call->pool->gets);
    return 0;
}

static long get_found(struct call *call)
{
    count(&call->pool->gets);
    count(&call->pool->gets_found);
    (void)is_surely_not_empty(call); /* it may have gone with that */
    count(call->pool->is_persistent ? &call->domain->persistent_gets : &call->domain->ephemeral_gets);
    return 1;
}

static long get_failed(struct call *call, long result)
{
    count(&call->pool->gets);
    return result;
}

/* There is no frame to copy to. Whoever asks for a page that is not there is told so all the same. */
static long get_without_frame(struct call *call)
{
    enum tmem_result result = look(call);
    if (result == TMEM_MISS)
        return get_missed(call);
    return get_failed(call, result == TMEM_UNAVAILABLE ? -EIO : -EFAULT);
}

static long get_range(struct call *call, const struct range *range)
{
    unsigned char page[TMEM_PAGE_SIZE];
    unsigned char *frame = map_frame(call, true);
    if (frame == NULL)
        return get_without_frame(call);
    enum tmem_result result =
        tmem_get(call->member, &call->object, call->op->u.gen.index, page, TMEM_GET_DEFAULT);
    if (result == TMEM_OK)
        memcpy(frame + range->in_frame, page + range->in_page, range->size_bytes);
    unmap_frame(call, frame, result == TMEM_OK);
    if (result == TMEM_OK)
        return get_found(call);
    return result == TMEM_MISS ? get_missed(call) : get_failed(call, -EIO);
}

/* ---- sub-ranges ---- */

static bool take_range(const struct tmem_op *op, struct range *range)
{
    *range = (struct range){op->u.gen.tmem_offset, op->u.gen.pfn_offset, op->u.gen.len};
    return range->size_bytes <= TMEM_PAGE_SIZE && range->in_page <= TMEM_PAGE_SIZE - range->size_bytes &&
           range->in_frame <= TMEM_PAGE_SIZE - range->size_bytes;
}

static long read_range(struct call *call)
{
    struct range range;
    return take_range(call->op, &range) ? get_range(call, &range) : -EINVAL;
}

/* What is not written stays; of a page that was not there it is zero. Nobody else of this domain changes the page
 * meanwhile, see tm_xen_page_op(). */
static long write_range(struct call *call)
{
    struct range range;
    unsigned char page[TMEM_PAGE_SIZE];
    if (!take_range(call->op, &range))
        return -EINVAL;
    enum tmem_result result =
        tmem_get(call->member, &call->object, call->op->u.gen.index, page, TMEM_GET_INCLUSIVE);
    if (result == TMEM_MISS)
        memset(page, 0, sizeof page);
    else if (result != TMEM_OK)
        return -EIO;
    return put_page(call, page, &range);
}

/* ---- flush ---- */

/* Performed in any case, even where a frozen client is answered otherwise. */
static long flush_answer(struct call *call, enum tmem_result result, uint64_t *counter, uint64_t *found)
{
    count(counter);
    if (result == TMEM_OK)
        count(found);
    else if (result != TMEM_MISS)
        return -EIO;
    return tm_load_relaxed(&call->pool->is_frozen) != 0 ? -EFROZEN : 1;
}

static long flush_page(struct call *call)
{
    return flush_answer(call, invalidate(call), &call->pool->flushes, &call->pool->flushes_found);
}

static long flush_object(struct call *call)
{
    enum tmem_result result = is_noted(call)
                                  ? tm_xen_save_remove(call->domain, (uint32_t)call->op->pool_id, &call->object)
                                  : tmem_invalidate_object(call->member, &call->object);
    if (result == TMEM_NOT_FOUND) /* what the call has is no more, but the object is gone with it */
        return call->domain->is_migrating ? -EFROZEN : 1;
    be_unsure(call);
    return flush_answer(call, result, &call->pool->object_flushes, &call->pool->object_flushes_found);
}

/* ---- operations ---- */

static struct call call_of(struct tmem_xen_domain *domain, const struct tm_xen_slot *slot, const struct tmem_op *op)
{
    const uint64_t *oid = op->u.gen.oid;
    return (struct call){domain, slot->pool, slot->member, {{oid[0], oid[1], oid[2]}}, op};
}

long tm_xen_restore_op(struct tmem_xen_domain *domain, const struct tm_xen_slot *slot, const struct tmem_op *op,
                       unsigned char *page)
{
    struct call call = call_of(domain, slot, op);
    if (page == NULL) {
        long result = flush_page(&call);
        return result == -EFROZEN ? 1 : result;
    }
    if (tm_load_relaxed(&call.pool->is_migrating) != 0)
        return put_page(&call, page, NULL);
    count(&call.pool->puts);
    return store_page(&call, page);
}

long tm_xen_page_op(struct tmem_xen_domain *domain, const struct tm_xen_slot *slot, const struct tmem_op *op)
{
    struct call call = call_of(domain, slot, op);
    switch (op->cmd) {
    case TMEM_PUT_PAGE:
        return put(&call);
    case TMEM_GET_PAGE:
        return get_range(&call, &whole);
    case TMEM_FLUSH_PAGE:
        return flush_page(&call);
    case TMEM_FLUSH_OBJECT:
        return flush_object(&call);
    case TMEM_NEW_PAGE:
        return put_zeros(&call);
    case TMEM_READ:
        return read_range(&call);
    case TMEM_WRITE:
        return write_range(&call);
    default:
        return -ENOSYS;
    }
}
