/* SPDX-License-Identifier: BSD-2-Clause */
/* restore.c - see restore.h. */
#include "daemon/restore.h"

#include "daemon/log.h"
#include "daemon/tenant.h"

static bool restore_client(const struct tm_daemon *daemon, const char *name)
{
    struct tmem_client *client;
    enum tmem_result result = tmem_client_open(daemon->store, name, &client);
    if (result == TMEM_OK)
        result = tm_tenant_restore(daemon->tenants, client, name);
    /* It was just being made: nobody was told of it. */
    if (result == TMEM_NOT_FOUND)
        tmem_client_destroy(client);
    else if (result != TMEM_OK)
        tm_log("cannot take over client '%s': %s", name, tmem_result_text(result));
    return result == TMEM_OK || result == TMEM_NOT_FOUND;
}

/* Pages whose bytes are not what was stored: their clients are told with each get. */
static void tell_of_damage(const struct tm_daemon *daemon)
{
    struct tmem_store_stats stats;
    if (tmem_store_stats(daemon->store, &stats, sizeof stats) == TMEM_OK && stats.corrupt_pages != 0)
        tm_log("warning: %llu of the pages that were taken over are damaged",
               (unsigned long long)stats.corrupt_pages);
}

bool tm_restore(const struct tm_daemon *daemon)
{
    char name[TMEM_CLIENT_NAME_SIZE] = "";
    size_t count = 0;
    for (;;) {
        if (tmem_store_clients(daemon->store, name, &name, 1, &count) != TMEM_OK)
            return false;
        if (count == 0)
            break;
        if (!restore_client(daemon, name))
            return false;
    }
    tell_of_damage(daemon);
    return true;
}
