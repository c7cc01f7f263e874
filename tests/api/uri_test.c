/* SPDX-License-Identifier: BSD-2-Clause */
/* uri_test.c - what tmem_open() answers to URIs, and that every message names what is wrong and what would be right. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

#include <tmem/tmem.h>

struct row {
    const char *uri;
    enum tmem_result result;
    const char *names, *remedy; /* what the message contains */
};

static const struct row bad[] = {
    {"", TMEM_INVALID, "''", "embedded:"},
    {"embedded", TMEM_INVALID, "'embedded'", "embedded:["},
    {"Embedded:", TMEM_INVALID, "'Embedded:'", "embedded:["},
    {"file:/x", TMEM_INVALID, "'file:/x'", "embedded:["},
    {"unix:/no/such/tmemd.sock", TMEM_UNAVAILABLE, "/no/such/tmemd.sock", "try: tmemd"},
    {"unix:/dev/null", TMEM_UNAVAILABLE, "/dev/null", "is the daemon running"},
    {"unix:/no/such,name=a,size=64M,codec=zstd:3", TMEM_UNAVAILABLE, "/no/such", "try: tmemd"},
    {"unix:/no/such,codec=lzo", TMEM_UNAVAILABLE, "/no/such", "try: tmemd"},
    {"unix:", TMEM_INVALID, "no path", "unix:/run/tmem/tmemd.sock"},
    {"unix:,name=a", TMEM_INVALID, "no path", "unix:/run/tmem/tmemd.sock"},
    {"unix:/x,", TMEM_INVALID, "','", "nothing follows"},
    {"unix:/x,workers=3", TMEM_INVALID, "'workers'", "daemon's configuration"},
    {"unix:/x,token=", TMEM_INVALID, "token=", "a client's token"},
    {"unix:/x,token=/0123456789012345678901234567890123456789012345678901234567890123456789012345678901234"
     "56789012345678901234567890",
     TMEM_INVALID, "token=", "a client's token"},
    {"unix:/no/such,token=/no/such", TMEM_UNAVAILABLE, "/no/such", "try: tmemd"},
    {"unix:/x,name=", TMEM_INVALID, "name=", "1 to 31"},
    {"unix:/x,name=a b", TMEM_INVALID, "name=a b", "1 to 31"},
    {"unix:/x,name=01234567890123456789012345678901", TMEM_INVALID, "name=0123", "1 to 31"},
    {"unix:/x,size=1M", TMEM_INVALID, "size=1M", "at least 16M"},
    {"unix:/x,codec=gzip", TMEM_INVALID, "codec=gzip", "(lz4, zstd,"},
    {"embedded:name=a", TMEM_INVALID, "'name'", "(size, codec,"},
    {"embedded:size", TMEM_INVALID, "'size'", "key=value"},
    {"embedded:size=16M,", TMEM_INVALID, "','", "nothing follows"},
    {"embedded:,size=16M", TMEM_INVALID, "''", "key=value"},
    {"embedded:=16M", TMEM_INVALID, "''", "(size, codec,"},
    {"embedded:sise=16M", TMEM_INVALID, "'sise'", "(size, codec,"},
    {"embedded:size=", TMEM_INVALID, "size=", "such as 512M"},
    {"embedded:size=0", TMEM_INVALID, "size=0", "at least 16M"},
    {"embedded:size=16777215", TMEM_INVALID, "size=16777215", "at least 16M"},
    {"embedded:size=-1", TMEM_INVALID, "size=-1", "such as 512M"},
    {"embedded:size=12Q", TMEM_INVALID, "size=12Q", "such as 512M"},
    {"embedded:size=1.5G", TMEM_INVALID, "size=1.5G", "such as 512M"},
    {"embedded:size= 64M", TMEM_INVALID, "size= 64M", "such as 512M"},
    {"embedded:size=0x4000000", TMEM_INVALID, "size=0x4000000", "such as 512M"},
    {"embedded:size=64MM", TMEM_INVALID, "size=64MM", "such as 512M"},
    {"embedded:size=M", TMEM_INVALID, "size=M", "such as 512M"},
    {"embedded:size=18446744073709551616", TMEM_INVALID, "size=18446744073709551616", "such as 512M"},
    {"embedded:size=17179869184G", TMEM_INVALID, "size=17179869184G", "such as 512M"},
    {"embedded:size=1000000G", TMEM_INVALID, "size=1024000000M", "choose a size below"},
    {"embedded:codec=", TMEM_INVALID, "codec=", "(lz4, zstd,"},
    {"embedded:codec=gzip", TMEM_INVALID, "codec=gzip", "(lz4, zstd,"},
    {"embedded:codec=zstd:0", TMEM_INVALID, "codec=zstd:0", "-7 ... -1 or 1 ... 19"},
    {"embedded:codec=zstd:20", TMEM_INVALID, "codec=zstd:20", "-7 ... -1 or 1 ... 19"},
    {"embedded:codec=zstd:-8", TMEM_INVALID, "codec=zstd:-8", "-7 ... -1 or 1 ... 19"},
    {"embedded:codec=zstd:", TMEM_INVALID, "codec=zstd:", "-7 ... -1 or 1 ... 19"},
    {"embedded:codec=lz4:3", TMEM_INVALID, "codec=lz4:3", "only zstd"},
    {"embedded:dedup=yes", TMEM_INVALID, "dedup=yes", "on or off"},
    {"embedded:defer=yes", TMEM_INVALID, "defer=yes", "on or off"},
    {"embedded:workers=0", TMEM_INVALID, "workers=0", "1 ... 64"},
    {"embedded:workers=65", TMEM_INVALID, "workers=65", "1 ... 64"},
    {"embedded:workers=many", TMEM_INVALID, "workers=many", "1 ... 64"},
    {"embedded:persistent=disk", TMEM_INVALID, "persistent=disk", "anon or memfd"},
    {"embedded:maintenance=later", TMEM_INVALID, "maintenance=later", "thread or none"},
    {"embedded:cold=", TMEM_INVALID, "cold=", "1 to 100"},
    {"embedded:cold=0", TMEM_INVALID, "cold=0", "1 to 100"},
    {"embedded:cold=101", TMEM_INVALID, "cold=101", "1 to 100"},
    {"embedded:cold=on", TMEM_INVALID, "cold=on", "off, or"},
    {"embedded:cold=10,codec=zstd:1", TMEM_INVALID, "cold=10", "another codec"},
    {"embedded:cold-age=1000001", TMEM_INVALID, "cold-age=1000001", "a million"},
    {"embedded:cold-age=60s", TMEM_INVALID, "cold-age=60s", "number of seconds"},
    {"embedded:arena-fd=", TMEM_INVALID, "arena-fd=", "open memory file"},
    {"embedded:arena-fd=-1", TMEM_INVALID, "arena-fd=-1", "open memory file"},
    {"embedded:arena-fd=99999", TMEM_INVALID, "arena-fd=99999", "memory file"},
};

static void bad_uris_are_refused_with_a_remedy(void **state)
{
    struct tmem_store *const untouched = (struct tmem_store *)(uintptr_t)64;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct tmem_store *store = untouched;
        struct tmem_error error = {""};
        enum tmem_result result = tmem_open(bad[i].uri, &store, &error);
        if (result != bad[i].result || store != untouched || strstr(error.text, bad[i].names) == NULL ||
            strstr(error.text, bad[i].remedy) == NULL)
            fail_msg("'%s': %s: '%s'", bad[i].uri, tmem_result_text(result), error.text);
        assert_int_equal(tmem_open(bad[i].uri, &store, NULL), bad[i].result);
    }
}

static void good_uris_are_taken(void **state)
{
    static const char *const good[] = {
        "embedded:", "embedded:size=16M", "embedded:size=16777216", "embedded:size=16384k",
        "embedded:size=16m,codec=none,dedup=off,workers=1,persistent=anon,maintenance=none",
        "embedded:codec=zstd:-7,size=32M,persistent=memfd,maintenance=thread,dedup=on", "embedded:size=16M,workers=64",
        "embedded:size=32M,codec=zstd:19", "embedded:size=16M,defer=on", "embedded:size=16M,defer=off,codec=none",
        "embedded:size=16M,cold=1,cold-age=0",
        "embedded:size=16M,codec=none,cold-age=1000000,cold=100", "embedded:size=16M,codec=zstd,cold=off"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct tmem_store *store = NULL;
        struct tmem_error error = {""};
        if (tmem_open(good[i], &store, &error) != TMEM_OK)
            fail_msg("'%s': '%s'", good[i], error.text);
        tmem_close(store);
    }
    tmem_close(NULL);
}

/* A codec that is a build option. */
static void a_codec_that_is_not_built_in_is_unsupported(void **state)
{
    struct tmem_store *store = NULL;
    struct tmem_error error = {""};
    enum tmem_result result = tmem_open("embedded:size=16M,codec=lzo", &store, &error);
    (void)state;
    if (result != TMEM_OK) {
        assert_int_equal(result, TMEM_UNSUPPORTED);
        assert_non_null(strstr(error.text, "codec=lzo"));
        assert_non_null(strstr(error.text, "-Dlzo=true"));
    }
    tmem_close(store);
}

static void a_long_uri_is_refused_whole(void **state)
{
    static char uri[5000];
    struct tmem_store *store = NULL;
    struct tmem_error error;
    (void)state;
    memset(uri, '9', sizeof uri - 1);
    assert_int_equal(tmem_open(uri, &store, &error), TMEM_INVALID);
    memcpy(uri, "embedded:size=", 14);
    assert_int_equal(tmem_open(uri, &store, &error), TMEM_INVALID);
    assert_non_null(strstr(error.text, "too long"));
    uri[80] = 0;
    assert_int_equal(tmem_open(uri, &store, &error), TMEM_INVALID);
    memcpy(uri, "embedded:codec", 14);
    assert_int_equal(tmem_open(uri, &store, &error), TMEM_INVALID);
    memset(uri, '9', sizeof uri - 1);
    memcpy(uri, "unix:/", 6);
    uri[5 + 108] = 0; /* one byte more than there is room for */
    assert_int_equal(tmem_open(uri, &store, &error), TMEM_INVALID);
    assert_non_null(strstr(error.text, "too long for a socket"));
    uri[5 + 107] = 0;
    assert_int_equal(tmem_open(uri, &store, &error), TMEM_UNAVAILABLE);
    assert_int_equal(tmem_open(NULL, &store, &error), TMEM_INVALID);
    assert_int_equal(tmem_open("embedded:", NULL, &error), TMEM_INVALID);
    assert_null(store);
}

/* An arena that is somebody else's is left alone. */
static void foreign_arenas_are_not_touched(void **state)
{
    static const struct {
        off_t length_bytes;
        enum tmem_result result;
    } files[] = {{8192, TMEM_INVALID}, {4 << 20, TMEM_CORRUPT}};
    static unsigned char bytes[8192];
    static unsigned char after[sizeof bytes];
    struct tmem_store *store = NULL;
    struct tmem_error error;
    char uri[64];
    (void)state;
    memset(bytes, 0x5a, sizeof bytes);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        int fd = memfd_create("api-test", MFD_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, bytes, sizeof bytes), sizeof bytes);
        assert_int_equal(ftruncate(fd, files[i].length_bytes), 0);
        snprintf(uri, sizeof uri, "embedded:size=16M,arena-fd=%d", fd);
        assert_int_equal(tmem_open(uri, &store, &error), files[i].result);
        assert_non_null(strstr(error.text, "arena-fd="));
        assert_non_null(strstr(error.text, "not touched"));
        assert_int_equal(pread(fd, after, sizeof after, 0), sizeof after);
        assert_memory_equal(bytes, after, sizeof after);
        assert_int_equal(lseek(fd, 0, SEEK_END), files[i].length_bytes);
        close(fd);
    }
    snprintf(uri, sizeof uri, "embedded:size=16M,arena-fd=%d", STDIN_FILENO);
    assert_int_equal(tmem_open(uri, &store, &error), TMEM_INVALID);
    assert_null(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_uris_are_refused_with_a_remedy),
        cmocka_unit_test(good_uris_are_taken),
        cmocka_unit_test(a_codec_that_is_not_built_in_is_unsupported),
        cmocka_unit_test(a_long_uri_is_refused_whole),
        cmocka_unit_test(foreign_arenas_are_not_touched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
