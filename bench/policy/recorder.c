/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * recorder.c - see recorder.h. One loop waits for whatever traced process stops next, looks, and lets it go on.
 *
 * A new process stops before it runs, and its parent stops as well, to say what it has made: a process of its own,
 * one that borrows its parent's memory until it executes a program, or a thread. Which of the two is seen first is
 * open; a new one is held until its parent has said so.
 */
#include "recorder.h"

#include "mappings.h"
#include "tracee.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

enum kind {
    UNKNOWN,
    PROCESS, /* has memory of its own */
    BORROWER /* a thread, or a child that shares its parent's memory: what is mapped in is noted by others */
};

struct traced {
    pid_t id; /* 0: not in use */
    enum kind kind;
    bool is_held; /* has stopped, and waits for its parent's word */
    bool is_reading;
    struct policy_call call;
    struct policy_page last;      /* read */
    struct policy_pages *at_exec; /* mapped in when it began to execute another program; counts if that succeeds */
};

struct recorder {
    struct policy_trace *trace;
    struct traced *traced;
    unsigned count;
    pid_t root;
    int status; /* the root's, once it has ended */
    bool has_ended;
    bool no_memory;
};

/* ---- who is traced ---- */

static struct traced *find(struct recorder *recorder, pid_t id)
{
    struct traced *unused = NULL;
    for (unsigned i = 0; i < recorder->count; i++) {
        if (recorder->traced[i].id == id)
            return &recorder->traced[i];
        if (recorder->traced[i].id == 0)
            unused = &recorder->traced[i];
    }
    if (unused == NULL) {
        struct traced *more = reallocarray(recorder->traced, recorder->count + 16u, sizeof *more);
        if (more == NULL) {
            recorder->no_memory = true;
            return NULL;
        }
        memset(more + recorder->count, 0, 16u * sizeof *more);
        recorder->traced = more;
        unused = more + recorder->count;
        recorder->count += 16u;
    }
    *unused = (struct traced){.id = id, .last = {UINT32_MAX, UINT32_MAX}};
    return unused;
}

static void forget(struct traced *traced)
{
    if (traced->at_exec != NULL)
        policy_pages_free(traced->at_exec);
    free(traced->at_exec);
    *traced = (struct traced){0};
}

static void go_on(pid_t process, enum __ptrace_request how, int with_signal)
{
    /* Where this fails the process has been killed, and its end is what comes next. */
    (void)ptrace(how, process, NULL, (void *)(intptr_t)with_signal);
}

/* A process has made another one, and says of which kind. */
static void note_child(struct recorder *recorder, pid_t parent, enum kind kind)
{
    unsigned long id = 0;
    if (ptrace(PTRACE_GETEVENTMSG, parent, NULL, &id) != 0)
        return;
    struct traced *child = find(recorder, (pid_t)id);
    if (child == NULL)
        return;
    child->kind = kind;
    if (child->is_held)
        go_on(child->id, PTRACE_CONT, 0);
    child->is_held = false;
}

/* ---- what is noted ---- */

static void note_pages(struct recorder *recorder, struct policy_pages *pages)
{
    for (uint64_t i = 0; i < pages->count && !recorder->no_memory; i++)
        recorder->no_memory = !policy_trace_read(recorder->trace, pages->page[i].file, pages->page[i].index);
}

static void note_mapped(struct recorder *recorder, pid_t process, uint64_t from, uint64_t to)
{
    struct policy_pages pages = {0};
    if (!policy_mappings_read(recorder->trace, process, from, to, &pages))
        recorder->no_memory = true;
    note_pages(recorder, &pages);
    policy_pages_free(&pages);
}

static void note_read(struct recorder *recorder, struct traced *traced)
{
    struct policy_extent extent;
    uint32_t file;
    if (!policy_tracee_exit(traced->id, &traced->call, &extent))
        return;
    if (!policy_trace_file(recorder->trace, extent.device, extent.inode, &file)) {
        recorder->no_memory = true;
        return;
    }
    uint64_t last = (extent.offset + extent.bytes - 1u) / TM_PAGE_BYTES;
    for (uint64_t index = extent.offset / TM_PAGE_BYTES; index <= last && !recorder->no_memory; index++) {
        if (traced->last.file != file || traced->last.index != index)
            recorder->no_memory = !policy_trace_read(recorder->trace, file, (uint32_t)index);
        traced->last = (struct policy_page){file, (uint32_t)index};
    }
}

static void begin_exec(struct recorder *recorder, struct traced *traced)
{
    if (traced->at_exec == NULL)
        traced->at_exec = calloc(1, sizeof *traced->at_exec);
    if (traced->at_exec == NULL) {
        recorder->no_memory = true;
        return;
    }
    traced->at_exec->count = 0;
    if (traced->kind == PROCESS &&
        !policy_mappings_read(recorder->trace, traced->id, 0, UINT64_MAX, traced->at_exec))
        recorder->no_memory = true;
}

static void end_exec(struct recorder *recorder, struct traced *traced)
{
    unsigned long before = 0;
    /* A thread that executes a program becomes its process's first thread. */
    if (ptrace(PTRACE_GETEVENTMSG, traced->id, NULL, &before) == 0 && (pid_t)before != traced->id) {
        for (unsigned i = 0; i < recorder->count; i++)
            if (recorder->traced[i].id == (pid_t)before)
                forget(&recorder->traced[i]);
    }
    if (traced->at_exec != NULL) {
        note_pages(recorder, traced->at_exec);
        traced->at_exec->count = 0;
    }
    traced->kind = PROCESS;
    traced->is_reading = false;
    traced->last = (struct policy_page){UINT32_MAX, UINT32_MAX};
}

/* ---- stops ---- */

static void at_filter(struct recorder *recorder, struct traced *traced)
{
    struct policy_entry entry = policy_tracee_entry(traced->id);
    switch (entry.stop) {
    case POLICY_STOP_READ:
        traced->call = entry.call;
        traced->is_reading = true;
        go_on(traced->id, PTRACE_SYSCALL, 0);
        return;
    case POLICY_STOP_UNMAP:
        note_mapped(recorder, traced->id, entry.from, entry.to);
        break;
    case POLICY_STOP_EXECUTE:
        begin_exec(recorder, traced);
        break;
    case POLICY_STOP_OTHER:
        break;
    }
    go_on(traced->id, PTRACE_CONT, 0);
}

static bool is_stop_signal(int number)
{
    return number == SIGSTOP || number == SIGTSTP || number == SIGTTIN || number == SIGTTOU;
}

/* A new process that has not begun, or one that somebody stopped. */
static void at_group_stop(struct traced *traced, int number)
{
    if (traced->kind == UNKNOWN)
        traced->is_held = true;
    else if (is_stop_signal(number))
        go_on(traced->id, PTRACE_LISTEN, 0);
    else
        go_on(traced->id, PTRACE_CONT, 0);
}

static void at_stop(struct recorder *recorder, struct traced *traced, int status)
{
    pid_t id = traced->id; /* the table may move when a child is entered */
    int number = WSTOPSIG(status);
    bool is_call_exit = number == (SIGTRAP | 0x80);
    switch (status >> 16) {
    case PTRACE_EVENT_SECCOMP:
        at_filter(recorder, traced);
        return;
    case PTRACE_EVENT_FORK:
        note_child(recorder, id, PROCESS);
        break;
    case PTRACE_EVENT_VFORK:
    case PTRACE_EVENT_CLONE:
        note_child(recorder, id, BORROWER);
        break;
    case PTRACE_EVENT_EXEC:
        end_exec(recorder, traced);
        break;
    case PTRACE_EVENT_EXIT:
        if (traced->kind == PROCESS)
            note_mapped(recorder, traced->id, 0, UINT64_MAX);
        break;
    case PTRACE_EVENT_STOP:
        at_group_stop(traced, number);
        return;
    default:
        if (is_call_exit && traced->is_reading)
            note_read(recorder, traced);
        traced->is_reading = false;
        go_on(traced->id, PTRACE_CONT, is_call_exit ? 0 : number);
        return;
    }
    go_on(id, PTRACE_CONT, 0);
}

/* ---- the loop ---- */

static void kill_all(const struct recorder *recorder)
{
    for (unsigned i = 0; i < recorder->count; i++)
        if (recorder->traced[i].id != 0)
            (void)kill(recorder->traced[i].id, SIGKILL);
}

static void at_end(struct recorder *recorder, struct traced *traced, int status)
{
    if (traced->id == recorder->root) {
        recorder->has_ended = true;
        recorder->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    forget(traced);
}

/* Until nobody is left. False: interrupted, or no memory. */
static bool watch(struct recorder *recorder)
{
    bool is_good = true;
    for (;;) {
        int status;
        pid_t id = waitpid(-1, &status, __WALL);
        if (id < 0 && errno == EINTR) {
            is_good = false;
            kill_all(recorder);
            continue;
        }
        if (id < 0)
            return is_good && !recorder->no_memory;
        struct traced *traced = find(recorder, id);
        if (traced == NULL)
            (void)kill(id, SIGKILL);
        else if (WIFSTOPPED(status))
            at_stop(recorder, traced, status);
        else
            at_end(recorder, traced, status);
        if (recorder->has_ended || recorder->no_memory)
            kill_all(recorder);
    }
}

static double now_seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

enum tm_exit policy_record(struct policy_trace *trace, const struct policy_command *command, int *status)
{
    struct recorder recorder = {.trace = trace};
    double begin = now_seconds();
    enum tm_exit code = policy_tracee_start(command, &recorder.root);
    if (code != TM_EXIT_OK)
        return code;
    struct traced *root = find(&recorder, recorder.root);
    if (root != NULL)
        root->kind = BORROWER; /* of our own program, until it becomes the command */
    if (!watch(&recorder))
        code = tm_fail(TM_EXIT_FAILED, recorder.no_memory ? "no memory for the trace of %s" : "%s was interrupted",
                       command->arguments[0]);
    for (unsigned i = 0; i < recorder.count; i++)
        forget(&recorder.traced[i]);
    free(recorder.traced);
    *status = recorder.status;
    trace->seconds += now_seconds() - begin;
    return code;
}
