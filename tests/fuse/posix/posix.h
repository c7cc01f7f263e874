/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * posix.h - what a case of the POSIX suite writes down, and how.
 *
 * A case is a function that makes system calls in its own empty current directory and notes what they
 * answered. It runs twice, each time in a child of its own: once in a plain directory and once in a mount.
 * Whatever was noted, and the state of the directory afterwards, must be the same line by line. So a case notes
 * nothing that depends on the place: no descriptors, inode numbers or times, only relations between them.
 *
 * The plain directory says what is right: a case states no expectations, it only has to get at them.
 */
#ifndef TM_TEST_POSIX_H
#define TM_TEST_POSIX_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>

struct posix_case {
    const char *name; /* a sentence; NULL ends a table */
    void (*run)(void);
    bool needs_root; /* else it runs as root and as an ordinary user */
};

/* Two ordinary users who have nothing in common, and a group that both may be given. */
#define USER_A 12345u
#define USER_B 65534u
#define GROUP_SHARED 23456u

/*
 * TRY(call) - makes the call and notes what it answered, a number or the name of the error; its value is the
 * answer. TRY_OPEN() is for calls that answer a descriptor: notes "ok" for any.
 * MUST() and MUST_OPEN() end the case as failed when the call fails: for what the case is not about.
 */
#define TRY(call) (errno = 0, note_result(#call, (long)(call)))
#define TRY_OPEN(call) (errno = 0, note_open(#call, (call)))
#define MUST(call) (errno = 0, must(#call, (long)(call)))
#define MUST_OPEN(call) ((int)(errno = 0, must(#call, (long)(call))))

long note_result(const char *what, long result);
int note_open(const char *what, int fd);
long must(const char *what, long result);

/* note - one line. label() says what all lines from here on belong to, until the next one. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
void label(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* known - what is noted from here on is known to differ, for the reason given; NULL ends that. */
void known(const char *reason);

/* note_bytes - length and hash. note_text - a string as it is. note_open_file - length and all bytes of @fd. */
void note_bytes(const char *what, const void *bytes, size_t size);
void note_text(const char *what, const char *text);
void note_open_file(const char *what, int fd);

/* note_stat - kind, mode, owner, links, size; of a link itself. note_file - that, the bytes, the attributes. */
void note_stat(const char *path);
void note_status(const char *what, const struct stat *status);
void note_file(const char *path);

/* TIMES(path, call) - makes the call, notes its answer, and which times of @path it changed. */
#define TIMES(path, call)             \
    do {                              \
        struct stat before_;          \
        times_before(path, &before_); \
        TRY(call);                    \
        times_after(path, &before_);  \
    } while (0)
void times_before(const char *path, struct stat *before);
void times_after(const char *path, const struct stat *before);

/* write_file - a new file with this text, as setup. fill - bytes that tell where they belong. */
void write_file(const char *path, const char *text);
void write_bytes(const char *path, size_t size, uint64_t seed);
void fill(void *bytes, size_t size, uint64_t seed);

/* in_child - run @function in a child and wait; notes its exit status when it is not 0. run_as - the same as an
 * ordinary user with this one group, and GROUP_SHARED as another if @shared. */
void in_child(void (*function)(void));
void run_as(uid_t user, bool shared, void (*function)(void));

/* walk.c: the state of a tree as text, one line for each name, in order. */
enum walk_detail {
    WALK_COMPARABLE, /* what is equal in two trees with the same history */
    WALK_IDENTICAL   /* besides inode numbers and times: the same tree, seen twice */
};
void walk_tree(FILE *out, const char *root, enum walk_detail detail);
uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t size);
uint64_t hash_file(int fd);
void remove_all_here(void); /* whatever lies in the current directory */
void write_xattrs(FILE *out, const char *path);

/* note.c, for the runner: where lines go. */
void note_begin(FILE *out);

extern const struct posix_case open_cases[];
extern const struct posix_case data_cases[];
extern const struct posix_case space_cases[];
extern const struct posix_case map_cases[];
extern const struct posix_case link_cases[];
extern const struct posix_case unlink_cases[];
extern const struct posix_case rename_cases[];
extern const struct posix_case directory_cases[];
extern const struct posix_case special_cases[];
extern const struct posix_case attribute_cases[];
extern const struct posix_case time_cases[];
extern const struct posix_case xattr_cases[];
extern const struct posix_case lock_cases[];
extern const struct posix_case name_cases[];
extern const struct posix_case user_cases[];

#endif
