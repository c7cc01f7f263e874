/* SPDX-License-Identifier: BSD-2-Clause */
/* command_test.c - sizes, JSON, exit codes, the table of mounts, and asking a mount. */
#include "command/command.h"
#include "command/json.h"
#include "command/mount_stats.h"
#include "command/mount_table.h"
#include "command/size.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void sizes_that_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t bytes;
    } cases[] = {
        {"1", 1},
        {"4096", 4096},
        {"4096B", 4096},
        {"1K", 1024},
        {"1k", 1024},
        {"1KiB", 1024},
        {"512M", UINT64_C(512) << 20},
        {"1.5G", UINT64_C(1536) << 20},
        {"0.5K", 512},
        {"0.3K", 307},
        {"2.25gB", (UINT64_C(9) << 30) / 4},
        {"4T", UINT64_C(4) << 40},
        {"1P", UINT64_C(1) << 50},
        {"15E", UINT64_C(15) << 60},
        {"18446744073709551615", UINT64_MAX},
    };
    for (size_t i = 0; i < TM_ARRAY_SIZE(cases); i++) {
        uint64_t bytes = 0;
        assert_int_equal(tm_size_parse(cases[i].text, &bytes), TM_SIZE_OK);
        assert_true(bytes == cases[i].bytes);
    }
    /* Digits beyond what 64 bits can tell are read and change nothing. */
    uint64_t bytes = 0;
    assert_int_equal(tm_size_parse("15.9999999999999999999999E", &bytes), TM_SIZE_OK);
    assert_true(bytes > UINT64_MAX - 4096);
}

static void sizes_that_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum tm_size_problem problem;
    } cases[] = {
        {"", TM_SIZE_EMPTY},
        {"0", TM_SIZE_ZERO},
        {"0K", TM_SIZE_ZERO},
        {"0.0001K", TM_SIZE_ZERO},
        {"-1", TM_SIZE_NEGATIVE},
        {"-1M", TM_SIZE_NEGATIVE},
        {"12Q", TM_SIZE_UNKNOWN_UNIT},
        {"12KK", TM_SIZE_UNKNOWN_UNIT},
        {"12 K", TM_SIZE_UNKNOWN_UNIT},
        {"0x10", TM_SIZE_UNKNOWN_UNIT},
        {"1e3", TM_SIZE_UNKNOWN_UNIT},
        {"1,5G", TM_SIZE_UNKNOWN_UNIT},
        {"1.5", TM_SIZE_FRACTION},
        {"1.K", TM_SIZE_NOT_A_NUMBER},
        {".5K", TM_SIZE_NOT_A_NUMBER},
        {"+1", TM_SIZE_NOT_A_NUMBER},
        {" 1", TM_SIZE_NOT_A_NUMBER},
        {"K", TM_SIZE_NOT_A_NUMBER},
        {"-", TM_SIZE_NOT_A_NUMBER},
        {"many", TM_SIZE_NOT_A_NUMBER},
        {"16E", TM_SIZE_TOO_LARGE},
        {"18446744073709551616", TM_SIZE_TOO_LARGE},
        {"99999999999999999999999", TM_SIZE_TOO_LARGE},
    };
    for (size_t i = 0; i < TM_ARRAY_SIZE(cases); i++) {
        uint64_t bytes = 12345;
        assert_int_equal(tm_size_parse(cases[i].text, &bytes), cases[i].problem);
        assert_int_equal(bytes, 12345);
        assert_true(strlen(tm_size_problem_text(cases[i].problem)) > 5);
    }
    uint64_t bytes = 1;
    assert_int_equal(tm_size_parse_zero("0", &bytes), TM_SIZE_OK);
    assert_int_equal(bytes, 0);
}

static void sizes_that_are_printed(void **state)
{
    (void)state;
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {
        {0, "0"},
        {1, "1"},
        {1023, "1023"},
        {1024, "1K"},
        {1536, "1.5K"},
        {1075, "1K"},
        {1076, "1.1K"},
        {UINT64_C(512) << 20, "512M"},
        {(UINT64_C(1) << 30) - 1, "1G"},
        {(UINT64_C(1) << 20) - 1, "1M"},
        {UINT64_C(1536) << 20, "1.5G"},
        {UINT64_MAX, "16E"},
    };
    for (size_t i = 0; i < TM_ARRAY_SIZE(cases); i++) {
        char text[TM_SIZE_TEXT];
        assert_string_equal(tm_size_format(cases[i].bytes, text), cases[i].text);
    }
    /* What is printed can be read, within the rounding. */
    for (uint64_t bytes = 1; bytes < UINT64_C(1) << 62; bytes = bytes * 5 / 3 + 1) {
        char text[TM_SIZE_TEXT];
        uint64_t read = 0;
        assert_int_equal(tm_size_parse(tm_size_format(bytes, text), &read), TM_SIZE_OK);
        assert_true(fabs((double)read - (double)bytes) <= (double)bytes * 0.05);
    }
}

static void json_is_written_and_read(void **state)
{
    (void)state;
    char text[1024];
    char value[64];
    struct tm_json json;
    uint64_t number = 0;
    double decimal = 0;
    tm_json_begin(&json, text, sizeof text);
    tm_json_open_object(&json, NULL);
    tm_json_string(&json, "trap", "\"count\": 5, \\\"count\\\": 6");
    tm_json_string(&json, "name", "tab\there \"quoted\" back\\slash \x01 \xc3\xa9 \xff\xc3");
    tm_json_unsigned(&json, "count", UINT64_MAX);
    tm_json_decimal(&json, "ratio", 2.0 / 3.0, 4);
    tm_json_decimal(&json, "nothing", NAN, 4);
    tm_json_boolean(&json, "yes", true);
    tm_json_null(&json, "unknown");
    tm_json_close_object(&json);
    assert_true(tm_json_end(&json));
    assert_string_equal(text, "{\"trap\": \"\\\"count\\\": 5, \\\\\\\"count\\\\\\\": 6\", "
                              "\"name\": \"tab\\u0009here \\\"quoted\\\" back\\\\slash \\u0001 \xc3\xa9 "
                              "\\ufffd\\ufffd\", "
                              "\"count\": 18446744073709551615, \"ratio\": 0.6667, \"nothing\": null, \"yes\": true, "
                              "\"unknown\": null}");
    assert_true(tm_json_find_unsigned(text, "count", &number));
    assert_true(number == UINT64_MAX);
    assert_true(tm_json_find_decimal(text, "ratio", &decimal));
    assert_true(fabs(decimal - 0.6667) < 1e-9);
    assert_true(tm_json_find_string(text, "name", value, sizeof value));
    assert_string_equal(value, "tab\there \"quoted\" back\\slash \x01 \xc3\xa9 ??");
    assert_false(tm_json_find_unsigned(text, "ratio", &number));
    assert_false(tm_json_find_unsigned(text, "nothing", &number));
    assert_false(tm_json_find_unsigned(text, "absent", &number));
    assert_false(tm_json_find_decimal(text, "yes", &decimal));
    assert_false(tm_json_find_string(text, "count", value, sizeof value));
    assert_false(tm_json_find_string(text, "name", value, 8));
}

static void json_never_overruns(void **state)
{
    (void)state;
    for (size_t size = 0; size < 80; size++) {
        char *text = malloc(size + 1);
        struct tm_json json;
        assert_non_null(text);
        text[size] = '#';
        tm_json_begin(&json, text, size);
        tm_json_open_object(&json, NULL);
        tm_json_open_array(&json, "list");
        tm_json_unsigned(&json, NULL, 1);
        tm_json_string(&json, NULL, "two\n");
        tm_json_close_array(&json);
        tm_json_close_object(&json);
        bool fits = tm_json_end(&json);
        assert_int_equal(json.used, strlen("{\"list\": [1, \"two\\u000a\"]}"));
        assert_int_equal(fits, json.used < size);
        if (fits)
            assert_string_equal(text, "{\"list\": [1, \"two\\u000a\"]}");
        assert_int_equal(text[size], '#');
        free(text);
    }
}

static void broken_json_is_not_read(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "{", "[]", "{\"a", "{\"a\"", "{\"a\":", "{\"a\": ", "{\"a\": \"",
                                        "{\"a\" 1}",
                                        "{\"b\": \"x", "{a: 1}", "{\"a\": 99999999999999999999999}", "{\"a\": \"\\u00"};
    for (size_t i = 0; i < TM_ARRAY_SIZE(texts); i++) {
        uint64_t number = 7;
        char value[8];
        assert_false(tm_json_find_unsigned(texts[i], "a", &number));
        assert_int_equal(number, 7);
        assert_false(tm_json_find_string(texts[i], "a", value, sizeof value));
    }
}

static void exit_codes(void **state)
{
    (void)state;
    char text[TM_ERROR_TEXT_SIZE];
    assert_int_equal(tm_exit_of_error(0), TM_EXIT_OK);
    assert_int_equal(tm_exit_of_error(ENOENT), TM_EXIT_NOT_FOUND);
    assert_int_equal(tm_exit_of_error(EACCES), TM_EXIT_DENIED);
    assert_int_equal(tm_exit_of_error(EPERM), TM_EXIT_DENIED);
    assert_int_equal(tm_exit_of_error(EIO), TM_EXIT_FAILED);
    assert_string_equal(tm_error_text(ENOENT, text), "no such file or directory");
    assert_string_equal(tm_error_remedy(ENOENT, "try: mkdir"), "try: mkdir");
    assert_string_equal(tm_error_remedy(ENOTDIR, "try: mkdir"), "try: mkdir");
    static const int others[] = {EACCES, EPERM, ELOOP, EMFILE, ENOMEM, EIO, 0};
    for (size_t i = 0; i < TM_ARRAY_SIZE(others); i++) {
        const char *remedy = tm_error_remedy(others[i], "try: mkdir");
        assert_true(strlen(remedy) > 0);
        assert_null(strstr(remedy, "mkdir"));
    }
    assert_non_null(strstr(tm_error_remedy(EACCES, ""), "sudo"));
}

static void mounts_are_found(void **state)
{
    (void)state;
    struct tm_mount_entry entry;
    assert_int_equal(tm_mount_find("/proc", &entry), 1);
    assert_string_equal(entry.point, "/proc");
    assert_string_equal(entry.type, "proc");
    assert_true(entry.device != 0);
    assert_int_equal(tm_mount_find("/proc/self/no such mount", &entry), 0);
}

static void paths_are_resolved(void **state)
{
    (void)state;
    char path[PATH_MAX];
    char directory[] = "/tmp/tmem-command-XXXXXX";
    char link[PATH_MAX];
    assert_non_null(mkdtemp(directory));
    (void)snprintf(link, sizeof link, "%s/link", directory);
    assert_int_equal(symlink("/proc", link), 0);
    assert_int_equal(tm_mount_resolve(link, path), 0);
    assert_string_equal(path, "/proc");
    assert_int_equal(tm_mount_resolve("/proc/../proc/./", path), 0);
    assert_string_equal(path, "/proc");
    (void)snprintf(link, sizeof link, "%s/absent", directory);
    assert_int_equal(tm_mount_resolve(link, path), -1);
    assert_int_equal(errno, ENOENT);
    (void)snprintf(link, sizeof link, "%s/link", directory);
    assert_int_equal(unlink(link), 0);
    assert_int_equal(rmdir(directory), 0);
}

struct seen {
    unsigned count;
    unsigned stop_at; /* 0: never */
    char last[PATH_MAX];
};

static bool see(const struct tm_mount_entry *entry, void *context)
{
    struct seen *seen = context;
    seen->count++;
    memcpy(seen->last, entry->point, sizeof seen->last);
    return seen->count != seen->stop_at;
}

static void mounts_are_walked_until_told_to_stop(void **state)
{
    (void)state;
    struct seen all = {.stop_at = 0};
    assert_int_equal(tm_mount_each(see, &all), 0);
    assert_true(all.count >= 2);
    struct seen some = {.stop_at = 2};
    assert_int_equal(tm_mount_each(see, &some), 0);
    assert_int_equal(some.count, 2);
    assert_int_equal(some.last[0], '/');
}

static void asking_what_is_no_mount_says_so(void **state)
{
    (void)state;
    static char text[TM_MOUNT_STATS_SIZE];
    assert_int_equal(tm_mount_stats_ask("/no such mount", 1000, text), ENOENT);
    assert_int_equal(tm_mount_state_of(tm_mount_stats_ask("/proc", 1000, text)), TM_MOUNT_OTHER);
    assert_false(tm_mount_is_dead("/proc"));
    assert_int_equal(tm_mount_state_of(0), TM_MOUNT_ALIVE);
    assert_int_equal(tm_mount_state_of(ENOTCONN), TM_MOUNT_DEAD);
    assert_int_equal(tm_mount_state_of(ETIMEDOUT), TM_MOUNT_SILENT);
    assert_int_equal(tm_mount_state_of(EACCES), TM_MOUNT_PRIVATE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_that_are_read),
        cmocka_unit_test(sizes_that_are_refused),
        cmocka_unit_test(sizes_that_are_printed),
        cmocka_unit_test(json_is_written_and_read),
        cmocka_unit_test(json_never_overruns),
        cmocka_unit_test(broken_json_is_not_read),
        cmocka_unit_test(exit_codes),
        cmocka_unit_test(mounts_are_found),
        cmocka_unit_test(paths_are_resolved),
        cmocka_unit_test(mounts_are_walked_until_told_to_stop),
        cmocka_unit_test(asking_what_is_no_mount_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
