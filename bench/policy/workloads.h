/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * workloads.h - the programs whose reads are recorded: a compile, searches, a database.
 */
#ifndef TM_BENCH_POLICY_WORKLOADS_H
#define TM_BENCH_POLICY_WORKLOADS_H

#include "recorder.h"

enum policy_workload {
    POLICY_COMPILE,
    POLICY_SEARCH,
    POLICY_DATABASE,
    POLICY_MIX, /* of all that were recorded; not a workload of its own */
    POLICY_WORKLOADS,
    POLICY_TURNS = POLICY_WORKLOADS, /* the same one after the other, where asked for */
    POLICY_TRACES
};

/* What is recorded. */
struct policy_recording {
    const char *tree;    /* searched */
    const char *compile; /* a command for the shell, or NULL: C files made for it */
    bool quick;          /* less of everything */
};

extern const char *const policy_workload_names[POLICY_TRACES];

/*
 * policy_workloads_record - records all of them, and mixes what was recorded.
 *
 * @traces    POLICY_WORKLOADS of them, empty; a trace that could not be recorded since the machine lacks a program
 *            stays empty, after a message. The caller frees them, also after a failure.
 * @progress  is told what is being done.
 *
 * TM_EXIT_OK, or a code after a message.
 */
enum tm_exit policy_workloads_record(const struct policy_recording *recording, struct policy_trace *traces,
                                     void (*progress)(const char *what));

/* policy_workloads_turns - makes the trace POLICY_TURNS of the others. TM_EXIT_OK, or a code after a message. */
enum tm_exit policy_workloads_turns(struct policy_trace *traces);

#endif
