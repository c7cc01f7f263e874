/* SPDX-License-Identifier: BSD-2-Clause */
/* stats.c - the mount's statistics as JSON. */
#include "command/json.h"
#include "watch_kind.h"

#include <errno.h>
#include <unistd.h>

#define NS_PER_SECOND 1e9

static double ratio(uint64_t part, uint64_t whole)
{
    return whole == 0 ? 0.0 : (double)part / (double)whole;
}

static void write_reads(struct tm_json *json, struct tm_counters *counters)
{
    uint64_t from_store = tm_counted(&counters->pages_from_store);
    uint64_t from_disk = tm_counted(&counters->pages_from_disk);
    /* The kernel does not say what it answers from its own cache of the mount. */
    tm_json_null(json, "pages_from_kernel");
#define TM_COUNTER(name) tm_json_unsigned(json, #name, tm_counted(&counters->name));
    TM_COUNTERS(TM_COUNTER)
#undef TM_COUNTER
    tm_json_unsigned(json, "read_ahead_bytes", tm_counted(&counters->pages_ahead) * TMEM_PAGE_SIZE);
    tm_json_decimal(json, "hit_ratio", ratio(from_store, from_store + from_disk), 4);
}

/* By codec; those of the cold tier are among them, and counted once more. */
static void write_tiers(struct tm_json *json, const struct tmem_store_stats *store)
{
    static const struct {
        enum tmem_codec codec;
        const char *pages, *bytes;
    } members[] = {{TMEM_CODEC_SAME, "same_pages", "same_bytes"},
                   {TMEM_CODEC_RAW, "raw_pages", "raw_bytes"},
                   {TMEM_CODEC_LZ4, "lz4_pages", "lz4_bytes"},
                   {TMEM_CODEC_ZSTD, "zstd_pages", "zstd_bytes"},
                   {TMEM_CODEC_LZO, "lzo_pages", "lzo_bytes"}};
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        tm_json_unsigned(json, members[i].pages, store->codec_pages[members[i].codec]);
        tm_json_unsigned(json, members[i].bytes, store->codec_bytes[members[i].codec]);
    }
    tm_json_unsigned(json, "cold_pages", store->pages_cold);
    tm_json_unsigned(json, "cold_bytes", store->cold_bytes);
    tm_json_unsigned(json, "recompressed_pages", store->recompressed_pages);
    tm_json_unsigned(json, "recompressed_saved_bytes", store->recompressed_saved_bytes);
    tm_json_unsigned(json, "promoted_pages", store->promoted_pages);
    tm_json_decimal(json, "cold_seconds", (double)store->cold_ns / NS_PER_SECOND, 3);
}

static void write_store(struct tm_json *json, const struct tmem_store_stats *store)
{
    tm_json_unsigned(json, "size_bytes", store->size_bytes);
    tm_json_unsigned(json, "resident_bytes", store->resident_bytes);
    tm_json_unsigned(json, "metadata_bytes", store->metadata_bytes);
    tm_json_unsigned(json, "stored_bytes", store->stored_bytes);
    tm_json_unsigned(json, "block_bytes", store->block_bytes);
    tm_json_unsigned(json, "dead_bytes", store->dead_bytes);
    tm_json_decimal(json, "stored_per_resident", ratio(store->stored_bytes, store->resident_bytes), 3);
    tm_json_unsigned(json, "pages", store->pages);
    tm_json_unsigned(json, "pages_same", store->pages_same);
    tm_json_unsigned(json, "pages_raw", store->pages_raw);
    tm_json_unsigned(json, "pages_compressed", store->pages_compressed);
    tm_json_unsigned(json, "pages_deduplicated", store->pages_deduplicated);
    tm_json_unsigned(json, "objects", store->objects);
    tm_json_unsigned(json, "evicted_pages", store->evicted_pages);
    tm_json_unsigned(json, "refused_admissions", store->refused_admissions);
    tm_json_unsigned(json, "corrupt_pages", store->corrupt_pages);
    write_tiers(json, store);
}

ssize_t tm_stats_write(struct tm_mount *mount, char *text, size_t text_size)
{
    struct tm_json json;
    struct tmem_store_stats store;
    tm_json_begin(&json, text, text_size);
    tm_json_open_object(&json, NULL);
    tm_json_string(&json, "directory", mount->directory);
    tm_json_string(&json, "mount", mount->point);
    tm_json_unsigned(&json, "pid", (uint64_t)getpid());
    tm_json_decimal(&json, "uptime_seconds", (double)(tm_version_now_ns() - mount->began_ns) / NS_PER_SECOND, 3);
    tm_json_boolean(&json, "read_only", mount->options.read_only);
    tm_json_boolean(&json, "files_by_handle", mount->source.by_handle);
    tm_json_boolean(&json, "direct_reads", __atomic_load_n(&mount->source.buffered, __ATOMIC_RELAXED) == 0);
    tm_json_string(&json, "watch", tm_watch_name(mount));
    tm_json_boolean(&json, "watch_complete", tm_watch_is_complete(mount));
    tm_json_unsigned(&json, "directories_unwatched", tm_watched_refused(&mount->watch.watched));
    write_reads(&json, &mount->counters);
    tm_json_unsigned(&json, "files_known", tm_nodes_count(&mount->nodes));
    tm_json_unsigned(&json, "objects_invalidated",
                     __atomic_load_n(&mount->pages.invalidated_objects, __ATOMIC_RELAXED));
    if (tmem_store_stats(mount->pages.store, &store, sizeof store) == TMEM_OK)
        write_store(&json, &store);
    tm_json_close_object(&json);
    return tm_json_end(&json) ? (ssize_t)json.used : -ERANGE;
}
