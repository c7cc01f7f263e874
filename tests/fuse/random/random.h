/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * random.h - random operations on two directories at once, which must agree after every one.
 *
 * Each process has files of its own, the same in both directories: it does an operation on either and compares
 * what came of it. Besides all processes share one file, in which each has slices of its own: there an operation
 * of one process must not harm what another has put beside it in the same page.
 */
#ifndef TM_TEST_RANDOM_H
#define TM_TEST_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum side {
    PLAIN,
    MOUNT,
    SIDES
};

#define SLOTS 6u
#define FILE_BYTES_MAX (UINT64_C(4) << 20)
#define HISTORY 1000u /* kept */
#define SHOWN 20u     /* printed, besides those of the same file */
#define PAGE_BYTES 4096u

/* The file that all share: slices of this many bytes belong to the processes in turn, and cross pages. */
#define SLICE_BYTES 1000u
#define SLICES 400u

/* One file of a process, open in both directories. */
struct slot {
    char name[32];
    unsigned id; /* of the file, whatever name it has */
    int fds[SIDES];
    int direct[SIDES];         /* the same with O_DIRECT; -1: not open */
    unsigned char *map[SIDES]; /* file_bytes of it, shared; NULL: not mapped */
    bool stored;               /* by a mapping, since the last fsync() */
    uint64_t size;
};

struct event {
    uint64_t number;
    const char *operation;
    const char *name;
    unsigned id;
    uint64_t offset, length, other;
    long result;
};

struct process {
    unsigned number;
    uint64_t seed;
    uint64_t random;
    uint64_t operation;  /* number of the current one, from 1 */
    uint64_t operations; /* to be done */
    uint64_t perturb_at; /* from this operation on it is falsified; 0: never */
    const char *roots[SIDES];
    struct slot slots[SLOTS];
    struct event history[HISTORY];
    uint64_t file_bytes;           /* no file is larger; whole pages */
    unsigned char *buffers[SIDES]; /* of file_bytes, aligned */
    unsigned processes;
    unsigned files_made;
    int shared[SIDES];
    unsigned char *shared_map[SIDES];
};

uint64_t next_random(struct process *process);
/* A number below @limit, small ones as likely as large ones. */
uint64_t any_size(struct process *process, uint64_t limit);

/* Writes down what is done now. */
void remember(struct process *process, const char *operation, const struct slot *slot, uint64_t offset,
              uint64_t length, uint64_t other);
void remember_result(struct process *process, long result);

/* agree - both sides answered the same, results and errors; else the process ends. Answers the result. */
long agree(struct process *process, long plain, int plain_error, long mount, int mount_error);
/* fail - prints what is wrong and the last operations, and ends the process. */
void fail(struct process *process, const char *what, uint64_t a, uint64_t b) __attribute__((noreturn));
/* same_bytes - the buffers agree in this many bytes of @name from @offset on. */
void same_bytes(struct process *process, const unsigned char *plain, const unsigned char *mount, size_t size,
                uint64_t offset);

/* file.c */
void slots_open(struct process *process);
void slots_close(struct process *process);
/* Does one operation, any. */
void file_operation(struct process *process);

/* shared.c */
void shared_open(struct process *process);
void shared_operation(struct process *process);
void shared_close(struct process *process);

/* behind.c: changes files in @dir, which MNT shows, until @stop is not 0. */
void change_behind(const char *dir, uint64_t seed, const int *stop);
/* Reads and writes the same files through MNT, with no certain outcome. */
void touch_changing(struct process *process);

/* compare.c: all files of both directories are the same, and MNT is as DIR (NULL: unknown). Number of differences. */
unsigned compare_all(const char *plain, const char *mount, const char *dir);

#define BEHIND_FILES 8u

#endif
