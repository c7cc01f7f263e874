/* SPDX-License-Identifier: BSD-2-Clause */
/* foreign_writer.c - items to the original's stream; see save.h. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "save/foreign_layout.h"

TM_PRINTF(2, 3)
static bool refuse(struct tm_foreign_writer *writer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(writer->text, sizeof writer->text, format, arguments);
    va_end(arguments);
    writer->failed = true;
    return false;
}

static bool give(struct tm_foreign_writer *writer, const void *bytes, size_t size)
{
    writer->failed = writer->failed || !writer->sink(writer->user, bytes, size);
    return !writer->failed;
}

void tm_foreign_begin(struct tm_foreign_writer *writer, enum tm_xen_stream generation, tm_save_sink *sink, void *user)
{
    *writer = (struct tm_foreign_writer){
        .generation = generation == TM_XEN_STREAM_48 ? TM_XEN_STREAM_48 : TM_XEN_STREAM_40,
        .sink = sink,
        .user = user,
        .marker = TM_XEN_MARKER,
    };
}

/* Numbers of 4 bytes. */
static bool give_numbers(struct tm_foreign_writer *writer, const uint32_t *numbers, size_t count)
{
    unsigned char bytes[TM_XEN_HEADER_40];
    for (size_t i = 0; i < count; i++)
        tm_bytes_put(bytes + 4u * i, numbers[i], 4);
    return give(writer, bytes, 4u * count);
}

static uint32_t cap_of(uint64_t cap_bytes)
{
    if (cap_bytes == UINT64_MAX)
        return 0;
    uint64_t mib = cap_bytes >> TM_XEN_CAP_SHIFT;
    return mib == 0 ? 1 : (uint32_t)tm_min_u64(mib, TM_XEN_NONE - 1u);
}

static bool write_client(struct tm_foreign_writer *writer, const struct tmem_client_stats *stats)
{
    bool frozen = stats->frozen != 0;
    bool compressed = stats->uncompressed == 0;
    if (writer->has_client)
        return true;
    if (stats->pools > TM_XEN_STREAM_POOLS)
        return refuse(writer, "it has %" PRIu64 " pools, and the original's format has %u at most (try: --format tmem)",
                      stats->pools, TM_XEN_STREAM_POOLS);
    writer->has_client = true;
    writer->pools_due = (uint32_t)stats->pools;
    if (writer->generation == TM_XEN_STREAM_40) {
        const uint32_t numbers[] = {
            writer->marker,
            TMEM_SPEC_VERSION,
            TM_XEN_STREAM_POOLS,
            TM_XEN_NONE,
            (compressed ? TMEM_CLIENT_COMPRESS : 0u) | (frozen ? TMEM_CLIENT_FROZEN : 0u),
            stats->weight,
            cap_of(stats->cap_bytes),
            TM_XEN_NONE,
        };
        return give_numbers(writer, numbers, TM_ARRAY_SIZE(numbers));
    }
    const uint32_t numbers[] = {
        writer->marker,
        TMEM_SPEC_VERSION,
        TM_XEN_STREAM_POOLS,
        writer->pools_due,
        (compressed ? XEN_TMEM_CLIENT_COMPRESS : 0u) | (frozen ? XEN_TMEM_CLIENT_FROZEN : 0u),
        stats->weight,
        TM_XEN_NONE,
    };
    return give_numbers(writer, numbers, TM_ARRAY_SIZE(numbers));
}

/* Pages that were counted and are gone since: the list ends early. */
static bool end_pages(struct tm_foreign_writer *writer)
{
    unsigned char ones[TM_XEN_OBJECT_BYTES];
    memset(ones, 0xff, sizeof ones);
    bool is_short = writer->pages_left != 0;
    writer->pages_left = 0;
    return !is_short || give(writer, ones, sizeof ones);
}

static bool write_pool(struct tm_foreign_writer *writer, const struct tmem_pool_stats *pool)
{
    unsigned char bytes[TM_XEN_POOL_48];
    const uint32_t both = TMEM_POOL_PERSISTENT | TMEM_POOL_SHARED;
    const uint32_t flags = (pool->flags & both) | TMEM_SPEC_VERSION << TMEM_POOL_VERSION_SHIFT;
    const uint64_t pages = (pool->flags & TMEM_POOL_PERSISTENT) != 0 ? pool->counters.pages : 0;
    for (uint32_t i = 0; i < writer->pool_count; i++)
        if (writer->pools[i] == pool->id)
            return true;
    if ((pool->flags & both) == both)
        return refuse(writer, "pool %" PRIu64 " is shared and persistent, which Xen lacks (try: --format tmem)",
                      pool->id);
    if (writer->pool_count == writer->pools_due)
        return refuse(writer, "it has more pools than were counted (try again)");
    if (writer->generation == TM_XEN_STREAM_40 && pages > UINT32_MAX)
        return refuse(writer, "pool %" PRIu64 " has more pages than that format can count", pool->id);
    if (!end_pages(writer))
        return false;
    bool is_old = writer->generation == TM_XEN_STREAM_40;
    tm_bytes_put(bytes + (is_old ? 0 : 4), writer->pool_count, 4);
    tm_bytes_put(bytes + (is_old ? 4 : 0), flags, 4);
    tm_bytes_put(bytes + 8, pages, is_old ? 4 : 8);
    for (unsigned i = 0; i < 2; i++)
        tm_bytes_put(bytes + (is_old ? 12 : 16) + 8u * i, pool->uuid.word[i], 8);
    writer->pools[writer->pool_count++] = pool->id;
    writer->pages_left = pages;
    return give(writer, bytes, is_old ? TM_XEN_POOL_40 : TM_XEN_POOL_48);
}

static void put_object(unsigned char *bytes, const struct tmem_object_id *object)
{
    for (unsigned i = 0; i < 3; i++)
        tm_bytes_put(bytes + 8u * i, object->word[i], 8);
}

static bool write_page(struct tm_foreign_writer *writer, const struct tm_save_item *item)
{
    unsigned char bytes[TM_XEN_KEY_BYTES + TMEM_PAGE_SIZE];
    if (writer->pool_count == 0 || writer->pools[writer->pool_count - 1u] != item->pool)
        return refuse(writer, "a page of pool %" PRIu64 " among another's", item->pool);
    if (writer->pages_left == 0)
        return refuse(writer, "pool %" PRIu64 " has more pages than were counted, or is ephemeral (try again)",
                      item->pool);
    if (item->page.codec != TMEM_CODEC_RAW)
        return refuse(writer, "a page in codec %u, and the original's format takes them as they are", item->page.codec);
    if (tm_foreign_is_end(&item->object))
        return refuse(writer,
                      "pool %" PRIu64 " has an object whose id is all ones, which ends a pool's pages in the original's"
                      " format (try: --format tmem)",
                      item->pool);
    put_object(bytes, &item->object);
    tm_bytes_put(bytes + TM_XEN_OBJECT_BYTES, item->index, 4);
    memcpy(bytes + TM_XEN_KEY_BYTES, item->page.bytes, TMEM_PAGE_SIZE);
    writer->pages_left--;
    return give(writer, bytes, sizeof bytes);
}

/* A page that has gone, of a pool that was written. */
static bool write_gone(struct tm_foreign_writer *writer, const struct tm_save_item *item)
{
    unsigned char bytes[4u + TM_XEN_KEY_BYTES];
    uint32_t number = 0;
    while (number < writer->pool_count && writer->pools[number] != item->pool)
        number++;
    if (item->kind != TM_SAVE_GONE_PAGE || number == writer->pool_count)
        return refuse(writer, "an item of kind %d, or a page of a pool that was not written", (int)item->kind);
    tm_bytes_put(bytes, number, 4);
    put_object(bytes + 4, &item->object);
    tm_bytes_put(bytes + 4u + TM_XEN_OBJECT_BYTES, item->index, 4);
    return give(writer, bytes, sizeof bytes);
}

bool tm_foreign_begin_extra(struct tm_foreign_writer *writer, uint32_t marker, tm_save_sink *sink, void *user)
{
    writer->is_extra = true;
    writer->sink = sink;
    writer->user = user;
    return !writer->failed && give_numbers(writer, &marker, 1);
}

bool tm_foreign_write(struct tm_foreign_writer *writer, const struct tm_save_item *item)
{
    if (writer->failed)
        return false;
    if (writer->is_extra)
        return write_gone(writer, item);
    if (!writer->has_client && item->kind != TM_SAVE_CLIENT)
        return refuse(writer, "the client is to be first");
    switch (item->kind) {
    case TM_SAVE_CLIENT:
        return write_client(writer, &item->client.stats);
    case TM_SAVE_POOL:
        return write_pool(writer, &item->of_pool);
    case TM_SAVE_PAGE:
        return write_page(writer, item);
    case TM_SAVE_RIGHT:
    case TM_SAVE_ROUND:
        return true;
    case TM_SAVE_GONE_PAGE:
    case TM_SAVE_GONE_POOL:
    case TM_SAVE_END:
        break;
    }
    return refuse(writer, "an item of kind %d has no place in the original's format", (int)item->kind);
}

bool tm_foreign_finish(struct tm_foreign_writer *writer)
{
    static const uint32_t none = TM_XEN_NONE;
    if (writer->failed)
        return false;
    if (!writer->has_client || writer->pool_count != writer->pools_due)
        return refuse(writer, "it has fewer pools than were counted (try again)");
    return end_pages(writer) && give_numbers(writer, &none, 1);
}
