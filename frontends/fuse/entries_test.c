/* SPDX-License-Identifier: BSD-2-Clause */
/* entries_test.c - what is remembered of names: what is kept, what a change takes away, and how much at most. */
#include "entries.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define MANY 80000u
#define MOST 65536u

struct fixture {
    char directory[32];
    struct tm_source source;
    struct tm_nodes nodes;
    struct tm_entries entries;
    struct tm_node *file;
};

static struct tm_node *make_node(struct fixture *fixture, uint64_t inode)
{
    struct tm_identity identity = {.handle_type = 1, .handle_bytes = 8};
    identity.status.st_dev = 7;
    identity.status.st_ino = inode;
    identity.status.st_mode = S_IFREG | 0644;
    memcpy(identity.handle, &inode, sizeof inode);
    struct tm_node *node = tm_node_enter(&fixture->nodes, &identity, fixture->nodes.root, "name");
    assert_non_null(node);
    return node;
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    (void)snprintf(fixture->directory, sizeof fixture->directory, "/tmp/tmem-entries-XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    assert_int_equal(tm_source_open(&fixture->source, fixture->directory, true), TM_EXIT_OK);
    assert_int_equal(tm_nodes_init(&fixture->nodes, &fixture->source), 0);
    fixture->source.by_handle = true;
    tm_entries_init(&fixture->entries, &fixture->nodes);
    fixture->file = make_node(fixture, 1000);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    tm_entries_fini(&fixture->entries);
    tm_node_forget(&fixture->nodes, fixture->file, 1);
    assert_int_equal(tm_nodes_count(&fixture->nodes), 1);
    tm_nodes_fini(&fixture->nodes);
    tm_source_close(&fixture->source);
    assert_int_equal(rmdir(fixture->directory), 0);
    free(fixture);
    return 0;
}

static uint32_t ticket_for(struct fixture *fixture, const char *name)
{
    struct tm_node *node = NULL;
    uint32_t ticket = 0;
    assert_int_equal(tm_entry_find(&fixture->entries, fixture->nodes.root, name, &node, &ticket), TM_ENTRY_UNKNOWN);
    assert_null(node);
    return ticket;
}

/* What is known of the name; a look-up is taken back. */
static enum tm_entry_answer find(struct fixture *fixture, const char *name, struct tm_node **node)
{
    uint32_t ticket = 0;
    enum tm_entry_answer answer =
        tm_entry_find(&fixture->entries, fixture->nodes.root, name, node, &ticket);
    if (answer == TM_ENTRY_NODE)
        tm_node_forget(&fixture->nodes, *node, 1);
    return answer;
}

static void names_are_remembered_and_forgotten(void **state)
{
    struct fixture *fixture = *state;
    struct tm_node *root = fixture->nodes.root;
    struct tm_node *node = NULL;
    tm_entry_keep(&fixture->entries, root, "file", fixture->file, ticket_for(fixture, "file"));
    tm_entry_keep(&fixture->entries, root, "nothing", NULL, ticket_for(fixture, "nothing"));
    assert_int_equal(find(fixture, "file", &node), TM_ENTRY_NODE);
    assert_ptr_equal(node, fixture->file);
    assert_int_equal(find(fixture, "nothing", &node), TM_ENTRY_NONE);
    assert_null(node);
    assert_int_equal(find(fixture, "fil", &node), TM_ENTRY_UNKNOWN);

    /* The same name elsewhere is another. */
    uint32_t ticket = 0;
    assert_int_equal(tm_entry_find(&fixture->entries, fixture->file, "file", &node, &ticket), TM_ENTRY_UNKNOWN);

    tm_entry_change(&fixture->entries, root, "file");
    assert_int_equal(find(fixture, "file", &node), TM_ENTRY_UNKNOWN);
    assert_int_equal(find(fixture, "nothing", &node), TM_ENTRY_NONE);
    tm_entries_change_all(&fixture->entries);
    assert_int_equal(find(fixture, "nothing", &node), TM_ENTRY_UNKNOWN);
}

static void a_change_makes_tickets_void(void **state)
{
    struct fixture *fixture = *state;
    struct tm_node *root = fixture->nodes.root;
    struct tm_node *node = NULL;
    uint32_t early = ticket_for(fixture, "file");
    tm_entry_change(&fixture->entries, root, "file");
    tm_entry_keep(&fixture->entries, root, "file", fixture->file, early);
    assert_int_equal(find(fixture, "file", &node), TM_ENTRY_UNKNOWN);
    early = ticket_for(fixture, "file");
    tm_entries_change_all(&fixture->entries);
    tm_entry_keep(&fixture->entries, root, "file", NULL, early);
    assert_int_equal(find(fixture, "file", &node), TM_ENTRY_UNKNOWN);

    /* Of two that looked at once, the first is as good as the second. */
    early = ticket_for(fixture, "file");
    tm_entry_keep(&fixture->entries, root, "file", fixture->file, early);
    tm_entry_keep(&fixture->entries, root, "file", fixture->file, early);
    assert_int_equal(find(fixture, "file", &node), TM_ENTRY_NODE);
}

static void an_entry_keeps_its_file(void **state)
{
    struct fixture *fixture = *state;
    struct tm_node *node = make_node(fixture, 2000);
    struct tm_node *found = NULL;
    tm_entry_keep(&fixture->entries, fixture->nodes.root, "other", node, ticket_for(fixture, "other"));
    tm_node_forget(&fixture->nodes, node, 1);
    assert_int_equal(find(fixture, "other", &found), TM_ENTRY_NODE);
    assert_ptr_equal(found, node);
    assert_int_equal(tm_nodes_count(&fixture->nodes), 3);
    tm_entry_change(&fixture->entries, fixture->nodes.root, "other");
    assert_int_equal(tm_nodes_count(&fixture->nodes), 2);
}

static void there_is_a_most_and_what_is_used_stays(void **state)
{
    struct fixture *fixture = *state;
    struct tm_node *node = NULL;
    char name[16];
    unsigned known = 0;
    tm_entry_keep(&fixture->entries, fixture->nodes.root, "used", fixture->file, ticket_for(fixture, "used"));
    for (unsigned i = 0; i < MANY; i++) {
        (void)snprintf(name, sizeof name, "%u", i);
        tm_entry_keep(&fixture->entries, fixture->nodes.root, name, NULL, ticket_for(fixture, name));
        assert_int_equal(find(fixture, "used", &node), TM_ENTRY_NODE);
    }
    for (unsigned i = 0; i < MANY; i++) {
        (void)snprintf(name, sizeof name, "%u", i);
        known += find(fixture, name, &node) == TM_ENTRY_NONE;
    }
    assert_in_range(known, MOST * 9 / 10, MOST);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(names_are_remembered_and_forgotten),
        CASE(a_change_makes_tickets_void),
        CASE(an_entry_keeps_its_file),
        CASE(there_is_a_most_and_what_is_used_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
