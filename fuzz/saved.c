/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * saved.c - what a saved client may say. An input is a file's bytes (it begins with 0), or else its sections without
 * numbers and checksums, which are put in as they have to be: the fuzzer would hardly find one. What is read goes into
 * a store, and out of it again. One that begins with 254 or 255 is the original's stream, of either generation.
 *
 * A section is its kind, its number of entries, two bytes with the length of its body, and the body.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "daemon/daemon.h"
#include "daemon/receive.h"
#include "save/layout.h"
#include "tests/support/memory_file.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

#define FILE_BYTES_MAX sizeof((struct file *)NULL)->bytes
#define SECTION_BYTES (TM_SAVE_HEADER_BYTES + TM_SAVE_CHECK_BYTES)

uint64_t tm_now_ns(void)
{
    return 0;
}

/* Puts a file together whose checksums are right. @form: of it. */
static void make_file(struct file *file, unsigned form, const unsigned char *data, size_t size)
{
    unsigned char *at = file->bytes;
    tm_bytes_put(at, TM_SAVE_MAGIC, 8);
    tm_bytes_put(at + 8, TM_SAVE_VERSION, 2);
    tm_bytes_put(at + 10, form, 2);
    tm_bytes_put(at + 12, TMEM_PAGE_SIZE, 4);
    tm_bytes_put(at + 16, 1, 8);
    uint64_t chain = tm_save_check(at, 24, 0);
    tm_bytes_put(at + 24, chain, 8);
    at += TM_SAVE_BEGIN_BYTES;
    for (uint32_t number = 0; size >= 4; number++) {
        size_t body = (size_t)tm_bytes_get(data + 2, 2);
        body = body < size - 4 ? body : size - 4;
        if ((size_t)(file->bytes + FILE_BYTES_MAX - at) < body + SECTION_BYTES)
            break;
        tm_bytes_put(at, data[0], 4);
        tm_bytes_put(at + 4, number, 4);
        tm_bytes_put(at + 8, data[1], 4);
        tm_bytes_put(at + 12, body, 4);
        memcpy(at + TM_SAVE_HEADER_BYTES, data + 4, body);
        chain = tm_save_check(at, TM_SAVE_HEADER_BYTES + body, chain);
        tm_bytes_put(at + TM_SAVE_HEADER_BYTES + body, chain, 8);
        at += SECTION_BYTES + body;
        data += 4 + body;
        size -= 4 + body;
    }
    file->size = (size_t)(at - file->bytes);
}

static void receive_file(struct tmem_store *store, struct file *file)
{
    struct tm_save_reader reader;
    static struct tm_save_item item;
    struct tm_receive receive = {.store = store};
    struct tmem_client *client = NULL;
    bool is_right = tm_save_open(&reader, read_file, file);
    while (is_right && tm_save_read(&reader, &item) == TM_SAVE_ITEM)
        is_right = tm_receive_item(&receive, &item) == TMEM_OK;
    if (is_right && tm_save_read(&reader, &item) == TM_SAVE_ENDED && tm_receive_finish(&receive, &client) == TMEM_OK)
        tmem_client_destroy(client);
    tm_receive_abandon(&receive);
    tm_save_close(&reader);
}

static void receive_foreign(struct tmem_store *store, struct file *file, enum tm_xen_stream generation)
{
    struct tm_foreign_reader reader;
    static struct tm_save_item item;
    struct tm_receive receive = {.store = store, .name = "foreign", .is_raw = true};
    struct tmem_client *client = NULL;
    bool is_right = true;
    tm_foreign_open(&reader, generation, read_file, file);
    while (is_right && tm_foreign_read(&reader, &item) == TM_SAVE_ITEM)
        is_right = tm_receive_item(&receive, &item) == TMEM_OK;
    if (is_right && tm_foreign_read(&reader, &item) == TM_SAVE_ENDED &&
        tm_receive_finish(&receive, &client) == TMEM_OK)
        tmem_client_destroy(client);
    tm_receive_abandon(&receive);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static struct tmem_store *store;
    static struct file file;
    static unsigned inputs;
    struct tmem_store_stats stats;
    if (size < 2 || size > FILE_BYTES_MAX / 2)
        return 0;
    if (store == NULL && tmem_open("embedded:size=16M,maintenance=none", &store, NULL) != TMEM_OK)
        abort();
    file.at = 0;
    bool is_foreign = data[0] >= 254;
    if (data[0] != 0 && !is_foreign)
        make_file(&file, data[0] & 1u, data + 1, size - 1);
    else {
        memcpy(file.bytes, data + 1, size - 1);
        file.size = size - 1;
    }
    if (is_foreign)
        receive_foreign(store, &file, data[0] == 254 ? TM_XEN_STREAM_40 : TM_XEN_STREAM_48);
    else
        receive_file(store, &file);
    /* Whatever it was: nothing is left of it. */
    if (tmem_store_stats(store, &stats, sizeof stats) != TMEM_OK || stats.clients != 0 || stats.pages != 0)
        abort();
    if (++inputs % 256u == 0 && tmem_store_check(store) != TMEM_OK)
        abort();
    return 0;
}
