/* SPDX-License-Identifier: BSD-2-Clause */
/* control_json.c - see control_json.h. */
#include "daemon/control_json.h"

#include <stdio.h>

#include <stddef.h>
#include <string.h>

#include "daemon/uuid.h"

json_int_t tm_json_number(uint64_t value)
{
    return (json_int_t)tm_min_u64(value, INT64_MAX);
}

json_t *tm_json_limit(uint64_t value)
{
    return value > INT64_MAX ? json_null() : json_integer((json_int_t)value);
}

json_t *tm_json_joined(json_t *object, json_t *with)
{
    bool is_whole = object != NULL && with != NULL && json_object_update(object, with) == 0;
    json_decref(with);
    if (is_whole)
        return object;
    json_decref(object);
    return NULL;
}

/* Structures of 64-bit numbers, by name. */
struct member {
    const char *name;
    size_t offset;
};

static json_t *json_of_members(const void *structure, const struct member *members, size_t count)
{
    json_t *object = json_object();
    for (size_t i = 0; i < count && object != NULL; i++) {
        uint64_t value;
        memcpy(&value, (const char *)structure + members[i].offset, sizeof value);
        if (json_object_set_new(object, members[i].name, json_integer(tm_json_number(value))) != 0) {
            json_decref(object);
            object = NULL;
        }
    }
    return object;
}

json_t *tm_json_of_counters(const struct tmem_counters *counters)
{
#define AT(name) offsetof(struct tmem_counters, name)
    static const struct member members[] = {
        {"pages", AT(pages)},
        {"pages_max", AT(pages_max)},
        {"objects", AT(objects)},
        {"puts", AT(puts)},
        {"puts_stored", AT(puts_stored)},
        {"puts_replaced", AT(puts_replaced)},
        {"puts_refused", AT(puts_refused)},
        {"puts_dropped_old", AT(puts_dropped_old)},
        {"gets", AT(gets)},
        {"gets_found", AT(gets_found)},
        {"gets_corrupt", AT(gets_corrupt)},
        {"invalidates", AT(invalidates)},
        {"invalidates_found", AT(invalidates_found)},
        {"object_invalidates", AT(object_invalidates)},
        {"object_invalidates_found", AT(object_invalidates_found)},
        {"evicted", AT(evicted)},
        {"same_filled", AT(same_filled)},
    };
#undef AT
    return json_of_members(counters, members, TM_ARRAY_SIZE(members));
}

json_t *tm_json_of_pool(const struct tmem_pool_stats *stats)
{
    char uuid[TM_UUID_TEXT_SIZE];
    bool is_shared = (stats->flags & TMEM_POOL_SHARED) != 0;
    bool is_persistent = (stats->flags & TMEM_POOL_PERSISTENT) != 0;
    json_t *pool = json_pack("{s:I, s:s, s:b, s:s?, s:I}", "pool", tm_json_number(stats->id), "kind",
                             is_persistent ? "persistent" : "ephemeral", "shared", (int)is_shared, "uuid",
                             is_shared ? tm_uuid_format(&stats->uuid, uuid) : NULL, "members",
                             (json_int_t)stats->members);
    return tm_json_joined(pool, tm_json_of_counters(&stats->counters));
}

json_t *tm_json_of_client(const struct tmem_client_stats *stats)
{
    json_t *client = json_pack(
        "{s:s, s:b, s:b, s:I, s:o, s:I, s:I, s:I, s:I}", "client", stats->name, "frozen", (int)(stats->frozen != 0),
        "compress", (int)(stats->uncompressed == 0), "weight", (json_int_t)stats->weight, "cap_bytes",
        tm_json_limit(stats->cap_bytes), "charged_bytes", tm_json_number(stats->charged_bytes), "charged_max_bytes",
        tm_json_number(stats->charged_max_bytes), "pools", tm_json_number(stats->pools), "evicted_for_others",
        tm_json_number(stats->evicted_for_others));
    return tm_json_joined(client, tm_json_of_counters(&stats->counters));
}

json_t *tm_json_of_store(const struct tmem_store_stats *stats)
{
#define AT(name) offsetof(struct tmem_store_stats, name)
    static const struct member members[] = {
        {"size_bytes", AT(size_bytes)},
        {"resident_bytes", AT(resident_bytes)},
        {"metadata_bytes", AT(metadata_bytes)},
        {"stored_bytes", AT(stored_bytes)},
        {"block_bytes", AT(block_bytes)},
        {"dead_bytes", AT(dead_bytes)},
        {"pages", AT(pages)},
        {"pages_same", AT(pages_same)},
        {"pages_raw", AT(pages_raw)},
        {"pages_compressed", AT(pages_compressed)},
        {"pages_deduplicated", AT(pages_deduplicated)},
        {"contents_shared", AT(contents_shared)},
        {"clients", AT(clients)},
        {"pools", AT(pools)},
        {"objects", AT(objects)},
        {"evicted_pages", AT(evicted_pages)},
        {"evicted_segments", AT(evicted_segments)},
        {"refused_admissions", AT(refused_admissions)},
        {"cleaned_segments", AT(cleaned_segments)},
        {"cleaned_bytes", AT(cleaned_bytes)},
        {"returned_bytes", AT(returned_bytes)},
        {"corrupt_pages", AT(corrupt_pages)},
        {"spans", AT(spans)},
        {"span_bytes", AT(span_bytes)},
        {"deferred_bytes", AT(deferred_bytes)},
        {"pages_cold", AT(pages_cold)},
        {"cold_bytes", AT(cold_bytes)},
        {"recompressed_pages", AT(recompressed_pages)},
        {"recompressed_saved_bytes", AT(recompressed_saved_bytes)},
        {"promoted_pages", AT(promoted_pages)},
        {"cold_ns", AT(cold_ns)},
    };
#undef AT
    return json_of_members(stats, members, TM_ARRAY_SIZE(members));
}

json_t *tm_json_of_token(const unsigned char token[16])
{
    char text[33];
    for (unsigned i = 0; i < 16; i++)
        snprintf(&text[2u * i], 3, "%02x", token[i]);
    return json_string(text);
}
