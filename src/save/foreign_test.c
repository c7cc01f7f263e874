/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * foreign_test.c - the original's streams: one of each generation, put together here number by number as the original
 * wrote it, is read and written; and what it cannot have written is refused, at every length and for each number.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "save/save.h"
#include "tests/support/memory_file.h"

#define NONE UINT32_MAX

static struct file file;
static struct file other;
static struct tm_foreign_reader reader;
static struct tm_foreign_writer writer;
static struct tm_save_item item;

/* ---- streams made by hand ---- */

static void add(uint64_t number, unsigned size)
{
    assert_true(file.size + size <= sizeof file.bytes);
    tm_bytes_put(file.bytes + file.size, number, size);
    file.size += size;
}

static void add_all(const uint32_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        add(numbers[i], 4);
}

static void fill(unsigned char *page, uint64_t number)
{
    for (unsigned i = 0; i < TMEM_PAGE_SIZE; i++)
        page[i] = (unsigned char)(number * 31u + i / 3u);
}

static void add_object(uint64_t low, uint64_t middle, uint64_t high)
{
    add(low, 8);
    add(middle, 8);
    add(high, 8);
}

static void add_page(uint64_t object, uint32_t index)
{
    unsigned char page[TMEM_PAGE_SIZE];
    fill(page, object + index);
    add_object(object, 2, 3);
    add(index, 4);
    memcpy(file.bytes + file.size, page, sizeof page);
    file.size += sizeof page;
}

static void add_pool(enum tm_xen_stream generation, uint32_t id, uint32_t flags, uint64_t pages)
{
    bool is_old = generation == TM_XEN_STREAM_40;
    add(is_old ? id : flags, 4);
    add(is_old ? flags : id, 4);
    add(pages, is_old ? 4 : 8);
    add(0x1111, 8);
    add(0x2222, 8);
}

/* A compressing client of weight 300 with room for 64 MiB that had been frozen, and @pools pools. */
static void make_header(enum tm_xen_stream generation, uint32_t pools)
{
    static const uint32_t old[] = {(uint32_t)-5, 1, 16, NONE, 3, 300, 64, NONE};
    const uint32_t new[] = {(uint32_t)-5, 1, 16, pools, 3, 300, NONE};
    file.size = 0;
    if (generation == TM_XEN_STREAM_40)
        add_all(old, TM_ARRAY_SIZE(old));
    else
        add_all(new, TM_ARRAY_SIZE(new));
}

/* Three pools: persistent with two pages, shared, and persistent with what is left of three. */
static void make(enum tm_xen_stream generation)
{
    make_header(generation, 3);
    add_pool(generation, 0, 0x01000001, 2);
    add_page(10, 5);
    add_page(10, NONE);
    add_pool(generation, 1, 0x01000002, 0);
    add_pool(generation, 2, 0x01000001, 3);
    add_page(11, 0);
    add_object(UINT64_MAX, UINT64_MAX, UINT64_MAX);
    add(NONE, 4);
}

/* The second stream: page 7 of object 11 in pool 2. */
static void add_gone(void)
{
    add((uint32_t)-6, 4);
    add(2, 4);
    add_object(11, 2, 3);
    add(7, 4);
    add(NONE, 4);
}

static const enum tm_xen_stream generations[] = {TM_XEN_STREAM_40, TM_XEN_STREAM_48};

/* ---- reading ---- */

static void next(enum tm_save_kind kind)
{
    if (tm_foreign_read(&reader, &item) != TM_SAVE_ITEM)
        fail_msg("%s", reader.text);
    assert_int_equal(item.kind, kind);
}

static void next_pool(uint64_t id, uint32_t flags, uint64_t pages)
{
    next(TM_SAVE_POOL);
    assert_int_equal(item.of_pool.id, id);
    assert_int_equal(item.of_pool.flags, flags);
    assert_int_equal(item.of_pool.counters.pages, pages);
    assert_int_equal(item.of_pool.uuid.word[0], 0x1111);
    assert_int_equal(item.of_pool.uuid.word[1], 0x2222);
}

static void next_page(uint64_t pool, uint64_t object, uint32_t index)
{
    unsigned char page[TMEM_PAGE_SIZE];
    fill(page, object + index);
    next(TM_SAVE_PAGE);
    assert_int_equal(item.pool, pool);
    assert_int_equal(item.object.word[0], object);
    assert_int_equal(item.object.word[1], 2);
    assert_int_equal(item.object.word[2], 3);
    assert_int_equal(item.index, index);
    assert_int_equal(item.page.codec, TMEM_CODEC_RAW);
    assert_int_equal(item.page.size_bytes, TMEM_PAGE_SIZE);
    assert_memory_equal(item.page.bytes, page, TMEM_PAGE_SIZE);
}

static enum tm_save_answer read_all(enum tm_xen_stream generation)
{
    enum tm_save_answer answer;
    file.at = 0;
    tm_foreign_open(&reader, generation, read_file, &file);
    while ((answer = tm_foreign_read(&reader, &item)) == TM_SAVE_ITEM)
        continue;
    assert_int_equal(tm_foreign_read(&reader, &item), answer);
    return answer;
}

static void refused(enum tm_xen_stream generation, uint64_t offset, const char *why)
{
    char where[48];
    (void)snprintf(where, sizeof where, "at byte %u: ", (unsigned)offset);
    assert_int_equal(read_all(generation), TM_SAVE_BROKEN);
    if (strncmp(reader.text, where, strlen(where)) != 0 || strstr(reader.text, why) == NULL)
        fail_msg("instead of '%s%s' it says: %s", where, why, reader.text);
}

static void what_the_original_wrote_is_read(void **state)
{
    (void)state;
    for (unsigned i = 0; i < TM_ARRAY_SIZE(generations); i++) {
        bool is_old = generations[i] == TM_XEN_STREAM_40;
        make(generations[i]);
        file.at = 0;
        tm_foreign_open(&reader, generations[i], read_file, &file);
        next(TM_SAVE_CLIENT);
        assert_int_equal(item.client.stats.weight, 300);
        assert_int_equal(item.client.stats.uncompressed, 0);
        assert_int_equal(item.client.stats.frozen, is_old);
        assert_true(item.client.stats.cap_bytes == (is_old ? UINT64_C(64) << 20 : UINT64_MAX));
        next_pool(1, TMEM_POOL_PERSISTENT, 2);
        next_page(1, 10, 5);
        next_page(1, 10, NONE);
        next_pool(2, TMEM_POOL_SHARED, 0);
        next_pool(3, TMEM_POOL_PERSISTENT, 3);
        next_page(3, 11, 0);
        assert_int_equal(tm_foreign_read(&reader, &item), TM_SAVE_ENDED);
        assert_int_equal(tm_foreign_read(&reader, &item), TM_SAVE_ENDED);
    }
}

static void pages_that_went_meanwhile_are_gone(void **state)
{
    (void)state;
    for (unsigned i = 0; i < TM_ARRAY_SIZE(generations); i++) {
        make(generations[i]);
        size_t whole = file.size;
        add_gone();
        file.at = 0;
        tm_foreign_open(&reader, generations[i], read_file, &file);
        for (unsigned n = 0; n < 7; n++)
            assert_int_equal(tm_foreign_read(&reader, &item), TM_SAVE_ITEM);
        next(TM_SAVE_GONE_PAGE);
        assert_int_equal(item.pool, 3);
        assert_int_equal(item.object.word[0], 11);
        assert_int_equal(item.object.word[2], 3);
        assert_int_equal(item.index, 7);
        assert_int_equal(tm_foreign_read(&reader, &item), TM_SAVE_ENDED);
        add(0, 1);
        refused(generations[i], file.size - 1, "bytes behind its end");
        tm_bytes_put(file.bytes + whole + 4, 3, 4);
        refused(generations[i], whole + 4, "pool 3, which never came");
        tm_bytes_put(file.bytes + whole + 4, 16, 4);
        refused(generations[i], whole + 4, "pool 16, which never came");
        tm_bytes_put(file.bytes + whole, 7, 4);
        refused(generations[i], whole, "bytes behind its end");
    }
}

static void settings_that_were_never_made(void **state)
{
    (void)state;
    static const uint32_t never[] = {0, NONE};
    for (unsigned i = 0; i < TM_ARRAY_SIZE(never); i++) {
        make(TM_XEN_STREAM_40);
        tm_bytes_put(file.bytes + 16, 0, 4);
        tm_bytes_put(file.bytes + 20, never[i], 4);
        tm_bytes_put(file.bytes + 24, never[i], 4);
        file.at = 0;
        tm_foreign_open(&reader, TM_XEN_STREAM_40, read_file, &file);
        next(TM_SAVE_CLIENT);
        assert_int_equal(item.client.stats.weight, 100);
        assert_int_equal(item.client.stats.uncompressed, 1);
        assert_int_equal(item.client.stats.frozen, 0);
        assert_true(item.client.stats.cap_bytes == UINT64_MAX);
    }
}

/* Of something longer, whose reader has read the marker and goes on behind it. */
static void a_part_is_read_to_its_end_and_no_further(void **state)
{
    (void)state;
    for (unsigned i = 0; i < TM_ARRAY_SIZE(generations); i++) {
        make(generations[i]);
        size_t first = file.size;
        add_gone();
        add(0x77, 1);
        file.at = 4;
        tm_foreign_open_part(&reader, TM_XEN_STREAM_ANY, read_file, &file);
        for (unsigned n = 0; n < 7; n++)
            assert_int_equal(tm_foreign_read(&reader, &item), TM_SAVE_ITEM);
        assert_int_equal(tm_foreign_read(&reader, &item), TM_SAVE_ENDED);
        assert_int_equal(file.at, first);
        assert_int_equal(reader.known, 7);
        file.at += 4;
        tm_foreign_open_extra(&reader, 7, read_file, &file);
        next(TM_SAVE_GONE_PAGE);
        assert_int_equal(item.pool, 3);
        assert_int_equal(tm_foreign_read(&reader, &item), TM_SAVE_ENDED);
        assert_int_equal(file.at, file.size - 1);
        file.at = first + 4;
        tm_foreign_open_extra(&reader, 3, read_file, &file);
        assert_int_equal(tm_foreign_read(&reader, &item), TM_SAVE_BROKEN);
        assert_non_null(strstr(reader.text, "at byte 4: a page goes of pool 2, which never came"));
    }
}

static void which_of_the_two_it_is_is_seen(void **state)
{
    (void)state;
    for (unsigned i = 0; i < TM_ARRAY_SIZE(generations); i++) {
        make(generations[i]);
        assert_int_equal(read_all(TM_XEN_STREAM_ANY), TM_SAVE_ENDED);
        assert_int_equal(reader.generation, generations[i]);
        tm_bytes_put(file.bytes + 4, 9, 4);
        refused(TM_XEN_STREAM_ANY, 4, "version 9");
    }
}

static void every_shorter_stream_is_refused(void **state)
{
    (void)state;
    for (unsigned i = 0; i < TM_ARRAY_SIZE(generations); i++) {
        make(generations[i]);
        size_t first = file.size;
        add_gone();
        for (size_t whole = file.size; file.size-- > 0;) {
            bool is_marker = file.size > first && file.size < first + 4;
            if (file.size == first)
                assert_int_equal(read_all(generations[i]), TM_SAVE_ENDED);
            else
                refused(generations[i], is_marker ? first : file.size,
                        is_marker ? "bytes behind its end" : "it ends before its end");
            assert_true(file.size < whole);
        }
    }
}

/* ---- wrong numbers ---- */

static void headers_that_cannot_be(void **state)
{
    (void)state;
    static const struct {
        enum tm_xen_stream generation;
        unsigned at;
        uint32_t number;
        const char *why;
    } wrong[] = {
        {TM_XEN_STREAM_40, 0, NONE, "no stream"},
        {TM_XEN_STREAM_48, 0, 5, "no stream"},
        {TM_XEN_STREAM_40, 4, 0, "version 0"},
        {TM_XEN_STREAM_48, 4, 2, "version 2"},
        {TM_XEN_STREAM_40, 8, 17, "room for 17"},
        {TM_XEN_STREAM_48, 8, NONE, "room for"},
        {TM_XEN_STREAM_40, 12, 3, "-1 is due"},
        {TM_XEN_STREAM_48, 12, 17, "17 pools"},
        {TM_XEN_STREAM_40, 16, 4, "flags of 0x4"},
        {TM_XEN_STREAM_48, 16, 8, "flags of 0x8"},
        {TM_XEN_STREAM_40, 20, 1000001, "a weight"},
        {TM_XEN_STREAM_48, 20, 1000001, "a weight"},
        {TM_XEN_STREAM_40, 28, 0, "-1 is due"},
        {TM_XEN_STREAM_48, 24, 0, "-1 is due"},
    };
    for (unsigned i = 0; i < TM_ARRAY_SIZE(wrong); i++) {
        make(wrong[i].generation);
        tm_bytes_put(file.bytes + wrong[i].at, wrong[i].number, 4);
        refused(wrong[i].generation, wrong[i].at, wrong[i].why);
    }
    make(TM_XEN_STREAM_48);
    refused(TM_XEN_STREAM_40, 12, "4.8");
    make(TM_XEN_STREAM_40);
    refused(TM_XEN_STREAM_48, 24, "of another release?");
}

static void pools_that_cannot_be(void **state)
{
    (void)state;
    static const struct {
        uint32_t id, flags;
        uint64_t pages;
        const char *why;
    } wrong[] = {
        {16, 0x01000001, 1, "pool 16, and 15 is the last"},
        {0x80000000, 0x01000001, 1, "is the last"},
        {3, 0x01000001, 0, "pool 3 twice"},
        {4, 0x00000001, 0, "has version 0"},
        {4, 0x02000001, 0, "has version 2"},
        {4, 0x01000011, 0, "pages of other than 4096"},
        {4, 0x01000005, 0, "flags of"},
        {4, 0x01000009, 0, "flags of"},
        {4, 0x01000101, 0, "flags of"},
        {4, 0x01800001, 0, "flags of"},
        {4, 0x01000003, 0, "shared and persistent"},
        {4, 0x01000000, 1, "ephemeral and has 1 pages"},
        {4, 0x01000002, 7, "ephemeral and has 7 pages"},
    };
    for (unsigned g = 0; g < TM_ARRAY_SIZE(generations); g++)
        for (unsigned i = 0; i < TM_ARRAY_SIZE(wrong); i++) {
            make_header(generations[g], 2);
            add_pool(generations[g], 3, 0x01000001, 0);
            size_t start = file.size;
            add_pool(generations[g], wrong[i].id, wrong[i].flags, wrong[i].pages);
            add(NONE, 4);
            refused(generations[g], start, wrong[i].why);
        }
}

static void counts_that_do_not_fit_what_follows(void **state)
{
    (void)state;
    make_header(TM_XEN_STREAM_48, 1);
    add_pool(TM_XEN_STREAM_48, 0, 0x01000001, UINT64_MAX);
    add_page(1, 1);
    add(NONE, 4);
    refused(TM_XEN_STREAM_48, file.size, "it ends before its end");
    make_header(TM_XEN_STREAM_48, 0);
    add_pool(TM_XEN_STREAM_48, 0, 0x01000001, 0);
    refused(TM_XEN_STREAM_48, 28, "where -1 is due");
    make_header(TM_XEN_STREAM_40, 0);
    add_pool(TM_XEN_STREAM_40, 0, 0x01000001, 0);
    add_page(1, 1);
    add(NONE, 4);
    refused(TM_XEN_STREAM_40, 60, "has version 0");
}

/* ---- writing ---- */

static void put(struct tm_save_item made)
{
    if (!tm_foreign_write(&writer, &made))
        fail_msg("%s", writer.text);
}

static struct tm_save_item client_item(uint64_t pools)
{
    struct tm_save_item made = {.kind = TM_SAVE_CLIENT};
    made.client.stats.weight = 300;
    made.client.stats.frozen = 1;
    made.client.stats.cap_bytes = UINT64_C(64) << 20;
    made.client.stats.pools = pools;
    return made;
}

static struct tm_save_item pool_item(uint64_t id, uint32_t flags, uint64_t pages)
{
    struct tm_save_item made = {.kind = TM_SAVE_POOL};
    made.of_pool.id = id;
    made.of_pool.flags = flags;
    made.of_pool.uuid = (struct tmem_uuid){{0x1111, 0x2222}};
    made.of_pool.counters.pages = pages;
    return made;
}

static struct tm_save_item page_item(uint64_t pool, uint64_t object, uint32_t index)
{
    struct tm_save_item made = {.kind = TM_SAVE_PAGE, .pool = pool, .index = index};
    made.object = (struct tmem_object_id){{object, 2, 3}};
    made.page.codec = TMEM_CODEC_RAW;
    made.page.size_bytes = TMEM_PAGE_SIZE;
    fill(made.page.bytes, object + index);
    return made;
}

static void begin(enum tm_xen_stream generation)
{
    other.size = 0;
    other.room = sizeof other.bytes;
    tm_foreign_begin(&writer, generation, write_file, &other);
}

/* The client of make(), with what has no place in a stream between. */
static void write_items(void)
{
    put(client_item(3));
    put((struct tm_save_item){.kind = TM_SAVE_RIGHT, .right = {{1, 2}}});
    put(pool_item(70, TMEM_POOL_PERSISTENT, 2));
    put(page_item(70, 10, 5));
    put(page_item(70, 10, NONE));
    put((struct tm_save_item){.kind = TM_SAVE_ROUND, .round = 1});
    put(client_item(3));
    put(pool_item(71, TMEM_POOL_SHARED, 99));
    put(pool_item(80, TMEM_POOL_PERSISTENT, 3));
    put(page_item(80, 11, 0));
    put(pool_item(71, TMEM_POOL_SHARED, 98));
}

static void what_is_written_is_what_the_original_wrote(void **state)
{
    (void)state;
    for (unsigned i = 0; i < TM_ARRAY_SIZE(generations); i++) {
        make(generations[i]);
        begin(generations[i]);
        write_items();
        assert_true(tm_foreign_finish(&writer));
        assert_int_equal(other.size, file.size);
        assert_memory_equal(other.bytes, file.bytes, file.size);
    }
}

static void pages_that_went_are_written_as_the_original_did(void **state)
{
    struct tm_save_item gone = page_item(80, 11, 7);
    (void)state;
    gone.kind = TM_SAVE_GONE_PAGE;
    for (unsigned i = 0; i < TM_ARRAY_SIZE(generations); i++) {
        make(generations[i]);
        tm_bytes_put(file.bytes, 0x1234, 4);
        add_gone();
        begin(generations[i]);
        writer.marker = 0x1234;
        write_items();
        assert_true(tm_foreign_finish(&writer));
        assert_true(tm_foreign_begin_extra(&writer, TM_XEN_MARKER_EXTRA, write_file, &other));
        put(gone);
        assert_true(tm_foreign_finish(&writer));
        assert_int_equal(other.size, file.size);
        assert_memory_equal(other.bytes, file.bytes, file.size);
    }
    assert_true(tm_foreign_begin_extra(&writer, TM_XEN_MARKER_EXTRA, write_file, &other));
    gone.pool = 81;
    assert_false(tm_foreign_write(&writer, &gone));
    assert_non_null(strstr(writer.text, "a page of a pool that was not written"));
    assert_false(tm_foreign_begin_extra(&writer, TM_XEN_MARKER_EXTRA, write_file, &other));
}

static void a_client_without_pools_and_cap(void **state)
{
    (void)state;
    struct tm_save_item made = client_item(0);
    static const uint64_t caps[] = {UINT64_MAX, 1, UINT64_MAX - 1};
    static const uint32_t written[] = {0, 1, NONE - 1};
    for (unsigned i = 0; i < TM_ARRAY_SIZE(caps); i++) {
        made.client.stats.cap_bytes = caps[i];
        made.client.stats.uncompressed = i;
        begin(TM_XEN_STREAM_40);
        put(made);
        assert_true(tm_foreign_finish(&writer));
        assert_int_equal(other.size, 36);
        assert_int_equal(tm_bytes_get(other.bytes + 16, 4), i == 0 ? 3 : 2);
        assert_int_equal(tm_bytes_get(other.bytes + 24, 4), written[i]);
    }
}

static void cannot_write(struct tm_save_item made, const char *why)
{
    size_t size = other.size;
    assert_false(tm_foreign_write(&writer, &made));
    if (strstr(writer.text, why) == NULL)
        fail_msg("it says: %s", writer.text);
    assert_false(tm_foreign_write(&writer, &made));
    assert_false(tm_foreign_finish(&writer));
    assert_int_equal(other.size, size);
}

static void with_pool(uint32_t flags, uint64_t pages)
{
    begin(TM_XEN_STREAM_40);
    put(client_item(1));
    put(pool_item(7, flags, pages));
}

static void what_the_original_has_no_word_for(void **state)
{
    (void)state;
    begin(TM_XEN_STREAM_40);
    cannot_write(pool_item(1, 0, 0), "first");
    begin(TM_XEN_STREAM_48);
    cannot_write(client_item(17), "17 pools");
    begin(TM_XEN_STREAM_40);
    put(client_item(1));
    cannot_write(pool_item(1, TMEM_POOL_PERSISTENT | TMEM_POOL_SHARED, 0), "shared and persistent");
    begin(TM_XEN_STREAM_40);
    put(client_item(1));
    cannot_write(pool_item(1, TMEM_POOL_PERSISTENT, UINT64_C(1) << 32), "more pages than that format");
    begin(TM_XEN_STREAM_48);
    put(client_item(1));
    put(pool_item(1, TMEM_POOL_PERSISTENT, UINT64_C(1) << 32));
    with_pool(TMEM_POOL_PERSISTENT, 1);
    cannot_write(pool_item(8, TMEM_POOL_PERSISTENT, 0), "more pools");
    with_pool(TMEM_POOL_PERSISTENT, 1);
    cannot_write(page_item(8, 1, 1), "among another's");
    with_pool(TMEM_POOL_EPHEMERAL, 5);
    cannot_write(page_item(7, 1, 1), "or is ephemeral");
    with_pool(TMEM_POOL_PERSISTENT, 1);
    struct tm_save_item made = page_item(7, 1, 1);
    made.page.codec = TMEM_CODEC_LZ4;
    cannot_write(made, "codec 3");
    with_pool(TMEM_POOL_PERSISTENT, 1);
    made = page_item(7, 1, 1);
    made.object = (struct tmem_object_id){{UINT64_MAX, UINT64_MAX, UINT64_MAX}};
    cannot_write(made, "all ones");
    with_pool(TMEM_POOL_PERSISTENT, 1);
    put(page_item(7, UINT64_MAX, 1));
    cannot_write(page_item(7, 1, 1), "more pages than were counted");
    with_pool(TMEM_POOL_PERSISTENT, 1);
    cannot_write((struct tm_save_item){.kind = TM_SAVE_GONE_POOL, .pool = 7}, "no place");
    begin(TM_XEN_STREAM_40);
    put(client_item(1));
    assert_false(tm_foreign_finish(&writer));
    assert_non_null(strstr(writer.text, "fewer pools"));
    begin(TM_XEN_STREAM_40);
    assert_false(tm_foreign_finish(&writer));
}

/* At whatever byte: it says so once, and nothing comes after it. */
static void a_sink_that_says_no_ends_it(void **state)
{
    (void)state;
    make(TM_XEN_STREAM_48);
    for (size_t room = 0; room < file.size; room += room % 7 + 1) {
        begin(TM_XEN_STREAM_48);
        other.room = room;
        struct tm_save_item items[] = {client_item(3), pool_item(70, TMEM_POOL_PERSISTENT, 2), page_item(70, 10, 5),
                                       page_item(70, 10, NONE), pool_item(71, TMEM_POOL_SHARED, 0),
                                       pool_item(80, TMEM_POOL_PERSISTENT, 3), page_item(80, 11, 0)};
        bool done = true;
        for (unsigned i = 0; i < TM_ARRAY_SIZE(items); i++)
            done = tm_foreign_write(&writer, &items[i]) && done;
        assert_false(tm_foreign_finish(&writer));
        assert_string_equal(writer.text, "");
        assert_true(other.size <= room);
        assert_memory_equal(other.bytes, file.bytes, other.size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_original_wrote_is_read),
        cmocka_unit_test(pages_that_went_meanwhile_are_gone),
        cmocka_unit_test(settings_that_were_never_made),
        cmocka_unit_test(a_part_is_read_to_its_end_and_no_further),
        cmocka_unit_test(which_of_the_two_it_is_is_seen),
        cmocka_unit_test(every_shorter_stream_is_refused),
        cmocka_unit_test(headers_that_cannot_be),
        cmocka_unit_test(pools_that_cannot_be),
        cmocka_unit_test(counts_that_do_not_fit_what_follows),
        cmocka_unit_test(what_is_written_is_what_the_original_wrote),
        cmocka_unit_test(pages_that_went_are_written_as_the_original_did),
        cmocka_unit_test(a_client_without_pools_and_cap),
        cmocka_unit_test(what_the_original_has_no_word_for),
        cmocka_unit_test(a_sink_that_says_no_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
