/* SPDX-License-Identifier: BSD-2-Clause */
/* save_test.c - what is written is read again, and nothing that was not written: torn, flipped, moved, or made up. */
#include "save/save.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "save/layout.h"
#include "tests/support/memory_file.h"

static struct file file;
static struct file other;
static struct tm_save_item item; /* the last one that was read */
static struct tm_save_reader reader;

static void begin(struct tm_save_writer *writer, struct file *to, enum tm_save_form form, uint64_t salt)
{
    to->size = 0;
    to->room = sizeof to->bytes;
    assert_true(tm_save_begin(writer, form, salt, write_file, to));
}

/* ---- items ---- */

static void count(struct tmem_counters *counters, uint64_t from)
{
    uint64_t numbers[TM_SAVE_COUNTERS];
    for (unsigned i = 0; i < TM_SAVE_COUNTERS; i++)
        numbers[i] = from + i;
    memset(counters, 0, sizeof *counters);
    memcpy(counters, numbers, sizeof numbers);
}

static struct tm_save_item client_item(const char *name)
{
    struct tm_save_item made = {.kind = TM_SAVE_CLIENT};
    (void)snprintf(made.client.stats.name, sizeof made.client.stats.name, "%s", name);
    made.client.stats.weight = 300;
    made.client.stats.frozen = 1;
    made.client.stats.cap_bytes = UINT64_C(0x1122334455667788);
    made.client.stats.charged_max_bytes = 77;
    made.client.stats.evicted_for_others = 5;
    made.client.uid = 1000;
    memcpy(made.client.token, "0123456789abcdef", TM_SAVE_TOKEN_BYTES);
    count(&made.client.stats.counters, 100);
    return made;
}

static struct tm_save_item pool_item(uint64_t id, uint32_t flags)
{
    struct tm_save_item made = {.kind = TM_SAVE_POOL};
    made.of_pool.id = id;
    made.of_pool.flags = flags;
    made.of_pool.uuid = (struct tmem_uuid){{7, UINT64_C(0xfedcba9876543210)}};
    count(&made.of_pool.counters, 1000);
    return made;
}

static struct tm_save_item page_item(uint64_t pool, uint64_t object, uint32_t index, uint32_t codec, uint32_t size)
{
    struct tm_save_item made = {.kind = TM_SAVE_PAGE, .pool = pool, .index = index};
    made.object = (struct tmem_object_id){{object, 2, UINT64_C(0x8000000000000001)}};
    made.page.codec = codec;
    made.page.size_bytes = size;
    made.page.check = object * UINT64_C(0x123456789abcdef);
    for (uint32_t i = 0; i < size; i++)
        made.page.bytes[i] = (unsigned char)(object + i * 7u);
    return made;
}

static void put(struct tm_save_writer *writer, struct tm_save_item made)
{
    assert_true(tm_save_write(writer, &made));
}

/* A client with two pools and a few pages; what client.saved has. */
static void write_small(struct file *to, uint64_t salt)
{
    struct tm_save_writer writer;
    begin(&writer, to, TM_SAVE_FILE, salt);
    put(&writer, client_item("guest-1"));
    put(&writer, (struct tm_save_item){.kind = TM_SAVE_RIGHT, .right = {{1, 2}}});
    put(&writer, pool_item(3, TMEM_POOL_PERSISTENT));
    put(&writer, pool_item(9, TMEM_POOL_SHARED));
    put(&writer, page_item(3, 11, 0, TMEM_CODEC_SAME, 8));
    put(&writer, page_item(3, 11, UINT32_MAX, TMEM_CODEC_LZ4, 40));
    put(&writer, page_item(9, 12, 5, TMEM_CODEC_ZSTD, 33));
    assert_true(tm_save_finish(&writer, true));
}

/* ---- reading ---- */

/* Reads to the end, and answers how it ended; *items: how many there were. */
static enum tm_save_answer read_all(struct file *from, unsigned *items)
{
    enum tm_save_answer answer = TM_SAVE_BROKEN;
    unsigned found = 0;
    from->at = 0;
    if (tm_save_open(&reader, read_file, from)) {
        while ((answer = tm_save_read(&reader, &item)) == TM_SAVE_ITEM)
            found++;
        assert_int_equal(tm_save_read(&reader, &item), answer);
    }
    if (answer == TM_SAVE_BROKEN)
        assert_true(strncmp(reader.text, "at byte ", 8) == 0);
    tm_save_close(&reader);
    if (items != NULL)
        *items = found;
    return answer;
}

static void refused(struct file *from, const char *why)
{
    assert_int_equal(read_all(from, NULL), TM_SAVE_BROKEN);
    if (strstr(reader.text, why) == NULL)
        fail_msg("it says: %s", reader.text);
}

static void next(enum tm_save_kind kind)
{
    if (tm_save_read(&reader, &item) != TM_SAVE_ITEM)
        fail_msg("%s", reader.text);
    assert_int_equal(item.kind, kind);
}

static void same_page(struct tm_save_item expected)
{
    next(TM_SAVE_PAGE);
    assert_int_equal(item.pool, expected.pool);
    assert_memory_equal(&item.object, &expected.object, sizeof item.object);
    assert_int_equal(item.index, expected.index);
    assert_int_equal(item.page.codec, expected.page.codec);
    assert_int_equal(item.page.size_bytes, expected.page.size_bytes);
    assert_true(item.page.check == expected.page.check);
    assert_memory_equal(item.page.bytes, expected.page.bytes, expected.page.size_bytes);
}

static void what_was_written_is_read(void **state)
{
    (void)state;
    write_small(&file, 1);
    file.at = 0;
    assert_true(tm_save_open(&reader, read_file, &file));
    struct tm_save_item client = client_item("guest-1");
    next(TM_SAVE_CLIENT);
    assert_memory_equal(&item.client, &client.client, sizeof client.client);
    next(TM_SAVE_RIGHT);
    assert_true(item.right.word[0] == 1 && item.right.word[1] == 2);
    struct tm_save_item pool = pool_item(3, TMEM_POOL_PERSISTENT);
    next(TM_SAVE_POOL);
    assert_memory_equal(&item.of_pool, &pool.of_pool, sizeof pool.of_pool);
    next(TM_SAVE_POOL);
    assert_int_equal(item.of_pool.flags, TMEM_POOL_SHARED);
    same_page(page_item(3, 11, 0, TMEM_CODEC_SAME, 8));
    same_page(page_item(3, 11, UINT32_MAX, TMEM_CODEC_LZ4, 40));
    same_page(page_item(9, 12, 5, TMEM_CODEC_ZSTD, 33));
    assert_int_equal(tm_save_read(&reader, &item), TM_SAVE_ENDED);
    tm_save_close(&reader);
}

/* The file that is kept was written by version 1: it must be read for ever, and written the same. */
static void the_format_does_not_change(void **state)
{
    (void)state;
    const char *path = getenv("TMEM_SAVED_CLIENT");
    assert_non_null(path);
    FILE *kept = fopen(path, "rb");
    assert_non_null(kept);
    other.size = fread(other.bytes, 1, sizeof other.bytes, kept);
    (void)fclose(kept);
    write_small(&file, 1);
    assert_int_equal(other.size, file.size);
    assert_memory_equal(other.bytes, file.bytes, file.size);
}

static void many_pages_take_many_sections(void **state)
{
    (void)state;
    struct tm_save_writer writer;
    begin(&writer, &file, TM_SAVE_FILE, 5);
    put(&writer, client_item("c"));
    put(&writer, pool_item(1, TMEM_POOL_EPHEMERAL));
    for (uint32_t i = 0; i < 200; i++)
        put(&writer, page_item(1, 4, i, TMEM_CODEC_RAW, TMEM_PAGE_SIZE));
    assert_true(tm_save_finish(&writer, true));
    unsigned items;
    assert_int_equal(read_all(&file, &items), TM_SAVE_ENDED);
    assert_int_equal(items, 202);
    assert_true(reader.number > 5);
}

static void a_stream_has_rounds_and_losses(void **state)
{
    (void)state;
    struct tm_save_writer writer;
    begin(&writer, &file, TM_SAVE_STREAM, 5);
    put(&writer, client_item("c"));
    put(&writer, pool_item(1, TMEM_POOL_PERSISTENT));
    put(&writer, page_item(1, 4, 0, TMEM_CODEC_SAME, 8));
    assert_true(tm_save_flush(&writer));
    put(&writer, (struct tm_save_item){.kind = TM_SAVE_ROUND, .round = 1});
    put(&writer, client_item("c"));
    put(&writer, (struct tm_save_item){.kind = TM_SAVE_GONE_PAGE, .pool = 1, .object = {{4, 5, 6}}, .index = 9});
    put(&writer, (struct tm_save_item){.kind = TM_SAVE_GONE_POOL, .pool = 1});
    put(&writer, pool_item(1, TMEM_POOL_EPHEMERAL));
    assert_true(tm_save_finish(&writer, true));
    file.at = 0;
    assert_true(tm_save_open(&reader, read_file, &file));
    next(TM_SAVE_CLIENT);
    next(TM_SAVE_POOL);
    next(TM_SAVE_PAGE);
    next(TM_SAVE_ROUND);
    assert_int_equal(item.round, 1);
    next(TM_SAVE_CLIENT);
    next(TM_SAVE_GONE_PAGE);
    assert_true(item.pool == 1 && item.object.word[2] == 6 && item.index == 9);
    next(TM_SAVE_GONE_POOL);
    next(TM_SAVE_POOL);
    assert_int_equal(tm_save_read(&reader, &item), TM_SAVE_ENDED);
    tm_save_close(&reader);
}

static void a_sink_that_says_no_ends_it(void **state)
{
    (void)state;
    write_small(&file, 1);
    size_t whole = file.size;
    for (size_t room = 0; room < whole; room++) {
        struct tm_save_writer writer;
        other.size = 0;
        other.room = room;
        bool done = tm_save_begin(&writer, TM_SAVE_FILE, 1, write_file, &other);
        struct tm_save_item client = client_item("c");
        done = done && tm_save_write(&writer, &client);
        done = done && tm_save_flush(&writer);
        bool finished = tm_save_finish(&writer, true);
        assert_true(finished || other.size <= room);
        assert_true(done || !finished);
    }
}

/* ---- what is not whole ---- */

static void every_flipped_bit_is_found(void **state)
{
    (void)state;
    write_small(&file, 1);
    for (size_t bit = 0; bit < file.size * 8; bit++) {
        unsigned char mask = (unsigned char)(1u << bit % 8);
        unsigned items;
        file.bytes[bit / 8] ^= mask;
        assert_int_equal(read_all(&file, &items), TM_SAVE_BROKEN);
        assert_true(items <= 7);
        file.bytes[bit / 8] ^= mask;
    }
    assert_int_equal(read_all(&file, NULL), TM_SAVE_ENDED);
}

static void every_shorter_file_is_refused(void **state)
{
    (void)state;
    write_small(&file, 1);
    while (--file.size > 0)
        assert_int_equal(read_all(&file, NULL), TM_SAVE_BROKEN);
    refused(&file, "no saved client");
}

/* Offset of section @number, and its whole length. */
static size_t section_at(const struct file *in, unsigned number, size_t *length)
{
    size_t at = TM_SAVE_BEGIN_BYTES;
    for (;; number--) {
        *length = TM_SAVE_HEADER_BYTES + (size_t)tm_bytes_get(in->bytes + at + 12, 4) + TM_SAVE_CHECK_BYTES;
        if (number == 0)
            return at;
        at += *length;
    }
}

static void sections_that_are_left_out_repeated_or_moved(void **state)
{
    (void)state;
    size_t length;
    size_t following;
    write_small(&other, 1);
    for (unsigned number = 0; number < 4; number++) {
        size_t at = section_at(&other, number, &length);
        (void)section_at(&other, number + 1, &following);
        const unsigned char *section = other.bytes + at;
        size_t rest = other.size - at - length;

        memcpy(file.bytes, other.bytes, at);
        memcpy(file.bytes + at, section + length, rest);
        file.size = at + rest;
        refused(&file, "is due");

        memcpy(file.bytes + at, section, length);
        memcpy(file.bytes + at + length, section, length + rest);
        file.size = at + length + length + rest;
        refused(&file, "is due");

        memcpy(file.bytes + at, section + length, following);
        memcpy(file.bytes + at + following, section, length);
        file.size = other.size;
        refused(&file, "is due");
    }
}

static void a_section_of_another_file_is_refused(void **state)
{
    (void)state;
    size_t length;
    write_small(&file, 1);
    write_small(&other, 2);
    for (unsigned number = 0; number < 5; number++) {
        size_t at = section_at(&file, number, &length);
        write_small(&file, 1);
        memcpy(file.bytes + at, other.bytes + at, length);
        refused(&file, "checksum");
    }
}

/* ---- what was made up, with checksums that are right ---- */

static uint64_t chain;
static uint32_t section_number;

static void make_begin(uint64_t version, uint64_t form, uint64_t page_bytes)
{
    tm_bytes_put(file.bytes, TM_SAVE_MAGIC, 8);
    tm_bytes_put(file.bytes + 8, version, 2);
    tm_bytes_put(file.bytes + 10, form, 2);
    tm_bytes_put(file.bytes + 12, page_bytes, 4);
    tm_bytes_put(file.bytes + 16, 1, 8);
    chain = tm_save_check(file.bytes, 24, 0);
    tm_bytes_put(file.bytes + 24, chain, 8);
    file.size = TM_SAVE_BEGIN_BYTES;
    section_number = 0;
}

static void make_section(uint32_t kind, uint32_t entries, const void *body, uint32_t size)
{
    unsigned char *header = file.bytes + file.size;
    tm_bytes_put(header, kind, 4);
    tm_bytes_put(header + 4, section_number++, 4);
    tm_bytes_put(header + 8, entries, 4);
    tm_bytes_put(header + 12, size, 4);
    memcpy(header + TM_SAVE_HEADER_BYTES, body, size);
    chain = tm_save_check(header, TM_SAVE_HEADER_BYTES + size, chain);
    tm_bytes_put(header + TM_SAVE_HEADER_BYTES + size, chain, 8);
    file.size += TM_SAVE_HEADER_BYTES + size + TM_SAVE_CHECK_BYTES;
}

/* A client whose name is a letter, without counters. */
#define CLIENT_BYTES (2u + 1u + 4u + 4u + 8u + 8u + 8u + 4u + TM_SAVE_TOKEN_BYTES + 2u)

/* A begin and a client; what follows is the test's. */
static void make_client(enum tm_save_form form)
{
    unsigned char client[CLIENT_BYTES] = {1, 0, 'c'};
    make_begin(TM_SAVE_VERSION, form, TMEM_PAGE_SIZE);
    make_section(TM_SAVE_CLIENT, 1, client, CLIENT_BYTES);
}

static void make_pool(uint64_t id, uint32_t flags)
{
    unsigned char pool[30] = {0};
    tm_bytes_put(pool, id, 8);
    tm_bytes_put(pool + 8, flags, 4);
    make_section(TM_SAVE_POOL, 1, pool, sizeof pool);
}

static void first_bytes_that_are_not_known(void **state)
{
    (void)state;
    make_begin(2, TM_SAVE_FILE, TMEM_PAGE_SIZE);
    refused(&file, "version 2");
    make_begin(TM_SAVE_VERSION, 2, TMEM_PAGE_SIZE);
    refused(&file, "neither a file nor a stream");
    make_begin(TM_SAVE_VERSION, TM_SAVE_FILE, 65536);
    refused(&file, "4096 bytes");
}

static void headers_that_are_not_right(void **state)
{
    (void)state;
    make_client(TM_SAVE_FILE);
    make_section(0, 1, "", 1);
    refused(&file, "kind 0");
    make_client(TM_SAVE_FILE);
    make_section(TM_SAVE_END + 1, 1, "", 1);
    refused(&file, "kind 9");
    make_client(TM_SAVE_FILE);
    make_section(TM_SAVE_RIGHT, 0, "", 1);
    refused(&file, "0 entries");
    make_client(TM_SAVE_FILE);
    make_section(TM_SAVE_RIGHT, 17, "0123456789abcdef", 16);
    refused(&file, "17 entries");
    make_client(TM_SAVE_FILE);
    make_section(TM_SAVE_RIGHT, 1, "", 1);
    tm_bytes_put(file.bytes + file.size - 25 + 12, UINT32_MAX, 4);
    refused(&file, "too long");
}

static void kinds_in_the_wrong_place(void **state)
{
    (void)state;
    make_begin(TM_SAVE_VERSION, TM_SAVE_FILE, TMEM_PAGE_SIZE);
    make_section(TM_SAVE_RIGHT, 1, "0123456789abcdef", 16);
    refused(&file, "the client is to be first");
    make_client(TM_SAVE_FILE);
    make_section(TM_SAVE_ROUND, 1, "\1\0\0\0", 4);
    refused(&file, "for streams");
    make_client(TM_SAVE_FILE);
    make_section(TM_SAVE_CLIENT, 1, file.bytes + TM_SAVE_BEGIN_BYTES + TM_SAVE_HEADER_BYTES, CLIENT_BYTES);
    refused(&file, "a second client");
}

static void entries_that_do_not_fit(void **state)
{
    (void)state;
    make_client(TM_SAVE_FILE);
    make_section(TM_SAVE_RIGHT, 2, "0123456789abcdef", 16);
    refused(&file, "cut short");
    make_client(TM_SAVE_FILE);
    make_section(TM_SAVE_RIGHT, 1, "0123456789abcdefg", 17);
    refused(&file, "no entry");
    for (uint32_t kind = TM_SAVE_CLIENT; kind <= TM_SAVE_END; kind++) {
        make_client(TM_SAVE_STREAM);
        make_section(kind, 1, "\1\0\0", 3);
        refused(&file, "cut short");
    }
}

static void clients_that_cannot_be(void **state)
{
    (void)state;
    unsigned char client[128] = {0};
    make_begin(TM_SAVE_VERSION, TM_SAVE_FILE, TMEM_PAGE_SIZE);
    make_section(TM_SAVE_CLIENT, 1, client, 100);
    refused(&file, "name of 0 bytes");
    client[0] = TMEM_CLIENT_NAME_SIZE;
    make_begin(TM_SAVE_VERSION, TM_SAVE_FILE, TMEM_PAGE_SIZE);
    make_section(TM_SAVE_CLIENT, 1, client, 128);
    refused(&file, "name of 64 bytes");
    client[0] = 1;
    client[3 + 4] = 4;
    make_begin(TM_SAVE_VERSION, TM_SAVE_FILE, TMEM_PAGE_SIZE);
    make_section(TM_SAVE_CLIENT, 1, client, CLIENT_BYTES);
    refused(&file, "flags of 4");
    client[3 + 4] = 0;
    tm_bytes_put(client + CLIENT_BYTES - 2, TM_SAVE_COUNTERS_MAX + 1, 2);
    make_begin(TM_SAVE_VERSION, TM_SAVE_FILE, TMEM_PAGE_SIZE);
    make_section(TM_SAVE_CLIENT, 1, client, CLIENT_BYTES);
    refused(&file, "too many");
}

static void counters_of_the_future_are_passed_over(void **state)
{
    (void)state;
    static unsigned char pool[30 + 8 * TM_SAVE_COUNTERS_MAX];
    tm_bytes_put(pool, 4, 8);
    tm_bytes_put(pool + 28, TM_SAVE_COUNTERS_MAX, 2);
    tm_bytes_put(pool + 30, 123, 8);
    make_client(TM_SAVE_STREAM);
    make_section(TM_SAVE_POOL, 1, pool, sizeof pool);
    file.at = 0;
    assert_true(tm_save_open(&reader, read_file, &file));
    next(TM_SAVE_CLIENT);
    next(TM_SAVE_POOL);
    assert_int_equal(item.of_pool.counters.pages, 123);
    tm_save_close(&reader);
}

static void pools_that_cannot_be(void **state)
{
    (void)state;
    make_client(TM_SAVE_FILE);
    make_pool(0, 0);
    refused(&file, "pool 0");
    make_client(TM_SAVE_FILE);
    make_pool(5, 0);
    make_pool(4, 0);
    make_pool(5, 0);
    refused(&file, "pool 5 twice");
    make_client(TM_SAVE_FILE);
    make_pool(5, 4);
    refused(&file, "flags of 4");
    make_client(TM_SAVE_STREAM);
    make_pool(5, 0);
    make_section(TM_SAVE_GONE_POOL, 1, "\6\0\0\0\0\0\0", 8);
    refused(&file, "never came");
}

static void pools_are_told_apart(void **state)
{
    (void)state;
    struct tm_save_writer writer;
    begin(&writer, &file, TM_SAVE_STREAM, 5);
    put(&writer, client_item("c"));
    for (uint64_t i = 0; i < 300; i++)
        put(&writer, pool_item(1 + i * 7919 % 300, TMEM_POOL_EPHEMERAL));
    for (uint64_t i = 0; i < 300; i += 3)
        put(&writer, (struct tm_save_item){.kind = TM_SAVE_GONE_POOL, .pool = 1 + i});
    put(&writer, page_item(3, 1, 1, TMEM_CODEC_SAME, 8));
    put(&writer, page_item(4, 1, 1, TMEM_CODEC_SAME, 8));
    assert_true(tm_save_finish(&writer, true));
    refused(&file, "pool 4, which was not announced");
}

static void pages_that_cannot_be(void **state)
{
    (void)state;
    static const struct {
        unsigned codec, size;
    } wrong[] = {
        {TMEM_CODEC_SAME, 7},
        {TMEM_CODEC_RAW, 4095},
        {TMEM_CODEC_LZ4, 0},
        {TMEM_CODEC_LZ4, 4096},
        {TMEM_CODEC_ZSTD, 4096},
        {TMEM_CODEC_LZO, 65535},
        {0, 8},
        {6, 8},
    };
    static unsigned char page[TM_SAVE_PAGE_BYTES + 65536];
    for (unsigned i = 0; i < TM_ARRAY_SIZE(wrong); i++) {
        make_client(TM_SAVE_FILE);
        make_pool(1, 0);
        tm_bytes_put(page, 1, 8);
        tm_bytes_put(page + 36, wrong[i].codec, 2);
        tm_bytes_put(page + 38, wrong[i].size, 2);
        make_section(TM_SAVE_PAGE, 1, page, TM_SAVE_PAGE_BYTES + wrong[i].size);
        refused(&file, "bytes in codec");
    }
    make_client(TM_SAVE_FILE);
    make_pool(1, 0);
    tm_bytes_put(page, 2, 8);
    make_section(TM_SAVE_PAGE, 1, page, TM_SAVE_PAGE_BYTES + 8);
    refused(&file, "pool 2, which was not announced");
    tm_bytes_put(page, 1, 8);
    tm_bytes_put(page + 36, TMEM_CODEC_LZ4, 2);
    tm_bytes_put(page + 38, 100, 2);
    make_client(TM_SAVE_FILE);
    make_pool(1, 0);
    make_section(TM_SAVE_PAGE, 1, page, TM_SAVE_PAGE_BYTES + 99);
    refused(&file, "cut short");
}

static void an_end_that_counts_otherwise(void **state)
{
    (void)state;
    unsigned char end[16] = {1};
    make_client(TM_SAVE_FILE);
    make_section(TM_SAVE_END, 1, end, sizeof end);
    refused(&file, "0 pages were read where 1 were written");
    end[0] = 0;
    make_client(TM_SAVE_FILE);
    make_section(TM_SAVE_END, 2, end, sizeof end);
    refused(&file, "several ends");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(the_format_does_not_change),
        cmocka_unit_test(many_pages_take_many_sections),
        cmocka_unit_test(a_stream_has_rounds_and_losses),
        cmocka_unit_test(a_sink_that_says_no_ends_it),
        cmocka_unit_test(every_flipped_bit_is_found),
        cmocka_unit_test(every_shorter_file_is_refused),
        cmocka_unit_test(sections_that_are_left_out_repeated_or_moved),
        cmocka_unit_test(a_section_of_another_file_is_refused),
        cmocka_unit_test(first_bytes_that_are_not_known),
        cmocka_unit_test(headers_that_are_not_right),
        cmocka_unit_test(kinds_in_the_wrong_place),
        cmocka_unit_test(entries_that_do_not_fit),
        cmocka_unit_test(clients_that_cannot_be),
        cmocka_unit_test(counters_of_the_future_are_passed_over),
        cmocka_unit_test(pools_that_cannot_be),
        cmocka_unit_test(pools_are_told_apart),
        cmocka_unit_test(pages_that_cannot_be),
        cmocka_unit_test(an_end_that_counts_otherwise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
