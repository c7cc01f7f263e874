/* SPDX-License-Identifier: BSD-2-Clause */
/* report.c - see report.h. */
#include "report.h"

#include <jansson.h>
#include <math.h>

#include "rates.h"

static json_int_t number(uint64_t value)
{
    return (json_int_t)(value < INT64_MAX ? value : INT64_MAX);
}

/* What there is none of is null. */
static json_t *real(double value)
{
    return isnan(value) ? json_null() : json_real(value);
}

/* Members of @more behind those of @object; both are consumed. */
static json_t *joined(json_t *object, json_t *more)
{
    bool is_whole = object != NULL && more != NULL && json_object_update(object, more) == 0;
    json_decref(more);
    if (is_whole)
        return object;
    json_decref(object);
    return NULL;
}

static json_t *json_of_rates(const struct top_rates *rates)
{
    return json_pack("{s:o, s:o, s:o, s:o}", "hit_ratio", real(rates->hit_ratio), "gets_per_second",
                     real(rates->gets_per_second), "puts_per_second", real(rates->puts_per_second),
                     "evicted_per_second", real(rates->evicted_per_second));
}

static json_t *json_of_quantiles(const struct top_quantiles *quantiles)
{
    return json_pack("{s:I, s:I, s:I}", "p50_ns", number(quantiles->p50_ns), "p99_ns", number(quantiles->p99_ns),
                     "p999_ns", number(quantiles->p999_ns));
}

/* An array of what @make makes of each; NULL: no memory. */
struct context {
    const struct top_sample *before;
    const struct top_sample *now;
    const struct top_client *client; /* whose pools or evictors they are */
    const struct top_client *earlier;
    double seconds;
    bool with_pools;
};

static json_t *array_of(size_t count, const struct context *context,
                        json_t *(*make)(const struct context *context, size_t index))
{
    json_t *array = json_array();
    for (size_t i = 0; i < count && array != NULL; i++)
        if (json_array_append_new(array, make(context, i)) != 0) {
            json_decref(array);
            array = NULL;
        }
    return array;
}

static json_t *json_of_pool(const struct context *context, size_t index)
{
    const struct top_pool *pool = &context->client->pools[index];
    struct top_rates rates = top_rates_of_pool(top_find_pool(context->earlier, pool->id), pool, context->seconds);
    return joined(json_pack("{s:I, s:s, s:I, s:I}", "pool", number(pool->id), "kind", pool->kind, "members",
                            number(pool->members), "pages", number(pool->counts.pages)),
                  json_of_rates(&rates));
}

static json_t *json_of_evictor(const struct context *context, size_t index)
{
    const struct top_evictor *evictor = &context->client->evictors[index];
    return json_pack("{s:s?, s:I, s:I}", "client", evictor->name[0] != '\0' ? evictor->name : NULL, "pages",
                     number(top_pages_lost(context->earlier, evictor)), "pages_ever", number(evictor->pages));
}

static json_t *json_of_client(const struct context *all, size_t index)
{
    struct context context = *all;
    const struct top_client *client = &all->now->clients[index];
    context.client = client;
    context.earlier = top_find_client(all->before, client->name);
    struct top_rates rates = top_rates_of_client(context.earlier, client, all->seconds);
    json_t *object = json_pack(
        "{s:s, s:s, s:b, s:I, s:I, s:I, s:o, s:o, s:o, s:o}", "client", client->name, "state", client->state,
        "frozen", (int)client->is_frozen, "weight", number(client->weight), "pages", number(client->counts.pages),
        "charged_bytes", number(client->charged_bytes), "cap_bytes",
        client->cap_bytes == UINT64_MAX ? json_null() : json_integer(number(client->cap_bytes)), "get_us",
        real(rates.get_us), "put_us", real(rates.put_us), "lost_to",
        array_of(client->evictor_count, &context, json_of_evictor));
    object = joined(object, json_of_rates(&rates));
    if (context.with_pools)
        object = joined(object, json_pack("{s:o}", "pools", array_of(client->pool_count, &context, json_of_pool)));
    return object;
}

char *top_report(const struct top_sample *before, const struct top_sample *now, bool with_pools)
{
    struct context context = {.before = before,
                              .now = now,
                              .seconds = top_seconds_between(before, now),
                              .with_pools = with_pools};
    struct top_rates rates = top_rates_of_all(before, now);
    struct top_quantiles get = top_quantiles_of(now, &before->get, &now->get);
    struct top_quantiles put = top_quantiles_of(now, &before->put, &now->put);
    json_t *object = json_pack(
        "{s:f, s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "seconds", context.seconds, "size_bytes", number(now->size_bytes),
        "resident_bytes", number(now->resident_bytes), "metadata_bytes", number(now->metadata_bytes), "stored_bytes",
        number(now->stored_bytes), "get", json_of_quantiles(&get), "put", json_of_quantiles(&put), "clients",
        array_of(now->client_count, &context, json_of_client));
    object = joined(object, json_of_rates(&rates));
    char *text = object != NULL ? json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;
    json_decref(object);
    return text;
}
