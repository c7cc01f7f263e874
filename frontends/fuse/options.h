/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options.h - the command line of `tmem mount`.
 *
 * options.c reads what begins with two dashes, mount_options.c the list behind -o, which is what fstab
 * has. An option that both have means the same in both.
 */
#ifndef TM_FUSE_OPTIONS_H
#define TM_FUSE_OPTIONS_H

#include "command/command.h"

/* How changes on DIR are noticed that were not made through MNT. */
enum tm_watch_how {
    TM_WATCH_AUTO, /* as the machine permits */
    TM_WATCH_FANOTIFY,
    TM_WATCH_INOTIFY,
    TM_WATCH_OFF, /* only when a file is opened */
};

/* Bytes that all lists behind -o may take together. */
#define TM_OPTIONS_LIST_SIZE 4096u

struct tm_options {
    const char *directory; /* DIR as given */
    const char *point;     /* MNT as given */
    bool read_only;
    bool exclusive; /* DIR is changed through MNT only */
    bool writeback; /* what is written reaches DIR at fsync and close */
    enum tm_watch_how watch;
    bool foreground;
    bool help;
    bool list;                 /* --list: nothing is mounted */
    bool json;                 /* with list */
    const char *store;         /* URI, or NULL: made of size and codec */
    uint64_t size_bytes;       /* 0: the default */
    const char *codec;         /* NULL: the default */
    uint64_t read_ahead_bytes; /* a multiple of the page size */
    double attribute_seconds;  /* negative: not said */
    double entry_seconds;
    unsigned threads;
    const char *name; /* of the client in the store; NULL: the default */

    /* What mount(8) knows. */
    bool no_suid;
    bool no_device;
    bool no_execute;
    bool no_access_time;
    bool allow_other; /* demanded; without it, others are allowed where that is permitted */
    bool sloppy;      /* unknown names behind -o are passed over */

    /* The lists behind -o, cut at their commas; values point into it. */
    char list_text[TM_OPTIONS_LIST_SIZE];
    size_t list_used;
};

/* Text of `tmem mount --help`. */
extern const char tm_options_help[];

/*
 * tm_options_parse - read the command line; the strings stay the caller's, and *options stays where it is
 * (it may point into itself).
 *
 * Returns TM_EXIT_OK, or TM_EXIT_USAGE after a message. Looks at nothing but the arguments.
 */
enum tm_exit tm_options_parse(int count, char **arguments, struct tm_options *options) TM_MUST_USE;

/*
 * tm_options_store_uri - the URI to open the store by: --store, or one made of the other options.
 * Returns TM_EXIT_OK, or a code after a message (the size is more than the machine has).
 */
enum tm_exit tm_options_store_uri(const struct tm_options *options, char *uri, size_t uri_size) TM_MUST_USE;

/*
 * For mount_options.c and options.c only.
 */

/* tm_mount_options_parse - read a list "NAME[=VALUE],..." as behind -o. TM_EXIT_OK, or TM_EXIT_USAGE after
 * a message. */
enum tm_exit tm_mount_options_parse(const char *list, struct tm_options *options) TM_MUST_USE;

/* What an option is called in both notations, and what it takes. */
struct tm_option_name {
    const char *name; /* without dashes */
    int option;
    bool has_value;
    bool in_list; /* may stand behind -o */
};

/* tm_option_find - the option called @name (@length bytes), or NULL. */
const struct tm_option_name *tm_option_find(const char *name, size_t length);

/* tm_option_apply - note one option. TM_EXIT_OK, or TM_EXIT_USAGE after a message. */
enum tm_exit tm_option_apply(int option, const char *value, struct tm_options *options) TM_MUST_USE;

#endif
