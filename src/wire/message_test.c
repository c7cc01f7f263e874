/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages: each kind is accepted as it should be, and refused for each thing that is wrong with it. */
#include "wire/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static union tm_wire_any any;

static const unsigned char from_client[TM_WIRE_KIND_COUNT] = {
    [TM_WIRE_HELLO] = 1,
    [TM_WIRE_REGISTER] = 1,
    [TM_WIRE_UNREGISTER] = 1,
    [TM_WIRE_POOL_OPEN] = 1,
    [TM_WIRE_POOL_FORMER] = 1,
    [TM_WIRE_POOL_NEXT] = 1,
    [TM_WIRE_WALK] = 1,
    [TM_WIRE_STATISTICS] = 1,
    [TM_WIRE_LEAVE] = 1,
};

static unsigned descriptors_of(unsigned kind)
{
    return kind == TM_WIRE_WELCOME ? 3 : kind == TM_WIRE_REGISTER ? 1
                                                                  : 0;
}

/* A message of the kind that is right. Returns its length. */
static size_t make(unsigned kind)
{
    size_t bytes = tm_message_begin(&any, (enum tm_wire_kind)kind, 1, 42);
    switch (kind) {
    case TM_WIRE_HELLO:
        any.hello.newest_version = 1;
        any.hello.features = UINT32_MAX;
        memcpy(any.hello.name, "vm-1", 5);
        memcpy(any.hello.codec, "zstd:3", 7);
        break;
    case TM_WIRE_WELCOME:
        any.welcome.sizes = (struct tm_wire_sizes){64, 64};
        any.welcome.memory_bytes = tm_wire_places(&any.welcome.sizes).bytes;
        memcpy(any.welcome.name, "vm-1", 5);
        break;
    case TM_WIRE_FAILED:
        any.failed.result = TM_WIRE_DENIED;
        break;
    case TM_WIRE_REGISTER:
        any.enrol.bytes = TM_PAGE_BYTES;
        break;
    case TM_WIRE_REGISTERED:
    case TM_WIRE_UNREGISTER:
        any.region.region = 1;
        break;
    case TM_WIRE_MOVED:
        memcpy(any.moved.path, "/run/a", 7);
        break;
    case TM_WIRE_WALK:
        any.walk.capacity = TM_WIRE_KEYS_MAX;
        break;
    case TM_WIRE_WALKED:
        any.walked.count = 3;
        bytes += 3 * sizeof any.walked.keys[0];
        any.head.bytes = (uint32_t)bytes;
        break;
    case TM_WIRE_STATISTICS:
        any.statistics.subject = TM_WIRE_OF_POOL;
        any.statistics.pool = 9;
        break;
    case TM_WIRE_COUNTED:
        any.counted.subject = TM_WIRE_OF_STORE;
        any.counted.count = 2;
        bytes += 2 * sizeof any.counted.words[0];
        any.head.bytes = (uint32_t)bytes;
        break;
    default:
        break;
    }
    return bytes;
}

static bool judge(unsigned kind, size_t bytes)
{
    return tm_message_judge(&any, bytes, descriptors_of(kind),
                            from_client[kind] ? TM_WIRE_FROM_CLIENT : TM_WIRE_FROM_DAEMON);
}

static void what_is_right_is_accepted(void **state)
{
    (void)state;
    for (unsigned kind = 1; kind < TM_WIRE_KIND_COUNT; kind++)
        assert_true(judge(kind, make(kind)));
}

static void each_end_sends_its_own_kinds_only(void **state)
{
    (void)state;
    for (unsigned kind = 1; kind < TM_WIRE_KIND_COUNT; kind++) {
        size_t bytes = make(kind);
        assert_false(tm_message_judge(&any, bytes, descriptors_of(kind),
                                      from_client[kind] ? TM_WIRE_FROM_DAEMON : TM_WIRE_FROM_CLIENT));
    }
}

static void lengths_are_exact(void **state)
{
    (void)state;
    for (unsigned kind = 1; kind < TM_WIRE_KIND_COUNT; kind++) {
        size_t right = make(kind);
        for (size_t bytes = 0; bytes <= sizeof any; bytes++) {
            assert_true(judge(kind, bytes) == (bytes == right)); /* the head says another length */
            (void)make(kind);
            any.head.bytes = (uint32_t)bytes;
            bool whole = bytes == right;
            assert_true(judge(kind, bytes) == whole);
            (void)make(kind);
        }
    }
}

static void descriptors_are_as_many_as_belong_to_it(void **state)
{
    (void)state;
    for (unsigned kind = 1; kind < TM_WIRE_KIND_COUNT; kind++) {
        size_t bytes = make(kind);
        for (unsigned count = 0; count < 5; count++)
            assert_true(tm_message_judge(&any, bytes, count,
                                         from_client[kind] ? TM_WIRE_FROM_CLIENT : TM_WIRE_FROM_DAEMON) ==
                        (count == descriptors_of(kind)));
    }
}

static void other_heads_are_refused(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 70000; kind++) {
        size_t bytes = make(TM_WIRE_DONE);
        any.head.kind = (uint16_t)kind;
        bool plain = (uint16_t)kind == TM_WIRE_DONE;
        assert_true(tm_message_judge(&any, bytes, 0, TM_WIRE_FROM_DAEMON) == plain);
    }
    size_t bytes = make(TM_WIRE_DONE);
    any.head.magic ^= 1u;
    assert_false(judge(TM_WIRE_DONE, bytes));
}

static void texts_end_inside_their_field(void **state)
{
    (void)state;
    size_t bytes = make(TM_WIRE_HELLO);
    memset(any.hello.name, 'x', sizeof any.hello.name);
    assert_false(judge(TM_WIRE_HELLO, bytes));
    any.hello.name[sizeof any.hello.name - 1u] = '\0';
    assert_true(judge(TM_WIRE_HELLO, bytes));
    any.hello.name[3] = '\n';
    assert_false(judge(TM_WIRE_HELLO, bytes));
    any.hello.name[3] = '\0'; /* something behind the end */
    assert_false(judge(TM_WIRE_HELLO, bytes));
    bytes = make(TM_WIRE_HELLO);
    any.hello.codec[0] = '\x7f';
    assert_false(judge(TM_WIRE_HELLO, bytes));
    bytes = make(TM_WIRE_FAILED);
    any.failed.text[0] = '\x1b';
    assert_false(judge(TM_WIRE_FAILED, bytes));
    bytes = make(TM_WIRE_WELCOME);
    any.welcome.name[0] = '\0';
    memset(any.welcome.name, 0, sizeof any.welcome.name);
    assert_false(judge(TM_WIRE_WELCOME, bytes));
}

/* Sets a field of a message that is right, and expects it to be refused. */
#define REFUSED(kind, field, value)        \
    do {                                   \
        size_t length = make(kind);        \
        (field) = (value);                 \
        assert_false(judge(kind, length)); \
    } while (0)

static void every_field_is_looked_at(void **state)
{
    (void)state;
    REFUSED(TM_WIRE_HELLO, any.hello.zero, 1);
    REFUSED(TM_WIRE_HELLO, any.hello.zero2, 1);
    REFUSED(TM_WIRE_HELLO, any.hello.head.version, 0);
    REFUSED(TM_WIRE_HELLO, any.hello.head.version, 2); /* newest is 1 */
    REFUSED(TM_WIRE_WELCOME, any.welcome.features, 1u << 31);
    REFUSED(TM_WIRE_WELCOME, any.welcome.claimed, 2);
    REFUSED(TM_WIRE_WELCOME, any.welcome.zero, 1);
    REFUSED(TM_WIRE_WELCOME, any.welcome.sizes.entries, 65);
    REFUSED(TM_WIRE_WELCOME, any.welcome.sizes.entries, 8);
    REFUSED(TM_WIRE_WELCOME, any.welcome.sizes.entries, 8192);
    REFUSED(TM_WIRE_WELCOME, any.welcome.sizes.slots, 0);
    REFUSED(TM_WIRE_WELCOME, any.welcome.sizes.slots, TM_WIRE_SLOTS_MAX + 1u);
    REFUSED(TM_WIRE_WELCOME, any.welcome.memory_bytes, 1);
    REFUSED(TM_WIRE_FAILED, any.failed.result, TM_WIRE_OK);
    REFUSED(TM_WIRE_FAILED, any.failed.result, TM_WIRE_RESULT_COUNT);
    REFUSED(TM_WIRE_FAILED, any.failed.zero, 1);
    REFUSED(TM_WIRE_REGISTER, any.enrol.bytes, 0);
    REFUSED(TM_WIRE_REGISTER, any.enrol.bytes, TM_PAGE_BYTES + 1u);
    REFUSED(TM_WIRE_REGISTER, any.enrol.bytes, TM_WIRE_REGION_BYTES_MAX + TM_PAGE_BYTES);
    REFUSED(TM_WIRE_UNREGISTER, any.region.region, 0);
    REFUSED(TM_WIRE_UNREGISTER, any.region.region, TM_WIRE_REGIONS_MAX + 1u);
    REFUSED(TM_WIRE_REGISTERED, any.region.zero[2], 1);
    REFUSED(TM_WIRE_WALK, any.walk.capacity, 0);
    REFUSED(TM_WIRE_WALK, any.walk.capacity, TM_WIRE_KEYS_MAX + 1u);
    REFUSED(TM_WIRE_WALK, any.walk.zero, 1);
    REFUSED(TM_WIRE_WALKED, any.walked.count, 2);
    REFUSED(TM_WIRE_WALKED, any.walked.count, UINT32_MAX);
    REFUSED(TM_WIRE_WALKED, any.walked.at_end, 2);
    REFUSED(TM_WIRE_WALKED, any.walked.keys[2].zero, 1);
    REFUSED(TM_WIRE_STATISTICS, any.statistics.subject, 0);
    REFUSED(TM_WIRE_STATISTICS, any.statistics.subject, TM_WIRE_OF_POOL + 1);
    REFUSED(TM_WIRE_STATISTICS, any.statistics.subject, TM_WIRE_OF_STORE); /* of a pool that has a number */
    REFUSED(TM_WIRE_STATISTICS, any.statistics.zero, 1);
    REFUSED(TM_WIRE_COUNTED, any.counted.subject, 0);
    REFUSED(TM_WIRE_COUNTED, any.counted.count, 1);
    REFUSED(TM_WIRE_COUNTED, any.counted.count, TM_WIRE_WORDS_MAX + 1u);
}

static void versions_that_both_speak_are_found(void **state)
{
    (void)state;
    assert_int_equal(tm_wire_version_for(1, 1), 1);
    assert_int_equal(tm_wire_version_for(1, 9), TM_WIRE_VERSION_MAX);
    assert_int_equal(tm_wire_version_for(TM_WIRE_VERSION_MAX + 1u, UINT16_MAX), 0);
    assert_int_equal(tm_wire_version_for(0, 0), 0);
}

/* Everything has a place of its own, also at the largest sizes. */
static void places_do_not_overlap(void **state)
{
    (void)state;
    for (uint32_t entries = TM_WIRE_ENTRIES_MIN; entries <= TM_WIRE_ENTRIES_MAX; entries *= 2) {
        const struct tm_wire_sizes sizes = {entries, TM_WIRE_SLOTS_MAX};
        const struct tm_wire_places places = tm_wire_places(&sizes);
        assert_true(tm_wire_sizes_are_valid(&sizes));
        assert_true(places.requests >= sizeof(struct tm_wire_head));
        assert_true(places.answers >= places.requests + (uint64_t)entries * sizeof(struct tm_wire_request));
        assert_true(places.slots >= places.answers + (uint64_t)entries * sizeof(struct tm_wire_answer));
        assert_int_equal(places.bytes, places.slots + (uint64_t)TM_WIRE_SLOTS_MAX * TM_PAGE_BYTES);
        assert_int_equal((places.requests | places.answers | places.slots) % TM_PAGE_BYTES, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_right_is_accepted),
        cmocka_unit_test(each_end_sends_its_own_kinds_only),
        cmocka_unit_test(lengths_are_exact),
        cmocka_unit_test(descriptors_are_as_many_as_belong_to_it),
        cmocka_unit_test(other_heads_are_refused),
        cmocka_unit_test(texts_end_inside_their_field),
        cmocka_unit_test(every_field_is_looked_at),
        cmocka_unit_test(versions_that_both_speak_are_found),
        cmocka_unit_test(places_do_not_overlap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
