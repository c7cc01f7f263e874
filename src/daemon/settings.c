/* SPDX-License-Identifier: BSD-2-Clause */
/* settings.c - see settings.h. */
#include "daemon/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "command/size.h"
#include "daemon/crowd.h"
#include "daemon/log.h"
#include "daemon/tenant.h"

/* Descriptors of a connection, and of the daemon itself. */
#define DESCRIPTORS_EACH 3u
#define DESCRIPTORS_OWN 256u

static void report(void *context, const char *place, const char *text)
{
    (void)context;
    tm_log("%s: %s", place, text);
}

/* False: there is no such place. */
static bool default_path(char *path, size_t path_size)
{
    const char *configuration = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    int length = -1;
    if (geteuid() == 0)
        length = snprintf(path, path_size, "/etc/tmem/tmemd.conf");
    else if (configuration != NULL && configuration[0] == '/')
        length = snprintf(path, path_size, "%s/tmem/tmemd.conf", configuration);
    else if (home != NULL && home[0] == '/')
        length = snprintf(path, path_size, "%s/.config/tmem/tmemd.conf", home);
    return length > 0 && (size_t)length < path_size;
}

enum tm_exit tm_settings_init(struct tm_settings *settings, const char *path, uint64_t size_bytes)
{
    *settings = (struct tm_settings){.is_required = path != NULL, .size_bytes = size_bytes};
    if (path == NULL) {
        if (!default_path(settings->path, sizeof settings->path))
            settings->path[0] = '\0';
        return TM_EXIT_OK;
    }
    /* It is read again from wherever the daemon is then. */
    if (realpath(path, settings->path) != NULL)
        return TM_EXIT_OK;
    char cause[TM_ERROR_TEXT_SIZE];
    int error = errno;
    tm_log("%s: cannot open it: %s (%s)", path, tm_error_text(error, cause),
           tm_error_remedy(error, "is the name right?"));
    return tm_exit_of_error(error);
}

void tm_settings_fini(struct tm_settings *settings)
{
    while (settings->config != NULL) {
        struct tm_config *config = settings->config;
        settings->config = config->before;
        tm_config_fini(config);
        free(config);
    }
}

/* NULL: it has problems, which were told. */
static struct tm_config *read_new(const struct tm_settings *settings)
{
    struct tm_config *config = malloc(sizeof *config);
    if (config == NULL) {
        tm_log("no memory for the configuration");
        return NULL;
    }
    tm_config_init(config);
    if (settings->path[0] != '\0' &&
        tm_config_read(config, settings->path, settings->is_required, report, NULL) != 0) {
        tm_config_fini(config);
        free(config);
        return NULL;
    }
    if (settings->size_bytes != 0)
        config->size_bytes = settings->size_bytes;
    return config;
}

enum tm_exit tm_settings_read(struct tm_settings *settings)
{
    struct tm_config *config = read_new(settings);
    if (config == NULL)
        return TM_EXIT_FAILED;
    config->before = settings->config;
    settings->config = config;
    return TM_EXIT_OK;
}

uint32_t tm_settings_connections(uint32_t connections)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return connections;
    uint64_t wanted = (uint64_t)connections * DESCRIPTORS_EACH + DESCRIPTORS_OWN;
    if (limit.rlim_cur < wanted) {
        limit.rlim_cur = tm_min_u64(wanted, limit.rlim_max);
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_cur >= wanted)
        return connections;
    uint64_t enough = limit.rlim_cur > DESCRIPTORS_OWN ? (limit.rlim_cur - DESCRIPTORS_OWN) / DESCRIPTORS_EACH : 1;
    tm_log("the limit of %llu open files is enough for %llu connections, not %u (see ulimit -Hn, LimitNOFILE=)",
           (unsigned long long)limit.rlim_cur, (unsigned long long)enough, connections);
    return (uint32_t)tm_max_u64(enough, 1);
}

/* ---- again ---- */

/* A setting that takes a new start stays what it was. */
static void keep(const char *key, bool differs, const void *now, void *next, size_t bytes)
{
    if (!differs)
        return;
    memcpy(next, now, bytes);
    tm_log("%s: takes a new start of the daemon, and stays as it was", key);
}

#define KEEP(key, field) keep(key, now->field != next->field, &now->field, &next->field, sizeof now->field)
/* @text: the field, or what of it is text and says all. */
#define KEEP_TEXT(key, text, field) \
    keep(key, strcmp(now->text, next->text) != 0, &now->field, &next->field, sizeof now->field)

static void keep_constants(const struct tm_config *now, struct tm_config *next)
{
    KEEP_TEXT("[daemon] socket", socket, socket);
    KEEP("[daemon] threads", threads);
    KEEP_TEXT("[store] codec", codec, codec);
    KEEP("[store] dedup", dedup);
    KEEP("[store] defer", defer);
    KEEP_TEXT("[control] socket", control_socket, control_socket);
    KEEP_TEXT("[control] group", control_group, control_group);
    KEEP("[control] mode", control_mode);
    KEEP_TEXT("[metrics] listen", metrics_address.text, metrics_address);
    KEEP_TEXT("[metrics] socket", metrics_socket, metrics_socket);
    KEEP("[metrics] clients", metrics_clients);
}

static void change_store(struct tmem_store *store, const struct tm_config *now, struct tm_config *next)
{
    char size[TM_SIZE_TEXT];
    if (next->size_bytes != now->size_bytes && tmem_store_set_size(store, next->size_bytes) != TMEM_OK) {
        tm_log("[store] size: the store cannot have %s, and stays as it was",
               tm_size_format(next->size_bytes, size));
        next->size_bytes = now->size_bytes;
    }
    if (next->cold_percent != now->cold_percent &&
        tmem_store_set_cold(store, next->cold_percent, TM_CONFIG_COLD_SECONDS) != TMEM_OK) {
        tm_log("[store] cold: this store's codec has no better one, or there is no memory for it; it stays as it was");
        next->cold_percent = now->cold_percent;
    }
}

void tm_settings_reload(struct tm_settings *settings, struct tm_daemon *daemon)
{
    const struct tm_config *now = settings->config;
    struct tm_config *next = read_new(settings);
    if (next == NULL) {
        tm_log("the configuration stays as it was");
        return;
    }
    keep_constants(now, next);
    change_store(daemon->store, now, next);
    if (next->connections != now->connections)
        tm_crowd_set_most(daemon->crowd, tm_settings_connections(next->connections));
    next->before = settings->config;
    settings->config = next;
    tm_tenants_reload(daemon->tenants, daemon, next);
    tm_log("the configuration was read again");
}
