/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mount_options.c - the list behind -o, as mount(8) and fstab have it.
 *
 * mount(8) passes on what it does not take for itself, and with it words that mean something to others only
 * (`nofail` to the boot, `x-systemd.automount` to systemd). Those are known here and do nothing. Everything
 * else must be known as well: a word that is passed over in silence is a promise that is not kept.
 */
#include "options.h"

#include <stdio.h>
#include <string.h>

#define TRY_HELP "(try: tmem mount --help)"

/* Words without a value that set a flag. */
struct flag {
    const char *name;
    size_t member; /* offset of a bool in struct tm_options */
    bool value;
};

#define FLAG(name, member, value)                            \
    {                                                        \
        (name), offsetof(struct tm_options, member), (value) \
    }

static const struct flag flags[] = {
    FLAG("ro", read_only, true),
    FLAG("rw", read_only, false),
    FLAG("nosuid", no_suid, true),
    FLAG("suid", no_suid, false),
    FLAG("nodev", no_device, true),
    FLAG("dev", no_device, false),
    FLAG("noexec", no_execute, true),
    FLAG("exec", no_execute, false),
    FLAG("noatime", no_access_time, true),
    FLAG("atime", no_access_time, false),
    FLAG("allow_other", allow_other, true),
    FLAG("sloppy", sloppy, true),
};

/* For others, or what is so anyway; `user` may come with a name. */
static const char *const accepted[] = {
    "defaults",
    "auto",
    "noauto",
    "nofail",
    "_netdev",
    "user",
    "users",
    "nouser",
    "owner",
    "noowner",
    "group",
    "nogroup",
    "async",
    "diratime",
    "nodiratime",
    "relatime",
    "norelatime",
    "strictatime",
    "nostrictatime",
    "lazytime",
    "nolazytime",
    "silent",
    "loud",
    "default_permissions",
};

static const char *const accepted_with_value[] = {"comment=", "user=", "x-", "X-"};

/* What one might expect to work, and what to do instead. */
static const struct {
    const char *name;
    const char *instead;
} refused[] = {
    {"remount", "options of a mount cannot be changed; unmount, and mount again"},
    {"bind", "try: mount --bind"},
    {"rbind", "try: mount --rbind"},
    {"sync", "write with O_SYNC, or call fsync()"},
    {"dirsync", "call fsync() on the directory"},
};

static bool is_accepted(const char *word)
{
    for (size_t i = 0; i < TM_ARRAY_SIZE(accepted); i++)
        if (strcmp(accepted[i], word) == 0)
            return true;
    for (size_t i = 0; i < TM_ARRAY_SIZE(accepted_with_value); i++)
        if (strncmp(accepted_with_value[i], word, strlen(accepted_with_value[i])) == 0)
            return true;
    return false;
}

static bool apply_flag(const char *word, struct tm_options *options)
{
    for (size_t i = 0; i < TM_ARRAY_SIZE(flags); i++) {
        if (strcmp(flags[i].name, word) == 0) {
            memcpy((char *)options + flags[i].member, &flags[i].value, sizeof flags[i].value);
            return true;
        }
    }
    return false;
}

static enum tm_exit refuse(const char *word)
{
    for (size_t i = 0; i < TM_ARRAY_SIZE(refused); i++)
        if (strcmp(refused[i].name, word) == 0)
            return tm_fail(TM_EXIT_USAGE, "mount: -o %s is not offered (%s)", word, refused[i].instead);
    return tm_fail(TM_EXIT_USAGE, "mount: unknown option '%s' behind -o " TRY_HELP, word);
}

static enum tm_exit apply_word(const char *word, struct tm_options *options)
{
    const char *equals = strchr(word, '=');
    size_t length = equals != NULL ? (size_t)(equals - word) : strlen(word);
    if (word[0] == '\0' || is_accepted(word) || apply_flag(word, options))
        return TM_EXIT_OK;
    const struct tm_option_name *known = tm_option_find(word, length);
    if (known == NULL || !known->in_list)
        return options->sloppy ? TM_EXIT_OK : refuse(word);
    if (known->has_value != (equals != NULL))
        return tm_fail(TM_EXIT_USAGE, "mount: -o %s %s " TRY_HELP, known->name,
                       known->has_value ? "needs a value" : "takes no value");
    return tm_option_apply(known->option, equals != NULL ? equals + 1 : NULL, options);
}

/*
 * Copies the word at *list to @word, up to a comma that stands for itself: one behind a backslash or between
 * double quotes is part of the word (`store="embedded:size=1G,codec=zstd"`). Moves *list behind the comma.
 * Returns the word's length, or -1 if a quote is not closed.
 */
static ptrdiff_t cut_word(const char **list, char *word)
{
    const char *from = *list;
    size_t used = 0;
    bool quoted = false;
    while (*from != '\0' && (quoted || *from != ',')) {
        if (*from == '"') {
            quoted = !quoted;
            from++;
            continue;
        }
        if (*from == '\\' && from[1] != '\0')
            from++;
        word[used++] = *from++;
    }
    word[used] = '\0';
    *list = *from == ',' ? from + 1 : from;
    return quoted ? -1 : (ptrdiff_t)used;
}

enum tm_exit tm_mount_options_parse(const char *list, struct tm_options *options)
{
    if (strlen(list) >= sizeof options->list_text - options->list_used)
        return tm_fail(TM_EXIT_USAGE, "mount: what stands behind -o is too long (at most %u bytes)",
                       TM_OPTIONS_LIST_SIZE - 1u);
    const char *at = list;
    enum tm_exit code = TM_EXIT_OK;
    while (code == TM_EXIT_OK && *at != '\0') {
        /* Never longer than what it was cut from, comma or NUL included. */
        char *word = options->list_text + options->list_used;
        ptrdiff_t length = cut_word(&at, word);
        if (length < 0)
            return tm_fail(TM_EXIT_USAGE, "mount: a quote is not closed in -o %s", list);
        options->list_used += (size_t)length + 1u;
        code = apply_word(word, options);
    }
    return code;
}
