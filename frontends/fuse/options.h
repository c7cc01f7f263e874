/* SPDX-License-Identifier: BSD-2-Clause */
/* options.h - the command line of `tmem mount`. */
#ifndef TM_FUSE_OPTIONS_H
#define TM_FUSE_OPTIONS_H

#include "command/command.h"

struct tm_options {
    const char *directory; /* DIR as given */
    const char *point;     /* MNT as given */
    bool read_only;
    bool foreground;
    bool help;
    const char *store;         /* URI, or NULL: made of size and codec */
    uint64_t size_bytes;       /* 0: the default */
    const char *codec;         /* NULL: the default */
    uint64_t read_ahead_bytes; /* a multiple of the page size */
    double attribute_seconds;
    double entry_seconds;
    unsigned threads;
    const char *name; /* of the client in the store; NULL: the default */
};

/* Text of `tmem mount --help`. */
extern const char tm_options_help[];

/*
 * tm_options_parse - read the command line; the strings stay the caller's.
 *
 * Returns TM_EXIT_OK, or TM_EXIT_USAGE after a message. Looks at nothing but the arguments.
 */
enum tm_exit tm_options_parse(int count, char **arguments, struct tm_options *options) TM_MUST_USE;

/*
 * tm_options_store_uri - the URI to open the store by: --store, or one made of the other options.
 * Returns TM_EXIT_OK, or a code after a message (the size is more than the machine has).
 */
enum tm_exit tm_options_store_uri(const struct tm_options *options, char *uri, size_t uri_size) TM_MUST_USE;

#endif
