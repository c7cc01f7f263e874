/* SPDX-License-Identifier: BSD-2-Clause */
/* node_test.c - the table of files, versions, and disk reads under way. */
#include "flight.h"
#include "node.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define FILES 5000u

/* A directory with a few files, and a table over it. */
struct fixture {
    char directory[32];
    struct tm_source source;
    struct tm_nodes nodes;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    (void)snprintf(fixture->directory, sizeof fixture->directory, "/tmp/tmem-node-XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    assert_int_equal(tm_source_open(&fixture->source, fixture->directory, true), TM_EXIT_OK);
    assert_int_equal(tm_nodes_init(&fixture->nodes, &fixture->source), 0);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    char path[64];
    tm_nodes_fini(&fixture->nodes);
    tm_source_close(&fixture->source);
    (void)snprintf(path, sizeof path, "%s/file", fixture->directory);
    assert_true(unlink(path) == 0 || errno == ENOENT);
    assert_int_equal(rmdir(fixture->directory), 0);
    free(fixture);
    return 0;
}

/* An identity as a filesystem could give it. */
static struct tm_identity made_up(uint64_t inode, int64_t time, unsigned handle_bytes)
{
    struct tm_identity identity = {.handle_type = 1, .handle_bytes = handle_bytes};
    identity.status.st_dev = 7;
    identity.status.st_ino = inode;
    identity.status.st_mode = S_IFREG | 0644;
    identity.status.st_nlink = 1;
    identity.status.st_ctim.tv_sec = time;
    memcpy(identity.handle, &inode, handle_bytes < sizeof inode ? handle_bytes : sizeof inode);
    return identity;
}

static void nodes_come_and_go(void **state)
{
    struct fixture *fixture = *state;
    struct tm_nodes *nodes = &fixture->nodes;
    static struct tm_node *known[FILES];
    fixture->source.by_handle = true;
    for (unsigned i = 0; i < FILES; i++) {
        struct tm_identity identity = made_up(i + 1000, 1, 8);
        known[i] = tm_node_enter(nodes, &identity, nodes->root, "name");
        assert_non_null(known[i]);
        assert_int_equal(known[i]->inode, i + 1000);
    }
    assert_int_equal(tm_nodes_count(nodes), FILES + 1);
    for (unsigned i = 0; i < FILES; i++) {
        struct tm_identity identity = made_up(i + 1000, 1, 8);
        assert_ptr_equal(tm_node_enter(nodes, &identity, nodes->root, "other"), known[i]);
        tm_node_forget(nodes, known[i], 1);
    }
    assert_int_equal(tm_nodes_count(nodes), FILES + 1);
    /* The same inode number with another handle, device or type is another file. */
    struct tm_identity identity = made_up(1000, 1, 8);
    identity.handle[7] ^= 1;
    struct tm_node *other = tm_node_enter(nodes, &identity, nodes->root, "other");
    assert_ptr_not_equal(other, known[0]);
    tm_node_forget(nodes, other, 1);
    for (unsigned i = 0; i < FILES; i++)
        tm_node_forget(nodes, known[i], 1);
    assert_int_equal(tm_nodes_count(nodes), 1);
    tm_node_forget(nodes, nodes->root, 1000000);
    assert_int_equal(tm_nodes_count(nodes), 1);
}

static void paths_keep_their_directories(void **state)
{
    struct fixture *fixture = *state;
    struct tm_nodes *nodes = &fixture->nodes;
    struct tm_identity identity = made_up(1, 1, 0);
    fixture->source.by_handle = false;
    struct tm_node *outer = tm_node_enter(nodes, &identity, nodes->root, "outer");
    identity = made_up(2, 1, 0);
    struct tm_node *inner = tm_node_enter(nodes, &identity, outer, "inner");
    identity = made_up(3, 1, 0);
    struct tm_node *file = tm_node_enter(nodes, &identity, inner, "file");
    /* The kernel forgets in any order. */
    tm_node_forget(nodes, outer, 1);
    tm_node_forget(nodes, inner, 1);
    assert_int_equal(tm_nodes_count(nodes), 4);
    char name[NAME_MAX + 1];
    struct tm_node *parent = tm_node_ref_parent(nodes, file, name);
    assert_ptr_equal(parent, inner);
    assert_string_equal(name, "file");
    tm_node_forget(nodes, file, 1);
    assert_int_equal(tm_nodes_count(nodes), 3);
    tm_node_unref(nodes, parent);
    assert_int_equal(tm_nodes_count(nodes), 1);
    assert_null(tm_node_ref_parent(nodes, nodes->root, name));
}

static void files_are_found_by_their_handles(void **state)
{
    struct fixture *fixture = *state;
    struct tm_nodes *nodes = &fixture->nodes;
    fixture->source.by_handle = true;
    struct tm_identity identity = made_up(1000, 1, 8);
    struct tm_node *node = tm_node_enter(nodes, &identity, nodes->root, "name");
    assert_ptr_equal(tm_node_find_by_handle(nodes, 1, identity.handle, 8), node);
    assert_ptr_equal(tm_node_find(nodes, &identity), node);
    assert_null(tm_node_find_by_handle(nodes, 2, identity.handle, 8));
    assert_null(tm_node_find_by_handle(nodes, 1, identity.handle, 7));
    assert_true(tm_node_try_ref(nodes, node));
    /* The kernel forgets it; it lives until the last of three references is given back. */
    tm_node_forget(nodes, node, 1);
    tm_node_unref(nodes, node);
    tm_node_unref(nodes, node);
    assert_int_equal(tm_nodes_count(nodes), 2);
    assert_true(tm_node_try_ref(nodes, node));
    tm_node_unref(nodes, node);
    tm_node_unref(nodes, node);
    assert_int_equal(tm_nodes_count(nodes), 1);
    assert_null(tm_node_find_by_handle(nodes, 1, identity.handle, 8));
}

static void unwatched(void *context, struct tm_node *node)
{
    unsigned *count = context;
    assert_int_equal(node->watch, 5);
    (*count)++;
}

static void the_end_of_a_watched_node_is_told(void **state)
{
    struct fixture *fixture = *state;
    struct tm_nodes *nodes = &fixture->nodes;
    unsigned count = 0;
    fixture->source.by_handle = true;
    nodes->unwatch = unwatched;
    nodes->unwatch_context = &count;
    struct tm_identity identities[] = {made_up(1, 1, 8), made_up(2, 1, 8)};
    struct tm_node *watched = tm_node_enter(nodes, &identities[0], nodes->root, "watched");
    struct tm_node *other = tm_node_enter(nodes, &identities[1], nodes->root, "other");
    watched->watch = 5;
    tm_node_forget(nodes, other, 1);
    assert_int_equal(count, 0);
    tm_node_forget(nodes, watched, 1);
    assert_int_equal(count, 1);
}

static void a_walk_meets_every_node(void **state)
{
    struct fixture *fixture = *state;
    struct tm_nodes *nodes = &fixture->nodes;
    static unsigned met[FILES];
    static struct tm_node *known[FILES];
    struct tm_node_cursor cursor = {.stripe = 0};
    struct tm_node *node;
    bool root = false;
    unsigned steps = 0;
    fixture->source.by_handle = false;
    for (unsigned i = 0; i < FILES / 2u; i++) {
        struct tm_identity identity = made_up(i + 1000, 1, 0);
        known[i] = tm_node_enter(nodes, &identity, nodes->root, "before");
    }
    /* One that is not to be found any more, and is known to the kernel. */
    struct tm_identity identity = made_up(1000, 2, 0);
    struct tm_node *superseding = tm_node_enter(nodes, &identity, nodes->root, "after");
    assert_ptr_not_equal(superseding, known[0]);
    while ((node = tm_node_next(nodes, &cursor)) != NULL) {
        root = root || node == nodes->root;
        for (unsigned i = 0; i < FILES / 2u; i++)
            met[i] += node == known[i];
        tm_node_unref(nodes, node);
        /* The table grows meanwhile. */
        if (++steps < FILES / 2u) {
            identity = made_up(steps + 100000, 1, 0);
            known[FILES / 2u + steps] = tm_node_enter(nodes, &identity, nodes->root, "meanwhile");
        }
    }
    assert_true(root);
    for (unsigned i = 0; i < FILES / 2u; i++)
        assert_in_range(met[i], 1, 2);
    for (unsigned i = 0; i < FILES; i++)
        if (known[i] != NULL)
            tm_node_forget(nodes, known[i], 1);
    tm_node_forget(nodes, superseding, 1);
    assert_int_equal(tm_nodes_count(nodes), 1);
}

static void a_reused_inode_is_another_file(void **state)
{
    struct fixture *fixture = *state;
    struct tm_nodes *nodes = &fixture->nodes;
    fixture->source.by_handle = false;
    struct tm_identity before = made_up(5, 1, 0);
    struct tm_identity after = made_up(5, 2, 0);
    struct tm_node *old = tm_node_enter(nodes, &before, nodes->root, "old");
    /* A second name, nothing else: a hard link. */
    assert_ptr_equal(tm_node_enter(nodes, &before, nodes->root, "link"), old);
    /* Another name and other times. */
    struct tm_node *new = tm_node_enter(nodes, &after, nodes->root, "new");
    assert_ptr_not_equal(new, old);
    assert_ptr_equal(tm_node_enter(nodes, &after, nodes->root, "new"), new);
    assert_int_equal(tm_nodes_count(nodes), 3);
    tm_node_forget(nodes, old, 2);
    assert_int_equal(tm_nodes_count(nodes), 2);
    tm_node_forget(nodes, new, 2);
    assert_int_equal(tm_nodes_count(nodes), 1);
}

static void a_ring_of_paths_ends(void **state)
{
    struct fixture *fixture = *state;
    struct tm_nodes *nodes = &fixture->nodes;
    fixture->source.by_handle = false;
    struct tm_identity identities[] = {made_up(1, 1, 0), made_up(2, 1, 0)};
    struct tm_node *a = tm_node_enter(nodes, &identities[0], nodes->root, "a");
    struct tm_node *b = tm_node_enter(nodes, &identities[1], a, "b");
    /* Directories were moved into each other while the kernel was not looking. */
    assert_ptr_equal(tm_node_enter(nodes, &identities[0], b, "a"), a);
    assert_int_equal(tm_place_open(nodes, a, O_PATH), -ESTALE);
    assert_ptr_equal(tm_node_enter(nodes, &identities[0], nodes->root, "a"), a);
    tm_node_forget(nodes, b, 1);
    tm_node_forget(nodes, a, 3);
    assert_int_equal(tm_nodes_count(nodes), 1);
}

static void versions_tell_contents_apart(void **state)
{
    (void)state;
    struct tm_version_key key;
    assert_int_equal(tm_version_key_init(&key), 0);
    struct stat status = {.st_size = 10, .st_mtim = {5, 6}, .st_ctim = {7, 8}};
    uint64_t hash = tm_version_hash(&key, 1, 2, "abc", 3);
    struct tm_version version = tm_version_of(&key, hash, &status);
    struct tm_version same = tm_version_of(&key, hash, &status);
    assert_true(tm_version_equal(&version, &same));

    struct stat changed[] = {status, status, status, status, status};
    changed[0].st_size++;
    changed[1].st_mtim.tv_nsec++;
    changed[2].st_mtim.tv_sec--;
    changed[3].st_ctim.tv_nsec--;
    changed[4].st_ctim.tv_sec++;
    for (size_t i = 0; i < TM_ARRAY_SIZE(changed); i++) {
        struct tm_version other = tm_version_of(&key, hash, &changed[i]);
        assert_false(tm_version_equal(&version, &other));
        assert_int_not_equal(other.word[0], version.word[0]);
        assert_int_not_equal(other.word[1], version.word[1]);
    }
    uint64_t hashes[] = {hash, tm_version_hash(&key, 2, 1, "abc", 3), tm_version_hash(&key, 1, 2, "abd", 3),
                         tm_version_hash(&key, 1, 2, "ab", 2), tm_version_hash(&key, 1, 2, "abc\0", 4)};
    for (size_t i = 0; i < TM_ARRAY_SIZE(hashes); i++)
        for (size_t j = i + 1; j < TM_ARRAY_SIZE(hashes); j++)
            assert_int_not_equal(hashes[i], hashes[j]);
    assert_false(tm_version_settled(&version, version.changed_ns + 1999999999));
    assert_true(tm_version_settled(&version, version.changed_ns + 2000000000));
    assert_false(tm_version_settled(&version, version.changed_ns - 1));

    /* Times that have no place in 64 bits of nanoseconds. */
    status.st_ctim.tv_sec = INT64_MAX;
    version = tm_version_of(&key, hash, &status);
    assert_false(tm_version_settled(&version, tm_version_now_ns()));
    status.st_ctim.tv_sec = INT64_MIN;
    version = tm_version_of(&key, hash, &status);
    assert_true(tm_version_settled(&version, tm_version_now_ns()));
}

static void changes_are_observed_once(void **state)
{
    struct fixture *fixture = *state;
    struct tm_nodes *nodes = &fixture->nodes;
    char path[64];
    struct tm_identity identity;
    struct tm_observation seen;
    (void)snprintf(path, sizeof path, "%s/file", fixture->directory);
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(tm_source_identify(&fixture->source, fd, &identity), 0);
    struct tm_node *node = tm_node_enter(nodes, &identity, nodes->root, "file");
    struct tm_version first = tm_node_version(nodes, node);
    assert_int_equal(tm_node_observe(nodes, node, fd, &identity.status, &seen), 0);
    assert_false(seen.changed);

    uint32_t epoch = 0;
    assert_false(tm_node_is_current(nodes, node, &epoch));
    tm_node_set_current(nodes, node, epoch);
    assert_true(tm_node_is_current(nodes, node, &epoch));
    struct stat old = identity.status;
    assert_int_equal(write(fd, "x", 1), 1);
    struct stat new;
    assert_int_equal(fstat(fd, &new), 0);
    assert_int_equal(tm_node_observe(nodes, node, fd, &new, &seen), 0);
    assert_true(seen.changed);
    assert_false(tm_version_equal(&seen.version, &first));
    assert_false(tm_node_is_in(nodes, node, epoch));
    uint32_t before = epoch;
    assert_false(tm_node_is_current(nodes, node, &epoch));
    assert_int_not_equal(epoch, before);
    tm_node_set_current(nodes, node, before);
    assert_false(tm_node_is_current(nodes, node, &epoch));

    /* A look that is older than what is known changes nothing, and gets the newest. */
    assert_int_equal(tm_node_observe(nodes, node, fd, &old, &seen), 0);
    assert_false(seen.changed);
    assert_int_equal(old.st_size, 1);

    /* Told once per thread until a name was looked up. */
    assert_true(tm_node_tell_to_look_up(nodes, node, 11, false));
    assert_true(tm_node_tell_to_look_up(nodes, node, 12, false));
    tm_node_confirm(nodes, node);
    assert_false(tm_node_tell_to_look_up(nodes, node, 11, false));
    assert_true(tm_node_tell_to_look_up(nodes, node, 11, true));
    assert_false(tm_node_tell_to_look_up(nodes, node, 11, true));
    tm_node_forget(nodes, node, 1);
    (void)close(fd);
}

struct waiting {
    struct tm_flights flights;
    int started;
    int landed;
    bool waited;
};

static void *second_reader(void *argument)
{
    struct waiting *waiting = argument;
    struct tm_flight flight;
    __atomic_store_n(&waiting->started, 1, __ATOMIC_RELEASE);
    waiting->waited = tm_flight_begin(&waiting->flights, &flight, "file", 9, 2);
    /* Only after the first has landed. */
    assert_int_equal(__atomic_load_n(&waiting->landed, __ATOMIC_ACQUIRE), 1);
    tm_flight_end(&waiting->flights, &flight);
    return NULL;
}

static void overlapping_reads_wait(void **state)
{
    (void)state;
    struct waiting waiting = {.landed = 0};
    struct tm_flight first;
    struct tm_flight others[4];
    pthread_t thread;
    tm_flights_init(&waiting.flights);
    assert_false(tm_flight_begin(&waiting.flights, &first, "file", 5, 5));
    /* Neighbours and other files do not wait. */
    assert_false(tm_flight_begin(&waiting.flights, &others[0], "file", 0, 5));
    assert_false(tm_flight_begin(&waiting.flights, &others[1], "file", 10, 1));
    assert_false(tm_flight_begin(&waiting.flights, &others[2], "other", 5, 5));
    tm_flight_end(&waiting.flights, &others[1]);
    assert_int_equal(pthread_create(&thread, NULL, second_reader, &waiting), 0);
    while (__atomic_load_n(&waiting.started, __ATOMIC_ACQUIRE) == 0)
        (void)usleep(1000);
    (void)usleep(50000);
    __atomic_store_n(&waiting.landed, 1, __ATOMIC_RELEASE);
    tm_flight_end(&waiting.flights, &first);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(waiting.waited);
    tm_flight_end(&waiting.flights, &others[0]);
    tm_flight_end(&waiting.flights, &others[2]);
    tm_flights_fini(&waiting.flights);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nodes_come_and_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(paths_keep_their_directories, set_up, tear_down),
        cmocka_unit_test_setup_teardown(files_are_found_by_their_handles, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_end_of_a_watched_node_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_walk_meets_every_node, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reused_inode_is_another_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_ring_of_paths_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(changes_are_observed_once, set_up, tear_down),
        cmocka_unit_test(versions_tell_contents_apart),
        cmocka_unit_test(overlapping_reads_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
