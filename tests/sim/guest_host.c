/* SPDX-License-Identifier: BSD-2-Clause */
/* guest_host.c - what an embedded store takes for the host's memory is a test host's, which has no threads. */
#include "sim/guest_host.h"

#include <stdlib.h>

#include "host/host_linux.h"
#include "sim/schedule.h"

#define SPANS 512u /* of each arena: address space, not memory */

uint64_t sim_guest_host_seed;

struct tm_host_linux {
    struct tm_test_host test;
};

static unsigned thread_number(void *user)
{
    (void)user;
    return coroutine_current();
}

enum tm_host_linux_error tm_host_linux_create(const struct tm_host_linux_config *config,
                                              struct tm_host_linux **result)
{
    struct tm_host_linux *host = calloc(1, sizeof *host);
    TM_ASSERT(host != NULL);
    tm_test_host_init(&host->test, SPANS, config->workers);
    host->test.host.thread_number = thread_number;
    host->test.random_state = sim_guest_host_seed;
    *result = host;
    return TM_HOST_LINUX_OK;
}

void tm_host_linux_destroy(struct tm_host_linux *host)
{
    if (!tm_test_host_is_clean(&host->test))
        sim_fail("the store is closed, and the host has not got back all of its memory");
    tm_test_host_fini(&host->test);
    free(host);
}

const struct tm_host *tm_host_linux_table(struct tm_host_linux *host)
{
    return &host->test.host;
}

bool tm_host_linux_start_worker(struct tm_host_linux *host, enum tm_background_work (*work)(void *user), void *user)
{
    (void)host;
    (void)work;
    (void)user;
    return false;
}

void tm_host_linux_stop_worker(struct tm_host_linux *host)
{
    (void)host;
}

uint64_t tm_host_linux_machine_bytes(void)
{
    return UINT64_MAX;
}
