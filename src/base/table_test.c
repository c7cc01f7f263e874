/* SPDX-License-Identifier: BSD-2-Clause */
/* table_test.c - the growing hash table: nothing is lost or found twice, also when memory is short. */
#include "base/table.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mix.h"
#include "tests/support/test_death.h"
#include "tests/support/test_host.h"

#define OVERFLOW_BYTES (64u * 64u) /* of the first two directories of overflow lines */

static struct tm_test_host host;
static struct tm_table table;
static void *(*real_alloc)(void *user, size_t bytes);
static size_t denied_bytes; /* blocks of this size are not to be had */
static uint32_t (*hash_now)(uint64_t ref);

static uint32_t hash_of(uint64_t ref)
{
    return (uint32_t)tm_scramble(ref);
}

static void hashes_of(void *user, enum tm_arena_kind arena, const uint64_t *refs, unsigned entries, uint32_t *hashes)
{
    assert_ptr_equal(user, &host);
    assert_int_equal(arena, TM_ARENA_PERSISTENT);
    assert_in_range(entries, 1, TM_BUCKET_ENTRIES);
    for (unsigned i = 0; i < entries; i++)
        hashes[i] = hash_now(refs[i]);
}

static const struct tm_table_owner owner = {&host, TM_ARENA_PERSISTENT, hashes_of};

static void *alloc(void *user, size_t bytes)
{
    return bytes == denied_bytes ? NULL : real_alloc(user, bytes);
}

static int set_up(void **state)
{
    (void)state;
    tm_test_host_init(&host, 2, 1);
    real_alloc = host.host.alloc;
    host.host.alloc = alloc;
    denied_bytes = 0;
    hash_now = hash_of;
    assert_true(tm_table_init(&table, &host.host, TM_LOCK_index_bucket, &owner));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tm_table_check(&table);
    tm_table_fini(&table);
    tm_test_host_fini(&host);
    return 0;
}

static bool insert(uint32_t hash, uint64_t ref)
{
    struct tm_bucket *bucket = tm_table_lock(&table, hash);
    bool done = tm_table_insert(&table, bucket, hash, ref);
    tm_table_unlock(&table, bucket);
    tm_table_grow(&table);
    return done;
}

static bool erase(uint32_t hash, uint64_t ref)
{
    struct tm_bucket *bucket = tm_table_lock(&table, hash);
    bool done = tm_table_remove(&table, bucket, hash, ref);
    tm_table_unlock(&table, bucket);
    return done;
}

/* How often the table has the entry. */
static unsigned count(uint32_t hash, uint64_t ref)
{
    struct tm_table_scan scan = {NULL, 0};
    unsigned found = 0;
    uint64_t at;
    tm_table_prefetch(&table, hash);
    struct tm_bucket *bucket = tm_table_lock(&table, hash);
    while ((at = tm_table_next(&table, bucket, hash, &scan)) != 0)
        found += at == ref;
    tm_table_unlock(&table, bucket);
    return found;
}

static void what_was_inserted_is_found_until_it_is_removed(void **state)
{
    (void)state;
    assert_int_equal(count(5, 9), 0);
    assert_true(insert(5, 9));
    assert_int_equal(count(5, 9), 1);
    assert_int_equal(count(6, 9), 0);
    assert_false(erase(5, 8));
    assert_false(erase(4, 9));
    assert_true(erase(5, 9));
    assert_false(erase(5, 9));
    assert_int_equal(count(5, 9), 0);
    assert_true(insert(UINT32_MAX, TM_TABLE_REF_MAX));
    assert_int_equal(count(UINT32_MAX, TM_TABLE_REF_MAX), 1);
}

static void entries_of_one_hash_live_side_by_side(void **state)
{
    (void)state;
    for (uint64_t ref = 1; ref <= 40; ref++)
        assert_true(insert(77, ref));
    tm_table_check(&table);
    for (uint64_t ref = 1; ref <= 40; ref += 2)
        assert_true(erase(77, ref));
    for (uint64_t ref = 1; ref <= 40; ref++)
        assert_int_equal(count(77, ref), ref % 2 == 0);
    for (uint64_t ref = 2; ref <= 40; ref += 2)
        assert_true(erase(77, ref));
    tm_table_check(&table);
    assert_int_equal(table.entry_count, 0);
}

static uint32_t hash_by_parity(uint64_t ref)
{
    return ref % 2u != 0 ? UINT32_C(0xab000000) : UINT32_C(0x12000000);
}

/* All in one bucket and its chain, by their references' lower halves too. */
static void what_looks_like_another_hash_is_not_taken_for_it(void **state)
{
    const uint64_t alike = UINT64_C(0xab12ab12ab);
    (void)state;
    hash_now = hash_by_parity;
    for (uint64_t i = 0; i < 45; i++)
        assert_true(insert(hash_by_parity(alike + i), alike + i));
    for (uint64_t i = 0; i < 45; i++) {
        assert_int_equal(count(hash_by_parity(alike + i), alike + i), 1);
        assert_int_equal(count(hash_by_parity(alike + i + 1), alike + i), 0);
        assert_int_equal(count(0, alike + i), 0);
    }
}

static void a_reference_can_be_replaced(void **state)
{
    struct tm_table_scan scan = {NULL, 0};
    (void)state;
    assert_true(insert(3, 10));
    assert_true(insert(3, 11));
    struct tm_bucket *bucket = tm_table_lock(&table, 3);
    while (tm_table_next(&table, bucket, 3, &scan) != 10) {
    }
    assert_int_equal(tm_table_found(bucket, &scan), 10);
    tm_table_replace(bucket, &scan, 12);
    tm_table_unlock(&table, bucket);
    assert_int_equal(count(3, 10), 0);
    assert_int_equal(count(3, 11), 1);
    assert_int_equal(count(3, 12), 1);
}

static void a_guess_is_right_while_nobody_changes_the_bucket(void **state)
{
    (void)state;
    assert_int_equal(tm_table_guess(&table, 4), 0);
    assert_true(insert(4, 21));
    assert_true(insert(4 + (1u << 24), 22)); /* in the same bucket */
    assert_int_equal(tm_table_guess(&table, 4), 21);
    assert_int_equal(tm_table_guess(&table, 4 + (1u << 24)), 22);
    assert_int_equal(tm_table_guess(&table, 4 + (1u << 25)), 0);
    assert_true(erase(4, 21));
    assert_int_equal(tm_table_guess(&table, 4), 0);
}

static void growing_loses_nothing(void **state)
{
    const uint64_t entries = 20000;
    (void)state;
    for (uint64_t ref = 1; ref <= entries; ref++)
        assert_true(insert(hash_of(ref), ref));
    assert_in_range(table.bucket_count, entries / TM_TABLE_LOAD, entries / TM_TABLE_LOAD + 1);
    tm_table_check(&table);
    assert_in_range(table.bytes, 0, 9 * entries); /* chains do not keep lines that are nearly empty */
    for (uint64_t ref = 1; ref <= entries; ref++)
        assert_int_equal(count(hash_of(ref), ref), 1);
    for (uint64_t ref = 1; ref <= entries; ref++)
        assert_true(erase(hash_of(ref), ref));
    assert_int_equal(table.entry_count, 0);
}

/* Walks the whole table; each reference is counted in @seen. @grow: entries to insert between the steps. */
static void walk(unsigned char *seen, uint64_t first, uint64_t grow)
{
    uint32_t position = 0;
    uint64_t more = first;
    do {
        struct tm_table_scan scan = {NULL, 0};
        uint32_t next;
        uint64_t ref;
        struct tm_bucket *bucket = tm_table_lock_position(&table, position, &next);
        while ((ref = tm_table_next_any(&table, bucket, &scan)) != 0) {
            assert_true(tm_table_is_bucket_of(&table, bucket, hash_of(ref)));
            if (tm_reverse_bits(hash_of(ref)) >= position) /* a bucket may cover more than is left of it */
                seen[ref]++;
        }
        tm_table_unlock(&table, bucket);
        assert_true(next == 0 || next > position);
        position = next;
        for (uint64_t i = 0; i < grow && more < first + 6000; i++, more++)
            assert_true(insert(hash_of(more), more));
    } while (position != 0);
}

static void a_walk_sees_everything_while_the_table_grows(void **state)
{
    const uint64_t entries = 3000;
    unsigned char *seen = calloc(entries + 6001, 1);
    (void)state;
    for (uint64_t ref = 1; ref <= entries; ref++)
        assert_true(insert(hash_of(ref), ref));
    walk(seen, entries + 1, 25);
    for (uint64_t ref = 1; ref <= entries; ref++)
        assert_int_equal(seen[ref], 1);
    memset(seen, 0, entries + 6001);
    walk(seen, 0, 0);
    for (uint64_t ref = 1; ref <= entries; ref++)
        assert_int_equal(seen[ref], 1);
    free(seen);
}

static void reversed_bits_are_the_other_way_round(void **state)
{
    (void)state;
    assert_int_equal(tm_reverse_bits(1), 0x80000000u);
    assert_int_equal(tm_reverse_bits(0x80000001u), 0x80000001u);
    assert_int_equal(tm_reverse_bits(0x12345678u), 0x1e6a2c48u);
    for (uint32_t i = 0; i < 1000; i++)
        assert_int_equal(tm_reverse_bits(tm_reverse_bits(i * 2654435761u)), i * 2654435761u);
}

/* ---- when memory is short ---- */

static void a_table_without_memory_is_not_made(void **state)
{
    struct tm_table other;
    uint64_t blocks = host.blocks;
    (void)state;
    for (uint64_t at = 1; at <= 2; at++) {
        const struct tm_test_plan plan = {TM_FAULT_BIT(TM_FAULT_ALLOC), false, at};
        tm_test_host_plan(&host, &plan);
        assert_false(tm_table_init(&other, &host.host, TM_LOCK_index_bucket, &owner));
        tm_test_host_plan(&host, NULL);
        assert_int_equal(host.blocks, blocks);
    }
}

static void a_table_that_cannot_grow_goes_on_with_longer_chains(void **state)
{
    uint64_t ref;
    (void)state;
    denied_bytes = (size_t)sizeof(struct tm_bucket) << TM_TABLE_BASE_BITS; /* the first directory of further buckets */
    for (ref = 1; ref <= 1600; ref++)
        assert_true(insert(hash_of(ref), ref));
    assert_int_equal(table.bucket_count, 1u << TM_TABLE_BASE_BITS);
    tm_table_check(&table);
    denied_bytes = 0;
    for (; ref <= 1700; ref++)
        assert_true(insert(hash_of(ref), ref));
    assert_true(table.bucket_count > 80);
    for (ref = 1; ref <= 1700; ref++)
        assert_int_equal(count(hash_of(ref), ref), 1);
}

static void who_inserts_waits_for_who_grows_ahead_but_not_for_long(void **state)
{
    (void)state;
    const uint32_t buckets = 1u << TM_TABLE_BASE_BITS;
    uint64_t ref = 1;
    table.patience = 1;
    assert_false(tm_table_grow_ahead(&table));
    for (; ref <= buckets * (TM_TABLE_LOAD + 1u); ref++)
        assert_true(insert(hash_of(ref), ref));
    assert_int_equal(table.bucket_count, buckets);
    assert_true(insert(hash_of(ref), ref)); /* nobody came */
    assert_int_equal(table.bucket_count, buckets + 1u);
    table.growing = 1; /* somebody just does it */
    assert_false(tm_table_grow_ahead(&table));
    table.growing = 0;
    while (tm_table_grow_ahead(&table)) {
    }
    uint64_t room = (uint64_t)table.bucket_count * TM_TABLE_LOAD;
    assert_true(table.entry_count <= room && table.entry_count > room - TM_TABLE_LOAD);
    for (uint64_t i = 1; i <= ref; i++)
        assert_int_equal(count(hash_of(i), i), 1);
}

/* Inserts into bucket 0 until there are no overflow lines any more. Answers how many entries fitted. */
static uint32_t fill_bucket(void)
{
    uint32_t inserted = 0;
    table.growing = 1; /* nobody splits it meanwhile */
    while (insert(inserted << TM_TABLE_BASE_BITS, inserted + 1u))
        inserted++;
    table.growing = 0;
    return inserted;
}

static void an_insert_without_memory_changes_nothing(void **state)
{
    (void)state;
    denied_bytes = OVERFLOW_BYTES;
    uint32_t inserted = fill_bucket();
    assert_int_equal(inserted, TM_BUCKET_ENTRIES + 63 * TM_OVERFLOW_ENTRIES);
    tm_table_check(&table);
    for (uint32_t i = 0; i < inserted; i++)
        assert_int_equal(count(i << TM_TABLE_BASE_BITS, i + 1u), 1);
    assert_int_equal(count(inserted << TM_TABLE_BASE_BITS, inserted + 1u), 0);
    denied_bytes = 0;
    tm_table_grow(&table);
    assert_true(insert(inserted << TM_TABLE_BASE_BITS, inserted + 1u));
}

#define FILLED 5000u /* references from here on: so many for each bucket, above those of fill_bucket() */
#define FOR_EACH 32u

static uint32_t hash_of_filled(uint64_t ref)
{
    if (ref < FILLED)
        return (uint32_t)(ref - 1u) << TM_TABLE_BASE_BITS;
    return (uint32_t)((ref - FILLED) / FOR_EACH | (ref - FILLED) % FOR_EACH << TM_TABLE_BASE_BITS);
}

static void a_split_without_memory_puts_everything_back(void **state)
{
    (void)state;
    denied_bytes = OVERFLOW_BYTES;
    uint32_t inserted = fill_bucket();
    /* The others are filled to the brim, so that the table is loaded; the first to be split is bucket 0. */
    hash_now = hash_of_filled;
    for (uint32_t bucket = 1; bucket < 1u << TM_TABLE_BASE_BITS; bucket++)
        for (uint32_t i = 0; i < TM_BUCKET_ENTRIES; i++)
            assert_true(insert(bucket | i << TM_TABLE_BASE_BITS, FILLED + bucket * FOR_EACH + i));
    assert_int_equal(table.bucket_count, 1u << TM_TABLE_BASE_BITS);
    tm_table_check(&table);
    for (uint32_t i = 0; i < inserted; i++)
        assert_int_equal(count(i << TM_TABLE_BASE_BITS, i + 1u), 1);
    denied_bytes = 0;
    for (unsigned i = 0; i < 50; i++)
        tm_table_grow(&table);
    assert_true(table.bucket_count > 1u << TM_TABLE_BASE_BITS);
    for (uint32_t i = 0; i < inserted; i++)
        assert_int_equal(count(i << TM_TABLE_BASE_BITS, i + 1u), 1);
}

/* ---- what entries name ---- */

static uint64_t damaged_ref;  /* the hash of what it names has changed, */
static uint32_t damaged_bits; /* so */

static uint32_t damaged_hash_of(uint64_t ref)
{
    return hash_of(ref) ^ (ref == damaged_ref ? damaged_bits : 0);
}

static void a_split_drops_what_is_damaged_and_nothing_else(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 32; bit++) {
        const uint64_t entries = 2400;
        damaged_ref = 1;
        hash_now = damaged_hash_of;
        damaged_bits = UINT32_C(1) << bit;
        for (uint64_t ref = 1; ref <= entries; ref++)
            assert_true(insert(hash_of(ref), ref));
        tm_table_check(&table);
        for (uint64_t ref = 1; ref <= entries; ref++)
            if (ref != damaged_ref)
                assert_true(erase(hash_of(ref), ref));
        /* Where a look-up will go by the damaged hash, it may have followed. */
        bool is_lost = bit < TM_TABLE_BASE_BITS || bit >= 24;
        assert_false(is_lost && table.entry_count != 0);
        if (table.entry_count != 0)
            assert_true(erase(hash_of(damaged_ref), damaged_ref) || erase(damaged_hash_of(damaged_ref), damaged_ref));
        assert_int_equal(table.entry_count, 0);
        tm_table_fini(&table);
        assert_true(tm_table_init(&table, &host.host, TM_LOCK_index_bucket, &owner));
    }
}

static void entries_can_be_removed_where_they_are_found(void **state)
{
    (void)state;
    for (uint64_t ref = 1; ref <= 50; ref++)
        assert_true(insert(77, ref));
    struct tm_bucket *bucket = tm_table_lock(&table, 77);
    for (unsigned left = 50; left > 0; left--) {
        struct tm_table_scan scan = {NULL, 0};
        assert_int_not_equal(tm_table_next_any(&table, bucket, &scan), 0);
        tm_table_remove_found(&table, bucket, &scan);
        assert_int_equal(table.entry_count, left - 1u);
    }
    tm_table_unlock(&table, bucket);
}

static void a_table_can_be_made_large_at_once(void **state)
{
    (void)state;
    tm_table_reserve(&table, 100);
    uint32_t before = table.bucket_count;
    tm_table_reserve(&table, 10000);
    assert_true((uint64_t)table.bucket_count * TM_TABLE_LOAD >= 10000 && table.bucket_count > before);
    uint32_t reserved = table.bucket_count;
    for (uint32_t i = 1; i <= 10000; i++)
        assert_true(insert((uint32_t)tm_scramble(i), i));
    assert_int_equal(table.bucket_count, reserved);
    tm_table_check(&table);
    for (uint32_t i = 1; i <= 10000; i++)
        assert_true(erase((uint32_t)tm_scramble(i), i));
    /* Where memory ends, so does growing; and somebody else may be at it. */
    denied_bytes = (size_t)sizeof(struct tm_bucket) * 4096u;
    tm_table_reserve(&table, UINT64_C(1) << 20);
    assert_true(table.bucket_count <= 4096);
    denied_bytes = 0;
    table.growing = 1;
    tm_table_reserve(&table, UINT64_C(1) << 20);
    assert_true(table.bucket_count <= 4096);
    table.growing = 0;
}

static void only_one_grows_at_a_time(void **state)
{
    (void)state;
    table.growing = 1;
    for (uint64_t ref = 1; ref <= 1500; ref++)
        assert_true(insert(hash_of(ref), ref));
    assert_int_equal(table.bucket_count, 1u << TM_TABLE_BASE_BITS);
    table.growing = 0;
    tm_table_grow(&table);
    assert_int_equal(table.bucket_count, (1u << TM_TABLE_BASE_BITS) + 2u);
}

static void chains_get_memory_while_whoever_splits_stands_still(void **state)
{
    (void)state;
    table.growing = 1;
    for (uint64_t ref = 1; ref <= 10000; ref++)
        assert_true(insert(hash_of(ref), ref));
    assert_int_equal(table.bucket_count, 1u << TM_TABLE_BASE_BITS);
    table.growing = 0;
    tm_table_check(&table);
    for (uint64_t ref = 1; ref <= 10000; ref++)
        assert_int_equal(count(hash_of(ref), ref), 1);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (uint64_t at = 1; at <= 8; at++) {
        struct tm_test_plan plan = {TM_FAULT_BIT(TM_FAULT_ALLOC), false, at};
        bool is_in[3001] = {false};
        tm_test_host_plan(&host, &plan);
        for (uint64_t ref = 1; ref <= 3000; ref++)
            is_in[ref] = insert(hash_of(ref), ref);
        tm_table_check(&table);
        for (uint64_t ref = 1; ref <= 3000; ref++)
            assert_int_equal(erase(hash_of(ref), ref), is_in[ref]);
        tm_test_host_plan(&host, NULL);
        tm_table_fini(&table);
        assert_true(tm_table_init(&table, &host.host, TM_LOCK_index_bucket, &owner));
    }
}

/* ---- threads ---- */

#define THREADS 3u
#define OF_EACH 4000u

static void *insert_and_remove(void *argument)
{
    uint64_t first = *(uint64_t *)argument;
    for (uint64_t ref = first; ref < first + OF_EACH; ref++) {
        /* While the one who splits does not run, the lines for longer chains may run out: an answer, not a failure. */
        for (unsigned attempt = 0; !insert(hash_of(ref), ref); attempt++)
            tm_platform_wait(attempt + 200u);
    }
    for (uint64_t ref = first; ref < first + OF_EACH; ref += 2)
        if (count(hash_of(ref), ref) != 1 || !erase(hash_of(ref), ref))
            return argument;
    return NULL;
}

static void threads_do_not_disturb_each_other(void **state)
{
    pthread_t thread[THREADS];
    uint64_t first[THREADS];
    void *failed;
    (void)state;
    for (unsigned i = 0; i < THREADS; i++) {
        first[i] = 1u + i * OF_EACH;
        assert_int_equal(pthread_create(&thread[i], NULL, insert_and_remove, &first[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(thread[i], &failed);
        assert_null(failed);
    }
    tm_table_check(&table);
    for (uint64_t ref = 1; ref <= THREADS * OF_EACH; ref++)
        assert_int_equal(count(hash_of(ref), ref), ref % 2 == 0);
}

/* ---- what the check finds ---- */

static void break_the_count(void)
{
    table.entry_count++;
    tm_table_check(&table);
}

static void break_a_lock(void)
{
    table.directory[0][3].lock.word = 1;
    tm_table_check(&table);
}

static void break_the_bytes(void)
{
    table.bytes++;
    tm_table_check(&table);
}

static void insert_no_reference(void)
{
    (void)!insert(1, 0);
}

static void the_check_finds_broken_books(void **state)
{
    (void)state;
    assert_true(insert(256, 1));
    assert_true(tm_test_dies(break_the_count));
    assert_true(tm_test_dies(break_a_lock));
    assert_true(tm_test_dies(break_the_bytes));
    assert_true(tm_test_dies(insert_no_reference));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_was_inserted_is_found_until_it_is_removed),
        TEST(entries_of_one_hash_live_side_by_side),
        TEST(what_looks_like_another_hash_is_not_taken_for_it),
        TEST(a_reference_can_be_replaced),
        TEST(a_guess_is_right_while_nobody_changes_the_bucket),
        TEST(growing_loses_nothing),
        TEST(a_walk_sees_everything_while_the_table_grows),
        TEST(reversed_bits_are_the_other_way_round),
        TEST(a_table_without_memory_is_not_made),
        TEST(a_table_that_cannot_grow_goes_on_with_longer_chains),
        TEST(who_inserts_waits_for_who_grows_ahead_but_not_for_long),
        TEST(an_insert_without_memory_changes_nothing),
        TEST(a_split_without_memory_puts_everything_back),
        TEST(a_split_drops_what_is_damaged_and_nothing_else),
        TEST(entries_can_be_removed_where_they_are_found),
        TEST(a_table_can_be_made_large_at_once),
        TEST(only_one_grows_at_a_time),
        TEST(chains_get_memory_while_whoever_splits_stands_still),
        TEST(every_allocation_may_fail),
        TEST(threads_do_not_disturb_each_other),
        TEST(the_check_finds_broken_books),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
