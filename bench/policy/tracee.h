/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tracee.h - a command that runs traced, stopping at calls that read files: how it is started, and what it reads.
 */
#ifndef TM_BENCH_POLICY_TRACEE_H
#define TM_BENCH_POLICY_TRACEE_H

#include "recorder.h"

#include <sys/types.h>

/*
 * policy_tracee_start - starts the command, traced with everything it will start.
 *
 * It ends when this process does. Exit code 127 is its own way to say that the program cannot be run. TM_EXIT_OK;
 * otherwise as policy_record(), after a message, and there is no process.
 */
enum tm_exit policy_tracee_start(const struct policy_command *command, pid_t *process);

/* A system call that is under way and reads a file. */
struct policy_call {
    int descriptor;
    enum policy_position {
        POLICY_POSITION_OF_FILE, /* as the file has it, after the call */
        POLICY_POSITION_GIVEN,   /* `position` */
        POLICY_POSITION_BEHIND,  /* in the process's memory at `position`, after the call */
    } how;
    uint64_t position;
};

enum policy_stop {
    POLICY_STOP_OTHER,
    POLICY_STOP_READ,  /* *call says which; look again at its exit */
    POLICY_STOP_UNMAP, /* of `position` and as many bytes as `descriptor` pages */
    POLICY_STOP_EXECUTE,
};

/* What a process that stopped at the filter is about to do. */
struct policy_entry {
    enum policy_stop stop;
    struct policy_call call; /* POLICY_STOP_READ */
    uint64_t from;           /* POLICY_STOP_UNMAP */
    uint64_t to;
};

/* policy_tracee_entry - looks at a process that stopped at the filter. */
struct policy_entry policy_tracee_entry(pid_t process);

/* Bytes of a file that were read. */
struct policy_extent {
    uint64_t device;
    uint64_t inode;
    uint64_t offset;
    uint64_t bytes;
};

/* policy_tracee_exit - looks at the process at the end of the call. False: nothing was read, or no regular file on a
 * disk. */
bool policy_tracee_exit(pid_t process, const struct policy_call *call, struct policy_extent *extent);

#endif
