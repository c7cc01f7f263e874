/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * metrics_client.c - see metrics_client.h. The format wants all samples of a family together, so first everybody is
 * looked at, and then family after family is written.
 */
#include "daemon/metrics_client.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/causes.h"
#include "daemon/metrics.h"
#include "daemon/tenant.h"

#define LABELS_MAX 4u

/* Whose numbers they are. */
struct subject {
    char name[TMEM_CLIENT_NAME_SIZE]; /* empty: the store */
    bool is_connected;
    struct tmem_client_stats stats;
    struct tmem_ledger ledger;
    struct tmem_evictor evictors[TMEM_EVICTORS_MAX];
    size_t evictor_count;
    struct tm_latency_sums latency;
};

struct subjects {
    struct tm_exposition *out;
    struct subject *subject;
    size_t count;
    bool are_clients;
};

/* ---- samples ---- */

/* A sample of @subject with up to two more labels; NULL: without. */
static void sample(const struct subjects *all, const struct subject *subject, const char *name_1, const char *value_1,
                   const char *name_2, const char *value_2, uint64_t value)
{
    struct tm_label labels[LABELS_MAX];
    unsigned count = 0;
    if (all->are_clients)
        labels[count++] = (struct tm_label){"client", subject->name};
    if (name_1 != NULL)
        labels[count++] = (struct tm_label){name_1, value_1};
    if (name_2 != NULL)
        labels[count++] = (struct tm_label){name_2, value_2};
    tm_exposition_number(all->out, labels, count, value);
}

/* A family of clients, or of the store. */
static void family(const struct subjects *all, enum tm_family_kind kind, const char *of_clients, const char *of_store,
                   const char *help)
{
    tm_exposition_family(all->out, kind, all->are_clients ? of_clients : of_store, help);
}

/* ---- operations, by kind of pool and outcome ---- */

static const struct {
    const char *name;
    size_t offset;
} kinds[] = {
    {"ephemeral", offsetof(struct tmem_ledger, ephemeral)},
    {"persistent", offsetof(struct tmem_ledger, persistent)},
};

/* Counters of which those above are two. */
static const struct tmem_counters *counters_of(const struct subject *subject, size_t kind)
{
    return (const struct tmem_counters *)(const void *)((const unsigned char *)&subject->ledger + kinds[kind].offset);
}

/* What becomes of an operation: the first is what is left of those asked for when the others are taken off. */
struct outcome {
    const char *name;
    size_t offset;
};

static uint64_t number_at(const struct tmem_counters *counters, size_t offset)
{
    uint64_t number;
    memcpy(&number, (const unsigned char *)counters + offset, sizeof number);
    return number;
}

/* While others count, parts may be ahead of the sum. */
static uint64_t rest_of(const struct tmem_counters *counters, size_t asked, const struct outcome *outcomes,
                        size_t count)
{
    uint64_t rest = number_at(counters, asked);
    for (size_t i = 1; i < count; i++)
        rest -= tm_min_u64(rest, number_at(counters, outcomes[i].offset));
    return rest;
}

static void write_outcomes(const struct subjects *all, size_t asked, const struct outcome *outcomes, size_t count)
{
    for (size_t i = 0; i < all->count; i++)
        for (size_t kind = 0; kind < TM_ARRAY_SIZE(kinds); kind++) {
            const struct tmem_counters *counters = counters_of(&all->subject[i], kind);
            for (size_t k = 0; k < count; k++)
                sample(all, &all->subject[i], "kind", kinds[kind].name, "result", outcomes[k].name,
                       k == 0 ? rest_of(counters, asked, outcomes, count) : number_at(counters, outcomes[k].offset));
        }
}

/* One number for each kind of pool. */
static void write_kinds(const struct subjects *all, size_t offset)
{
    for (size_t i = 0; i < all->count; i++)
        for (size_t kind = 0; kind < TM_ARRAY_SIZE(kinds); kind++)
            sample(all, &all->subject[i], "kind", kinds[kind].name, NULL, NULL,
                   number_at(counters_of(&all->subject[i], kind), offset));
}

#define AT(field) offsetof(struct tmem_counters, field)

static void write_operations(const struct subjects *all)
{
    static const struct outcome puts[] = {{"refused", 0}, {"stored", AT(puts_stored)}};
    static const struct outcome gets[] = {{"missed", 0}, {"found", AT(gets_found)}, {"corrupt", AT(gets_corrupt)}};
    static const struct outcome pages[] = {{"missed", 0}, {"found", AT(invalidates_found)}};
    static const struct outcome objects[] = {{"missed", 0}, {"found", AT(object_invalidates_found)}};
    family(all, TM_FAMILY_COUNTER, "tmem_client_puts", "tmem_store_puts", "Puts, by kind of pool and result.");
    write_outcomes(all, AT(puts), puts, TM_ARRAY_SIZE(puts));
    family(all, TM_FAMILY_COUNTER, "tmem_client_replacing_puts", "tmem_store_replacing_puts",
           "Puts that were stored over an older page.");
    write_kinds(all, AT(puts_replaced));
    family(all, TM_FAMILY_COUNTER, "tmem_client_dropping_puts", "tmem_store_dropping_puts",
           "Refused puts that removed an older page.");
    write_kinds(all, AT(puts_dropped_old));
    family(all, TM_FAMILY_COUNTER, "tmem_client_gets", "tmem_store_gets", "Gets, by kind of pool and result.");
    write_outcomes(all, AT(gets), gets, TM_ARRAY_SIZE(gets));
    family(all, TM_FAMILY_COUNTER, "tmem_client_invalidates", "tmem_store_invalidates",
           "Invalidations of a page, by kind of pool and result.");
    write_outcomes(all, AT(invalidates), pages, TM_ARRAY_SIZE(pages));
    family(all, TM_FAMILY_COUNTER, "tmem_client_object_invalidates", "tmem_store_object_invalidates",
           "Invalidations of an object, by kind of pool and result.");
    write_outcomes(all, AT(object_invalidates), objects, TM_ARRAY_SIZE(objects));
}

static void write_contents(const struct subjects *all)
{
    family(all, TM_FAMILY_GAUGE, "tmem_client_pages", "tmem_store_pages", "Pages that are there, by kind of pool.");
    write_kinds(all, AT(pages));
    family(all, TM_FAMILY_GAUGE, "tmem_client_most_pages", "tmem_store_most_pages",
           "The most pages that there ever were, summed over the pools that there are.");
    write_kinds(all, AT(pages_max));
    family(all, TM_FAMILY_GAUGE, "tmem_client_objects", "tmem_store_objects",
           "Objects that have pages, by kind of pool.");
    write_kinds(all, AT(objects));
}

/* ---- reasons ---- */

static void write_reasons(const struct subjects *all)
{
    family(all, TM_FAMILY_COUNTER, "tmem_client_evicted_pages", "tmem_store_evicted_pages",
           "Pages that the store dropped, by cause: room for a put, a cap, a smaller store, an operator's reclaim, or "
           "a few ahead of need.");
    for (size_t i = 0; i < all->count; i++)
        for (unsigned why = 0; why < TMEM_EVICTION_COUNT; why++)
            sample(all, &all->subject[i], "cause", tm_eviction_name(why), NULL, NULL,
                   all->subject[i].ledger.evicted[why]);
    family(all, TM_FAMILY_COUNTER, "tmem_client_refused_puts", "tmem_store_refused_puts",
           "Puts that were refused, by cause: a frozen client, a cap, no room, no memory.");
    for (size_t i = 0; i < all->count; i++)
        for (unsigned why = 0; why < TMEM_REFUSAL_COUNT; why++)
            sample(all, &all->subject[i], "cause", tm_refusal_name(why), NULL, NULL,
                   all->subject[i].ledger.refused[why]);
}

void tm_metrics_store_ledger(struct tm_exposition *out, const struct tmem_ledger *ledger)
{
    struct subject store = {.ledger = *ledger};
    const struct subjects all = {out, &store, 1, false};
    write_operations(&all);
    write_contents(&all);
    write_reasons(&all);
}

/* ---- clients ---- */

static void write_settings(const struct subjects *all)
{
    struct tm_exposition *out = all->out;
#define EACH(kind, name, help, number)                                                  \
    tm_exposition_family(out, kind, name, help);                                        \
    for (const struct subject *at = all->subject; at < all->subject + all->count; at++) \
    sample(all, at, NULL, NULL, NULL, NULL, number)
    EACH(TM_FAMILY_GAUGE, "tmem_client_connected", "1: it is connected; 0: it has left persistent pages behind.",
         at->is_connected);
    EACH(TM_FAMILY_GAUGE, "tmem_client_frozen", "1: its puts are refused.", at->stats.frozen);
    EACH(TM_FAMILY_GAUGE, "tmem_client_weight", "Its share when memory is short, beside the others' weights.",
         at->stats.weight);
    EACH(TM_FAMILY_GAUGE, "tmem_client_charged_bytes", "What is charged to it.", at->stats.charged_bytes);
    EACH(TM_FAMILY_GAUGE, "tmem_client_most_charged_bytes", "The most that ever was.", at->stats.charged_max_bytes);
    EACH(TM_FAMILY_GAUGE, "tmem_client_pools", "Its pools, and the shared ones that it is a member of.",
         at->stats.pools);
#undef EACH
    tm_exposition_family(out, TM_FAMILY_GAUGE, "tmem_client_cap_bytes", "Limit on charged bytes, for who has one.");
    for (size_t i = 0; i < all->count; i++)
        if (all->subject[i].stats.cap_bytes != UINT64_MAX)
            sample(all, &all->subject[i], NULL, NULL, NULL, NULL, all->subject[i].stats.cap_bytes);
}

static void write_evictors(const struct subjects *all)
{
    tm_exposition_family(all->out, TM_FAMILY_COUNTER, "tmem_client_lost_pages",
                         "Pages that a client above its share lost for another's puts, by whose: a few of those who "
                         "took most, and the others together.");
    for (size_t i = 0; i < all->count; i++)
        for (size_t k = 0; k < all->subject[i].evictor_count; k++) {
            const struct tmem_evictor *evictor = &all->subject[i].evictors[k];
            const char *by = evictor->name[0] != '\0' ? evictor->name : TM_METRICS_OTHERS;
            sample(all, &all->subject[i], "by", by, NULL, NULL, evictor->pages);
        }
}

static void write_latency(const struct subjects *all)
{
    tm_exposition_family(all->out, TM_FAMILY_SUMMARY, "tmem_client_request_seconds",
                         "What its gets and puts took in the daemon's thread. One in 16, at random, is timed and "
                         "counted here.");
    for (size_t i = 0; i < all->count; i++) {
        const struct tm_latency_sums *latency = &all->subject[i].latency;
        struct tm_label labels[2] = {{"client", all->subject[i].name}, {"operation", "get"}};
        tm_exposition_summary(all->out, labels, 2, latency->gets, latency->get_ns);
        labels[1].value = "put";
        tm_exposition_summary(all->out, labels, 2, latency->puts, latency->put_ns);
    }
}

/* ---- looking at everybody ---- */

static bool look_at(struct tm_tenants *tenants, const struct tm_tenant *tenant, struct subject *subject)
{
    uint64_t left_ns;
    memset(subject, 0, sizeof *subject);
    memcpy(subject->name, tenant->name, sizeof subject->name);
    subject->is_connected = !tm_tenant_waits(tenants, tenant, &left_ns);
    subject->latency.gets = tm_load_relaxed(&tenant->latency.gets);
    subject->latency.get_ns = tm_load_relaxed(&tenant->latency.get_ns);
    subject->latency.puts = tm_load_relaxed(&tenant->latency.puts);
    subject->latency.put_ns = tm_load_relaxed(&tenant->latency.put_ns);
    return tmem_client_stats(tenant->client, &subject->stats, sizeof subject->stats) == TMEM_OK &&
           tmem_client_ledger(tenant->client, &subject->ledger, sizeof subject->ledger) == TMEM_OK &&
           tmem_client_evictors(tenant->client, subject->evictors, &subject->evictor_count) == TMEM_OK;
}

/* Adds numbers that lie one after the other. */
static void add_numbers(void *to, const void *from, size_t bytes)
{
    uint64_t *sum = to;
    const uint64_t *more = from;
    for (size_t i = 0; i < bytes / sizeof *sum; i++)
        sum[i] += more[i];
}

/* One more of those who have no label of their own. */
static void add_to_others(struct subject *others, const struct subject *one)
{
    TM_STATIC_ASSERT(sizeof others->ledger % sizeof(uint64_t) == 0);
    memcpy(others->name, TM_METRICS_OTHERS, sizeof TM_METRICS_OTHERS);
    others->is_connected = others->is_connected || one->is_connected;
    others->stats.frozen = others->stats.frozen != 0 || one->stats.frozen != 0;
    others->stats.weight += one->stats.weight;
    others->stats.cap_bytes = UINT64_MAX; /* a sum of some caps is none */
    others->stats.charged_bytes += one->stats.charged_bytes;
    others->stats.charged_max_bytes += one->stats.charged_max_bytes;
    others->stats.pools += one->stats.pools;
    add_numbers(&others->ledger, &one->ledger, sizeof others->ledger);
    add_numbers(&others->latency, &one->latency, sizeof others->latency);
    others->evictor_count = one->stats.evicted_for_others != 0 ? 1 : others->evictor_count;
    others->evictors[0].pages += one->stats.evicted_for_others;
}

bool tm_metrics_clients(struct tm_exposition *out, const struct tm_daemon *daemon)
{
    char name[TMEM_CLIENT_NAME_SIZE] = "";
    size_t most = tm_config_of(daemon)->metrics_clients;
    struct subject one;
    struct tm_tenant *tenant;
    struct subjects all = {.out = out, .are_clients = true};
    all.subject = calloc(most + 1u, sizeof *all.subject);
    if (all.subject == NULL)
        return false;
    while ((tenant = tm_tenants_hold_next(daemon->tenants, name)) != NULL) {
        memcpy(name, tenant->name, sizeof name);
        bool is_whole = look_at(daemon->tenants, tenant, &one);
        tm_tenant_release(daemon->tenants, tenant);
        if (is_whole && all.count < most)
            all.subject[all.count++] = one;
        else if (is_whole)
            add_to_others(&all.subject[most], &one);
    }
    all.count += all.subject[most].name[0] != '\0';
    write_settings(&all);
    write_operations(&all);
    write_contents(&all);
    write_reasons(&all);
    write_evictors(&all);
    write_latency(&all);
    free(all.subject);
    return true;
}
