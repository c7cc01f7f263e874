/* SPDX-License-Identifier: BSD-2-Clause */
/* options.c - the command line of `tmem mount`. */
#include "options.h"

#include "command/size.h"

#include <tmem/tmem.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

const char tm_options_help[] =
    "usage: tmem mount [options] DIR MNT\n"
    "       tmem mount --list [--json]  (all tmem mounts, alive or dead)\n"
    "Shows DIR again in MNT, its files' pages kept compressed in memory. MNT may be\n"
    "DIR itself: the cache is laid over it. `tmem umount MNT` undoes it.\n"
    "  --size SIZE           memory of the store (default: a quarter of the RAM)\n"
    "  --codec NAME          lz4 (default), zstd, zstd:LEVEL, none\n"
    "  --store URI           the store, instead of --size and --codec\n"
    "  --name NAME           of this client in the store (default: mount-PID)\n"
    "  --read-only           changes answer \"read-only file system\"\n"
    "  --writeback           what is written reaches DIR at fsync and close\n"
    "  --exclusive           DIR is only changed through MNT: no watch, and faster\n"
    "  --watch HOW           notice changes by auto (default), fanotify, inotify, off\n"
    "  --read-ahead SIZE     read this much from the disk at once (default 128K)\n"
    "  --attr-timeout SECS   trust attributes for so long (default 1; watched: a day)\n"
    "  --entry-timeout SECS  the same for names, missing ones too\n"
    "  --threads N           requests served at once (default: 2 per CPU, 4 to 16)\n"
    "  --foreground          stay; ^C ends the mount\n"
    "  --background          return when the mount answers (default)\n"
    "  -o OPT[,OPT...]       as in fstab: ro, noexec, size=1G ... (tmem-mount(8))\n"
    "  --help                this text\n"
    "Exit status: 0 ok, 1 failed, 2 usage, 3 not found, 4 denied, 5 no daemon.\n";

#define SIZE_MIN (UINT64_C(16) << 20) /* as tmem_open() has it */
#define READ_AHEAD_DEFAULT (UINT64_C(128) << 10)
#define READ_AHEAD_MAX (UINT64_C(8) << 20)
#define TIMEOUT_MAX 86400.0
#define THREADS_MAX 64u

enum option {
    OPTION_READ_ONLY,
    OPTION_EXCLUSIVE,
    OPTION_WRITEBACK,
    OPTION_WATCH,
    OPTION_SIZE,
    OPTION_CODEC,
    OPTION_STORE,
    OPTION_NAME,
    OPTION_READ_AHEAD,
    OPTION_ATTR_TIMEOUT,
    OPTION_ENTRY_TIMEOUT,
    OPTION_THREADS,
    OPTION_FOREGROUND,
    OPTION_BACKGROUND,
    OPTION_LIST,
    OPTION_JSON,
    OPTION_HELP,
};

static const struct tm_option_name names[] = {
    {"read-only", OPTION_READ_ONLY, false, false},
    {"exclusive", OPTION_EXCLUSIVE, false, true},
    {"writeback", OPTION_WRITEBACK, false, true},
    {"watch", OPTION_WATCH, true, true},
    {"size", OPTION_SIZE, true, true},
    {"codec", OPTION_CODEC, true, true},
    {"store", OPTION_STORE, true, true},
    {"name", OPTION_NAME, true, true},
    {"read-ahead", OPTION_READ_AHEAD, true, true},
    {"attr-timeout", OPTION_ATTR_TIMEOUT, true, true},
    {"entry-timeout", OPTION_ENTRY_TIMEOUT, true, true},
    {"threads", OPTION_THREADS, true, true},
    {"foreground", OPTION_FOREGROUND, false, true},
    {"background", OPTION_BACKGROUND, false, true},
    {"list", OPTION_LIST, false, false},
    {"json", OPTION_JSON, false, false},
    {"help", OPTION_HELP, false, false},
};

#define TRY_HELP "(try: tmem mount --help)"

static enum tm_exit parse_read_ahead(const char *value, struct tm_options *options)
{
    uint64_t bytes = 0;
    enum tm_size_problem problem = tm_size_parse_zero(value, &bytes);
    if (problem != TM_SIZE_OK)
        return tm_fail(TM_EXIT_USAGE, "--read-ahead '%s' is not a size: %s (try: --read-ahead 128K)", value,
                       tm_size_problem_text(problem));
    if (bytes > READ_AHEAD_MAX)
        return tm_fail(TM_EXIT_USAGE, "--read-ahead %s is too large (at most 8M)", value);
    options->read_ahead_bytes = tm_round_up(bytes, TMEM_PAGE_SIZE);
    return TM_EXIT_OK;
}

static enum tm_exit parse_size(const char *value, struct tm_options *options)
{
    enum tm_size_problem problem = tm_size_parse(value, &options->size_bytes);
    if (problem == TM_SIZE_OK && options->size_bytes < SIZE_MIN)
        return tm_fail(TM_EXIT_USAGE, "--size %s is too small: a store needs at least 16M (try: --size 512M)", value);
    if (problem == TM_SIZE_OK)
        return TM_EXIT_OK;
    return tm_fail(TM_EXIT_USAGE, "--size '%s' is not a size: %s (try: --size 512M)", value,
                   tm_size_problem_text(problem));
}

static enum tm_exit parse_seconds(const char *name, const char *value, double *seconds)
{
    char *end = NULL;
    double number = strtod(value, &end);
    if (end == value || *end != '\0' || !(number >= 0.0 && number <= TIMEOUT_MAX))
        return tm_fail(TM_EXIT_USAGE, "%s '%s' is not a number of seconds from 0 to 86400 (try: %s 1)", name, value,
                       name);
    *seconds = number;
    return TM_EXIT_OK;
}

static enum tm_exit parse_threads(const char *value, struct tm_options *options)
{
    char *end = NULL;
    long number = strtol(value, &end, 10);
    if (end == value || *end != '\0' || number < 1 || number > (long)THREADS_MAX)
        return tm_fail(TM_EXIT_USAGE, "--threads '%s' is not a number from 1 to %u (try: --threads 8)", value,
                       THREADS_MAX);
    options->threads = (unsigned)number;
    return TM_EXIT_OK;
}

/* Commas and '=' would add keys to the store's URI. */
static enum tm_exit parse_codec(const char *value, struct tm_options *options)
{
    if (value[0] == '\0' || strpbrk(value, ",= ") != NULL)
        return tm_fail(TM_EXIT_USAGE, "--codec '%s' is no codec (try: lz4, zstd, zstd:3 or none)", value);
    options->codec = value;
    return TM_EXIT_OK;
}

static enum tm_exit parse_watch(const char *value, struct tm_options *options)
{
    static const char *const ways[] = {
        [TM_WATCH_AUTO] = "auto",
        [TM_WATCH_FANOTIFY] = "fanotify",
        [TM_WATCH_INOTIFY] = "inotify",
        [TM_WATCH_OFF] = "off",
    };
    for (size_t i = 0; i < TM_ARRAY_SIZE(ways); i++) {
        if (strcmp(ways[i], value) == 0) {
            options->watch = (enum tm_watch_how)i;
            return TM_EXIT_OK;
        }
    }
    return tm_fail(TM_EXIT_USAGE, "--watch '%s' is not known (try: auto, fanotify, inotify or off)", value);
}

const struct tm_option_name *tm_option_find(const char *name, size_t length)
{
    for (size_t i = 0; i < TM_ARRAY_SIZE(names); i++)
        if (strlen(names[i].name) == length && memcmp(names[i].name, name, length) == 0)
            return &names[i];
    return NULL;
}

/* Options that are a yes. */
static bool *switch_of(enum option option, struct tm_options *options)
{
    switch (option) {
    case OPTION_READ_ONLY:
        return &options->read_only;
    case OPTION_EXCLUSIVE:
        return &options->exclusive;
    case OPTION_WRITEBACK:
        return &options->writeback;
    case OPTION_FOREGROUND:
        return &options->foreground;
    case OPTION_LIST:
        return &options->list;
    case OPTION_JSON:
        return &options->json;
    case OPTION_HELP:
        return &options->help;
    default:
        return NULL;
    }
}

enum tm_exit tm_option_apply(int option, const char *value, struct tm_options *options)
{
    bool *yes = switch_of((enum option)option, options);
    if (yes != NULL) {
        *yes = true;
        return TM_EXIT_OK;
    }
    switch (option) {
    case OPTION_WATCH:
        return parse_watch(value, options);
    case OPTION_SIZE:
        return parse_size(value, options);
    case OPTION_CODEC:
        return parse_codec(value, options);
    case OPTION_STORE:
        options->store = value;
        return TM_EXIT_OK;
    case OPTION_NAME:
        options->name = value;
        return TM_EXIT_OK;
    case OPTION_READ_AHEAD:
        return parse_read_ahead(value, options);
    case OPTION_ATTR_TIMEOUT:
        return parse_seconds("--attr-timeout", value, &options->attribute_seconds);
    case OPTION_ENTRY_TIMEOUT:
        return parse_seconds("--entry-timeout", value, &options->entry_seconds);
    case OPTION_THREADS:
        return parse_threads(value, options);
    case OPTION_BACKGROUND:
        options->foreground = false;
        return TM_EXIT_OK;
    default:
        return TM_EXIT_USAGE;
    }
}

/* Reads the option at arguments[*at], `--name value` or `--name=value`; moves *at to its end. */
static enum tm_exit parse_long(int count, char **arguments, int *at, struct tm_options *options)
{
    const char *name = arguments[*at] + 2;
    const char *equals = strchr(name, '=');
    const struct tm_option_name *known = tm_option_find(name, equals != NULL ? (size_t)(equals - name) : strlen(name));
    if (known == NULL)
        return tm_fail(TM_EXIT_USAGE, "unknown option '%s' " TRY_HELP, arguments[*at]);
    if (!known->has_value && equals != NULL)
        return tm_fail(TM_EXIT_USAGE, "--%s takes no value " TRY_HELP, known->name);
    if (!known->has_value)
        return tm_option_apply(known->option, NULL, options);
    if (equals != NULL)
        return tm_option_apply(known->option, equals + 1, options);
    if (*at + 1 >= count)
        return tm_fail(TM_EXIT_USAGE, "--%s needs a value " TRY_HELP, known->name);
    return tm_option_apply(known->option, arguments[++*at], options);
}

/* Reads the option at arguments[*at]: a long one, `-o LIST`, `-oLIST`, `-h`. */
static enum tm_exit parse_option(int count, char **arguments, int *at, struct tm_options *options)
{
    const char *argument = arguments[*at];
    if (argument[1] == '-')
        return parse_long(count, arguments, at, options);
    if (strcmp(argument, "-h") == 0)
        return tm_option_apply(OPTION_HELP, NULL, options);
    if (argument[1] != 'o')
        return tm_fail(TM_EXIT_USAGE, "unknown option '%s' " TRY_HELP, argument);
    if (argument[2] != '\0')
        return tm_mount_options_parse(argument + 2, options);
    if (*at + 1 >= count)
        return tm_fail(TM_EXIT_USAGE, "-o needs a value " TRY_HELP);
    return tm_mount_options_parse(arguments[++*at], options);
}

static unsigned default_threads(void)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned threads = cpus > 0 && cpus < 8 ? 2u * (unsigned)cpus : 16u;
    return threads < 4u ? 4u : threads;
}

static enum tm_exit check_list(const struct tm_options *options)
{
    if (options->directory != NULL)
        return tm_fail(TM_EXIT_USAGE, "mount: --list takes no directory: '%s' " TRY_HELP, options->directory);
    return TM_EXIT_OK;
}

/* What can only be said once all of it was read. */
static enum tm_exit check(const struct tm_options *options)
{
    if (options->list)
        return check_list(options);
    if (options->json)
        return tm_fail(TM_EXIT_USAGE, "mount: --json goes with --list (try: tmem mount --list --json)");
    if (options->directory == NULL)
        return tm_fail(TM_EXIT_USAGE, "mount: no DIR and no MNT " TRY_HELP);
    if (options->point == NULL)
        return tm_fail(TM_EXIT_USAGE, "mount: no MNT; to lay the cache over %s: tmem mount %s %s", options->directory,
                       options->directory, options->directory);
    if (options->directory[0] == '\0' || options->point[0] == '\0')
        return tm_fail(TM_EXIT_USAGE, "mount: %s is an empty name (is a variable not set?)",
                       options->directory[0] == '\0' ? "DIR" : "MNT");
    if (options->read_only && options->writeback)
        return tm_fail(TM_EXIT_USAGE, "mount: --writeback and --read-only exclude each other (leave one out)");
    if (options->store != NULL && (options->size_bytes != 0 || options->codec != NULL))
        return tm_fail(TM_EXIT_USAGE, "mount: --store names the whole store; write size and codec into its URI "
                                      "(try: --store embedded:size=512M,codec=zstd)");
    return TM_EXIT_OK;
}

enum tm_exit tm_options_parse(int count, char **arguments, struct tm_options *options)
{
    *options = (struct tm_options){
        .read_ahead_bytes = READ_AHEAD_DEFAULT,
        .attribute_seconds = -1.0,
        .entry_seconds = -1.0,
        .threads = default_threads(),
    };
    bool only_names = false;
    for (int at = 1; at < count; at++) {
        enum tm_exit code = TM_EXIT_OK;
        if (!only_names && strcmp(arguments[at], "--") == 0)
            only_names = true;
        else if (!only_names && arguments[at][0] == '-' && arguments[at][1] != '\0')
            code = parse_option(count, arguments, &at, options);
        else if (options->directory == NULL)
            options->directory = arguments[at];
        else if (options->point == NULL)
            options->point = arguments[at];
        else
            code = tm_fail(TM_EXIT_USAGE, "mount: unexpected argument '%s' " TRY_HELP, arguments[at]);
        if (code != TM_EXIT_OK)
            return code;
    }
    return options->help ? TM_EXIT_OK : check(options);
}

enum tm_exit tm_options_store_uri(const struct tm_options *options, char *uri, size_t uri_size)
{
    char asked[TM_SIZE_TEXT];
    char present[TM_SIZE_TEXT];
    char less[TM_SIZE_TEXT];
    if (options->store != NULL) {
        int length = snprintf(uri, uri_size, "%s", options->store);
        if (length < 0 || (size_t)length >= uri_size)
            return tm_fail(TM_EXIT_USAGE, "--store: the URI is too long");
        return TM_EXIT_OK;
    }

    struct sysinfo machine;
    if (sysinfo(&machine) != 0)
        return tm_fail(TM_EXIT_FAILED, "cannot find out how much memory this machine has "
                                       "(try: --store embedded:size=512M)");
    uint64_t memory_bytes = (uint64_t)machine.totalram * machine.mem_unit;
    uint64_t size_bytes = options->size_bytes != 0 ? options->size_bytes : memory_bytes / 4u;
    if (size_bytes > memory_bytes)
        return tm_fail(TM_EXIT_USAGE, "--size %s is more than the %s that this machine has (try: --size %s)",
                       tm_size_format(size_bytes, asked), tm_size_format(memory_bytes, present),
                       tm_size_format(memory_bytes / 4u, less));
    /* As many operations at once as there are threads: each costs the store a working area. */
    (void)snprintf(uri, uri_size, "embedded:size=%" PRIu64 ",workers=%u%s%s", size_bytes, options->threads,
                   options->codec != NULL ? ",codec=" : "", options->codec != NULL ? options->codec : "");
    return TM_EXIT_OK;
}
