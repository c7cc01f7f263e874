/* SPDX-License-Identifier: BSD-2-Clause */
/* sample.c - see sample.h. */
#include "sample.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- JSON ---- */

static uint64_t number_of(const json_t *object, const char *name)
{
    json_int_t value = json_integer_value(json_object_get(object, name));
    return value < 0 ? 0 : (uint64_t)value;
}

static void copy_text(const json_t *object, const char *name, char *text, size_t text_size)
{
    const char *value = json_string_value(json_object_get(object, name));
    (void)snprintf(text, text_size, "%s", value != NULL ? value : "");
}

static void read_counts(const json_t *object, struct top_counts *counts)
{
    counts->pages = number_of(object, "pages");
    counts->gets = number_of(object, "gets");
    counts->found = number_of(object, "gets_found");
    counts->puts = number_of(object, "puts");
    counts->evicted = number_of(object, "evicted");
}

/* False: no memory. */
static bool read_pools(const json_t *array, struct top_client *client)
{
    size_t count = json_array_size(array);
    client->pools = calloc(count + 1u, sizeof *client->pools);
    if (client->pools == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        const json_t *object = json_array_get(array, i);
        struct top_pool *pool = &client->pools[i];
        pool->id = number_of(object, "pool");
        pool->members = number_of(object, "members");
        copy_text(object, "kind", pool->kind, sizeof pool->kind);
        read_counts(object, &pool->counts);
    }
    client->pool_count = count;
    return true;
}

static void read_evictors(const json_t *array, struct top_client *client)
{
    size_t count = json_array_size(array);
    for (size_t i = 0; i < count && i < TMEM_EVICTORS_MAX; i++) {
        const json_t *object = json_array_get(array, i);
        copy_text(object, "client", client->evictors[i].name, sizeof client->evictors[i].name);
        client->evictors[i].pages = number_of(object, "pages");
        client->evictor_count = i + 1u;
    }
}

static bool read_client(const json_t *object, struct top_client *client)
{
    copy_text(object, "client", client->name, sizeof client->name);
    copy_text(object, "state", client->state, sizeof client->state);
    client->is_frozen = json_is_true(json_object_get(object, "frozen"));
    client->weight = number_of(object, "weight");
    client->cap_bytes = UINT64_MAX;
    if (json_is_integer(json_object_get(object, "cap_bytes")))
        client->cap_bytes = number_of(object, "cap_bytes");
    client->charged_bytes = number_of(object, "charged_bytes");
    client->refused = number_of(object, "puts_refused");
    client->timed_gets = number_of(object, "timed_gets");
    client->timed_get_ns = number_of(object, "timed_get_ns");
    client->timed_puts = number_of(object, "timed_puts");
    client->timed_put_ns = number_of(object, "timed_put_ns");
    read_counts(object, &client->counts);
    read_evictors(json_object_get(object, "evictors"), client);
    return read_pools(json_object_get(object, "pool_list"), client);
}

static bool read_clients(const json_t *array, struct top_sample *sample)
{
    size_t count = json_array_size(array);
    struct top_client *clients = reallocarray(sample->clients, sample->client_count + count + 1u, sizeof *clients);
    if (clients == NULL)
        return false;
    sample->clients = clients;
    for (size_t i = 0; i < count; i++) {
        struct top_client *client = &clients[sample->client_count];
        memset(client, 0, sizeof *client);
        if (!read_client(json_array_get(array, i), client))
            return false;
        sample->client_count++;
    }
    return true;
}

static void read_latency(const json_t *operations, const char *name, struct top_latency *latency)
{
    const json_t *counts = json_object_get(json_object_get(operations, name), "counts");
    for (size_t i = 0; i < TOP_LIMITS_MAX; i++)
        latency->counts[i] = (uint64_t)json_integer_value(json_array_get(counts, i));
}

static void read_latencies(const json_t *answer, struct top_sample *sample)
{
    const json_t *limits = json_object_get(answer, "limits_ns");
    const json_t *operations = json_object_get(answer, "operations");
    size_t count = json_array_size(limits);
    sample->limit_count = count < TOP_LIMITS_MAX ? count : TOP_LIMITS_MAX - 1u;
    for (size_t i = 0; i < sample->limit_count; i++)
        sample->limits_ns[i] = (uint64_t)json_integer_value(json_array_get(limits, i));
    read_latency(operations, "get", &sample->get);
    read_latency(operations, "put", &sample->put);
}

/* ---- asking ---- */

static enum tm_exit exit_of(enum tmem_result result)
{
    if (result == TMEM_UNAVAILABLE)
        return TM_EXIT_NO_DAEMON;
    return result == TMEM_DENIED ? TM_EXIT_DENIED : TM_EXIT_FAILED;
}

/* The answer's object, or NULL with a text. */
static json_t *ask(struct top_source *source, const char *request, enum tm_exit *code, char *text, size_t text_size)
{
    const char *line;
    json_error_t error;
    enum tmem_result result = tmem_daemon_ask(source->daemon, request, NULL, 0, &line);
    *code = exit_of(result);
    if (result != TMEM_OK) {
        (void)snprintf(text, text_size, "the daemon does not answer: %s (is it running? see: tmemd --help)",
                       tmem_result_text(result));
        return NULL;
    }
    json_t *answer = json_loads(line, 0, &error);
    const char *word = json_string_value(json_object_get(answer, "result"));
    if (word != NULL && strcmp(word, "ok") == 0)
        return answer;
    const char *problem = json_string_value(json_object_get(answer, "error"));
    *code = word != NULL && strcmp(word, "denied") == 0 ? TM_EXIT_DENIED : TM_EXIT_FAILED;
    (void)snprintf(text, text_size, "the daemon answers: %s", problem != NULL ? problem : "nothing of use");
    json_decref(answer);
    return NULL;
}

static enum tm_exit no_memory(char *text, size_t text_size)
{
    (void)snprintf(text, text_size, "no memory");
    return TM_EXIT_FAILED;
}

/* All clients, in as many questions as it takes. */
static enum tm_exit ask_clients(struct top_source *source, struct top_sample *sample, char *text, size_t text_size)
{
    char request[128 + TMEM_CLIENT_NAME_SIZE];
    char after[TMEM_CLIENT_NAME_SIZE] = "";
    enum tm_exit code;
    do {
        (void)snprintf(request, sizeof request,
                       "{\"verb\":\"list\",\"activity\":true,\"pools\":true,\"after\":\"%s\"}", after);
        json_t *answer = ask(source, request, &code, text, text_size);
        if (answer == NULL)
            return code;
        const json_t *store = json_object_get(answer, "store");
        sample->size_bytes = number_of(store, "size_bytes");
        sample->resident_bytes = number_of(store, "resident_bytes");
        sample->stored_bytes = number_of(store, "stored_bytes");
        sample->metadata_bytes = number_of(store, "metadata_bytes");
        bool is_whole = read_clients(json_object_get(answer, "clients"), sample);
        copy_text(answer, "next", after, sizeof after);
        json_decref(answer);
        if (!is_whole)
            return no_memory(text, text_size);
    } while (after[0] != '\0');
    return TM_EXIT_OK;
}

static enum tm_exit fill(struct top_source *source, struct top_sample *sample, char *text, size_t text_size)
{
    struct tmem_error error;
    struct timespec now;
    enum tm_exit code;
    if (source->daemon == NULL) {
        enum tmem_result result = tmem_daemon_open(source->path, &source->daemon, &error);
        if (result != TMEM_OK) {
            source->daemon = NULL;
            (void)snprintf(text, text_size, "%s", error.text);
            return exit_of(result);
        }
    }
    json_t *answer = ask(source, "{\"verb\":\"latency\"}", &code, text, text_size);
    if (answer == NULL)
        return code;
    read_latencies(answer, sample);
    json_decref(answer);
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    sample->seconds = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
    return ask_clients(source, sample, text, text_size);
}

enum tm_exit top_sample_take(struct top_source *source, struct top_sample *sample, char *text, size_t text_size)
{
    memset(sample, 0, sizeof *sample);
    enum tm_exit code = fill(source, sample, text, text_size);
    if (code != TM_EXIT_OK) {
        top_sample_free(sample);
        top_source_close(source);
    }
    return code;
}

void top_sample_free(struct top_sample *sample)
{
    for (size_t i = 0; i < sample->client_count; i++)
        free(sample->clients[i].pools);
    free(sample->clients);
    memset(sample, 0, sizeof *sample);
}

void top_source_close(struct top_source *source)
{
    tmem_daemon_close(source->daemon);
    source->daemon = NULL;
}
