/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * host_linux.h - a store's host in a Linux process: memory, threads' numbers, clock, and the thread that does
 * background work.
 *
 * The ephemeral arena is private anonymous memory with huge pages; the persistent one too, or a memfd that can
 * outlive the process. Arenas are reserved address space; a span becomes resident when it is committed, and goes
 * back to the kernel at once when it is released. They are kept out of core dumps and of forked children.
 *
 * Threads: create and destroy are their caller's; everything in the table may be called from any thread.
 */
#ifndef TM_HOST_LINUX_H
#define TM_HOST_LINUX_H

#include "base/host.h"
#include "host/background.h"

struct tm_host_linux;

struct tm_host_linux_config {
    uint64_t size_bytes; /* of the store, to choose how much address space is reserved */
    unsigned workers;    /* 0: twice the CPUs */
    bool use_memfd;      /* persistent arena in a memfd */
    int arena_fd;        /* with use_memfd: an existing one, or -1 to make one; it is duplicated */
};

enum tm_host_linux_error {
    TM_HOST_LINUX_OK,
    TM_HOST_LINUX_NOMEM,  /* no memory or address space */
    TM_HOST_LINUX_BAD_FD, /* arena_fd is not a memfd (or other memory file) that can be resized and mapped */
    TM_HOST_LINUX_NO_MEMFD
};

/* Makes a host; on success *result is ended with tm_host_linux_destroy(). */
TM_MUST_USE enum tm_host_linux_error tm_host_linux_create(const struct tm_host_linux_config *config,
                                                          struct tm_host_linux **result);
void tm_host_linux_destroy(struct tm_host_linux *host);

/* The table to give to a store. Valid while the host is. */
const struct tm_host *tm_host_linux_table(struct tm_host_linux *host);

/*
 * Starts a thread that calls work(user) whenever host->kick() was called, and as work's answers say. False: no
 * thread could be made.
 */
TM_MUST_USE bool tm_host_linux_start_worker(struct tm_host_linux *host, enum tm_background_work (*work)(void *user),
                                            void *user);
void tm_host_linux_stop_worker(struct tm_host_linux *host);

/* Bytes of memory that this machine has. */
uint64_t tm_host_linux_machine_bytes(void);

#endif
