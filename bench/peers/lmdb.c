/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lmdb.c - LMDB in this process, in a folder that is in memory: written through its map, never
 * synchronised, integer keys, one reader that is renewed for each get.
 *
 * A put is a transaction of its own; a batch of puts is one.
 */
#include "peer.h"

#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct store {
    MDB_env *environment;
    MDB_dbi table;
    MDB_txn *reader;
    char path[256];
};

static bool check(int result, const char *what)
{
    return result == MDB_SUCCESS || peer_fail("lmdb: %s: %s", what, mdb_strerror(result));
}

/* A page takes two of LMDB's, since its header does not fit beside 4096 bytes; and what a transaction
 * replaces is free only after it. */
static size_t map_bytes(uint64_t pages)
{
    return (size_t)(pages * 4 * TM_PAGE_BYTES + (UINT64_C(64) << 20));
}

static bool open_table(struct store *store, const char *at, uint64_t pages)
{
    const unsigned flags = MDB_NOSYNC | MDB_WRITEMAP | MDB_NOTLS | MDB_NOSUBDIR;
    MDB_txn *writer = NULL;
    (void)snprintf(store->path, sizeof store->path, "%s/data.mdb", at);
    if (!check(mdb_env_create(&store->environment), "cannot make an environment") ||
        !check(mdb_env_set_mapsize(store->environment, map_bytes(pages)), "cannot set the size of its map") ||
        !check(mdb_env_open(store->environment, store->path, flags, 0600), store->path) ||
        !check(mdb_txn_begin(store->environment, NULL, 0, &writer), "cannot begin"))
        return false;
    if (!check(mdb_dbi_open(writer, NULL, MDB_INTEGERKEY | MDB_CREATE, &store->table), "cannot make a table")) {
        mdb_txn_abort(writer);
        return false;
    }
    if (!check(mdb_txn_commit(writer), "cannot commit") ||
        !check(mdb_txn_begin(store->environment, NULL, MDB_RDONLY, &store->reader), "cannot begin to read"))
        return false;
    mdb_txn_reset(store->reader);
    return true;
}

static void lmdb_close(void *state)
{
    struct store *store = state;
    mdb_txn_abort(store->reader);
    mdb_env_close(store->environment);
    free(store);
}

static bool lmdb_open(const char *at, uint64_t pages, void **state)
{
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL)
        return peer_fail("lmdb: no memory");
    *state = store;
    return open_table(store, at, pages);
}

/* Puts @count pages, or where there are none drops them, in one transaction. */
static bool change(struct store *store, const uint64_t *numbers, const unsigned char *pages, unsigned count)
{
    MDB_txn *writer = NULL;
    int result = mdb_txn_begin(store->environment, NULL, 0, &writer);
    if (!check(result, "cannot begin"))
        return false;
    for (unsigned i = 0; i < count && result == MDB_SUCCESS; i++) {
        size_t number = (size_t)numbers[i];
        MDB_val key = {sizeof number, &number};
        MDB_val value = {TM_PAGE_BYTES, NULL};
        if (pages == NULL) {
            result = mdb_del(writer, store->table, &key, NULL);
            continue;
        }
        /* The place to write to is asked for, so that the page is copied once. */
        result = mdb_put(writer, store->table, &key, &value, MDB_RESERVE);
        if (result == MDB_SUCCESS)
            memcpy(value.mv_data, pages + i * TM_PAGE_BYTES, TM_PAGE_BYTES);
    }
    if (result == MDB_SUCCESS)
        return check(mdb_txn_commit(writer), "cannot commit");
    mdb_txn_abort(writer);
    return check(result, pages != NULL ? "put" : "drop");
}

static bool lmdb_put(void *state, uint64_t number, const unsigned char *page)
{
    return change(state, &number, page, 1);
}

static bool lmdb_put_many(void *state, const uint64_t numbers[PEER_BATCH], unsigned char *pages)
{
    return change(state, numbers, pages, PEER_BATCH);
}

static bool lmdb_drop(void *state, uint64_t number)
{
    return change(state, &number, NULL, 1);
}

/* Reads in the open transaction. */
static bool read_page(struct store *store, uint64_t number, unsigned char *page)
{
    size_t name = (size_t)number;
    MDB_val key = {sizeof name, &name};
    MDB_val value = {0, NULL};
    if (!check(mdb_get(store->reader, store->table, &key, &value), "get"))
        return false;
    if (value.mv_size != TM_PAGE_BYTES)
        return peer_fail("lmdb: a page has %zu bytes", value.mv_size);
    memcpy(page, value.mv_data, TM_PAGE_BYTES);
    return true;
}

static bool lmdb_get(void *state, uint64_t number, unsigned char *page)
{
    struct store *store = state;
    if (!check(mdb_txn_renew(store->reader), "cannot begin to read"))
        return false;
    bool done = read_page(store, number, page);
    mdb_txn_reset(store->reader);
    return done;
}

static bool lmdb_get_many(void *state, const uint64_t numbers[PEER_BATCH], unsigned char *pages)
{
    struct store *store = state;
    bool done = check(mdb_txn_renew(store->reader), "cannot begin to read");
    for (unsigned i = 0; i < PEER_BATCH && done; i++)
        done = read_page(store, numbers[i], pages + i * TM_PAGE_BYTES);
    mdb_txn_reset(store->reader);
    return done;
}

/* What the file takes of the memory that it is in. */
static bool lmdb_memory(void *state, struct tm_json *json)
{
    struct store *store = state;
    struct stat status;
    if (stat(store->path, &status) != 0)
        return peer_fail_system(store->path);
    tm_json_unsigned(json, "resident_bytes", (uint64_t)status.st_blocks * 512u);
    return true;
}

static const struct peer_kind lmdb_kind = {
    .name = "lmdb",
    .at = "FOLDER",
    .open = lmdb_open,
    .close = lmdb_close,
    .put = lmdb_put,
    .get = lmdb_get,
    .drop = lmdb_drop,
    .put_many = lmdb_put_many,
    .get_many = lmdb_get_many,
    .memory = lmdb_memory,
};

int main(int count, char **arguments)
{
    return peer_main(count, arguments, &lmdb_kind);
}
