/* SPDX-License-Identifier: BSD-2-Clause */
/* head_test.c - an arena that is foreign or whose head is damaged is refused, and not touched. */
#include "base/mix.h"
#include "store/world_test.h"

static struct world world;
static struct tm_arena *arena; /* the persistent one */

static int set_up(void **state)
{
    (void)state;
    world_init_surviving(&world, 16);
    arena = &world.store->arena[TM_ARENA_PERSISTENT];
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_fini(&world);
    return 0;
}

static void put(unsigned index, enum world_sort sort, uint64_t number)
{
    assert_int_equal(world_put(&world, world.persistent, index, sort, number), TM_WRITE_OK);
}

/* Makes the next store, and finds every page in it. */
static void take_over(void)
{
    world_start(&world);
    arena = &world.store->arena[TM_ARENA_PERSISTENT];
    for (unsigned i = 0; i < TM_WORLD_PAGES; i++) {
        struct world_page *page = &world.page[i];
        if (page->heap == NULL)
            continue;
        page->heap = world.persistent;
        tm_slots_adopt(world.store, page->heap, &page->slot, 1, TM_WORLD_HASH(i), TM_WORLD_NUMBER(i));
        assert_true(page->slot != TM_SLOT_LOST);
    }
    assert_true(tm_store_adopted(world.store));
    world_check(&world);
}

static void an_arena_may_have_grown_but_not_shrunk(void **state)
{
    (void)state;
    put(0, WORLD_RAW, 1);
    uint32_t spans = arena->span_count;
    uint64_t bytes = world.host.host.arena_bytes[TM_ARENA_PERSISTENT];
    world_crash(&world);
    world.host.host.arena_bytes[TM_ARENA_PERSISTENT] = bytes - TM_TEST_SPAN_BYTES;
    assert_int_equal(world_create(&world), TM_CREATE_VERSION);
    /* The address space that a longer one would have; no more of it is used than before. */
    world.host.host.arena_bytes[TM_ARENA_PERSISTENT] = bytes + TM_TEST_SPAN_BYTES;
    take_over();
    assert_int_equal(arena->span_count, spans);
    world.host.host.arena_bytes[TM_ARENA_PERSISTENT] = bytes;
}

static uint64_t forged_check_of(const struct tm_arena_header *header, uint32_t version)
{
    const uint64_t words[] = {TM_ARENA_MAGIC, (uint64_t)version << 32 | header->span_bytes, header->arena_bytes,
                              header->seeds[0], header->seeds[1], header->seeds[2], header->seeds[3]};
    uint64_t check = 0;
    for (unsigned i = 0; i < TM_ARRAY_SIZE(words); i++)
        check = tm_scramble(check + words[i]);
    return check;
}

static uint64_t forged_check(const struct tm_arena_header *header)
{
    return forged_check_of(header, header->version);
}

/* Tries to make a store; it must be refused so, and leave every byte of the head as it is. */
static void refuse(enum tm_create answer)
{
    size_t bytes = TM_ARENA_HEADER_BYTES + 16u * TM_SPAN_UNITS * sizeof(struct tm_segment);
    unsigned char *head = world.host.host.arena_base[TM_ARENA_PERSISTENT];
    unsigned char *copy = malloc(bytes);
    assert_non_null(copy);
    memcpy(copy, head, bytes);
    assert_int_equal(world_create(&world), answer);
    assert_memory_equal(copy, head, bytes);
    assert_true(tm_test_host_is_clean(&world.host));
    free(copy);
}

static void an_arena_of_the_version_before_is_taken_over_and_is_of_this_one_then(void **state)
{
    (void)state;
    put(0, WORLD_RAW, 1);
    for (unsigned interrupted = 0; interrupted < 2; interrupted++) {
        struct tm_arena_header *header = arena->header;
        world_crash(&world);
        header->version = TM_ARENA_VERSION_OLDEST;
        header->check = forged_check_of(header, interrupted ? TM_ARENA_VERSION : TM_ARENA_VERSION_OLDEST);
        take_over();
        assert_true(world_has(&world, 0));
        assert_int_equal(arena->header->version, TM_ARENA_VERSION);
        assert_true(arena->header->check == forged_check(arena->header));
    }
}

static void foreign_arenas_are_refused_untouched(void **state)
{
    (void)state;
    put(0, WORLD_RAW, 1);
    uint64_t spans = world.host.spans[TM_ARENA_PERSISTENT];
    struct tm_arena_header *header = arena->header;
    world_crash(&world);
    const struct tm_arena_header own = *header;

    static const uint32_t versions[] = {TM_ARENA_VERSION + 1u, TM_ARENA_VERSION_OLDEST - 1u, UINT32_MAX};
    for (unsigned i = 0; i < TM_ARRAY_SIZE(versions); i++) {
        header->version = versions[i];
        refuse(TM_CREATE_VERSION);
        header->check = forged_check(header);
        refuse(TM_CREATE_VERSION);
        *header = own;
    }
    header->version = TM_ARENA_VERSION_OLDEST; /* with the check of neither */
    header->check ^= 1u;
    refuse(TM_CREATE_CORRUPT);
    *header = own;
    header->span_bytes *= 2u;
    header->check = forged_check(header);
    refuse(TM_CREATE_VERSION);
    *header = own;
    header->arena_bytes = header->span_bytes / 2u;
    header->check = forged_check(header);
    refuse(TM_CREATE_VERSION);
    *header = own;
    header->magic ^= 1u;
    refuse(TM_CREATE_CORRUPT);
    *header = own;
    for (unsigned i = 0; i < 4; i++) {
        header->seeds[i] ^= 1u;
        refuse(TM_CREATE_CORRUPT);
        *header = own;
    }
    assert_int_equal(world.host.spans[TM_ARENA_PERSISTENT], spans);
    take_over();
    assert_true(world_has(&world, 0));
}

static void without_memory_an_arena_is_refused_untouched(void **state)
{
    (void)state;
    static const enum tm_test_fault faults[] = {TM_FAULT_ALLOC, TM_FAULT_INIT};
    put(0, WORLD_RAW, 1);
    world_crash(&world);
    for (unsigned i = 0; i < TM_ARRAY_SIZE(faults); i++) {
        uint64_t at = 0;
        do {
            const struct tm_test_plan plan = {TM_FAULT_BIT(faults[i]), false, ++at};
            tm_test_host_plan(&world.host, &plan);
            if (world_create(&world) == TM_CREATE_FOUND) {
                tm_store_destroy(world.store);
                break;
            }
            assert_int_equal(world.host.failed, 1);
            assert_true(tm_test_host_is_clean(&world.host));
            tm_test_host_plan(&world.host, NULL);
        } while (at < 100);
        assert_true(at > 2 && at < 100); /* each was tried, and then none was left */
    }
    tm_test_host_plan(&world.host, NULL);
    take_over();
    assert_true(world_has(&world, 0));
}

/* The units that damage is tried on. */
enum place {
    PLACE_DATA,   /* a segment of one unit with an odd number */
    PLACE_LONG,   /* the first unit of a segment of two */
    PLACE_INSIDE, /* the second */
    PLACE_RECORDS,
    PLACE_FREE,
    PLACES
};

static struct tm_segment *unit_at(enum place place)
{
    uint32_t first = arena->head_spans * TM_SPAN_UNITS;
    for (uint32_t unit = first; unit < arena->next_span * TM_SPAN_UNITS; unit++) {
        struct tm_segment *segment = tm_segment_at(arena, unit);
        bool is_data = segment->state != TM_SEGMENT_FREE && segment->state != TM_SEGMENT_RECORDS;
        if ((place == PLACE_DATA && is_data && segment->order == 0 && unit % 2u == 1u) ||
            (place == PLACE_LONG && is_data && segment->order == 1u) ||
            (place == PLACE_INSIDE && segment->first_distance == 1u) ||
            (place == PLACE_RECORDS && segment->state == TM_SEGMENT_RECORDS) ||
            (place == PLACE_FREE && segment->generation == 0 && unit % TM_SPAN_UNITS > 2u))
            return segment;
    }
    fail_msg("there is no unit of sort %u", place);
    return NULL;
}

static void every_damage_to_a_descriptor_is_seen(void **state)
{
    (void)state;
#define FIELD(name) offsetof(struct tm_segment, name), sizeof(((struct tm_segment *)0)->name)
    static const struct {
        enum place place;
        size_t offset, bytes;
        uint32_t value;
    } damages[] = {
        {PLACE_DATA, FIELD(state), TM_SEGMENT_RECORDS + 1},
        {PLACE_DATA, FIELD(state), TM_SEGMENT_RECORDS}, /* of no class */
        {PLACE_DATA, FIELD(order), TM_SEGMENT_ORDER_MAX + 1},
        {PLACE_DATA, FIELD(order), 1}, /* would not be aligned */
        {PLACE_DATA, FIELD(purpose), 1},
        {PLACE_DATA, FIELD(bytes), 100},
        {PLACE_DATA, FIELD(fill), TM_TEST_SPAN_BYTES},
        {PLACE_DATA, FIELD(first_distance), 1},
        {PLACE_LONG, FIELD(order), 0},
        {PLACE_INSIDE, FIELD(first_distance), 0},
        {PLACE_INSIDE, FIELD(state), TM_SEGMENT_SEALED},
        {PLACE_RECORDS, FIELD(order), 1},
        {PLACE_RECORDS, FIELD(purpose), TM_PURPOSE_DATA},
        {PLACE_RECORDS, FIELD(purpose), TM_RECORD_CLASSES + 1},
        {PLACE_FREE, FIELD(first_distance), TM_SPAN_UNITS},
    };
    for (unsigned i = 0; i < 100; i++)
        put(i, WORLD_RAW, i % 98);
    assert_true(tm_rebuild_examine(arena));
    for (unsigned i = 0; i < TM_ARRAY_SIZE(damages); i++) {
        unsigned char *field = (unsigned char *)unit_at(damages[i].place) + damages[i].offset;
        uint32_t before = 0;
        memcpy(&before, field, damages[i].bytes);
        memcpy(field, &damages[i].value, damages[i].bytes);
        if (tm_rebuild_examine(arena))
            fail_msg("damage %u was not seen", i);
        memcpy(field, &before, damages[i].bytes);
        assert_true(tm_rebuild_examine(arena));
    }
}

static void a_damaged_head_is_refused_untouched(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 40; i++)
        put(i, WORLD_RAW, i);
    struct tm_arena_header *header = arena->header;
    struct tm_segment *unit = unit_at(PLACE_DATA);
    uint64_t next_span = header->next_span;
    uint64_t damages[] = {0, arena->head_spans - 1u, next_span - 1u, arena->span_count + 1u, UINT64_MAX};
    world_crash(&world);
    for (unsigned i = 0; i < TM_ARRAY_SIZE(damages); i++) {
        header->next_span = damages[i];
        refuse(TM_CREATE_CORRUPT);
    }
    header->next_span = next_span;
    unit->state = 77;
    refuse(TM_CREATE_CORRUPT);
    unit->state = TM_SEGMENT_SEALED;
    take_over();
    assert_int_equal(world_count(&world), 40);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(an_arena_may_have_grown_but_not_shrunk),
        CASE(an_arena_of_the_version_before_is_taken_over_and_is_of_this_one_then),
        CASE(foreign_arenas_are_refused_untouched),
        CASE(without_memory_an_arena_is_refused_untouched),
        CASE(every_damage_to_a_descriptor_is_seen),
        CASE(a_damaged_head_is_refused_untouched),
    };
    return cmocka_run_group_tests_name("head", tests, NULL, NULL);
}
