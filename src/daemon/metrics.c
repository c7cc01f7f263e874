/* SPDX-License-Identifier: BSD-2-Clause */
/* metrics.c - see metrics.h: the store's and the daemon's families. Clients' are in metrics_client.c. */
#include "daemon/metrics.h"

#include <string.h>
#include <sys/resource.h>

#include "daemon/metrics_client.h"
#include "daemon/worker.h"

/* ---- the store ---- */

/* Numbers of struct tmem_store_stats that are families as they are. */
static const struct {
    enum tm_family_kind kind;
    size_t offset;
    const char *name;
    const char *help;
} store_families[] = {
#define GAUGE(field, name, help)                                              \
    {                                                                         \
        TM_FAMILY_GAUGE, offsetof(struct tmem_store_stats, field), name, help \
    }
#define COUNTER(field, name, help)                                              \
    {                                                                           \
        TM_FAMILY_COUNTER, offsetof(struct tmem_store_stats, field), name, help \
    }
    GAUGE(size_bytes, "tmem_store_size_bytes", "Limit on resident bytes."),
    GAUGE(resident_bytes, "tmem_store_resident_bytes", "Memory that the store has from the host, metadata included."),
    GAUGE(metadata_bytes, "tmem_store_metadata_bytes", "Of the resident bytes: records, index, tables, workers."),
    GAUGE(stored_bytes, "tmem_store_stored_bytes", "Pages times their size: what clients would need themselves."),
    GAUGE(block_bytes, "tmem_store_block_bytes", "Live blocks, headers and rounding included."),
    GAUGE(dead_bytes, "tmem_store_dead_bytes", "Bytes of segments in use that no block needs any more."),
    GAUGE(deferred_bytes, "tmem_store_deferred_bytes", "Memory in which pages wait to be compressed."),
    GAUGE(pages_same, "tmem_store_same_pages", "Pages that are one repeated word and take no block."),
    GAUGE(pages_deduplicated, "tmem_store_deduplicated_pages", "Pages that share the bytes of another."),
    GAUGE(contents_shared, "tmem_store_shared_contents", "Distinct contents that several pages share."),
    GAUGE(pages_raw, "tmem_store_raw_blocks", "Blocks that hold their page as it is."),
    GAUGE(pages_compressed, "tmem_store_compressed_blocks", "Blocks that hold their page compressed."),
    GAUGE(clients, "tmem_store_clients", "Clients, those included that have left pages behind."),
    GAUGE(pools, "tmem_store_pools", "Pools."),
    GAUGE(spans, "tmem_store_spans", "Spans of memory in use."),
    GAUGE(span_bytes, "tmem_store_span_bytes", "Bytes of a span."),
    COUNTER(evicted_segments, "tmem_store_evicted_segments", "Segments that were taken apart to make room."),
    COUNTER(refused_admissions, "tmem_store_refused_admissions",
            "Young pages that made room rather than stay, since they were not worth a better one."),
    COUNTER(cleaned_segments, "tmem_store_cleaned_segments", "Segments whose live blocks were copied elsewhere."),
    COUNTER(cleaned_bytes, "tmem_store_cleaned_bytes", "Bytes that were copied by cleaning."),
    COUNTER(returned_bytes, "tmem_store_returned_bytes", "Bytes given back to the host."),
    COUNTER(corrupt_pages, "tmem_store_corrupt_blocks", "Blocks that failed their check."),
    COUNTER(recompressed_pages, "tmem_store_recompressed_pages", "Cold pages that were coded anew by a slower codec."),
    COUNTER(recompressed_saved_bytes, "tmem_store_recompressed_saved_bytes", "Bytes that this saved."),
    COUNTER(promoted_pages, "tmem_store_promoted_pages", "Cold pages that were coded back, since they were asked for."),
#undef GAUGE
#undef COUNTER
};

static uint64_t number_at(const void *stats, size_t offset)
{
    uint64_t number;
    memcpy(&number, (const unsigned char *)stats + offset, sizeof number);
    return number;
}

static void write_codecs(struct tm_exposition *out, const struct tmem_store_stats *stats)
{
    /* A same-filled page has no block. */
    static const struct {
        enum tmem_codec codec;
        const char *name;
    } codecs[] = {
        {TMEM_CODEC_RAW, "raw"}, {TMEM_CODEC_LZ4, "lz4"}, {TMEM_CODEC_ZSTD, "zstd"}, {TMEM_CODEC_LZO, "lzo"}};
    tm_exposition_family(out, TM_FAMILY_GAUGE, "tmem_store_codec_pages", "Contents that have a block, by its codec.");
    for (size_t i = 0; i < TM_ARRAY_SIZE(codecs); i++) {
        const struct tm_label label = {"codec", codecs[i].name};
        tm_exposition_number(out, &label, 1, stats->codec_pages[codecs[i].codec]);
    }
    tm_exposition_family(out, TM_FAMILY_GAUGE, "tmem_store_codec_bytes", "Bytes of these blocks, headers included.");
    for (size_t i = 0; i < TM_ARRAY_SIZE(codecs); i++) {
        const struct tm_label label = {"codec", codecs[i].name};
        tm_exposition_number(out, &label, 1, stats->codec_bytes[codecs[i].codec]);
    }
}

static void write_tiers(struct tm_exposition *out, const struct tmem_store_stats *stats)
{
    static const struct tm_label warm = {"tier", "warm"};
    static const struct tm_label cold = {"tier", "cold"};
    uint64_t blocks = stats->pages_raw + stats->pages_compressed;
    tm_exposition_family(out, TM_FAMILY_GAUGE, "tmem_store_tier_pages", "Contents that have a block, by tier.");
    tm_exposition_number(out, &warm, 1, blocks - tm_min_u64(stats->pages_cold, blocks));
    tm_exposition_number(out, &cold, 1, stats->pages_cold);
    tm_exposition_family(out, TM_FAMILY_GAUGE, "tmem_store_tier_bytes", "Bytes of these blocks, headers included.");
    tm_exposition_number(out, &warm, 1, stats->block_bytes - tm_min_u64(stats->cold_bytes, stats->block_bytes));
    tm_exposition_number(out, &cold, 1, stats->cold_bytes);
    tm_exposition_family(out, TM_FAMILY_COUNTER, "tmem_store_cold_seconds", "Time spent on the cold tier.");
    tm_exposition_seconds(out, NULL, 0, stats->cold_ns);
}

static void write_store(struct tm_exposition *out, const struct tm_daemon *daemon)
{
    struct tmem_store_stats stats;
    struct tmem_ledger ledger;
    uint64_t freeable = 0;
    if (tmem_store_stats(daemon->store, &stats, sizeof stats) != TMEM_OK ||
        tmem_store_ledger(daemon->store, &ledger, sizeof ledger) != TMEM_OK ||
        tmem_store_freeable(daemon->store, &freeable) != TMEM_OK)
        return;
    for (size_t i = 0; i < TM_ARRAY_SIZE(store_families); i++) {
        tm_exposition_family(out, store_families[i].kind, store_families[i].name, store_families[i].help);
        tm_exposition_number(out, NULL, 0, number_at(&stats, store_families[i].offset));
    }
    tm_exposition_family(out, TM_FAMILY_GAUGE, "tmem_store_freeable_bytes",
                         "Bytes that the operator could take back now; an estimate from below.");
    tm_exposition_number(out, NULL, 0, freeable);
    write_codecs(out, &stats);
    write_tiers(out, &stats);
    tm_metrics_store_ledger(out, &ledger);
}

/* ---- the daemon ---- */

static void write_latencies(struct tm_exposition *out, const struct tm_daemon *daemon)
{
    tm_exposition_family(out, TM_FAMILY_HISTOGRAM, "tmem_request_seconds",
                         "What a request took in the daemon's thread, without its wait in the ring. One request in 16, "
                         "at random, is timed and counted here.");
    for (unsigned operation = TM_WIRE_PUT; operation < TM_WIRE_OPERATION_COUNT; operation++) {
        const struct tm_label label = {"operation", tm_latency_name(operation)};
        struct tm_latency sum = {.sum_ns = 0};
        tm_workers_latency(daemon->workers, operation, &sum);
        tm_exposition_histogram(out, &label, 1, &sum);
    }
}

static void write_process(struct tm_exposition *out)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return;
    uint64_t seconds = (uint64_t)usage.ru_utime.tv_sec + (uint64_t)usage.ru_stime.tv_sec;
    uint64_t microseconds = (uint64_t)usage.ru_utime.tv_usec + (uint64_t)usage.ru_stime.tv_usec;
    tm_exposition_family(out, TM_FAMILY_COUNTER, "process_cpu_seconds", "CPU time of the daemon.");
    tm_exposition_seconds(out, NULL, 0, seconds * TM_SECOND_NS + microseconds * 1000u);
}

static void write_build(struct tm_exposition *out)
{
    const struct tm_label version = {"version", tmem_version()};
    tm_exposition_family(out, TM_FAMILY_INFO, "tmem_build", "Which tmemd this is.");
    tm_exposition_number(out, &version, 1, 1);
}

char *tm_metrics_text(const struct tm_daemon *daemon, bool is_open_metrics, size_t *length)
{
    struct tm_exposition out;
    tm_exposition_begin(&out, is_open_metrics);
    write_build(&out);
    write_store(&out, daemon);
    if (!tm_metrics_clients(&out, daemon))
        out.has_failed = true;
    write_latencies(&out, daemon);
    write_process(&out);
    if (!tm_exposition_end(&out))
        return NULL;
    *length = out.length;
    return out.text;
}
