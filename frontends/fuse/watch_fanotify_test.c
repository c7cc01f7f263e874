/* SPDX-License-Identifier: BSD-2-Clause */
/* watch_fanotify_test.c - what is made of reports: in the form in which the kernel writes them, and broken. */
#include "watch_kind.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>

#include <cmocka.h>

#define OWN_PROCESS 77
#define OTHERS_PROCESS 78
#define HANDLE_TYPE 1

/* Three files that are known: their handles are their numbers. */
static struct tm_node known[3];

/* What was done: "pages 1 in 2; drop name in 0; ...". */
static char done[512];

static void add(const char *format, ...) TM_PRINTF(1, 2);
static void add(const char *format, ...)
{
    size_t used = strlen(done);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(done + used, sizeof done - used, format, arguments);
    va_end(arguments);
}

struct tm_node *tm_node_find_by_handle(struct tm_nodes *nodes, int type, const void *handle, size_t handle_bytes)
{
    uint64_t number = 0;
    (void)nodes;
    if (type != HANDLE_TYPE || handle_bytes != sizeof number)
        return NULL;
    memcpy(&number, handle, sizeof number);
    if (number >= TM_ARRAY_SIZE(known))
        return NULL;
    known[number].references++;
    return &known[number];
}

void tm_node_unref(struct tm_nodes *nodes, struct tm_node *node)
{
    (void)nodes;
    node->references--;
}

void tm_behind_file(struct tm_behind *pass, struct tm_node *node, struct tm_node *directory, enum tm_notify_inode what)
{
    (void)pass;
    add("%s %d in %d; ", what == TM_NOTIFY_PAGES ? "pages" : "attributes", (int)(node - known),
        directory != NULL ? (int)(directory - known) : -1);
}

void tm_behind_name(struct tm_behind *pass, struct tm_node *directory, const char *name, size_t length,
                    enum tm_notify_name how)
{
    (void)pass;
    assert_int_equal(strlen(name), length);
    add("%s %s in %d; ", how == TM_NOTIFY_DROP ? "drop" : "expire", name, (int)(directory - known));
}

/* Others change names when they are told to do so here. */
static bool others;

void tm_behind_note_others(struct tm_mount *mount)
{
    (void)mount;
    others = true;
}

bool tm_behind_others_change_names(const struct tm_mount *mount)
{
    (void)mount;
    return others;
}

int tm_source_identify(const struct tm_source *source, int fd, struct tm_identity *identity)
{
    (void)source;
    (void)fd;
    (void)identity;
    return EOPNOTSUPP;
}

struct reports {
    unsigned char bytes[4096] TM_ALIGNED(16);
    size_t length;
    size_t last; /* where the last report begins */
};

/* Reports follow each other at multiples of four bytes only. */
static struct fanotify_event_metadata last_head(const struct reports *reports)
{
    struct fanotify_event_metadata head;
    memcpy(&head, reports->bytes + reports->last, sizeof head);
    return head;
}

static void set_last_head(struct reports *reports, const struct fanotify_event_metadata *head)
{
    memcpy(reports->bytes + reports->last, head, sizeof *head);
}

static void begin_report(struct reports *reports, uint64_t mask, int process)
{
    struct fanotify_event_metadata head = {
        .event_len = sizeof head,
        .vers = FANOTIFY_METADATA_VERSION,
        .metadata_len = sizeof head,
        .mask = mask,
        .fd = FAN_NOFD,
        .pid = process,
    };
    reports->last = reports->length;
    memcpy(reports->bytes + reports->length, &head, sizeof head);
    reports->length += sizeof head;
}

static void add_record(struct reports *reports, uint8_t type, uint64_t number, const char *name)
{
    struct fanotify_event_info_fid record = {.hdr = {.info_type = type}};
    struct file_handle handle = {.handle_bytes = sizeof number, .handle_type = HANDLE_TYPE};
    size_t bytes = sizeof record + sizeof handle + sizeof number + (name != NULL ? strlen(name) + 1u : 0);
    bytes = tm_round_up(bytes, 4);
    unsigned char *at = reports->bytes + reports->length;
    record.hdr.len = (uint16_t)bytes;
    memset(at, 0, bytes);
    memcpy(at, &record, sizeof record);
    memcpy(at + sizeof record, &handle, sizeof handle);
    memcpy(at + sizeof record + sizeof handle, &number, sizeof number);
    if (name != NULL)
        memcpy(at + sizeof record + sizeof handle + sizeof number, name, strlen(name) + 1u);
    reports->length += bytes;
    struct fanotify_event_metadata head = last_head(reports);
    head.event_len += (uint32_t)bytes;
    set_last_head(reports, &head);
}

/* A report on a file and the name in the directory by which it was reached. */
static void add_report(struct reports *reports, uint64_t mask, int process, uint64_t directory, const char *name,
                       uint64_t file)
{
    begin_report(reports, mask, process);
    add_record(reports, FAN_EVENT_INFO_TYPE_DFID_NAME, directory, name);
    add_record(reports, FAN_EVENT_INFO_TYPE_FID, file, NULL);
}

struct outcome {
    bool understood;
    bool everything;
    uint64_t events;
    uint64_t own;
    uint64_t overflows;
};

static struct outcome handle(const struct reports *reports)
{
    static struct tm_mount mount;
    struct tm_behind pass = {.mount = &mount};
    memset(&mount, 0, sizeof mount);
    memset(known, 0, sizeof known);
    mount.watch.process = OWN_PROCESS;
    done[0] = '\0';
    /* Not a byte behind the end may be read. */
    unsigned char *bytes = malloc(reports->length + 1u);
    assert_non_null(bytes);
    memcpy(bytes, reports->bytes, reports->length);
    bool understood = tm_watch_by_fanotify.handle(&pass, bytes, reports->length);
    free(bytes);
    for (size_t i = 0; i < TM_ARRAY_SIZE(known); i++)
        assert_int_equal(known[i].references, 0);
    return (struct outcome){understood, pass.everything, mount.counters.watch_events, mount.counters.watch_own,
                            mount.counters.watch_overflows};
}

static void each_change_is_done_what_is_due(void **state)
{
    (void)state;
    static const struct {
        uint64_t mask;
        uint64_t directory;
        uint64_t file;
        const char *expected;
    } cases[] = {
        {FAN_MODIFY, 0, 1, "pages 1 in 0; "},
        {FAN_CLOSE_WRITE, 9, 1, "pages 1 in -1; "},
        {FAN_ATTRIB, 0, 1, "attributes 1 in 0; "},
        {FAN_ATTRIB | FAN_MODIFY, 0, 1, "pages 1 in 0; "},
        {FAN_MODIFY, 0, 9, ""},
        {FAN_CREATE, 0, 9, "expire name in 0; "},
        {FAN_CREATE, 9, 1, "attributes 1 in -1; "},
        {FAN_CREATE | FAN_ONDIR, 0, 9, "expire name in 0; "},
        {FAN_DELETE, 0, 1, "drop name in 0; attributes 1 in 0; "},
        {FAN_DELETE | FAN_CREATE, 0, 9, "drop name in 0; "},
        {FAN_DELETE | FAN_ONDIR, 0, 2, "drop name in 0; attributes 2 in 0; "},
        {FAN_MOVED_FROM | FAN_ONDIR, 0, 2, "drop name in 0; attributes 2 in 0; "},
        {FAN_MOVED_TO, 0, 1, "drop name in 0; attributes 1 in 0; "},
        {FAN_MOVED_TO | FAN_ONDIR, 0, 2, "expire name in 0; attributes 2 in 0; "},
        {FAN_MOVED_TO | FAN_MODIFY, 0, 1, "drop name in 0; pages 1 in 0; "},
    };
    for (size_t i = 0; i < TM_ARRAY_SIZE(cases); i++) {
        struct reports reports = {.length = 0};
        add_report(&reports, cases[i].mask, OTHERS_PROCESS, cases[i].directory, "name", cases[i].file);
        struct outcome outcome = handle(&reports);
        assert_true(outcome.understood);
        assert_false(outcome.everything);
        assert_string_equal(done, cases[i].expected);
    }
}

static void a_report_on_a_directory_names_itself(void **state)
{
    (void)state;
    struct reports reports = {.length = 0};
    begin_report(&reports, FAN_ATTRIB | FAN_ONDIR, OTHERS_PROCESS);
    add_record(&reports, FAN_EVENT_INFO_TYPE_DFID_NAME, 2, ".");
    begin_report(&reports, FAN_ATTRIB | FAN_ONDIR, OTHERS_PROCESS);
    add_record(&reports, FAN_EVENT_INFO_TYPE_DFID, 1, NULL);
    assert_true(handle(&reports).understood);
    assert_string_equal(done, "attributes 2 in -1; attributes 1 in -1; ");
}

static void own_changes_are_left_out(void **state)
{
    (void)state;
    struct reports reports = {.length = 0};
    add_report(&reports, FAN_MODIFY, OWN_PROCESS, 0, "own", 1);
    add_report(&reports, FAN_CREATE, OWN_PROCESS, 0, "own", 1);
    add_report(&reports, FAN_MODIFY, OTHERS_PROCESS, 0, "others", 2);
    struct outcome outcome = handle(&reports);
    assert_int_equal(outcome.events, 3);
    assert_int_equal(outcome.own, 2);
    assert_string_equal(done, "pages 2 in 0; ");
}

static void own_changes_of_names_are_checked_while_others_change_them(void **state)
{
    (void)state;
    struct reports reports = {.length = 0};
    others = false;
    add_report(&reports, FAN_MOVED_TO, OWN_PROCESS, 0, "before", 1);
    add_report(&reports, FAN_MODIFY, OTHERS_PROCESS, 0, "name", 2);
    add_report(&reports, FAN_MOVED_TO, OWN_PROCESS, 0, "still", 1);
    add_report(&reports, FAN_CREATE, OTHERS_PROCESS, 0, "new", 9);
    add_report(&reports, FAN_MOVED_FROM, OWN_PROCESS, 0, "old", 1);
    add_report(&reports, FAN_MOVED_TO, OWN_PROCESS, 0, "moved", 1);
    add_report(&reports, FAN_DELETE, OWN_PROCESS, 0, "gone", 2);
    add_report(&reports, FAN_CREATE, OWN_PROCESS, 0, "made", 2);
    assert_true(handle(&reports).understood);
    assert_string_equal(done, "pages 2 in 0; expire new in 0; attributes 1 in 0; expire moved in 0; attributes 1 in 0; "
                              "attributes 2 in 0; ");
    assert_true(others);
}

static void lost_reports_mean_everything(void **state)
{
    (void)state;
    struct reports reports = {.length = 0};
    add_report(&reports, FAN_MODIFY, OTHERS_PROCESS, 0, "before", 1);
    begin_report(&reports, FAN_Q_OVERFLOW, 0);
    add_report(&reports, FAN_MODIFY, OTHERS_PROCESS, 0, "behind", 2);
    struct outcome outcome = handle(&reports);
    assert_true(outcome.understood);
    assert_true(outcome.everything);
    assert_int_equal(outcome.overflows, 1);
    assert_string_equal(done, "pages 1 in 0; pages 2 in 0; ");
}

static void records_of_other_kinds_are_passed_over(void **state)
{
    (void)state;
    struct reports reports = {.length = 0};
    begin_report(&reports, FAN_MODIFY, OTHERS_PROCESS);
    add_record(&reports, FAN_EVENT_INFO_TYPE_PIDFD, 0, NULL);
    add_record(&reports, FAN_EVENT_INFO_TYPE_FID, 1, NULL);
    assert_true(handle(&reports).understood);
    assert_string_equal(done, "pages 1 in -1; ");
}

static void what_is_broken_is_not_understood(void **state)
{
    (void)state;
    struct reports whole = {.length = 0};
    add_report(&whole, FAN_MODIFY, OTHERS_PROCESS, 0, "name", 1);
    assert_true(handle(&whole).understood);

    const struct fanotify_event_metadata whole_head = last_head(&whole);
    struct fanotify_event_metadata head = whole_head;

    /* Cut short anywhere. */
    for (size_t length = 1; length < whole.length; length++) {
        struct reports cut = whole;
        cut.length = length;
        assert_false(handle(&cut).understood);
        /* Also where the length says that it is all. */
        if (length >= sizeof(struct fanotify_event_metadata)) {
            head.event_len = (uint32_t)length;
            set_last_head(&cut, &head);
            (void)handle(&cut);
        }
    }
    struct reports broken = whole;
    head = whole_head;
    head.vers++;
    set_last_head(&broken, &head);
    assert_false(handle(&broken).understood);
    broken = whole;
    head = whole_head;
    head.event_len = 0;
    set_last_head(&broken, &head);
    assert_false(handle(&broken).understood);
    broken = whole;
    head = whole_head;
    head.metadata_len = 0;
    set_last_head(&broken, &head);
    assert_false(handle(&broken).understood);
    /* A handle that could not be made has no bytes. */
    broken = whole;
    size_t handle_at = sizeof(struct fanotify_event_metadata) + sizeof(struct fanotify_event_info_fid);
    memset(broken.bytes + handle_at, 0, sizeof(uint32_t));
    assert_false(handle(&broken).understood);
    memset(broken.bytes + handle_at, 0xff, sizeof(uint32_t));
    assert_false(handle(&broken).understood);
    /* Neither has a report without any. */
    struct reports empty = {.length = 0};
    begin_report(&empty, FAN_MODIFY, OTHERS_PROCESS);
    assert_false(handle(&empty).understood);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_change_is_done_what_is_due),
        cmocka_unit_test(a_report_on_a_directory_names_itself),
        cmocka_unit_test(own_changes_are_left_out),
        cmocka_unit_test(own_changes_of_names_are_checked_while_others_change_them),
        cmocka_unit_test(lost_reports_mean_everything),
        cmocka_unit_test(records_of_other_kinds_are_passed_over),
        cmocka_unit_test(what_is_broken_is_not_understood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
