/* SPDX-License-Identifier: BSD-2-Clause */
/* recorder_test.c - what is seen of the reads of real commands: which pages, in which order, of which process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "recorder.h"
#include "scratch.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PAGES 40u

static struct policy_scratch scratch;
static struct policy_trace trace;
static uint32_t file_number; /* of the file that is read */

static void fill(FILE *file, const void *user)
{
    (void)user;
    for (unsigned i = 0; i < PAGES * TM_PAGE_BYTES - 100u; i++)
        (void)fputc('x', file);
}

static int make_folder(void **state)
{
    (void)state;
    trace = (struct policy_trace){0};
    return policy_scratch_create(&scratch) == TM_EXIT_OK &&
                   policy_scratch_write(&scratch, "data", fill, NULL) == TM_EXIT_OK
               ? 0
               : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    policy_trace_free(&trace);
    policy_scratch_remove(&scratch);
    return 0;
}

static int run(const char *command)
{
    const char *const arguments[] = {"sh", "-c", command, NULL};
    const struct policy_command what = {arguments, scratch.folder, NULL};
    struct stat status;
    char path[PATH_MAX + 8];
    int code = -1;
    assert_int_equal(policy_record(&trace, &what, &code), TM_EXIT_OK);
    (void)snprintf(path, sizeof path, "%s/data", scratch.folder);
    assert_int_equal(stat(path, &status), 0);
    assert_true(policy_trace_file(&trace, status.st_dev, status.st_ino, &file_number));
    return code;
}

/* The pages of the file that were read, in order; *count: how many. */
static uint32_t pages_read(uint32_t *pages, uint32_t most)
{
    const struct policy_stream *stream = &trace.stream;
    uint32_t count = 0;
    for (uint64_t i = 0; i < stream->count; i++) {
        struct policy_page page = stream->page[stream->access[i]];
        if (page.file != file_number)
            continue;
        assert_true(count < most);
        pages[count++] = page.index;
    }
    return count;
}

static void a_file_that_is_read_is_seen_page_by_page(void **state)
{
    uint32_t pages[2 * PAGES];
    (void)state;
    assert_int_equal(run("cat data; cat data"), 0);
    assert_int_equal(pages_read(pages, 2 * PAGES), 2 * PAGES);
    for (uint32_t i = 0; i < 2 * PAGES; i++)
        assert_int_equal(pages[i], i % PAGES);
}

static void small_reads_of_a_page_are_one(void **state)
{
    uint32_t pages[4];
    (void)state;
    assert_int_equal(run("dd if=data bs=512 skip=24 count=24 status=none"), 0); /* bytes 12288 to 24576 */
    assert_int_equal(pages_read(pages, 4), 3);
    assert_int_equal(pages[0], 3);
    assert_int_equal(pages[2], 5);
}

static void a_file_that_is_copied_by_the_kernel_is_seen(void **state)
{
    uint32_t pages[PAGES];
    (void)state;
    assert_int_equal(run("cp --reflink=never --sparse=never data copy"), 0);
    assert_int_equal(pages_read(pages, PAGES), PAGES);
    assert_int_equal(pages[PAGES - 1], PAGES - 1);
}

static void programs_and_libraries_are_seen_as_they_are_mapped(void **state)
{
    struct stat status;
    uint32_t program;
    uint64_t seen = 0;
    (void)state;
    assert_int_equal(run("true; sleep 0; exit 3"), 3);
    assert_int_equal(stat("/bin/sleep", &status), 0);
    assert_true(policy_trace_file(&trace, status.st_dev, status.st_ino, &program));
    for (uint64_t i = 0; i < trace.stream.count; i++)
        seen += trace.stream.page[trace.stream.access[i]].file == program;
    assert_true(seen > 1); /* its head is read; what runs is mapped */
}

static void what_runs_on_is_ended(void **state)
{
    (void)state;
    assert_int_equal(run("sleep 1000 & exit 0"), 0);
}

static void a_program_that_is_not_there_says_127(void **state)
{
    static const char *const arguments[] = {"no-such-program-anywhere", NULL};
    const struct policy_command what = {arguments, NULL, NULL};
    int code = 0;
    (void)state;
    assert_int_equal(policy_record(&trace, &what, &code), TM_EXIT_OK);
    assert_int_equal(code, 127);
}

static bool can_trace(void)
{
    static const char *const arguments[] = {"true", NULL};
    const struct policy_command what = {arguments, NULL, NULL};
    int code = -1;
    enum tm_exit result = policy_record(&trace, &what, &code);
    bool has_seen = trace.stream.count > 0;
    policy_trace_free(&trace);
    return result == TM_EXIT_OK && code == 0 && has_seen;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(a_file_that_is_read_is_seen_page_by_page),
        TEST(small_reads_of_a_page_are_one),
        TEST(a_file_that_is_copied_by_the_kernel_is_seen),
        TEST(programs_and_libraries_are_seen_as_they_are_mapped),
        TEST(what_runs_on_is_ended),
        TEST(a_program_that_is_not_there_says_127),
    };
    if (!can_trace()) {
        (void)puts("programs cannot be traced here (ptrace, seccomp)");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
