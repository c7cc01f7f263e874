/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memory_test.c - a process whose address space is limited: opening a store or storing pages says that there is no
 * memory, what was stored stays, and nothing ends the process.
 *
 * Each limit is tried in a child of its own, which ends with what it met.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

#include <tmem/control.h>

#define MIB (UINT64_C(1) << 20)
#define PAGES 6000u
#define OWN "embedded:size=64M,workers=2"
#define IN_FILE OWN ",persistent=memfd"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_SANITIZED true
#endif
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED false
#endif

enum met {
    MET_NOTHING = 10, /* everything was stored */
    MET_NO_STORE,     /* the store could not be opened */
    MET_NO_PAGE       /* a page could not be stored */
};

/* Bytes of address space in use. */
static uint64_t used_bytes(void)
{
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL || fscanf(file, "%llu", &pages) != 1)
        exit(1);
    fclose(file);
    return pages * 4096u;
}

static void limit_to(uint64_t more_bytes)
{
    uint64_t bytes = used_bytes() + more_bytes;
    struct rlimit limit = {bytes, bytes};
    if (setrlimit(RLIMIT_AS, &limit) != 0)
        exit(1);
}

/* What the C library has set aside already goes, too. */
static void take_the_rest(void)
{
    for (size_t bytes = 64u << 10; bytes >= 64; bytes /= 4u)
        for (volatile char *memory = malloc(bytes); memory != NULL; memory = malloc(bytes))
            *memory = 1;
}

static void write_page(unsigned char *page, uint32_t number)
{
    uint64_t state = number;
    for (size_t at = 0; at < TMEM_PAGE_SIZE; at += sizeof state) {
        state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
        memcpy(page + at, &state, sizeof state);
    }
}

/* Stores pages until all are there or one is refused. Those that were said to be there are; exits if not. */
static enum met store_pages(struct tmem_store *store, struct tmem_pool *pool)
{
    unsigned char page[TMEM_PAGE_SIZE];
    unsigned char found[TMEM_PAGE_SIZE];
    enum tmem_result result = TMEM_OK;
    uint32_t stored = 0;
    for (; stored < PAGES && result == TMEM_OK; stored += result == TMEM_OK) {
        struct tmem_object_id object = {{stored / 7u, 0, 0}};
        write_page(page, stored);
        result = tmem_put(pool, &object, stored, page, TMEM_PUT_PLAIN);
    }
    if (result != TMEM_OK && result != TMEM_NOMEM && result != TMEM_REFUSED)
        exit(2);
    for (uint32_t number = 0; number < stored; number++) {
        struct tmem_object_id object = {{number / 7u, 0, 0}};
        write_page(page, number);
        if (tmem_get(pool, &object, number, found, TMEM_GET_DEFAULT) != TMEM_OK ||
            memcmp(page, found, sizeof page) != 0)
            exit(3);
    }
    if (tmem_store_check(store) != TMEM_OK)
        exit(4);
    return result == TMEM_OK ? MET_NOTHING : MET_NO_PAGE;
}

static enum met use_store(const char *uri, uint64_t before_opening, uint64_t after_opening)
{
    struct tmem_store *store;
    struct tmem_client *client;
    struct tmem_pool *pool;
    struct tmem_error error = {""};
    if (before_opening != 0)
        limit_to(before_opening);
    enum tmem_result result = tmem_open(uri, &store, &error);
    bool says_why = strstr(error.text, "memory") != NULL || strstr(error.text, "ulimit -u and -v") != NULL;
    if (result == TMEM_NOMEM && says_why)
        return MET_NO_STORE;
    if (result != TMEM_OK)
        exit(5);
    if (after_opening != UINT64_MAX)
        limit_to(after_opening);
    result = tmem_client_create(store, "client", NULL, &client);
    if (result == TMEM_OK)
        result = tmem_pool_create(client, TMEM_POOL_PERSISTENT, NULL, &pool);
    if (result != TMEM_OK && result != TMEM_NOMEM)
        exit(6);
    if (after_opening == 0)
        take_the_rest();
    enum met met = result == TMEM_OK ? store_pages(store, pool) : MET_NO_PAGE;
    tmem_close(store);
    return met;
}

static enum met in_child(const char *uri, uint64_t before_opening, uint64_t after_opening)
{
    int status = 0;
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit((int)use_store(uri, before_opening, after_opening));
    while (waitpid(child, &status, 0) != child) {
    }
    if (WIFSIGNALED(status))
        fail_msg("%llu bytes before and %llu after opening: signal %d", (unsigned long long)before_opening,
                 (unsigned long long)after_opening, WTERMSIG(status));
    int code = WEXITSTATUS(status);
    if (code < (int)MET_NOTHING)
        fail_msg("%llu bytes before and %llu after opening: step %d", (unsigned long long)before_opening,
                 (unsigned long long)after_opening, code);
    return (enum met)code;
}

static void a_store_that_cannot_be_opened_says_so(void **state)
{
    bool none = false;
    bool some = false;
    (void)state;
    for (uint64_t mib = 1; mib <= 1024; mib += mib / 4u + 1u) {
        enum met met = in_child(OWN, mib * MIB, UINT64_MAX);
        none = none || met == MET_NO_STORE;
        some = some || met != MET_NO_STORE;
    }
    assert_true(none);
    assert_true(some);
}

/* Both arenas are reserved for more than the store's size, and for less of it where there is no room. */
static void a_memory_file_is_as_long_as_there_is_room(void **state)
{
    (void)state;
    for (uint64_t mib = 512; mib <= 4096; mib *= 2u) {
        assert_int_equal(in_child(OWN, mib * MIB, UINT64_MAX), MET_NOTHING);
        assert_int_equal(in_child(IN_FILE, mib * MIB, UINT64_MAX), MET_NOTHING);
    }
}

static void a_page_that_cannot_be_stored_is_refused(void **state)
{
    bool failed = false;
    (void)state;
    for (uint64_t kib = 0; kib <= 4096; kib += kib / 2u + 16u)
        failed = in_child(OWN, 0, kib << 10) == MET_NO_PAGE || failed;
    assert_true(failed);
    assert_int_equal(in_child(OWN, 0, UINT64_MAX), MET_NOTHING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_store_that_cannot_be_opened_says_so),
        cmocka_unit_test(a_memory_file_is_as_long_as_there_is_room),
        cmocka_unit_test(a_page_that_cannot_be_stored_is_refused),
    };
    if (IS_SANITIZED) {
        printf("skip: a sanitizer needs address space without limit (try: a build without b_sanitize)\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
