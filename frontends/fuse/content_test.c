/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * content_test.c - which pages are a file's: what keeps the name under which they are stored, and what
 * takes it away; and the descriptor of a file whose name is gone.
 */
#include "node.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SECOND_NS INT64_C(1000000000)

struct fixture {
    char directory[32];
    char path[64];
    struct tm_source source;
    struct tm_nodes nodes;
    struct tm_node *node;
    int fd;
    unsigned abandoned;
    struct tm_content last_abandoned;
};

static void on_abandoned(void *context, const struct tm_content *content, uint64_t inode, uint64_t size_bytes)
{
    struct fixture *fixture = context;
    (void)inode, (void)size_bytes;
    fixture->abandoned++;
    fixture->last_abandoned = *content;
}

static struct tm_node *enter(struct fixture *fixture)
{
    struct tm_identity identity;
    assert_int_equal(tm_source_identify(&fixture->source, fixture->fd, &identity), 0);
    struct tm_node *node = tm_node_enter(&fixture->nodes, &identity, fixture->nodes.root, "file");
    assert_non_null(node);
    return node;
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    (void)snprintf(fixture->directory, sizeof fixture->directory, "/tmp/tmem-content-XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    (void)snprintf(fixture->path, sizeof fixture->path, "%s/file", fixture->directory);
    fixture->fd = open(fixture->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fixture->fd >= 0);
    assert_int_equal(write(fixture->fd, "before", 6), 6);
    assert_int_equal(tm_source_open(&fixture->source, fixture->directory, false), TM_EXIT_OK);
    assert_int_equal(tm_nodes_init(&fixture->nodes, &fixture->source), 0);
    fixture->nodes.abandoned = on_abandoned;
    fixture->nodes.abandoned_context = fixture;
    fixture->node = enter(fixture);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    if (fixture->node != NULL)
        tm_node_forget(&fixture->nodes, fixture->node, 1);
    assert_int_equal(tm_nodes_count(&fixture->nodes), 1);
    tm_nodes_fini(&fixture->nodes);
    tm_source_close(&fixture->source);
    (void)close(fixture->fd);
    assert_true(unlink(fixture->path) == 0 || errno == ENOENT);
    assert_int_equal(rmdir(fixture->directory), 0);
    free(fixture);
    return 0;
}

static bool same(struct tm_content a, struct tm_content b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

/* A read that begins long after the file's last change. */
static struct tm_reading read_later(struct fixture *fixture)
{
    return tm_node_reading(&fixture->nodes, fixture->node, tm_version_now_ns() + 10 * SECOND_NS);
}

/* A change through the mount. */
static struct tm_observation change(struct fixture *fixture)
{
    struct tm_observation observation;
    struct stat status;
    tm_node_begin_change(&fixture->nodes, fixture->node);
    assert_int_equal(write(fixture->fd, "more", 4), 4);
    assert_int_equal(tm_node_end_change(&fixture->nodes, fixture->node, fixture->fd, &status, &observation), 0);
    assert_int_equal(observation.version.size_bytes, status.st_size);
    return observation;
}

static void a_file_that_stays_as_it_is_keeps_its_name(void **state)
{
    struct fixture *fixture = *state;
    struct tm_reading first = read_later(fixture);
    struct tm_reading second = read_later(fixture);
    assert_true(first.keep);
    assert_true(same(first.content, second.content));
    assert_true(tm_node_is_in(&fixture->nodes, fixture->node, first.epoch));
    tm_node_forget(&fixture->nodes, fixture->node, 1);
    assert_int_equal(fixture->abandoned, 0);
    fixture->node = enter(fixture);
    second = read_later(fixture);
    assert_true(same(first.content, second.content));
}

static void a_file_that_has_just_changed_keeps_nothing_without_trust(void **state)
{
    struct fixture *fixture = *state;
    struct tm_content content;
    uint64_t size_bytes = 0;
    struct tm_reading now = tm_node_reading(&fixture->nodes, fixture->node, tm_version_now_ns());
    assert_false(now.keep);
    assert_false(tm_node_content(&fixture->nodes, fixture->node, &content, &size_bytes));
    assert_int_equal(size_bytes, 6);
    /* What may not be kept under that name is not found under the lasting one either. */
    struct tm_reading later = read_later(fixture);
    assert_true(later.keep);
    assert_false(same(now.content, later.content));
}

static void with_trust_everything_is_kept(void **state)
{
    struct fixture *fixture = *state;
    fixture->nodes.trusted = 1;
    struct tm_reading now = tm_node_reading(&fixture->nodes, fixture->node, tm_version_now_ns());
    struct tm_reading later = read_later(fixture);
    assert_true(now.keep);
    assert_true(same(now.content, later.content));
    /* Not under the name of times that may yet be those of another content. */
    tm_node_forget(&fixture->nodes, fixture->node, 1);
    assert_int_equal(fixture->abandoned, 1);
    assert_true(same(fixture->last_abandoned, now.content));
    fixture->node = enter(fixture);
}

static void with_trust_own_changes_keep_the_name(void **state)
{
    struct fixture *fixture = *state;
    fixture->nodes.trusted = 1;
    struct tm_reading before = read_later(fixture);
    struct tm_observation observation = change(fixture);
    assert_false(observation.changed);
    struct tm_reading after = read_later(fixture);
    assert_true(same(before.content, after.content));
    assert_int_equal(before.epoch, after.epoch);
    assert_int_equal(after.version.size_bytes, 10);
    /* Whoever forgets the file must drop the pages: nobody would find them again. */
    tm_node_forget(&fixture->nodes, fixture->node, 1);
    assert_int_equal(fixture->abandoned, 1);
    assert_true(same(fixture->last_abandoned, before.content));
    fixture->node = enter(fixture);
}

static void without_trust_own_changes_take_the_name(void **state)
{
    struct fixture *fixture = *state;
    struct tm_reading before = read_later(fixture);
    struct tm_observation observation = change(fixture);
    assert_true(observation.changed);
    assert_true(observation.used);
    assert_int_equal(observation.before_bytes, 6);
    assert_true(same(observation.before, before.content));
    assert_false(tm_node_is_in(&fixture->nodes, fixture->node, before.epoch));
    struct tm_reading after = read_later(fixture);
    assert_false(same(before.content, after.content));
    /* Nothing was read in between: there is nothing to drop. */
    observation = change(fixture);
    assert_true(observation.used);
    observation = change(fixture);
    assert_false(observation.used);
}

static void a_look_in_the_middle_of_an_own_change_finds_no_stranger(void **state)
{
    struct fixture *fixture = *state;
    fixture->nodes.trusted = 1;
    struct tm_reading before = read_later(fixture);
    struct tm_observation observation;
    struct stat status;
    tm_node_begin_change(&fixture->nodes, fixture->node);
    assert_int_equal(write(fixture->fd, "more", 4), 4);
    assert_int_equal(fstat(fixture->fd, &status), 0);
    assert_int_equal(tm_node_observe(&fixture->nodes, fixture->node, fixture->fd, &status, &observation), 0);
    assert_false(observation.changed);
    assert_int_equal(
        tm_node_end_change(&fixture->nodes, fixture->node, fixture->fd, &status, &observation), 0);
    assert_false(observation.changed);
    assert_true(tm_node_is_in(&fixture->nodes, fixture->node, before.epoch));

    /* The same look without a change of ours under way. */
    assert_int_equal(write(fixture->fd, "more", 4), 4);
    assert_int_equal(fstat(fixture->fd, &status), 0);
    assert_int_equal(tm_node_observe(&fixture->nodes, fixture->node, fixture->fd, &status, &observation), 0);
    assert_true(observation.changed);
    assert_true(observation.used);
    assert_false(tm_node_is_in(&fixture->nodes, fixture->node, before.epoch));
}

static void a_change_of_others_takes_the_name_once(void **state)
{
    struct fixture *fixture = *state;
    fixture->nodes.trusted = 1;
    struct tm_reading before = read_later(fixture);
    struct tm_observation observation;
    struct stat status;
    assert_int_equal(write(fixture->fd, "more", 4), 4);
    tm_node_foreign_change(&fixture->nodes, fixture->node, &observation);
    assert_true(observation.changed);
    assert_true(observation.used);
    assert_true(same(observation.before, before.content));
    struct tm_reading unseen = read_later(fixture);
    assert_true(unseen.unseen);
    /* The look that follows is of what the change made. */
    assert_int_equal(fstat(fixture->fd, &status), 0);
    assert_int_equal(tm_node_observe(&fixture->nodes, fixture->node, fixture->fd, &status, &observation), 0);
    assert_false(observation.changed);
    struct tm_reading after = read_later(fixture);
    assert_false(after.unseen);
    assert_int_equal(after.version.size_bytes, 10);
    assert_false(same(before.content, after.content));
}

static void a_look_that_fails_is_a_change_of_others(void **state)
{
    struct fixture *fixture = *state;
    fixture->nodes.trusted = 1;
    struct tm_reading before = read_later(fixture);
    struct tm_observation observation;
    struct stat status;
    tm_node_begin_change(&fixture->nodes, fixture->node);
    assert_int_equal(tm_node_end_change(&fixture->nodes, fixture->node, -1, &status, &observation), EBADF);
    assert_true(observation.changed);
    assert_true(same(observation.before, before.content));
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool same_status(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_mode == b->st_mode &&
           a->st_nlink == b->st_nlink && a->st_uid == b->st_uid && a->st_gid == b->st_gid && a->st_rdev == b->st_rdev &&
           a->st_size == b->st_size && a->st_blksize == b->st_blksize && a->st_blocks == b->st_blocks &&
           same_time(a->st_atim, b->st_atim) && same_time(a->st_mtim, b->st_mtim) &&
           same_time(a->st_ctim, b->st_ctim);
}

static void attributes_are_remembered_with_trust_only(void **state)
{
    struct fixture *fixture = *state;
    struct tm_observation observation;
    struct stat status;
    struct stat known;
    assert_int_equal(fstat(fixture->fd, &status), 0);
    assert_int_equal(tm_node_observe(&fixture->nodes, fixture->node, fixture->fd, &status, &observation), 0);
    assert_false(tm_node_attributes(&fixture->nodes, fixture->node, &known));
    fixture->nodes.trusted = 1;
    assert_true(tm_node_attributes(&fixture->nodes, fixture->node, &known));
    assert_true(same_status(&known, &status));

    (void)change(fixture);
    assert_true(tm_node_attributes(&fixture->nodes, fixture->node, &known));
    assert_int_equal(known.st_size, 10);

    tm_node_foreign_change(&fixture->nodes, fixture->node, &observation);
    assert_false(tm_node_attributes(&fixture->nodes, fixture->node, &known));
    assert_int_equal(fstat(fixture->fd, &status), 0);
    assert_int_equal(tm_node_observe(&fixture->nodes, fixture->node, fixture->fd, &status, &observation), 0);
    assert_true(tm_node_attributes(&fixture->nodes, fixture->node, &known));

    tm_node_doubt(&fixture->nodes, fixture->node);
    assert_false(tm_node_attributes(&fixture->nodes, fixture->node, &known));
}

static void what_was_written_is_remembered(void **state)
{
    struct fixture *fixture = *state;
    assert_false(tm_node_is_written(&fixture->nodes, fixture->node));
    assert_false(read_later(fixture).buffered);
    tm_node_mark_written(&fixture->nodes, fixture->node);
    assert_true(tm_node_is_written(&fixture->nodes, fixture->node));
    assert_true(read_later(fixture).buffered);
}

static void a_held_file_outlives_its_name(void **state)
{
    struct fixture *fixture = *state;
    char text[8] = "";
    int place = open(fixture->path, O_PATH | O_CLOEXEC);
    assert_true(place >= 0);
    assert_int_equal(unlink(fixture->path), 0);
    tm_node_hold(&fixture->nodes, fixture->node, place);
    /* A second one is not needed, and closed. */
    tm_node_hold(&fixture->nodes, fixture->node, dup(fixture->fd));
    int fd = tm_node_open(&fixture->nodes, fixture->node, O_RDONLY | O_NOFOLLOW);
    assert_true(fd >= 0);
    assert_int_equal(read(fd, text, 6), 6);
    assert_string_equal(text, "before");
    (void)close(fd);
    fd = tm_node_open(&fixture->nodes, fixture->node, O_PATH | O_NOFOLLOW);
    assert_true(fd >= 0);
    struct stat status;
    assert_int_equal(fstat(fd, &status), 0);
    assert_int_equal(status.st_nlink, 0);
    (void)close(fd);
    tm_node_forget(&fixture->nodes, fixture->node, 1);
    fixture->node = NULL;
    assert_int_equal(fcntl(place, F_GETFD), -1);
}

static void a_node_that_is_found_stays_while_it_is_referred_to(void **state)
{
    struct fixture *fixture = *state;
    struct tm_identity identity;
    assert_int_equal(tm_source_identify(&fixture->source, fixture->fd, &identity), 0);
    struct tm_node *found = tm_node_find(&fixture->nodes, &identity);
    assert_ptr_equal(found, fixture->node);
    tm_node_forget(&fixture->nodes, fixture->node, 1);
    assert_int_equal(tm_nodes_count(&fixture->nodes), 2);
    /* The kernel asks again meanwhile: it is the same file. */
    assert_ptr_equal(enter(fixture), found);
    tm_node_unref(&fixture->nodes, found);
    identity.status.st_ino++;
    assert_null(tm_node_find(&fixture->nodes, &identity));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(a_file_that_stays_as_it_is_keeps_its_name),
        CASE(a_file_that_has_just_changed_keeps_nothing_without_trust),
        CASE(with_trust_everything_is_kept),
        CASE(with_trust_own_changes_keep_the_name),
        CASE(without_trust_own_changes_take_the_name),
        CASE(a_look_in_the_middle_of_an_own_change_finds_no_stranger),
        CASE(a_change_of_others_takes_the_name_once),
        CASE(a_look_that_fails_is_a_change_of_others),
        CASE(attributes_are_remembered_with_trust_only),
        CASE(what_was_written_is_remembered),
        CASE(a_held_file_outlives_its_name),
        CASE(a_node_that_is_found_stays_while_it_is_referred_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
