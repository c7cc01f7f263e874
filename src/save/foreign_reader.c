/* SPDX-License-Identifier: BSD-2-Clause */
/* foreign_reader.c - the original's stream to items, each of whose numbers is checked; see save.h. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <tmem/control.h>

#include "base/bytes.h"
#include "save/foreign_layout.h"
#include "save/layout.h"

#define CLIENT_FLAGS_40 (TMEM_CLIENT_COMPRESS | TMEM_CLIENT_FROZEN)
#define CLIENT_FLAGS_48 (XEN_TMEM_CLIENT_COMPRESS | XEN_TMEM_CLIENT_FROZEN | XEN_TMEM_CLIENT_MIGRATING)

TM_PRINTF(3, 4)
static bool refuse(struct tm_foreign_reader *reader, uint64_t offset, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tm_save_say_where(reader->text, sizeof reader->text, offset, format, arguments);
    va_end(arguments);
    reader->is_broken = true;
    return false;
}

/* The next bytes, all of them. */
static bool take(struct tm_foreign_reader *reader, void *bytes, size_t size)
{
    size_t got = reader->source(reader->user, bytes, size);
    reader->offset += got;
    return got == size || refuse(reader, reader->offset, "it ends before its end");
}

static bool take_number(struct tm_foreign_reader *reader, uint32_t *number)
{
    unsigned char bytes[4];
    if (!take(reader, bytes, sizeof bytes))
        return false;
    *number = (uint32_t)tm_bytes_get(bytes, 4);
    return true;
}

static bool take_object(struct tm_foreign_reader *reader, struct tmem_object_id *object)
{
    unsigned char bytes[TM_XEN_OBJECT_BYTES];
    if (!take(reader, bytes, sizeof bytes))
        return false;
    for (unsigned i = 0; i < 3; i++)
        object->word[i] = tm_bytes_get(bytes + 8u * i, 8);
    return true;
}

void tm_foreign_open(struct tm_foreign_reader *reader, enum tm_xen_stream generation, tm_save_source *source,
                     void *user)
{
    *reader = (struct tm_foreign_reader){.generation = generation, .source = source, .user = user};
    reader->at = TM_XEN_AT_CLIENT;
}

/* Offsets are those of the whole stream, with its marker. */
static void begin_part(struct tm_foreign_reader *reader)
{
    reader->is_part = true;
    reader->offset = TM_XEN_MARKER_BYTES;
}

void tm_foreign_open_part(struct tm_foreign_reader *reader, enum tm_xen_stream generation, tm_save_source *source,
                          void *user)
{
    tm_foreign_open(reader, generation, source, user);
    begin_part(reader);
}

void tm_foreign_open_extra(struct tm_foreign_reader *reader, uint32_t known, tm_save_source *source, void *user)
{
    tm_foreign_open(reader, TM_XEN_STREAM_ANY, source, user);
    begin_part(reader);
    reader->known = known;
    reader->at = TM_XEN_AT_GONE;
}

/* ---- the client ---- */

/* Where its numbers of 4 bytes are, by generation; 0: nowhere. */
static const struct {
    unsigned size, flags_known;
    unsigned pools, first_end, flags, weight, cap, last_end;
} headers[] = {
    [TM_XEN_STREAM_40] = {TM_XEN_HEADER_40, CLIENT_FLAGS_40, 0, 12, 16, 20, 24, 28},
    [TM_XEN_STREAM_48] = {TM_XEN_HEADER_48, CLIENT_FLAGS_48, 12, 0, 16, 20, 0, 24},
};

static bool set_weight(struct tm_foreign_reader *reader, uint32_t weight, struct tmem_client_stats *stats)
{
    static const struct tmem_client_options usual = TMEM_CLIENT_OPTIONS_INIT;
    bool was_never_set = weight == 0 || weight == UINT32_MAX;
    stats->weight = was_never_set ? usual.weight : weight;
    return stats->weight <= TMEM_WEIGHT_MAX ||
           refuse(reader, headers[reader->generation].weight, "a weight of %u, and %u is the most", weight,
                  TMEM_WEIGHT_MAX);
}

/* What stands at a place of the header, whole numbers of 4 bytes. */
static uint32_t at_place(const unsigned char *header, unsigned place)
{
    return (uint32_t)tm_bytes_get(header + place, 4);
}

static bool check_header(struct tm_foreign_reader *reader, const unsigned char *header)
{
    unsigned first_end = headers[reader->generation].first_end;
    unsigned last_end = headers[reader->generation].last_end;
    unsigned flags = headers[reader->generation].flags;
    if (at_place(header, 4) != TMEM_SPEC_VERSION)
        return refuse(reader, 4, "it has version %u, and %u is known here", at_place(header, 4), TMEM_SPEC_VERSION);
    if (at_place(header, 8) > TM_XEN_STREAM_POOLS)
        return refuse(reader, 8, "room for %u pools, and %u is the most", at_place(header, 8), TM_XEN_STREAM_POOLS);
    if ((at_place(header, flags) & ~headers[reader->generation].flags_known) != 0)
        return refuse(reader, flags, "a client's flags of %#x are not known", at_place(header, flags));
    if (first_end != 0 && at_place(header, first_end) != TM_XEN_NONE)
        return refuse(reader, first_end, "%#x where -1 is due (is it --format xen-4.8?)", at_place(header, first_end));
    if (at_place(header, last_end) != TM_XEN_NONE)
        return refuse(reader, last_end, "%#x where -1 is due (is it of another release?)", at_place(header, last_end));
    return true;
}

/* All of a header. What stands in the fourth place tells the two apart: -1, or how many pools there are. */
static bool take_header(struct tm_foreign_reader *reader, unsigned char *header)
{
    if (!reader->is_part && !take(reader, header, TM_XEN_MARKER_BYTES))
        return false;
    if (!reader->is_part && at_place(header, 0) != TM_XEN_MARKER)
        return refuse(reader, 0, "this is no stream of a client of Xen's");
    if (!take(reader, header + TM_XEN_MARKER_BYTES, TM_XEN_HEADER_48 - TM_XEN_MARKER_BYTES))
        return false;
    if (reader->generation == TM_XEN_STREAM_ANY)
        reader->generation = at_place(header, 12) == TM_XEN_NONE ? TM_XEN_STREAM_40 : TM_XEN_STREAM_48;
    unsigned size = headers[reader->generation].size;
    return size == TM_XEN_HEADER_48 || take(reader, header + TM_XEN_HEADER_48, size - TM_XEN_HEADER_48);
}

/*
 * The frozen state of 4.8 is passed over: whoever saved had frozen the client for that, and the flag tells nothing
 * else. Up to 4.7 it was that of before.
 */
static bool take_client(struct tm_foreign_reader *reader, struct tm_save_item *item)
{
    unsigned char header[TM_XEN_HEADER_40];
    struct tmem_client_stats *stats = &item->client.stats;
    if (!take_header(reader, header) || !check_header(reader, header))
        return false;
    bool is_old = reader->generation == TM_XEN_STREAM_40;
    item->kind = TM_SAVE_CLIENT;
    memset(&item->client, 0, sizeof item->client);
    uint32_t flags = at_place(header, headers[reader->generation].flags);
    uint32_t cap = is_old ? at_place(header, headers[reader->generation].cap) : 0;
    bool has_cap = cap != 0 && cap != UINT32_MAX;
    stats->cap_bytes = has_cap ? (uint64_t)cap << TM_XEN_CAP_SHIFT : UINT64_MAX;
    stats->uncompressed = (flags & (is_old ? TMEM_CLIENT_COMPRESS : XEN_TMEM_CLIENT_COMPRESS)) == 0;
    stats->frozen = is_old && (flags & TMEM_CLIENT_FROZEN) != 0;
    reader->pools_left = is_old ? 0 : at_place(header, headers[reader->generation].pools);
    if (reader->pools_left > TM_XEN_STREAM_POOLS)
        return refuse(reader, headers[reader->generation].pools, "%u pools, and %u is the most", reader->pools_left,
                      TM_XEN_STREAM_POOLS);
    reader->at = TM_XEN_AT_POOL;
    return set_weight(reader, at_place(header, headers[reader->generation].weight), stats);
}

/* ---- pools ---- */

static bool check_pool(struct tm_foreign_reader *reader, uint64_t start, uint32_t id, uint32_t flags, uint64_t pages)
{
    const uint32_t both = TMEM_POOL_PERSIST | TMEM_POOL_SHARED;
    const uint32_t size_mask = TMEM_POOL_PAGESIZE_MASK << TMEM_POOL_PAGESIZE_SHIFT;
    const uint32_t version = flags >> TMEM_POOL_VERSION_SHIFT;
    const uint32_t known = both | size_mask | TMEM_POOL_VERSION_MASK << TMEM_POOL_VERSION_SHIFT;
    if (id >= TM_XEN_STREAM_POOLS)
        return refuse(reader, start, "pool %u, and %u is the last", id, TM_XEN_STREAM_POOLS - 1u);
    if ((reader->known >> id & 1u) != 0)
        return refuse(reader, start, "pool %u twice", id);
    if (version != TMEM_SPEC_VERSION)
        return refuse(reader, start, "pool %u has version %u, and %u is known here", id, version, TMEM_SPEC_VERSION);
    if ((flags & size_mask) != 0)
        return refuse(reader, start, "pool %u has pages of other than %u bytes", id, TMEM_PAGE_SIZE);
    if ((flags & ~known) != 0)
        return refuse(reader, start, "pool %u has flags of %#x, which are not known", id, flags);
    if ((flags & both) == both)
        return refuse(reader, start, "pool %u is shared and persistent, which cannot be", id);
    if ((flags & TMEM_POOL_PERSIST) == 0 && pages != 0)
        return refuse(reader, start, "pool %u is ephemeral and has %" PRIu64 " pages", id, pages);
    return true;
}

static bool take_pool_40(struct tm_foreign_reader *reader, struct tm_save_item *item, bool *is_item)
{
    unsigned char bytes[TM_XEN_POOL_40];
    struct tmem_pool_stats *pool = &item->of_pool;
    uint64_t start = reader->offset;
    if (!take(reader, bytes, 4))
        return false;
    uint32_t id = (uint32_t)tm_bytes_get(bytes, 4);
    *is_item = id != TM_XEN_NONE;
    if (!*is_item)
        return true;
    if (!take(reader, bytes + 4, sizeof bytes - 4u))
        return false;
    reader->pool = id;
    pool->flags = (uint32_t)tm_bytes_get(bytes + 4, 4);
    pool->counters.pages = tm_bytes_get(bytes + 8, 4);
    pool->uuid.word[0] = tm_bytes_get(bytes + 12, 8);
    pool->uuid.word[1] = tm_bytes_get(bytes + 20, 8);
    return check_pool(reader, start, id, pool->flags, pool->counters.pages);
}

static bool take_pool_48(struct tm_foreign_reader *reader, struct tm_save_item *item, bool *is_item)
{
    unsigned char bytes[TM_XEN_POOL_48];
    struct tmem_pool_stats *pool = &item->of_pool;
    uint64_t start = reader->offset;
    *is_item = reader->pools_left != 0;
    if (!*is_item) {
        uint32_t none;
        if (!take_number(reader, &none))
            return false;
        return none == TM_XEN_NONE || refuse(reader, start, "%#x where -1 is due", none);
    }
    if (!take(reader, bytes, sizeof bytes))
        return false;
    reader->pools_left--;
    reader->pool = (uint32_t)tm_bytes_get(bytes + 4, 4);
    pool->flags = (uint32_t)tm_bytes_get(bytes, 4);
    pool->counters.pages = tm_bytes_get(bytes + 8, 8);
    pool->uuid.word[0] = tm_bytes_get(bytes + 16, 8);
    pool->uuid.word[1] = tm_bytes_get(bytes + 24, 8);
    return check_pool(reader, start, reader->pool, pool->flags, pool->counters.pages);
}

static bool take_pool(struct tm_foreign_reader *reader, struct tm_save_item *item, bool *is_item)
{
    struct tmem_pool_stats *pool = &item->of_pool;
    memset(pool, 0, sizeof *pool);
    bool right = reader->generation == TM_XEN_STREAM_40 ? take_pool_40(reader, item, is_item)
                                                        : take_pool_48(reader, item, is_item);
    if (right && !*is_item)
        reader->at = reader->is_part ? TM_XEN_AT_END : TM_XEN_AT_MARKER;
    if (!right || !*is_item)
        return right;
    item->kind = TM_SAVE_POOL;
    pool->id = reader->pool + 1u;
    pool->flags &= TMEM_POOL_PERSIST | TMEM_POOL_SHARED;
    reader->known |= 1u << reader->pool;
    reader->pages_left = pool->counters.pages;
    reader->at = reader->pages_left != 0 ? TM_XEN_AT_PAGE : TM_XEN_AT_POOL;
    return true;
}

/* ---- pages ---- */

static bool take_page(struct tm_foreign_reader *reader, struct tm_save_item *item, bool *is_item)
{
    if (!take_object(reader, &item->object))
        return false;
    *is_item = !tm_foreign_is_end(&item->object);
    reader->pages_left = *is_item ? reader->pages_left - 1u : 0;
    reader->at = reader->pages_left != 0 ? TM_XEN_AT_PAGE : TM_XEN_AT_POOL;
    if (!*is_item)
        return true;
    item->kind = TM_SAVE_PAGE;
    item->pool = reader->pool + 1u;
    item->page.codec = TMEM_CODEC_RAW;
    item->page.size_bytes = TMEM_PAGE_SIZE;
    item->page.check = 0;
    return take_number(reader, &item->index) && take(reader, item->page.bytes, TMEM_PAGE_SIZE);
}

/* What may follow a whole stream: nothing, or the one of pages that went while it was written. */
static bool take_marker(struct tm_foreign_reader *reader)
{
    unsigned char bytes[4];
    size_t got = reader->source(reader->user, bytes, sizeof bytes);
    uint64_t start = reader->offset;
    reader->offset += got;
    reader->at = got == 0 ? TM_XEN_AT_END : TM_XEN_AT_GONE;
    if (got != 0 && (got < sizeof bytes || tm_bytes_get(bytes, 4) != TM_XEN_MARKER_EXTRA))
        return refuse(reader, start, "bytes behind its end");
    return true;
}

static bool take_gone(struct tm_foreign_reader *reader, struct tm_save_item *item, bool *is_item)
{
    uint32_t id;
    unsigned char more;
    uint64_t start = reader->offset;
    if (!take_number(reader, &id))
        return false;
    *is_item = id != TM_XEN_NONE;
    if (!*is_item) {
        reader->at = TM_XEN_AT_END;
        return reader->is_part || reader->source(reader->user, &more, 1) == 0 ||
               refuse(reader, reader->offset, "bytes behind its end");
    }
    if (id >= TM_XEN_STREAM_POOLS || (reader->known >> id & 1u) == 0)
        return refuse(reader, start, "a page goes of pool %u, which never came", id);
    item->kind = TM_SAVE_GONE_PAGE;
    item->pool = id + 1u;
    return take_object(reader, &item->object) && take_number(reader, &item->index);
}

enum tm_save_answer tm_foreign_read(struct tm_foreign_reader *reader, struct tm_save_item *item)
{
    bool is_item = false;
    bool right = !reader->is_broken;
    while (right && !is_item && reader->at != TM_XEN_AT_END)
        switch (reader->at) {
        case TM_XEN_AT_CLIENT:
            right = take_client(reader, item);
            is_item = true;
            break;
        case TM_XEN_AT_POOL:
            right = take_pool(reader, item, &is_item);
            break;
        case TM_XEN_AT_PAGE:
            right = take_page(reader, item, &is_item);
            break;
        case TM_XEN_AT_MARKER:
            right = take_marker(reader);
            break;
        case TM_XEN_AT_GONE:
            right = take_gone(reader, item, &is_item);
            break;
        case TM_XEN_AT_END:
            break;
        }
    if (!right)
        return TM_SAVE_BROKEN;
    return is_item ? TM_SAVE_ITEM : TM_SAVE_ENDED;
}
