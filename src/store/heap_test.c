/* SPDX-License-Identifier: BSD-2-Clause */
/* heap_test.c - an account's log: heaps that come and go, lanes, sealing, bins by deadness, ages, and what is taken. */
#include <pthread.h>
#include <time.h>

#include "store/world_test.h"

static struct world world;
static struct tm_store *store;
static struct tm_heap *heap; /* the ephemeral one */
static struct tm_arena *arena;

static void start(unsigned spans)
{
    world_init(&world, spans, false);
    store = world.store;
    heap = world.ephemeral;
    arena = &store->arena[TM_ARENA_EPHEMERAL];
}

static int set_up(void **state)
{
    (void)state;
    start(16);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_fini(&world);
    return 0;
}

static void put_row(struct tm_heap *where, unsigned from, unsigned to, enum world_sort sort)
{
    for (unsigned i = from; i < to; i++)
        assert_int_equal(world_put(&world, where, i, sort, 1000u + i), TM_WRITE_OK);
}

static uint32_t segment_of(unsigned index)
{
    const struct world_page *page = &world.page[index];
    return tm_segment_of(&store->arena[page->heap->kind], tm_slot_offset(page->slot));
}

/* ---- heaps ---- */

static void a_heap_that_ended_is_used_again_as_another(void **state)
{
    (void)state;
    struct tm_heap *first = tm_heap_create(store, TM_ARENA_EPHEMERAL, 7);
    uint32_t number = first->number;
    uint32_t stamp = first->stamp;
    assert_ptr_equal(tm_heap_at(store, number), first);
    tm_heap_destroy(first);
    tm_store_check(store);
    struct tm_heap *other_kind = tm_heap_create(store, TM_ARENA_PERSISTENT, 7);
    assert_int_not_equal(other_kind->number, number); /* a heap's kind never changes */
    struct tm_heap *second = tm_heap_create(store, TM_ARENA_EPHEMERAL, 8);
    assert_int_equal(second->number, number);
    assert_int_not_equal(second->stamp, stamp);
    assert_true(second->domain == 8);
    tm_heap_destroy(second);
    tm_heap_destroy(other_kind);
}

static void without_memory_no_heap_is_made(void **state)
{
    (void)state;
    world_host(&world, 8, false);
    assert_int_equal(world_create(&world), TM_CREATE_OK);
    uint64_t before = tm_store_metadata(world.store);
    for (uint64_t at = 1; at <= 2; at++) { /* the heap; the directory that it is entered in */
        const struct tm_test_plan plan = {TM_FAULT_BIT(TM_FAULT_ALLOC), false, at};
        tm_test_host_plan(&world.host, &plan);
        assert_null(tm_heap_create(world.store, TM_ARENA_EPHEMERAL, 1));
        assert_int_equal(world.host.failed, 1);
        assert_int_equal(tm_store_metadata(world.store), before);
    }
    tm_test_host_plan(&world.host, NULL);
    struct tm_heap *made = tm_heap_create(world.store, TM_ARENA_EPHEMERAL, 1);
    assert_int_equal(made->number, 1);
    tm_store_check(world.store);
    tm_store_destroy(world.store);
    assert_true(tm_test_host_is_clean(&world.host));
    tm_test_host_fini(&world.host);
}

static void numbers_of_heaps_end(void **state)
{
    (void)state;
    uint64_t before = tm_store_metadata(store);
    uint32_t next = store->heaps_next;
    store->heaps_next = TM_HEAP_DIRECTORY * TM_HEAP_DIRECTORY;
    assert_null(tm_heap_create(store, TM_ARENA_EPHEMERAL, 1));
    store->heaps_next = next;
    assert_int_equal(tm_store_metadata(store), before);
    tm_store_check(store);
}

static void more_heaps_than_one_directory_holds(void **state)
{
    (void)state;
    static struct tm_heap *heaps[TM_HEAP_DIRECTORY + 10u];
    for (unsigned i = 0; i < TM_ARRAY_SIZE(heaps); i++)
        heaps[i] = tm_heap_create(store, TM_ARENA_EPHEMERAL, i);
    for (unsigned i = 0; i < TM_ARRAY_SIZE(heaps); i++)
        assert_ptr_equal(tm_heap_at(store, heaps[i]->number), heaps[i]);
    assert_int_equal(world_put(&world, heaps[TM_HEAP_DIRECTORY + 5u], 0, WORLD_LONG, 1), TM_WRITE_OK);
    world_check(&world);
    world_drop(&world, 0);
    for (unsigned i = 0; i < TM_ARRAY_SIZE(heaps); i++)
        tm_heap_destroy(heaps[i]);
}

static uint32_t has_ended;

static void *end_heap(void *ending)
{
    tm_heap_destroy(ending);
    __atomic_store_n(&has_ended, 1u, __ATOMIC_RELEASE);
    return NULL;
}

static void wait_a_little(void)
{
    const struct timespec little = {0, 5000000};
    nanosleep(&little, NULL);
}

static void a_heap_ends_when_nobody_is_at_work_in_it(void **state)
{
    (void)state;
    for (unsigned way = 0; way < 2; way++) {
        struct tm_heap *ending = tm_heap_create(store, TM_ARENA_EPHEMERAL, 5);
        struct tm_reservation at;
        pthread_t thread;
        __atomic_store_n(&has_ended, 0u, __ATOMIC_RELEASE);
        assert_true(tm_heap_reserve(ending, 0, 100, TM_TIER_NORMAL, &at));
        if (way == 0) /* somebody counts its bytes; otherwise only the writer is not done */
            assert_true(tm_lock_try(&ending->purge_lock));
        assert_int_equal(pthread_create(&thread, NULL, end_heap, ending), 0);
        while (tm_load_acquire(&tm_segment_at(arena, at.segment)->state) != TM_SEGMENT_SEALED)
            wait_a_little(); /* sealing is the first that it does */
        wait_a_little();
        assert_int_equal(__atomic_load_n(&has_ended, __ATOMIC_ACQUIRE), 0);
        if (way == 0)
            tm_lock_release_tried(&ending->purge_lock);
        wait_a_little();
        assert_int_equal(__atomic_load_n(&has_ended, __ATOMIC_ACQUIRE), 0);
        tm_heap_unreserve(ending, &at, 100);
        pthread_join(thread, NULL);
        assert_int_equal(has_ended, 1);
    }
}

/* ---- lanes ---- */

/* A heap that looks as if it had so many units more. */
static void pretend(struct tm_heap *which, uint64_t units)
{
    tm_store_relaxed(&which->segment_bytes, which->segment_bytes + units * arena->unit_bytes);
}

static void unpretend(struct tm_heap *which, uint64_t units)
{
    tm_store_relaxed(&which->segment_bytes, which->segment_bytes - units * arena->unit_bytes);
}

static void larger_accounts_use_more_lanes(void **state)
{
    (void)state;
    static const struct {
        uint64_t units;
        unsigned lanes;
    } rows[] = {{0, 1}, {63, 1}, {64, 2}, {255, 2}, {256, TM_PUT_LANES}};
    for (unsigned i = 0; i < TM_ARRAY_SIZE(rows); i++) {
        pretend(heap, rows[i].units);
        for (unsigned worker = 0; worker < 9; worker++)
            assert_int_equal(tm_heap_put_lane(heap, worker), worker % rows[i].lanes);
        unpretend(heap, rows[i].units);
    }
}

static void larger_accounts_use_longer_segments(void **state)
{
    (void)state;
    static const struct {
        uint64_t units;
        unsigned order[TM_ARENAS];
    } rows[] = {{0, {0, 0}}, {31, {0, 0}}, {32, {0, 1}}, {128, {0, 2}}, {512, {1, 3}}, {1024, {2, 3}}};
    for (unsigned kind = 0; kind < TM_ARENAS; kind++) {
        struct tm_heap *which = kind == TM_ARENA_EPHEMERAL ? world.ephemeral : world.persistent;
        for (unsigned i = 0; i < TM_ARRAY_SIZE(rows); i++) {
            struct tm_reservation at;
            pretend(which, rows[i].units);
            assert_true(tm_heap_reserve(which, 0, 100, TM_TIER_NORMAL, &at));
            unpretend(which, rows[i].units);
            assert_int_equal(tm_segment_at(&store->arena[kind], at.segment)->order, rows[i].order[kind]);
            tm_heap_unreserve(which, &at, 100);
            tm_heap_seal(which);
        }
        assert_int_equal(which->segment_bytes, 0);
    }
}

static void a_shorter_segment_will_do(void **state)
{
    (void)state;
    start(3); /* two spans besides the head */
    struct tm_reservation at;
    put_row(heap, 0, 2 * TM_SPAN_UNITS, WORLD_RAW); /* a page a segment */
    for (unsigned i = 0; i < 2 * TM_SPAN_UNITS; i += 2)
        world_drop(&world, i);
    pretend(heap, 1024);
    assert_true(tm_heap_reserve(heap, 0, TM_PAGE_BYTES, TM_TIER_NORMAL, &at));
    unpretend(heap, 1024);
    assert_int_equal(tm_segment_at(arena, at.segment)->order, 0);
    tm_heap_unreserve(heap, &at, TM_PAGE_BYTES);
    world_fini(&world);
}

static void what_is_reserved_can_be_walked_over(void **state)
{
    (void)state;
    struct tm_reservation at[3];
    static const uint32_t lengths[3] = {1, 777, TM_PAGE_BYTES};
    uint64_t live = 0;
    for (unsigned i = 0; i < 3; i++) {
        assert_true(tm_heap_reserve(heap, 0, lengths[i], TM_TIER_NORMAL, &at[i]));
        const struct tm_block *block = (const struct tm_block *)(const void *)tm_arena_address(arena, at[i].offset);
        assert_int_equal(tm_block_codec(block->word), TM_CODEC_NONE);
        assert_int_equal(tm_block_length(block->word), lengths[i]);
        assert_int_equal(tm_block_generation(block->word), at[i].generation);
        assert_int_equal(at[i].segment, at[0].segment);
        assert_true(at[i].offset == at[0].offset + live / TM_GRANULE_BYTES);
        live += tm_block_bytes(lengths[i]);
    }
    const struct tm_segment *segment = tm_segment_at(arena, at[0].segment);
    assert_true(segment->use == 3u * TM_USE_WRITER + live);
    assert_int_equal(segment->fill, live);
    assert_int_equal(tm_heap_live_bytes(heap), live);
    for (unsigned i = 0; i < 3; i++)
        tm_heap_unreserve(heap, &at[i], lengths[i]);
    assert_int_equal(segment->state, TM_SEGMENT_OPEN); /* the lane's still */
    assert_int_equal(tm_heap_live_bytes(heap), 0);
    tm_heap_seal(heap);
    assert_int_equal(segment->state, TM_SEGMENT_FREE);
    assert_int_equal(tm_heap_segment_bytes(heap), 0);
}

static void what_was_reserved_last_is_given_back_as_if_it_had_not_been(void **state)
{
    (void)state;
    struct tm_reservation at[3];
    for (unsigned i = 0; i < 3; i++)
        assert_true(tm_heap_reserve(heap, 0, 500, TM_TIER_NORMAL, &at[i]));
    const struct tm_segment *segment = tm_segment_at(arena, at[0].segment);
    uint32_t bytes = tm_block_bytes(500);
    tm_heap_give_back(heap, 0, &at[2], 500);
    assert_int_equal(segment->fill, 2u * bytes);
    assert_true(segment->use == 2u * TM_USE_WRITER + 2u * bytes);
    tm_heap_give_back(heap, 0, &at[0], 500); /* others lie behind it: it is dead */
    assert_int_equal(segment->fill, 2u * bytes);
    assert_true(segment->use == TM_USE_WRITER + bytes);
    tm_heap_give_back(heap, 1, &at[1], 500); /* the segment is not this lane's (any more) */
    assert_int_equal(segment->fill, 2u * bytes);
    assert_true(segment->use == 0);
    assert_true(tm_heap_reserve(heap, 0, 500, TM_TIER_NORMAL, &at[2]));
    assert_true(at[2].offset == at[0].offset + 2u * bytes / TM_GRANULE_BYTES);
    tm_heap_seal(heap);
    tm_heap_give_back(heap, 0, &at[2], 500);
    assert_int_equal(segment->state, TM_SEGMENT_FREE);
    assert_int_equal(tm_heap_segment_bytes(heap), 0);
}

static void without_a_segment_nothing_is_reserved(void **state)
{
    (void)state;
    const struct tm_test_plan plan = {TM_FAULT_BIT(TM_FAULT_SEGMENT), false, 1};
    struct tm_reservation at;
    tm_test_faults_host = &world.host;
    tm_test_host_plan(&world.host, &plan);
    assert_false(tm_heap_reserve(heap, 0, 100, TM_TIER_NORMAL, &at));
    assert_int_equal(world.host.failed, 1);
    assert_int_equal(tm_heap_segment_bytes(heap), 0);
    tm_store_check(store);
}

/* ---- lists ---- */

static void segments_are_listed_in_the_order_in_which_they_were_sealed(void **state)
{
    (void)state;
    put_row(heap, 0, 6, WORLD_RAW);
    tm_heap_seal(heap);
    uint32_t number = heap->list[TM_AGE_YOUNG].head;
    for (unsigned i = 0; i < 6; i++, number = tm_segment_at(arena, number)->list.next)
        assert_int_equal(number, segment_of(i));
    assert_int_equal(number, 0);
    assert_int_equal(tm_heap_age_bytes(heap, TM_AGE_YOUNG), 6u * arena->unit_bytes);
    /* What cleaning has copied is older than all that came since. */
    struct tm_reservation at;
    assert_true(tm_heap_reserve(heap, TM_LANE_CLEAN_YOUNG, 100, TM_TIER_COPY, &at));
    tm_segment_writer_done(store, TM_ARENA_EPHEMERAL, at.segment);
    tm_heap_seal(heap);
    assert_int_equal(heap->list[TM_AGE_YOUNG].head, at.segment);
    tm_store_check(store);
    tm_segment_sub_live(store, TM_ARENA_EPHEMERAL, at.segment, tm_block_bytes(100));
    assert_int_equal(heap->list[TM_AGE_YOUNG].head, segment_of(0));
}

static void lanes_decide_about_age(void **state)
{
    (void)state;
    static const unsigned lanes[] = {0, TM_LANE_KEPT, TM_LANE_CLEAN_YOUNG, TM_LANE_CLEAN_MAIN};
    for (unsigned kind = 0; kind < TM_ARENAS; kind++) {
        struct tm_heap *which = kind == TM_ARENA_EPHEMERAL ? world.ephemeral : world.persistent;
        for (unsigned i = 0; i < TM_ARRAY_SIZE(lanes); i++) {
            struct tm_reservation at;
            bool is_young = kind == TM_ARENA_EPHEMERAL && (i == 0 || i == 2);
            assert_true(tm_heap_reserve(which, lanes[i], 100, TM_TIER_COPY, &at));
            assert_int_equal(tm_segment_at(&store->arena[kind], at.segment)->age,
                             is_young ? TM_AGE_YOUNG : TM_AGE_MAIN);
            tm_heap_unreserve(which, &at, 100);
        }
    }
}

static void the_oldest_young_segment_becomes_the_youngest_main_one(void **state)
{
    (void)state;
    assert_false(tm_heap_promote(heap));
    put_row(heap, 0, 3, WORLD_RAW);
    tm_heap_seal(heap);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(tm_heap_promote(heap));
        assert_int_equal(heap->list[TM_AGE_MAIN].tail, segment_of(i));
        assert_int_equal(tm_heap_age_bytes(heap, TM_AGE_MAIN), (i + 1u) * arena->unit_bytes);
        assert_int_equal(tm_heap_age_bytes(heap, TM_AGE_YOUNG), (2u - i) * arena->unit_bytes);
        world_check(&world);
    }
    assert_false(tm_heap_promote(heap));
}

/* ---- bins ---- */

static void segments_are_binned_by_how_dead_they_are(void **state)
{
    (void)state;
    put_row(heap, 0, 200, WORLD_SHORT);
    tm_heap_seal(heap);
    uint32_t number = segment_of(0);
    const struct tm_segment *segment = tm_segment_at(arena, number);
    const struct tm_segment *last = tm_segment_at(arena, segment_of(199));
    unsigned pages = 0;
    while (segment_of(pages + 1u) == number)
        pages++;
    uint64_t kicks = world.host.kicks;
    for (unsigned i = 0; i < pages; i++) {
        unsigned bin = segment->bin;
        world_drop(&world, i);
        /* What is left at its end is too short for most blocks: cleaning would not gain it. */
        uint64_t dead = segment->fill - (segment->use & TM_USE_LIVE_MASK);
        assert_int_equal(segment->bin, dead * 8u / segment->fill);
        if (segment->bin != bin && segment->bin >= 2)
            kicks++;
        assert_int_equal(world.host.kicks, kicks); /* somebody could clean it now */
        for (unsigned eighths = 1; eighths < TM_DEAD_BINS; eighths++)
            assert_true(tm_heap_is_cleanable(heap, eighths) == (eighths <= segment->bin || eighths <= last->bin));
    }
    assert_int_equal(segment->bin, 7);
    world_check(&world);
    world_drop(&world, pages); /* its last */
    assert_int_equal(segment->state, TM_SEGMENT_FREE);
    world_check(&world);
}

static void nobody_needs_to_be_told_of_dead_segments(void **state)
{
    (void)state;
    store->host.kick = NULL;
    put_row(heap, 0, 20, WORLD_SHORT);
    tm_heap_seal(heap);
    for (unsigned i = 0; i < 19; i++)
        world_drop(&world, i);
    assert_true(tm_heap_is_cleanable(heap, 7));
    assert_int_equal(world.host.kicks, 0);
}

static void the_deadest_is_taken_first(void **state)
{
    (void)state;
    put_row(heap, 0, 400, WORLD_SHORT); /* the last segment is open */
    uint32_t numbers[2] = {segment_of(100), 0};
    unsigned second = 100;
    while (segment_of(second) == numbers[0])
        second++;
    numbers[1] = segment_of(second);
    for (unsigned i = 0; i < 400; i++)
        if ((segment_of(i) == numbers[0] && i % 8 < 5) || (segment_of(i) == numbers[1] && i % 4 != 0))
            world_drop(&world, i);
    assert_int_equal(tm_heap_take_deadest(heap, 7), 0);
    assert_int_equal(tm_heap_take_deadest(heap, 4), numbers[1]);
    assert_int_equal(tm_heap_take_deadest(heap, 4), numbers[0]);
    assert_int_equal(tm_segment_at(arena, numbers[0])->state, TM_SEGMENT_PURGING);
    tm_heap_end_purge(heap, numbers[0], false);
    tm_heap_end_purge(heap, numbers[1], true); /* all that could go has gone: not tried again */
    assert_int_equal(tm_heap_take_deadest(heap, 4), numbers[0]);
    assert_int_equal(tm_heap_take_deadest(heap, 4), 0);
    tm_heap_end_purge(heap, numbers[0], false);
    world_check(&world);
}

/* ---- taking ---- */

static void only_a_sealed_segment_of_the_heap_that_nobody_writes_to_is_taken(void **state)
{
    (void)state;
    struct tm_heap *other = tm_heap_create(store, TM_ARENA_EPHEMERAL, 4);
    put_row(heap, 0, 1, WORLD_SHORT);
    uint32_t number = segment_of(0);
    assert_false(tm_heap_take(heap, number)); /* open */
    struct tm_reservation at;
    assert_true(tm_heap_reserve(heap, 0, 100, TM_TIER_NORMAL, &at));
    tm_heap_seal(heap);
    assert_false(tm_heap_take(heap, number)); /* written to */
    tm_heap_unreserve(heap, &at, 100);
    assert_false(tm_heap_take(other, number));
    assert_true(tm_heap_take(heap, number));
    assert_false(tm_heap_take(heap, number)); /* taken */
    tm_heap_end_purge(heap, number, false);
    tm_heap_destroy(other);
}

static void a_few_writers_do_not_stand_in_the_way_but_many_do(void **state)
{
    (void)state;
    struct tm_reservation at[65];
    put_row(heap, 0, 1, WORLD_RAW);
    for (unsigned i = 0; i < TM_ARRAY_SIZE(at); i++)
        assert_true(tm_heap_reserve(heap, 0, TM_PAGE_BYTES, TM_TIER_NORMAL, &at[i]));
    put_row(heap, 1, 2, WORLD_RAW);
    tm_heap_seal(heap);
    assert_int_equal(tm_heap_take_oldest(heap, TM_AGE_YOUNG), segment_of(0));
    assert_int_equal(tm_heap_take_oldest(heap, TM_AGE_YOUNG), 0);
    tm_heap_end_purge(heap, segment_of(0), false);
    tm_heap_unreserve(heap, &at[0], TM_PAGE_BYTES);
    assert_int_equal(tm_heap_take_oldest(heap, TM_AGE_YOUNG), 0);
    tm_heap_unreserve(heap, &at[1], TM_PAGE_BYTES);
    assert_int_equal(tm_heap_take_oldest(heap, TM_AGE_YOUNG), segment_of(1)); /* 63 stand before it */
    tm_heap_end_purge(heap, segment_of(1), false);
    for (unsigned i = 2; i < TM_ARRAY_SIZE(at); i++)
        tm_heap_unreserve(heap, &at[i], TM_PAGE_BYTES);
    assert_int_equal(tm_heap_segment_bytes(heap), 2u * arena->unit_bytes);
}

static void live_bytes_are_counted_wherever_they_lie(void **state)
{
    (void)state;
    put_row(heap, 0, 100, WORLD_SHORT); /* some sealed, one open */
    uint64_t live = 100u * (uint64_t)tm_slot_bytes(world.page[0].slot);
    assert_int_equal(tm_heap_live_bytes(heap), live);
    assert_true(tm_heap_purge_begin(heap, TM_AGE_YOUNG, TM_PURGE_ALL));
    assert_int_equal(tm_heap_live_bytes(heap), live);
    uint64_t taken = tm_segment_at(arena, heap->purge_segment)->use & TM_USE_LIVE_MASK;
    assert_true(tm_lock_try(&heap->purge_lock)); /* somebody is at it just now: what he has is not counted */
    assert_int_equal(tm_heap_live_bytes(heap), live - taken);
    tm_lock_release_tried(&heap->purge_lock);
    while (tm_heap_purge_some(store, world.worker, heap, 1000)) {
    }
    assert_int_equal(tm_heap_live_bytes(heap), live - taken);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(a_heap_that_ended_is_used_again_as_another),
        cmocka_unit_test(without_memory_no_heap_is_made),
        CASE(numbers_of_heaps_end),
        CASE(more_heaps_than_one_directory_holds),
        CASE(a_heap_ends_when_nobody_is_at_work_in_it),
        CASE(larger_accounts_use_more_lanes),
        CASE(larger_accounts_use_longer_segments),
        cmocka_unit_test(a_shorter_segment_will_do),
        CASE(what_is_reserved_can_be_walked_over),
        CASE(what_was_reserved_last_is_given_back_as_if_it_had_not_been),
        CASE(without_a_segment_nothing_is_reserved),
        CASE(segments_are_listed_in_the_order_in_which_they_were_sealed),
        CASE(lanes_decide_about_age),
        CASE(the_oldest_young_segment_becomes_the_youngest_main_one),
        CASE(segments_are_binned_by_how_dead_they_are),
        CASE(nobody_needs_to_be_told_of_dead_segments),
        CASE(the_deadest_is_taken_first),
        CASE(only_a_sealed_segment_of_the_heap_that_nobody_writes_to_is_taken),
        CASE(a_few_writers_do_not_stand_in_the_way_but_many_do),
        CASE(live_bytes_are_counted_wherever_they_lie),
    };
    return cmocka_run_group_tests_name("heap", tests, NULL, NULL);
}
