/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * source.h - DIR: the directory that is cached, and how its files are found again.
 *
 * It is opened before anything is mounted over it, where the kernel allows it as a private
 * view of its filesystem (a detached bind mount): then neither what is mounted below DIR nor the
 * cache itself can come into the way, and reading leaves no access times.
 *
 * A file is known by what the kernel calls its handle (root, most filesystems): opening it needs no
 * path and survives renames. Otherwise it is known by device, inode and a path (place.h). Either
 * way no descriptor is kept per file.
 *
 * Threads: everything after tm_source_open() may overlap.
 */
#ifndef TM_FUSE_SOURCE_H
#define TM_FUSE_SOURCE_H

#include "command/command.h"

#include <fcntl.h>
#include <sys/stat.h>

struct tm_source {
    int root;          /* DIR; readable where permitted */
    bool by_handle;    /* files are found by handle */
    bool private_view; /* root lies in a mount of our own */
    bool readable;     /* root is open for reading, not only as a place */
    int buffered;      /* atomic; not 0: this filesystem refuses direct I/O */
    dev_t device;
    unsigned long mount_flags; /* ST_NOSUID, ST_NODEV, ST_NOEXEC of where DIR lies */
};

/* What a file is, found by looking at it once. */
struct tm_identity {
    struct stat status;
    int handle_type;
    unsigned handle_bytes; /* 0 when files are not found by handle */
    unsigned char handle[MAX_HANDLE_SZ];
};

/*
 * tm_source_open - open DIR, where possible so that nothing in it can be changed if @read_only.
 *
 * Returns TM_EXIT_OK, or a code after a message; nothing is left open then.
 */
enum tm_exit tm_source_open(struct tm_source *source, const char *directory, bool read_only) TM_MUST_USE;

void tm_source_close(struct tm_source *source);

/* tm_source_identify - fill *identity for the open descriptor @fd. 0, or the errno. */
int tm_source_identify(const struct tm_source *source, int fd, struct tm_identity *identity) TM_MUST_USE;

/* tm_source_open_handle - open a file by its handle; a descriptor, or minus the errno (-ESTALE when
 * the file exists no more). */
int tm_source_open_handle(const struct tm_source *source, int handle_type, const unsigned char *handle,
                          unsigned handle_bytes, int flags) TM_MUST_USE;

/*
 * tm_source_open_at - open @name in the directory @directory, which is root or lies below it.
 *
 * Never leaves DIR, follows no symlink, crosses into no other mount (-EXDEV). A descriptor, or
 * minus the errno.
 */
int tm_source_open_at(const struct tm_source *source, int directory, const char *name, int flags) TM_MUST_USE;

#endif
