/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * results_test.c TABLE - what each operation answers, by release: every row of a table is a test, for each release and
 * for 64-bit and 32-bit guests. The table says how it is read.
 *
 * With TMEM_TEST_URI naming a daemon's store, a row is skipped whose control operations need an operator's rights.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/xen/world.h"

#define RELEASES 4u
#define COLUMNS (2u + RELEASES) /* what, operation, results */
#define WORDS 10u
#define ROWS 300u
#define MAX_PAGES 24u
#define CASES (ROWS * RELEASES * 2u)

static const uint32_t releases[RELEASES] = {TMEM_XEN_RELEASE_4_0, TMEM_XEN_RELEASE_4_3, TMEM_XEN_RELEASE_4_7,
                                            TMEM_XEN_RELEASE_4_12};
static const char *const release_names[RELEASES] = {"4.0", "4.3", "4.7", "4.12"};

struct row {
    unsigned line;
    char *column[COLUMNS];
    char *before, *after;
};

/* A row as it is run. */
struct trial {
    const struct row *row;
    unsigned release;
    uint32_t abi;
    struct xen_world world;
    struct xen_guest *guests[3];
    size_t pool_bytes; /* in the control domain's buffer */
    bool is_skipped;
};

static struct row rows[ROWS];
static unsigned row_count;
static struct trial trials[CASES];
static struct CMUnitTest tests[CASES];

/* ---- words ---- */

static char *trim(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    size_t length = strlen(text);
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        text[--length] = 0;
    return text;
}

static long number(const struct trial *trial, const char *word)
{
    static const struct {
        const char *name;
        long value;
    } errors[] = {
        {"-EPERM", -EPERM},
        {"-ENODEV", -ENODEV},
        {"-EFAULT", -EFAULT},
        {"-EOPNOTSUPP", -EOPNOTSUPP},
        {"-ENOSYS", -ENOSYS},
        {"-ENOMEM", -ENOMEM},
        {"-ENOSPC", -ENOSPC},
        {"-EINVAL", -EINVAL},
        {"-E2BIG", -E2BIG},
        {"-ERANGE", -ERANGE},
        {"-ENOENT", -ENOENT},
        {"-ENOBUFS", -ENOBUFS},
        {"-EEXIST", -EEXIST},
        {"-EEMPTY", -EEMPTY},
        {"-EFROZEN", -EFROZEN},
        {"all", TMEM_CLIENT_ALL},
    };
    char *end;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (strcmp(word, errors[i].name) == 0)
            return errors[i].value;
    errno = 0;
    long value = (long)strtoull(word, &end, 0);
    if (errno != 0 || *end != 0 || end == word)
        fail_msg("line %u: '%s' is no number", trial->row->line, word);
    return value;
}

/* ---- steps ---- */

/* Puts up to so many different pages; answers what the last put did. */
static long put_many(struct xen_guest *guest, int32_t pool, uint64_t object, uint32_t count)
{
    unsigned char kept[TMEM_PAGE_SIZE];
    long result = 1;
    memcpy(kept, guest->frames[6], sizeof kept);
    for (uint32_t i = 0; i < count && result == 1; i++) {
        xen_guest_fill(guest, 6, 1000 + i);
        result = xen_page(guest, TMEM_PUT_PAGE, pool, object, i, 6, NULL);
    }
    memcpy(guest->frames[6], kept, sizeof kept);
    return result;
}

/* Whether bytes of a frame are those that another one had at first. */
static long compare(const struct xen_guest *guest, unsigned frame, size_t from, size_t to, unsigned content, size_t at)
{
    static struct xen_guest pristine;
    if (content != XEN_FRAME_ZERO)
        xen_guest_fill(&pristine, content, content);
    assert_true(from <= to && to <= TMEM_PAGE_SIZE && at + (to - from) <= TMEM_PAGE_SIZE);
    return memcmp(guest->frames[frame] + from, pristine.frames[content] + at, to - from) == 0 ? 0 : -1;
}

static long old_command(struct xen_guest *guest, uint32_t cmd, const long *n)
{
    struct tmem_op op;
    xen_garbage(&op, cmd);
    op.pool_id = (int32_t)n[1];
    op.u.creat.arg1 = (uint32_t)n[0];
    op.u.creat.flags = (uint32_t)n[2];
    op.u.creat.uuid[0] = (uint64_t)n[3];
    op.u.creat.uuid[1] = (uint64_t)n[4];
    return xen_send(guest, &op);
}

static long info(struct xen_guest *guest, const long *n)
{
    const struct xen_tmem_client client = {(uint32_t)n[0], (uint32_t)n[1], 0, (uint32_t)n[2], (uint32_t)n[3]};
    memcpy(guest->buffer, &client, sizeof client);
    return 0;
}

static long pool(struct trial *trial, struct xen_guest *guest, const long *n)
{
    const struct xen_tmem_pool_info entry = {
        (uint32_t)n[0], (uint32_t)n[1], (uint64_t)n[2], {(uint64_t)n[3], (uint64_t)n[4]}};
    memcpy(guest->buffer + trial->pool_bytes, &entry, sizeof entry);
    trial->pool_bytes += sizeof entry;
    return 0;
}

static long peek(const struct xen_guest *guest, size_t at, size_t size_bytes)
{
    uint64_t value = 0;
    memcpy(&value, guest->buffer + at * size_bytes, size_bytes);
    return (long)value;
}

static long page_step(struct xen_guest *guest, const char *verb, const long *n)
{
    static const struct {
        const char *verb;
        uint32_t cmd;
    } verbs[] = {
        {"put", TMEM_PUT_PAGE},
        {"get", TMEM_GET_PAGE},
        {"flush", TMEM_FLUSH_PAGE},
        {"drop", TMEM_FLUSH_OBJECT},
        {"zero", TMEM_NEW_PAGE},
        {"read", TMEM_READ},
        {"write", TMEM_WRITE},
    };
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(verb, verbs[i].verb) == 0) {
            const uint32_t range[3] = {(uint32_t)n[4], (uint32_t)n[5], (uint32_t)n[6]};
            bool has_range = verbs[i].cmd == TMEM_READ || verbs[i].cmd == TMEM_WRITE;
            return xen_page(guest, verbs[i].cmd, (int32_t)n[0], (uint64_t)n[1], (uint32_t)n[2], (unsigned)n[3],
                            has_range ? range : NULL);
        }
    fail_msg("there is no step '%s'", verb);
    return -1;
}

static long other_step(struct trial *trial, struct xen_guest *guest, const char *verb, const long *n)
{
    if (strcmp(verb, "new") == 0)
        return xen_new(guest, (uint32_t)n[0], (uint64_t)n[1], (uint64_t)n[2]);
    if (strcmp(verb, "destroy") == 0)
        return xen_page(guest, TMEM_DESTROY_POOL, (int32_t)n[0], 0, 0, 0, NULL);
    if (strcmp(verb, "op") == 0)
        return xen_page(guest, (uint32_t)n[0], (int32_t)n[1], 1, 0, 1, NULL);
    if (strcmp(verb, "auth") == 0)
        return old_command(guest, TMEM_AUTH, n);
    if (strcmp(verb, "restore") == 0)
        return old_command(guest, TMEM_RESTORE_NEW, n);
    if (strcmp(verb, "control") == 0)
        return xen_control(guest, (uint32_t)n[0], (uint32_t)n[1], (int32_t)n[4], (uint32_t)n[2], (uint32_t)n[3]);
    if (strcmp(verb, "info") == 0)
        return info(guest, n);
    if (strcmp(verb, "pool") == 0)
        return pool(trial, guest, n);
    if (strcmp(verb, "word") == 0)
        return peek(guest, (size_t)n[0], 8);
    if (strcmp(verb, "half") == 0)
        return peek(guest, (size_t)n[0], 4);
    if (strcmp(verb, "fill") == 0)
        return put_many(guest, (int32_t)n[0], 99, 4 * MAX_PAGES) == -ENOMEM ? 0 : -1;
    if (strcmp(verb, "puts") == 0)
        return put_many(guest, (int32_t)n[0], (uint64_t)n[1], (uint32_t)n[2]);
    if (strcmp(verb, "same") == 0)
        return compare(guest, (unsigned)n[0], 0, TMEM_PAGE_SIZE, (unsigned)n[1], 0);
    if (strcmp(verb, "part") == 0)
        return compare(guest, (unsigned)n[0], (size_t)n[1], (size_t)n[2], (unsigned)n[3], (size_t)n[4]);
    return page_step(guest, verb, n);
}

/* States of the guest and of the host. False: it is another kind of step. */
static bool state_step(struct xen_guest *guest, const char *verb)
{
    if (strcmp(verb, "kill") == 0)
        tmem_xen_domain_kill(guest->domain);
    else if (strcmp(verb, "deny") == 0)
        guest->is_denied = true;
    else if (strcmp(verb, "blind") == 0)
        guest->is_unreadable = true;
    else if (strcmp(verb, "off") != 0) /* what set_up() looked for */
        return false;
    return true;
}

static long do_step(struct trial *trial, char *step)
{
    char *words[WORDS];
    char *rest = NULL;
    long numbers[WORDS] = {0};
    unsigned count = 0;
    unsigned who = 1;
    if (isdigit((unsigned char)step[0]) && step[1] == ':') {
        who = (unsigned)(step[0] - '0');
        step += 2;
    }
    for (char *word = strtok_r(step, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        assert_true(count < WORDS);
        words[count++] = word;
    }
    assert_true(count > 0 && who < 3);
    for (unsigned i = 1; i < count; i++)
        numbers[i - 1] = number(trial, words[i]);
    if (state_step(trial->guests[who], words[0]))
        return 0;
    long result = other_step(trial, trial->guests[who], words[0], numbers);
    if (result == -EOPNOTSUPP && strcmp(words[0], "control") == 0 && xen_world_is_remote())
        trial->is_skipped = true;
    return result;
}

/* Does one step if it is meant for this release, and checks its result. */
static void do_checked(struct trial *trial, char *step, const char *where)
{
    char text[256];
    char *question = strchr(step, '?');
    if (question != NULL) {
        *question = 0;
        if (strcmp(trim(step), release_names[trial->release]) != 0)
            return;
        step = question + 1;
    }
    step = trim(step);
    snprintf(text, sizeof text, "%s", step);
    char *expected = strchr(step, '=');
    if (expected != NULL)
        *expected++ = 0;
    long result = do_step(trial, step);
    if (trial->is_skipped)
        return;
    if (expected != NULL ? result != number(trial, trim(expected)) : result < 0)
        fail_msg("line %u, %s: '%s' answered %ld", trial->row->line, where, text, result);
}

static void do_steps(struct trial *trial, const char *column, const char *where)
{
    char *rest = NULL;
    char *copy = strdup(column);
    assert_non_null(copy);
    for (char *step = strtok_r(copy, ";", &rest); step != NULL; step = strtok_r(NULL, ";", &rest))
        if (!trial->is_skipped && *trim(step) != 0)
            do_checked(trial, trim(step), where);
    free(copy);
}

/* ---- rows ---- */

static void set_up(struct trial *trial)
{
    struct tmem_xen_settings settings = TMEM_XEN_SETTINGS_INIT;
    settings.is_off = strstr(trial->row->before, " off") != NULL;
    trial->pool_bytes = 0;
    trial->is_skipped = false;
    xen_world_open(&trial->world, &settings);
    for (uint32_t i = 0; i < 3; i++) {
        uint64_t max_pages = i == 0 ? UINT64_MAX : MAX_PAGES;
        trial->guests[i] = xen_guest_create(&trial->world, i, releases[trial->release], trial->abi, max_pages);
    }
}

static void tear_down(struct trial *trial)
{
    xen_world_close(&trial->world);
    for (unsigned i = 0; i < 3; i++)
        xen_guest_free(trial->guests[i]);
}

static void run_row(void **state)
{
    struct trial *trial = *state;
    set_up(trial);
    do_steps(trial, trial->row->before, "before");
    if (!trial->is_skipped) {
        char *step = strdup(trial->row->column[1]);
        long expected = number(trial, trial->row->column[2 + trial->release]);
        assert_non_null(step);
        long result = do_step(trial, step);
        free(step);
        trial->is_skipped = trial->is_skipped && result != expected;
        if (result != expected && !trial->is_skipped)
            fail_msg("line %u: '%s' answered %ld, not %ld", trial->row->line, trial->row->column[1], result, expected);
    }
    do_steps(trial, trial->row->after, "after");
    bool is_skipped = trial->is_skipped;
    tear_down(trial);
    if (is_skipped)
        skip();
}

/* Adds steps to what is done before or after the last row. */
static void add_steps(char **steps, const char *more)
{
    char *all;
    if (asprintf(&all, "%s; %s", *steps, more) < 0)
        exit(2);
    free(*steps);
    *steps = all;
}

static void parse_row(char *line, unsigned number_of_line)
{
    struct row *row = &rows[row_count];
    char *rest = NULL;
    if (row_count == ROWS)
        fprintf(stderr, "line %u: more rows than %u\n", number_of_line, ROWS), exit(2);
    *row = (struct row){.line = number_of_line, .before = strdup(""), .after = strdup("")};
    for (unsigned i = 0; i < COLUMNS; i++) {
        char *word = strtok_r(i == 0 ? line : NULL, "|", &rest);
        if (word == NULL)
            fprintf(stderr, "line %u has %u columns, not %u\n", number_of_line, i, COLUMNS), exit(2);
        row->column[i] = strdup(trim(word));
    }
    row_count++;
}

static void parse_line(char *line, unsigned number_of_line)
{
    char *text = trim(line);
    if (*text == 0 || *text == '#')
        return;
    if (row_count > 0 && strncmp(text, "before:", 7) == 0)
        add_steps(&rows[row_count - 1].before, text + 7);
    else if (row_count > 0 && strncmp(text, "after:", 6) == 0)
        add_steps(&rows[row_count - 1].after, text + 6);
    else
        parse_row(text, number_of_line);
}

static void read_table(const char *path)
{
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t room = 0;
    if (file == NULL) {
        perror(path);
        exit(2);
    }
    for (unsigned i = 1; getline(&line, &room, file) >= 0; i++)
        parse_line(line, i);
    free(line);
    fclose(file);
}

int main(int count, char **arguments)
{
    unsigned test_count = 0;
    if (count != 2) {
        fprintf(stderr, "usage: %s TABLE\n", arguments[0]);
        return 2;
    }
    read_table(arguments[1]);
    for (unsigned i = 0; i < row_count; i++)
        for (unsigned k = 0; k < RELEASES * 2u; k++) {
            struct trial *trial = &trials[test_count];
            char *name;
            *trial = (struct trial){.row = &rows[i], .release = k / 2, .abi = k % 2};
            if (asprintf(&name, "%s (%s, %s)", rows[i].column[0], release_names[k / 2],
                         k % 2 == TMEM_XEN_ABI_I386 ? "32 bits" : "64 bits") < 0)
                return 2;
            tests[test_count++] = (struct CMUnitTest){name, run_row, NULL, NULL, trial};
        }
    int failed = _cmocka_run_group_tests("results", tests, test_count, NULL, NULL);
    for (unsigned i = 0; i < test_count; i++)
        free((char *)(uintptr_t)tests[i].name);
    for (unsigned i = 0; i < row_count; i++) {
        for (unsigned k = 0; k < COLUMNS; k++)
            free(rows[i].column[k]);
        free(rows[i].before);
        free(rows[i].after);
    }
    return failed;
}
