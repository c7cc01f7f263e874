/* SPDX-License-Identifier: BSD-2-Clause */
/* world_test.c - see world_test.h. */
#include "store/world_test.h"

#include "base/mix.h"

/* ---- pages ---- */

static void fill_random(unsigned char *page, uint32_t bytes, uint64_t number)
{
    uint64_t state = number ^ UINT64_C(0x776f726c64);
    for (uint32_t at = 0; at < bytes; at += (uint32_t)sizeof(uint64_t)) {
        uint64_t word = tm_random_next(&state);
        memcpy(page + at, &word, sizeof word);
    }
}

void world_fill(void *page, enum world_sort sort, uint64_t number)
{
    uint64_t twice = number << 32 | (number & UINT32_MAX);
    switch (sort) {
    case WORLD_SMALL:
        tm_same_fill(page, number);
        break;
    case WORLD_TWICE:
        tm_same_fill(page, twice ^ UINT64_C(0x8000000080000000));
        break;
    case WORLD_WORD:
        tm_same_fill(page, number ^ UINT64_C(0x4321000000000000));
        break;
    case WORLD_SHORT:
        memset(page, 0x5a, TM_PAGE_BYTES);
        memcpy(page, &number, sizeof number);
        break;
    case WORLD_LONG:
        memset(page, 0, TM_PAGE_BYTES);
        fill_random(page, TM_PAGE_BYTES * 2u / 3u / 64u * 64u, number);
        break;
    case WORLD_RAW:
    case WORLD_SORTS:
        fill_random(page, TM_PAGE_BYTES, number);
        break;
    }
}

/* ---- the owner ---- */

static struct world_page *page_of(struct world *world, enum tm_arena_kind arena, uint32_t hash, unsigned number,
                                  uint64_t offset)
{
    for (unsigned i = 0; i < TM_WORLD_PAGES; i++) {
        struct world_page *page = &world->page[i];
        if (TM_WORLD_HASH(i) == hash && TM_WORLD_NUMBER(i) == number && page->heap != NULL &&
            page->heap->kind == arena && tm_slot_is_block(page->slot) && tm_slot_offset(page->slot) == offset)
            return page;
    }
    return NULL;
}

static enum tm_fate owner_judge(void *user, enum tm_arena_kind arena, uint32_t hash, unsigned number, uint64_t offset,
                                enum tm_purge why, tm_slot *slot)
{
    struct world *world = user;
    struct world_page *page = page_of(world, arena, hash, number, offset);
    if (page == NULL)
        return TM_FATE_DEAD;
    bool used = (page->slot & TM_SLOT_USED) != 0;
    bool stays = why == TM_PURGE_CLEAN || why == TM_PURGE_COOL;
    bool keep = stays || why == TM_PURGE_ADMIT || (why == TM_PURGE_SECOND && used);
    *slot = page->slot;
    if (keep) {
        if (why != TM_PURGE_CLEAN)
            page->slot &= why == TM_PURGE_COOL ? ~TM_SLOT_WARM : ~TM_SLOT_USED;
        if (world->releases_on_keep)
            world_drop(world, (unsigned)(page - world->page));
        return TM_FATE_KEEP;
    }
    page->slot = 0;
    page->heap = NULL;
    world->dropped++;
    return TM_FATE_DROPPED;
}

static bool owner_swap(void *user, enum tm_arena_kind arena, uint32_t hash, unsigned number, uint64_t from, tm_slot to)
{
    struct world *world = user;
    struct world_page *page = page_of(world, arena, hash, number, from);
    if (page != NULL && world->releases_on_swap) {
        tm_slot slot = page->slot;
        *page = (struct world_page){0};
        tm_slot_release(world->store, arena, slot);
        return false;
    }
    if (page == NULL || world->refuses_swap)
        return false;
    page->slot = to | (page->slot & (TM_SLOT_USED | TM_SLOT_WARM));
    return true;
}

static bool owner_pin(void *user, enum tm_arena_kind arena, uint32_t hash, unsigned number, uint64_t offset,
                      struct tm_worker *worker, unsigned hazard)
{
    struct world *world = user;
    struct world_page *page = page_of(world, arena, hash, number, offset);
    return page != NULL && !world->refuses_pin && tm_pin(world->store, arena, worker, hazard, page->slot);
}

static void owner_expect(void *user, enum tm_arena_kind arena, uint32_t hash)
{
    (void)arena;
    (void)hash;
    ((struct world *)user)->expected++;
}

/* A chunk has one page here. */
static unsigned owner_judge_chunk(void *user, enum tm_arena_kind arena, uint32_t hash, uint64_t from, uint64_t to,
                                  enum tm_purge why, struct tm_judged pages[TM_JUDGED_MAX])
{
    struct world *world = user;
    for (unsigned i = 0; i < TM_WORLD_PAGES; i++) {
        const struct world_page *page = &world->page[i];
        uint64_t offset = tm_slot_offset(page->slot);
        if (TM_WORLD_HASH(i) != hash || page->heap == NULL || page->heap->kind != arena ||
            !tm_slot_is_block(page->slot) || offset < from || offset >= to)
            continue;
        pages[0].number = (uint8_t)TM_WORLD_NUMBER(i);
        enum tm_fate fate = owner_judge(user, arena, hash, pages[0].number, offset, why, &pages[0].slot);
        pages[0].is_kept = fate == TM_FATE_KEEP;
        return 1;
    }
    return 0;
}

static void owner_swap_chunk(void *user, enum tm_arena_kind arena, uint32_t hash, struct tm_exchange *exchange,
                             unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        exchange[i].is_done = owner_swap(user, arena, hash, exchange[i].number, exchange[i].from, exchange[i].to);
}

/* ---- making and ending ---- */

void world_host(struct world *world, unsigned spans, bool dedup)
{
    memset(world, 0, sizeof *world);
    tm_test_host_init(&world->host, spans, 2);
    world->config = (struct tm_store_config){.size_bytes = TM_WORLD_PLENTY, .dedup = dedup};
    world->owner = (struct tm_owner){world, owner_judge, owner_swap, owner_pin, owner_judge_chunk,
                                     owner_swap_chunk, owner_expect};
    world->codec = world->host.codec.codec;
}

enum tm_create world_create(struct world *world)
{
    return tm_store_create(&world->host.host, &world->codec, &world->owner, &world->config, &world->store);
}

static void start_heaps(struct world *world)
{
    world->worker = tm_worker_acquire(world->store);
    world->ephemeral = tm_heap_create(world->store, TM_ARENA_EPHEMERAL, 1);
    world->persistent = tm_heap_create(world->store, TM_ARENA_PERSISTENT, 2);
    assert_non_null(world->ephemeral);
    assert_non_null(world->persistent);
}

void world_start(struct world *world)
{
    enum tm_create created = world_create(world);
    assert_true(created == TM_CREATE_OK || created == TM_CREATE_FOUND);
    start_heaps(world);
}

void world_stop(struct world *world)
{
    tm_worker_release(world->store, world->worker);
    tm_store_destroy(world->store);
    world->store = NULL;
}

void world_crash(struct world *world)
{
    world->store = NULL;
    tm_test_host_crash(&world->host);
}

void world_init(struct world *world, unsigned spans, bool dedup)
{
    world_host(world, spans, dedup);
    world_start(world);
}

void world_init_surviving(struct world *world, unsigned spans)
{
    world_host(world, spans, true);
    world->host.host.persistent_survives = true;
    world_start(world);
}

void world_deny(struct world *world, enum tm_test_fault fault, bool denied)
{
    const struct tm_test_plan plan = {TM_FAULT_BIT(fault), true, 1};
    tm_test_faults_host = &world->host;
    tm_test_host_plan(&world->host, denied ? &plan : NULL);
}

void world_fini(struct world *world)
{
    tm_test_faults_host = NULL;
    tm_test_host_plan(&world->host, NULL);
    world_check(world);
    for (unsigned i = 0; i < TM_WORLD_PAGES; i++)
        world_drop(world, i);
    tm_heap_destroy(world->ephemeral);
    tm_heap_destroy(world->persistent);
    assert_false(tm_store_drain(world->store));
    tm_store_check(world->store);
    assert_int_equal(tm_store_blocks(world->store), 0);
    assert_int_equal(world->store->segment_bytes, 0);
    world_stop(world);
    assert_true(tm_test_host_is_clean(&world->host));
    if (world->host.host.persistent_survives)
        tm_test_host_wipe(&world->host);
    tm_test_host_fini(&world->host);
}

/* ---- pages in the store ---- */

struct tm_page_put world_prepare(struct world *world, struct tm_heap *heap, unsigned index, enum world_sort sort,
                                 uint64_t number, void *page)
{
    world_fill(page, sort, number);
    struct tm_page_put put = {.page = page,
                              .heap = heap,
                              .hash = TM_WORLD_HASH(index),
                              .number = (uint8_t)TM_WORLD_NUMBER(index)};
    tm_put_prepare(world->store, world->worker, &put);
    return put;
}

void world_publish(struct world *world, struct tm_page_put *put, unsigned index, enum world_sort sort,
                   uint64_t number)
{
    struct world_page old = world->page[index];
    world->page[index] = (struct world_page){put->heap, put->slot, sort, number};
    tm_put_finish(world->store, put);
    if (old.heap != NULL)
        tm_slot_release(world->store, old.heap->kind, old.slot);
}

enum tm_write world_put_tier(struct world *world, struct tm_heap *heap, unsigned index, enum world_sort sort,
                             uint64_t number, enum tm_tier tier)
{
    unsigned char page[TM_PAGE_BYTES];
    struct tm_page_put put = world_prepare(world, heap, index, sort, number, page);
    put.tier = tier;
    enum tm_write result = tm_put_write(world->store, world->worker, &put);
    if (result == TM_WRITE_CHANGED) {
        put.no_dedup = true;
        tm_put_prepare(world->store, world->worker, &put);
        result = tm_put_write(world->store, world->worker, &put);
    }
    if (result == TM_WRITE_OK)
        world_publish(world, &put, index, sort, number);
    else
        tm_put_abandon(world->store, world->worker, &put);
    return result;
}

enum tm_write world_put(struct world *world, struct tm_heap *heap, unsigned index, enum world_sort sort,
                        uint64_t number)
{
    return world_put_tier(world, heap, index, sort, number, TM_TIER_NORMAL);
}

void world_drop(struct world *world, unsigned index)
{
    struct world_page page = world->page[index];
    world->page[index] = (struct world_page){0};
    if (page.heap != NULL)
        tm_slot_release(world->store, page.heap->kind, page.slot);
}

bool world_has(struct world *world, unsigned index)
{
    unsigned char wanted[TM_PAGE_BYTES];
    unsigned char page[TM_PAGE_BYTES];
    const struct world_page *entry = &world->page[index];
    if (entry->heap == NULL || tm_slot_type(entry->slot) == TM_SLOT_LOST)
        return false;
    world_fill(wanted, entry->sort, entry->number);
    if (tm_slot_is_inline(entry->slot)) {
        tm_same_fill(page, tm_slot_word(entry->slot));
    } else {
        if (!tm_pin(world->store, entry->heap->kind, world->worker, 1, entry->slot))
            return false;
        tm_pinned_prefetch(world->store, world->worker, 1);
        bool read = tm_pinned_read(world->store, world->worker, 1, TM_WORLD_HASH(index), TM_WORLD_NUMBER(index), page);
        tm_unpin(world->worker, 1);
        if (!read)
            return false;
    }
    return memcmp(page, wanted, sizeof page) == 0;
}

struct tm_block *world_block(struct world *world, unsigned index)
{
    const struct world_page *entry = &world->page[index];
    enum tm_arena_kind arena = entry->heap->kind;
    tm_slot slot = entry->slot;
    if (tm_slot_type(slot) == TM_SLOT_SHARED)
        slot = ((const struct tm_content *)tm_record_at(world->store, arena, tm_slot_offset(slot)))->slot;
    assert_true(tm_slot_is_block(slot));
    return (struct tm_block *)(void *)tm_arena_address(&world->store->arena[arena], tm_slot_offset(slot));
}

unsigned world_count(struct world *world)
{
    unsigned count = 0;
    for (unsigned i = 0; i < TM_WORLD_PAGES; i++)
        count += world->page[i].heap != NULL;
    return count;
}

/* What an evicted content leaves behind: the pages that refer to it go when they are looked at. */
static bool notice_eviction(struct world *world, unsigned index)
{
    const struct world_page *page = &world->page[index];
    if (tm_slot_type(page->slot) != TM_SLOT_SHARED)
        return false;
    if (tm_pin(world->store, page->heap->kind, world->worker, 1, page->slot)) {
        tm_unpin(world->worker, 1);
        return false;
    }
    world_drop(world, index);
    world->evicted++;
    return true;
}

void world_check(struct world *world)
{
    uint64_t bytes = 0;
    for (unsigned i = 0; i < TM_WORLD_PAGES; i++) {
        const struct world_page *page = &world->page[i];
        if (page->heap == NULL || tm_slot_type(page->slot) == TM_SLOT_LOST || notice_eviction(world, i))
            continue;
        assert_true(world_has(world, i));
        if (tm_slot_is_block(page->slot))
            bytes += tm_slot_bytes(page->slot);
    }
    tm_store_check(world->store);
    assert_int_equal(bytes + tm_store_content_bytes(world->store), world_figures(world).block_bytes);
}

struct tm_store_figures world_figures(struct world *world)
{
    struct tm_store_figures figures;
    tm_store_figures(world->store, &figures);
    return figures;
}
