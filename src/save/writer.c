/* SPDX-License-Identifier: BSD-2-Clause */
/* writer.c - items to bytes; see save.h. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "save/layout.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t tm_save_check(const void *bytes, size_t size, uint64_t chain)
{
    return XXH3_64bits_withSeed(bytes, size, chain);
}

/* ---- sections ---- */

static bool give(struct tm_save_writer *writer, const void *bytes, size_t size)
{
    writer->failed = writer->failed || !writer->sink(writer->user, bytes, size);
    return !writer->failed;
}

bool tm_save_begin(struct tm_save_writer *writer, enum tm_save_form form, uint64_t salt, tm_save_sink *sink,
                   void *user)
{
    unsigned char begin[TM_SAVE_BEGIN_BYTES];
    *writer = (struct tm_save_writer){.sink = sink, .user = user};
    writer->section = malloc(TM_SAVE_HEADER_BYTES + TM_SAVE_SECTION_BYTES + TM_SAVE_CHECK_BYTES);
    writer->failed = writer->section == NULL;
    if (writer->failed)
        return false;
    tm_bytes_put(begin, TM_SAVE_MAGIC, 8);
    tm_bytes_put(begin + 8, TM_SAVE_VERSION, 2);
    tm_bytes_put(begin + 10, form, 2);
    tm_bytes_put(begin + 12, TMEM_PAGE_SIZE, 4);
    tm_bytes_put(begin + 16, salt, 8);
    writer->chain = tm_save_check(begin, 24, 0);
    tm_bytes_put(begin + 24, writer->chain, 8);
    return give(writer, begin, sizeof begin);
}

bool tm_save_flush(struct tm_save_writer *writer)
{
    unsigned char *header = writer->section;
    if (writer->failed || writer->entries == 0)
        return !writer->failed;
    uint32_t size = TM_SAVE_HEADER_BYTES + writer->used_bytes;
    tm_bytes_put(header, writer->kind, 4);
    tm_bytes_put(header + 4, writer->number, 4);
    tm_bytes_put(header + 8, writer->entries, 4);
    tm_bytes_put(header + 12, writer->used_bytes, 4);
    writer->chain = tm_save_check(header, size, writer->chain);
    tm_bytes_put(header + size, writer->chain, TM_SAVE_CHECK_BYTES);
    writer->number++;
    writer->entries = 0;
    writer->used_bytes = 0;
    return give(writer, header, size + TM_SAVE_CHECK_BYTES);
}

/* ---- entries ---- */

/* Where the next number of an entry goes. */
static void add(struct tm_save_writer *writer, uint64_t number, unsigned size)
{
    tm_bytes_put(writer->section + TM_SAVE_HEADER_BYTES + writer->used_bytes, number, size);
    writer->used_bytes += size;
}

static void add_bytes(struct tm_save_writer *writer, const void *bytes, uint32_t size)
{
    memcpy(writer->section + TM_SAVE_HEADER_BYTES + writer->used_bytes, bytes, size);
    writer->used_bytes += size;
}

static void add_counters(struct tm_save_writer *writer, const struct tmem_counters *counters)
{
    uint64_t numbers[TM_SAVE_COUNTERS];
    memcpy(numbers, counters, sizeof numbers);
    add(writer, TM_SAVE_COUNTERS, 2);
    for (unsigned i = 0; i < TM_SAVE_COUNTERS; i++)
        add(writer, numbers[i], 8);
}

static void add_uuid(struct tm_save_writer *writer, const struct tmem_uuid *uuid)
{
    add(writer, uuid->word[0], 8);
    add(writer, uuid->word[1], 8);
}

static void add_handle(struct tm_save_writer *writer, const struct tm_save_item *item)
{
    add(writer, item->pool, 8);
    for (unsigned i = 0; i < 3; i++)
        add(writer, item->object.word[i], 8);
    add(writer, item->index, 4);
}

static void add_client(struct tm_save_writer *writer, const struct tm_save_client *client)
{
    const struct tmem_client_stats *stats = &client->stats;
    uint32_t length = (uint32_t)strnlen(stats->name, sizeof stats->name - 1u);
    add(writer, length, 2);
    add_bytes(writer, stats->name, length);
    add(writer, stats->weight, 4);
    add(writer, (stats->frozen != 0 ? TM_SAVE_FROZEN : 0u) | (stats->uncompressed != 0 ? TM_SAVE_UNCOMPRESSED : 0u), 4);
    add(writer, stats->cap_bytes, 8);
    add(writer, stats->charged_max_bytes, 8);
    add(writer, stats->evicted_for_others, 8);
    add(writer, client->uid, 4);
    add_bytes(writer, client->token, sizeof client->token);
    add_counters(writer, &stats->counters);
}

static void add_page(struct tm_save_writer *writer, const struct tm_save_item *item)
{
    const struct tmem_stored *page = &item->page;
    add_handle(writer, item);
    add(writer, page->codec, 2);
    add(writer, page->size_bytes, 2);
    add(writer, page->check, 8);
    add_bytes(writer, page->bytes, page->size_bytes);
    writer->pages++;
    writer->page_bytes += page->size_bytes;
}

static void add_entry(struct tm_save_writer *writer, const struct tm_save_item *item)
{
    switch (item->kind) {
    case TM_SAVE_CLIENT:
        add_client(writer, &item->client);
        break;
    case TM_SAVE_RIGHT:
        add_uuid(writer, &item->right);
        break;
    case TM_SAVE_POOL:
        add(writer, item->of_pool.id, 8);
        add(writer, item->of_pool.flags, 4);
        add_uuid(writer, &item->of_pool.uuid);
        add_counters(writer, &item->of_pool.counters);
        break;
    case TM_SAVE_PAGE:
        add_page(writer, item);
        break;
    case TM_SAVE_GONE_PAGE:
        add_handle(writer, item);
        break;
    case TM_SAVE_GONE_POOL:
        add(writer, item->pool, 8);
        break;
    case TM_SAVE_ROUND:
        add(writer, item->round, 4);
        break;
    case TM_SAVE_END:
        add(writer, writer->pages, 8);
        add(writer, writer->page_bytes, 8);
        break;
    }
}

bool tm_save_write(struct tm_save_writer *writer, const struct tm_save_item *item)
{
    TM_ASSERT(item->kind != TM_SAVE_PAGE || item->page.size_bytes <= TMEM_STORED_MAX);
    bool is_full = writer->used_bytes > TM_SAVE_SECTION_BYTES - TM_SAVE_ENTRY_MAX;
    if ((writer->kind != item->kind || is_full) && !tm_save_flush(writer))
        return false;
    if (writer->failed)
        return false;
    writer->kind = item->kind;
    add_entry(writer, item);
    writer->entries++;
    return true;
}

bool tm_save_finish(struct tm_save_writer *writer, bool completely)
{
    const struct tm_save_item end = {.kind = TM_SAVE_END};
    bool done = !writer->failed && (!completely || (tm_save_write(writer, &end) && tm_save_flush(writer)));
    free(writer->section);
    writer->section = NULL;
    writer->failed = true;
    return done;
}
