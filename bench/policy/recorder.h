/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * recorder.h - runs a command and notes every page of a file that it, and all that it starts, reads.
 *
 * Purpose  A filesystem sees only what the kernel's cache lets through, and the kernel's cache tells nobody what it
 *          answers. So the reads are seen where they are asked for: the command runs traced (ptrace), and stops at the
 *          system calls that read, which a seccomp filter picks out, so that the others cost nothing. No privilege.
 * Sees     read, pread, readv, preadv, copy_file_range and sendfile of regular files: each page once for each call,
 *          in the order of the calls, but a page that one process reads by several calls in a row counts once.
 *          Mapped files: the pages that a process had mapped in when it unmapped the file, ended or executed another
 *          program; the kernel maps the neighbours of a page in, up to 16 in all, which counts as reading them.
 * Not seen A mapped page is noted once for each process, at its end, however often it was used. io_uring, splice,
 *          and calls of another architecture (32-bit programs). Writes, and pages that a write left in memory, are no
 *          reads; a file that is written anew in place keeps its pages' names.
 * Threads  one recording at a time in a process that has no other children.
 */
#ifndef TM_BENCH_POLICY_RECORDER_H
#define TM_BENCH_POLICY_RECORDER_H

#include "command/command.h"
#include "trace.h"

struct policy_command {
    const char *const *arguments; /* as for execvp() */
    const char *folder;           /* where it runs; NULL: here */
    const char *input;            /* path of its standard input; NULL: none. Its output goes nowhere. */
};

/*
 * policy_record - runs the command to its end and adds its reads to the trace.
 *
 * @status  receives the command's exit status, or 128 and the signal that ended it.
 *
 * TM_EXIT_OK; TM_EXIT_NOT_FOUND: the machine cannot trace, after a message; TM_EXIT_FAILED after a message. The
 * command and all it started have ended.
 */
enum tm_exit policy_record(struct policy_trace *trace, const struct policy_command *command, int *status);

#endif
