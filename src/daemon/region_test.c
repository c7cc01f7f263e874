/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Regions: pages go straight to and from memory of the client's own; what could end the daemon is not mapped, and what
 * lies outside is not touched.
 */
#include "fuzz/by_hand.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define PAGES 8u
#define BYTES ((uint64_t)PAGES * TM_PAGE_BYTES)

static struct by_hand it;

static int memory_of(uint64_t bytes, unsigned flags, int seals)
{
    int memory = memfd_create("region-test", MFD_CLOEXEC | flags);
    if (memory < 0)
        return -1;
    assert_int_equal(ftruncate(memory, (off_t)bytes), 0);
    if (seals != 0)
        assert_int_equal(fcntl(memory, F_ADD_SEALS, seals), 0);
    return memory;
}

/* The answer's kind. @memory is closed. */
static int enrol(int memory, uint64_t bytes)
{
    union tm_wire_any question;
    size_t size = tm_message_begin(&question, TM_WIRE_REGISTER, 1, 3);
    question.enrol.bytes = bytes;
    assert_true(raw_send(&it.client, &question, size, &memory, 1));
    (void)close(memory);
    tm_session_hear(it.session, &it.scratch);
    return raw_receive(&it.client, 0);
}

static int retire(uint16_t region)
{
    union tm_wire_any question;
    size_t size = tm_message_begin(&question, TM_WIRE_UNREGISTER, 1, 4);
    question.region.region = region;
    assert_true(raw_send(&it.client, &question, size, NULL, 0));
    tm_session_hear(it.session, &it.scratch);
    return raw_receive(&it.client, 0);
}

static uint32_t do_request(enum tm_wire_operation operation, uint16_t region, uint64_t place)
{
    struct tm_wire_answer answer;
    raw_submit(&it.client, &(struct tm_wire_request){.operation = (uint8_t)operation,
                                                     .region = region,
                                                     .pool = it.pools[1],
                                                     .object = {1},
                                                     .place = place});
    assert_int_equal(tm_session_serve(it.session, 1, &it.scratch), 1);
    assert_true(raw_take(&it.client, &answer, 0));
    return answer.result;
}

static int set_up(void **state)
{
    (void)state;
    by_hand_enter(&it);
    assert_true((it.session->bounds.features & TM_WIRE_REGIONS) != 0);
    return 0;
}

/* A connection for each, so that regions have the same numbers. */
static int tear_down(void **state)
{
    (void)state;
    by_hand_knock(&it);
    return 0;
}

static void pages_go_straight_to_and_from_it(void **state)
{
    (void)state;
    int memory = memory_of(BYTES, MFD_ALLOW_SEALING, F_SEAL_SHRINK);
    unsigned char *mine = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    assert_ptr_not_equal(mine, MAP_FAILED);
    assert_int_equal(enrol(memory, BYTES), TM_WIRE_REGISTERED);
    assert_int_equal(it.client.answer.region.region, 1);
    for (size_t at = 0; at < TM_PAGE_BYTES; at++)
        mine[3u * TM_PAGE_BYTES + at] = (unsigned char)(at * 7u);
    assert_int_equal(do_request(TM_WIRE_PUT, 1, 3u * TM_PAGE_BYTES), TM_WIRE_OK);
    assert_int_equal(do_request(TM_WIRE_GET, 1, 100), TM_WIRE_OK); /* any place will do */
    assert_memory_equal(mine + 100, mine + 3u * TM_PAGE_BYTES, TM_PAGE_BYTES);
    assert_int_equal(do_request(TM_WIRE_GET, 1, BYTES - TM_PAGE_BYTES), TM_WIRE_OK);
    assert_int_equal(do_request(TM_WIRE_GET, 1, BYTES - TM_PAGE_BYTES + 1u), TM_WIRE_INVALID);
    assert_int_equal(do_request(TM_WIRE_GET, 2, 0), TM_WIRE_INVALID);
    assert_int_equal(retire(1), TM_WIRE_DONE);
    assert_int_equal(do_request(TM_WIRE_GET, 1, 0), TM_WIRE_INVALID);
    assert_int_equal(retire(1), TM_WIRE_FAILED);
    (void)munmap(mine, BYTES);
}

static void what_could_end_the_daemon_is_refused(void **state)
{
    int ends[2];
    (void)state;
    assert_int_equal(enrol(memory_of(BYTES, MFD_ALLOW_SEALING, 0), BYTES), TM_WIRE_FAILED);
    assert_int_equal(enrol(memory_of(BYTES, 0, 0), BYTES), TM_WIRE_FAILED);
    assert_int_equal(enrol(memory_of(BYTES, MFD_ALLOW_SEALING, F_SEAL_SHRINK | F_SEAL_WRITE), BYTES), TM_WIRE_FAILED);
    assert_int_equal(enrol(memory_of(BYTES, MFD_ALLOW_SEALING, F_SEAL_SHRINK), BYTES + TM_PAGE_BYTES), TM_WIRE_FAILED);
    assert_int_equal(enrol(open("/dev/zero", O_RDWR | O_CLOEXEC), BYTES), TM_WIRE_FAILED);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(enrol(ends[0], BYTES), TM_WIRE_FAILED);
    (void)close(ends[1]);
    int huge = memory_of(UINT64_C(2) << 20, MFD_ALLOW_SEALING | MFD_HUGETLB, F_SEAL_SHRINK);
    if (huge >= 0)
        assert_int_equal(enrol(huge, BYTES), TM_WIRE_FAILED);
    assert_int_equal(it.session->state, TM_SESSION_SERVED);
}

static void cut_out_pages_are_made_again(void **state)
{
    (void)state;
    int memory = memory_of(BYTES, MFD_ALLOW_SEALING, F_SEAL_SHRINK);
    int mine = dup(memory);
    assert_int_equal(enrol(memory, BYTES), TM_WIRE_REGISTERED);
    assert_int_not_equal(ftruncate(mine, 0), 0);
    assert_int_equal(do_request(TM_WIRE_PUT, 1, 0), TM_WIRE_OK);
    assert_int_equal(fallocate(mine, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)BYTES), 0);
    assert_int_equal(do_request(TM_WIRE_PUT, 1, 0), TM_WIRE_OK);
    assert_int_equal(do_request(TM_WIRE_GET, 1, TM_PAGE_BYTES), TM_WIRE_OK);
    (void)close(mine);
}

static void there_are_as_many_as_the_format_and_the_configuration_allow(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= TM_WIRE_REGIONS_MAX; i++) {
        assert_int_equal(enrol(memory_of(BYTES, MFD_ALLOW_SEALING, F_SEAL_SHRINK), BYTES), TM_WIRE_REGISTERED);
        assert_int_equal(it.client.answer.region.region, i);
    }
    assert_int_equal(enrol(memory_of(BYTES, MFD_ALLOW_SEALING, F_SEAL_SHRINK), BYTES), TM_WIRE_FAILED);
    assert_int_equal(it.client.answer.failed.result, TM_WIRE_REFUSED);
    assert_int_equal(retire(7), TM_WIRE_DONE);
    struct tm_rule small = *it.session->tenant->rule;
    const struct tm_rule *before = it.session->tenant->rule;
    small.region_bytes = TM_WIRE_REGIONS_MAX * BYTES;
    it.session->tenant->rule = &small;
    int larger = memory_of(2 * BYTES, MFD_ALLOW_SEALING, F_SEAL_SHRINK);
    assert_int_equal(enrol(larger, BYTES + TM_PAGE_BYTES), TM_WIRE_FAILED);
    assert_int_equal(enrol(memory_of(BYTES, MFD_ALLOW_SEALING, F_SEAL_SHRINK), BYTES), TM_WIRE_REGISTERED);
    assert_int_equal(it.client.answer.region.region, 7);
    it.session->tenant->rule = before;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(pages_go_straight_to_and_from_it),
        TEST(what_could_end_the_daemon_is_refused),
        TEST(cut_out_pages_are_made_again),
        TEST(there_are_as_many_as_the_format_and_the_configuration_allow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
