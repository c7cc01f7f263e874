/* SPDX-License-Identifier: BSD-2-Clause */
/* reader.c - bytes to items, none of which is believed before it was checked; see save.h. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "save/layout.h"

/* ---- what is wrong, and where ---- */

void tm_save_say_where(char *text, size_t text_size, uint64_t offset, const char *format, va_list arguments)
{
    int length = snprintf(text, text_size, "at byte %" PRIu64 ": ", offset);
    (void)vsnprintf(text + length, text_size - (size_t)length, format, arguments);
}

TM_PRINTF(3, 4)
static bool refuse(struct tm_save_reader *reader, uint64_t offset, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tm_save_say_where(reader->text, sizeof reader->text, offset, format, arguments);
    va_end(arguments);
    reader->is_over = true;
    return false;
}

/* Offset of the entry that is read. */
static uint64_t here(const struct tm_save_reader *reader)
{
    return reader->section_start + (uint64_t)(reader->at - reader->section);
}

/* ---- sections ---- */

bool tm_save_open(struct tm_save_reader *reader, tm_save_source *source, void *user)
{
    unsigned char begin[TM_SAVE_BEGIN_BYTES];
    *reader = (struct tm_save_reader){.source = source, .user = user};
    reader->section = malloc(TM_SAVE_HEADER_BYTES + TM_SAVE_SECTION_BYTES + TM_SAVE_CHECK_BYTES);
    if (reader->section == NULL)
        return refuse(reader, 0, "no memory to read it");
    size_t got = source(user, begin, sizeof begin);
    if (got < 8 || tm_bytes_get(begin, 8) != TM_SAVE_MAGIC)
        return refuse(reader, 0, "this is no saved client");
    if (got < sizeof begin)
        return refuse(reader, got, "it ends in its first bytes");
    reader->chain = tm_save_check(begin, 24, 0);
    if (tm_bytes_get(begin + 24, 8) != reader->chain)
        return refuse(reader, 0, "the first bytes do not match their checksum");
    uint64_t version = tm_bytes_get(begin + 8, 2);
    if (version != TM_SAVE_VERSION)
        return refuse(reader, 8, "it has version %" PRIu64 ", and %u is known here", version, TM_SAVE_VERSION);
    uint64_t form = tm_bytes_get(begin + 10, 2);
    if (form != TM_SAVE_FILE && form != TM_SAVE_STREAM)
        return refuse(reader, 10, "it is neither a file nor a stream: %" PRIu64, form);
    if (tm_bytes_get(begin + 12, 4) != TMEM_PAGE_SIZE)
        return refuse(reader, 12, "its pages have not %u bytes", TMEM_PAGE_SIZE);
    reader->form = (enum tm_save_form)form;
    reader->offset = sizeof begin;
    return true;
}

void tm_save_close(struct tm_save_reader *reader)
{
    free(reader->section);
    free(reader->pools);
    reader->section = NULL;
    reader->pools = NULL;
    reader->is_over = true;
}

/* What a header says must fit what came before, so that nobody waits for bytes that never come. */
static bool header_is_right(struct tm_save_reader *reader, uint64_t kind, uint64_t number, uint64_t entries,
                            uint64_t size)
{
    uint64_t start = reader->section_start;
    if (number != reader->number)
        return refuse(reader, start + 4, "section %" PRIu64 " where number %u is due", number, reader->number);
    if (kind < TM_SAVE_CLIENT || kind > TM_SAVE_END)
        return refuse(reader, start, "sections of kind %" PRIu64 " are not known", kind);
    if (size > TM_SAVE_SECTION_BYTES)
        return refuse(reader, start + 12, "a section of %" PRIu64 " bytes is too long", size);
    if (entries == 0 || entries > size)
        return refuse(reader, start + 8, "%" PRIu64 " entries in %" PRIu64 " bytes", entries, size);
    return true;
}

/* Reads the next section, whole, and verifies it. */
static bool next_section(struct tm_save_reader *reader)
{
    unsigned char *header = reader->section;
    reader->section_start = reader->offset;
    size_t got = reader->source(reader->user, header, TM_SAVE_HEADER_BYTES);
    if (got < TM_SAVE_HEADER_BYTES)
        return refuse(reader, reader->offset + got, "it ends before its end");
    uint64_t kind = tm_bytes_get(header, 4);
    uint64_t entries = tm_bytes_get(header + 8, 4);
    uint32_t size = (uint32_t)tm_bytes_get(header + 12, 4);
    if (!header_is_right(reader, kind, tm_bytes_get(header + 4, 4), entries, size))
        return false;
    got = reader->source(reader->user, header + TM_SAVE_HEADER_BYTES, size + TM_SAVE_CHECK_BYTES);
    if (got < size + TM_SAVE_CHECK_BYTES)
        return refuse(reader, reader->offset + TM_SAVE_HEADER_BYTES + got, "it ends before its end");
    const unsigned char *check = header + TM_SAVE_HEADER_BYTES + size;
    uint64_t chain = tm_save_check(header, TM_SAVE_HEADER_BYTES + size, reader->chain);
    if (tm_bytes_get(check, TM_SAVE_CHECK_BYTES) != chain)
        return refuse(reader, reader->offset, "section %u does not match its checksum", reader->number);
    reader->chain = chain;
    reader->kind = (enum tm_save_kind)kind;
    reader->entries = (uint32_t)entries;
    reader->at = header + TM_SAVE_HEADER_BYTES;
    reader->end = check;
    reader->number++;
    reader->offset += TM_SAVE_HEADER_BYTES + size + TM_SAVE_CHECK_BYTES;
    return true;
}

/* ---- entries ---- */

/* Where @size bytes of the entry are; NULL, and an entry that is cut short, where the section has no more of them. */
static const unsigned char *take_bytes(struct tm_save_reader *reader, size_t size)
{
    const unsigned char *bytes = reader->at;
    reader->is_short = reader->is_short || (size_t)(reader->end - bytes) < size;
    if (reader->is_short)
        return NULL;
    reader->at += size;
    return bytes;
}

/* The next number, 0 where there is none. */
static uint64_t take(struct tm_save_reader *reader, unsigned size)
{
    const unsigned char *bytes = take_bytes(reader, size);
    return bytes != NULL ? tm_bytes_get(bytes, size) : 0;
}

/* Counters that are not known here are passed over. */
static bool take_counters(struct tm_save_reader *reader, struct tmem_counters *counters)
{
    uint64_t numbers[TM_SAVE_COUNTERS] = {0};
    uint64_t count = take(reader, 2);
    if (count > TM_SAVE_COUNTERS_MAX)
        return refuse(reader, here(reader), "%" PRIu64 " counters are too many", count);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t number = take(reader, 8);
        if (i < TM_SAVE_COUNTERS)
            numbers[i] = number;
    }
    memset(counters, 0, sizeof *counters);
    memcpy(counters, numbers, sizeof numbers);
    return true;
}

static struct tmem_uuid take_uuid(struct tm_save_reader *reader)
{
    struct tmem_uuid uuid;
    uuid.word[0] = take(reader, 8);
    uuid.word[1] = take(reader, 8);
    return uuid;
}

static bool take_client(struct tm_save_reader *reader, struct tm_save_client *client)
{
    struct tmem_client_stats *stats = &client->stats;
    uint64_t start = here(reader);
    memset(client, 0, sizeof *client);
    size_t length = (size_t)take(reader, 2);
    if (length == 0 || length >= sizeof stats->name)
        return refuse(reader, start, "a client's name of %zu bytes", length);
    const unsigned char *name = take_bytes(reader, length);
    if (name != NULL)
        memcpy(stats->name, name, length);
    stats->weight = (uint32_t)take(reader, 4);
    uint32_t flags = (uint32_t)take(reader, 4);
    stats->frozen = (flags & TM_SAVE_FROZEN) != 0;
    stats->uncompressed = (flags & TM_SAVE_UNCOMPRESSED) != 0;
    stats->cap_bytes = take(reader, 8);
    stats->charged_max_bytes = take(reader, 8);
    stats->evicted_for_others = take(reader, 8);
    client->uid = (uint32_t)take(reader, 4);
    const unsigned char *token = take_bytes(reader, sizeof client->token);
    if (token != NULL)
        memcpy(client->token, token, sizeof client->token);
    if (!take_counters(reader, &stats->counters))
        return false;
    if ((flags & ~(TM_SAVE_FROZEN | TM_SAVE_UNCOMPRESSED)) != 0)
        return refuse(reader, start, "a client's flags of %u are not known", flags);
    if (reader->has_client && reader->form == TM_SAVE_FILE)
        return refuse(reader, start, "a second client");
    reader->has_client = true;
    return true;
}

/* ---- pools that were announced ---- */

/* Place of the first pool that is not before @id. */
static size_t pool_place(const struct tm_save_reader *reader, uint64_t id)
{
    size_t low = 0;
    size_t high = reader->pool_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (reader->pools[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool pool_is_known(const struct tm_save_reader *reader, uint64_t id)
{
    size_t place = pool_place(reader, id);
    return place < reader->pool_count && reader->pools[place] == id;
}

static bool remember_pool(struct tm_save_reader *reader, uint64_t start, uint64_t id)
{
    size_t place = pool_place(reader, id);
    if (reader->form == TM_SAVE_STREAM && id != 0 && pool_is_known(reader, id))
        return true;
    if (id == 0 || pool_is_known(reader, id))
        return refuse(reader, start, "pool %" PRIu64 " twice, or no pool's number", id);
    if (reader->pool_count == TM_SAVE_POOLS_MAX)
        return refuse(reader, start, "more than %u pools", TM_SAVE_POOLS_MAX);
    if (reader->pool_count == reader->pool_capacity) {
        size_t capacity = reader->pool_capacity * 2 + 16;
        uint64_t *pools = realloc(reader->pools, capacity * sizeof *pools);
        if (pools == NULL)
            return refuse(reader, start, "no memory to read it");
        reader->pools = pools;
        reader->pool_capacity = capacity;
    }
    memmove(reader->pools + place + 1, reader->pools + place, (reader->pool_count - place) * sizeof *reader->pools);
    reader->pools[place] = id;
    reader->pool_count++;
    return true;
}

static void forget_pool(struct tm_save_reader *reader, uint64_t id)
{
    size_t place = pool_place(reader, id);
    reader->pool_count--;
    memmove(reader->pools + place, reader->pools + place + 1, (reader->pool_count - place) * sizeof *reader->pools);
}

static bool take_pool(struct tm_save_reader *reader, struct tmem_pool_stats *pool)
{
    uint64_t start = here(reader);
    memset(pool, 0, sizeof *pool);
    pool->id = take(reader, 8);
    pool->flags = (uint32_t)take(reader, 4);
    pool->uuid = take_uuid(reader);
    if (!take_counters(reader, &pool->counters) || reader->is_short)
        return !reader->is_over;
    if ((pool->flags & ~(uint32_t)(TMEM_POOL_PERSISTENT | TMEM_POOL_SHARED)) != 0)
        return refuse(reader, start + 8, "a pool's flags of %u are not known", pool->flags);
    return remember_pool(reader, start, pool->id);
}

/* ---- pages ---- */

static bool take_handle(struct tm_save_reader *reader, struct tm_save_item *item)
{
    uint64_t start = here(reader);
    item->pool = take(reader, 8);
    for (unsigned i = 0; i < 3; i++)
        item->object.word[i] = take(reader, 8);
    item->index = (uint32_t)take(reader, 4);
    if (!reader->is_short && !pool_is_known(reader, item->pool))
        return refuse(reader, start, "pages of pool %" PRIu64 ", which was not announced", item->pool);
    return true;
}

static bool size_is_right(const struct tmem_stored *page)
{
    switch (page->codec) {
    case TMEM_CODEC_SAME:
        return page->size_bytes == 8;
    case TMEM_CODEC_RAW:
        return page->size_bytes == TMEM_PAGE_SIZE;
    case TMEM_CODEC_LZ4:
    case TMEM_CODEC_ZSTD:
    case TMEM_CODEC_LZO:
        return page->size_bytes > 0 && page->size_bytes < TMEM_STORED_MAX;
    default:
        return false;
    }
}

static bool take_page(struct tm_save_reader *reader, struct tm_save_item *item)
{
    struct tmem_stored *page = &item->page;
    uint64_t start = here(reader);
    if (!take_handle(reader, item))
        return false;
    page->codec = (uint32_t)take(reader, 2);
    page->size_bytes = (uint32_t)take(reader, 2);
    page->check = take(reader, 8);
    if (reader->is_short)
        return true;
    if (!size_is_right(page))
        return refuse(reader, start + 36, "a page of %u bytes in codec %u", page->size_bytes, page->codec);
    const unsigned char *bytes = take_bytes(reader, page->size_bytes);
    if (bytes == NULL)
        return true;
    memcpy(page->bytes, bytes, page->size_bytes);
    reader->pages++;
    reader->page_bytes += page->size_bytes;
    return true;
}

static bool take_end(struct tm_save_reader *reader)
{
    uint64_t start = here(reader);
    uint64_t pages = take(reader, 8);
    uint64_t bytes = take(reader, 8);
    if (reader->is_short)
        return true;
    if (pages != reader->pages || bytes != reader->page_bytes)
        return refuse(reader, start, "%" PRIu64 " pages were read where %" PRIu64 " were written", reader->pages,
                      pages);
    if (reader->entries != 0)
        return refuse(reader, start, "several ends");
    reader->is_over = true;
    reader->is_whole = true;
    return true;
}

/* The entry, as its kind is; false, or is_short: it is not right. */
static bool take_entry(struct tm_save_reader *reader, struct tm_save_item *item)
{
    switch (reader->kind) {
    case TM_SAVE_CLIENT:
        return take_client(reader, &item->client);
    case TM_SAVE_RIGHT:
        item->right = take_uuid(reader);
        return true;
    case TM_SAVE_POOL:
        return take_pool(reader, &item->of_pool);
    case TM_SAVE_PAGE:
        return take_page(reader, item);
    case TM_SAVE_GONE_PAGE:
        return take_handle(reader, item);
    case TM_SAVE_GONE_POOL:
        item->pool = take(reader, 8);
        if (!reader->is_short && !pool_is_known(reader, item->pool))
            return refuse(reader, here(reader) - 8, "pool %" PRIu64 " goes that never came", item->pool);
        if (!reader->is_short)
            forget_pool(reader, item->pool);
        return true;
    case TM_SAVE_ROUND:
        item->round = (uint32_t)take(reader, 4);
        return true;
    case TM_SAVE_END:
        return take_end(reader);
    }
    return false;
}

/* Kinds have their place: the client first, and what is for streams only there. */
static bool kind_is_right(struct tm_save_reader *reader)
{
    bool of_streams = reader->kind >= TM_SAVE_GONE_PAGE && reader->kind <= TM_SAVE_ROUND;
    if (of_streams && reader->form != TM_SAVE_STREAM)
        return refuse(reader, reader->section_start, "sections of kind %d are for streams", (int)reader->kind);
    if (!reader->has_client && reader->kind != TM_SAVE_CLIENT)
        return refuse(reader, reader->section_start, "the client is to be first");
    return true;
}

enum tm_save_answer tm_save_read(struct tm_save_reader *reader, struct tm_save_item *item)
{
    if (!reader->is_over && reader->entries == 0 && next_section(reader))
        (void)kind_is_right(reader);
    if (reader->is_over)
        return reader->is_whole ? TM_SAVE_ENDED : TM_SAVE_BROKEN;
    uint64_t start = here(reader);
    item->kind = reader->kind;
    reader->entries--;
    bool right = take_entry(reader, item);
    if (right && reader->is_short)
        right = refuse(reader, start, "an entry that is cut short");
    if (right && reader->entries == 0 && reader->at != reader->end)
        right = refuse(reader, here(reader), "bytes that belong to no entry");
    if (!right)
        reader->is_whole = false;
    if (reader->is_over)
        return reader->is_whole ? TM_SAVE_ENDED : TM_SAVE_BROKEN;
    return TM_SAVE_ITEM;
}
