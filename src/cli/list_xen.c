/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * list_xen.c - see list_xen.h. A record is a line: a letter, '=', and KEY:VALUE pairs; readers take a key that is
 * missing as 0, so none is left out.
 */
#include "cli/list_xen.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/ask.h"

#define PAGE_BYTES 4096u

static void add(const char *key, uint64_t value)
{
    printf(",%s:%" PRIu64, key, value);
}

static bool is_persistent(const json_t *pool)
{
    return strcmp(tm_cli_text(pool, "kind"), "persistent") == 0;
}

static bool is_shared(const json_t *pool)
{
    return json_is_true(json_object_get(pool, "shared"));
}

/* The client's membership in the pool with this id, or NULL. */
static const json_t *membership(const json_t *client, uint64_t id)
{
    size_t index;
    const json_t *pool;
    json_array_foreach(json_object_get(client, "pool_list"), index, pool)
    {
        if (tm_cli_number(pool, "pool") == id)
            return pool;
    }
    return NULL;
}

/* True: no client before this one is a member as well. */
static bool is_first_member(const json_t *clients, size_t number, uint64_t id)
{
    for (size_t i = 0; i < number; i++)
        if (membership(json_array_get(clients, i), id) != NULL)
            return false;
    return true;
}

/* The sum of a member over the pools of one kind that a client has; a shared one is its first member's. */
static uint64_t sum_of(const json_t *clients, size_t number, bool persistent, const char *member)
{
    uint64_t sum = 0;
    size_t index;
    const json_t *pool;
    json_array_foreach(json_object_get(json_array_get(clients, number), "pool_list"), index, pool)
    {
        bool counts = !is_shared(pool) || is_first_member(clients, number, tm_cli_number(pool, "pool"));
        sum += counts && is_persistent(pool) == persistent ? tm_cli_number(pool, member) : 0;
    }
    return sum;
}

/* The same for all clients. */
static uint64_t sum_of_all(const json_t *clients, bool persistent, const char *member)
{
    uint64_t sum = 0;
    for (size_t number = 0; number < json_array_size(clients); number++)
        sum += sum_of(clients, number, persistent, member);
    return sum;
}

static uint64_t refused_by(const json_t *clients, const char *cause)
{
    uint64_t sum = 0;
    size_t index;
    const json_t *client;
    json_array_foreach(clients, index, client)
    {
        sum += tm_cli_number(json_object_get(client, "refused_by"), cause);
    }
    return sum;
}

/* ---- pools ---- */

static void print_tail(const json_t *pool)
{
    static const char *const pairs[][2] = {
        {"Pc", "pages"},
        {"Pm", "pages_max"},
        {"Oc", "objects"},
        {"Om", "objects"},
        {"Nc", ""},
        {"Nm", ""},
        {"ps", "puts_stored"},
        {"pt", "puts"},
        {"pd", "puts_dropped_old"},
        {"pr", "puts_replaced"},
        {"px", ""},
        {"gs", "gets_found"},
        {"gt", "gets"},
        {"fs", "invalidates_found"},
        {"ft", "invalidates"},
        {"os", "object_invalidates_found"},
        {"ot", "object_invalidates"},
    };
    for (size_t i = 0; i < TM_ARRAY_SIZE(pairs); i++)
        add(pairs[i][0], tm_cli_number(pool, pairs[i][1]));
}

/* The uuid's upper and lower half; 0 for a pool that has none. */
static void print_uuid(const json_t *pool)
{
    char digits[33] = "";
    char half[17] = "";
    size_t used = 0;
    for (const char *at = tm_cli_text(pool, "uuid"); *at != '\0' && used < sizeof digits - 1u; at++)
        if (*at != '-')
            digits[used++] = *at;
    memcpy(half, digits, sizeof half - 1u);
    printf(",U0:%llx", strtoull(used == 32 ? digits + 16 : "0", NULL, 16));
    printf(",U1:%llx", strtoull(used == 32 ? half : "0", NULL, 16));
}

static void print_pools(const json_t *client, size_t number, bool is_long)
{
    size_t index;
    const json_t *pool;
    json_array_foreach(json_object_get(client, "pool_list"), index, pool)
    {
        printf("P=CI:%zu,PI:%zu,PT:%c%c", number, index, is_persistent(pool) ? 'P' : 'E', is_shared(pool) ? 'S' : 'P');
        print_uuid(pool);
        if (is_long)
            print_tail(pool);
        printf("\n");
    }
}

/* ---- shared pools ---- */

static void print_shared(const json_t *clients, const json_t *pool, unsigned slot, bool is_long)
{
    uint64_t id = tm_cli_number(pool, "pool");
    printf("S=SI:%u,PT:%cS", slot, is_persistent(pool) ? 'P' : 'E');
    print_uuid(pool);
    for (size_t i = 0; i < json_array_size(clients); i++)
        if (membership(json_array_get(clients, i), id) != NULL)
            add("SC", i);
    if (is_long)
        print_tail(pool);
    printf("\n");
}

static void print_all_shared(const json_t *clients, bool is_long)
{
    unsigned slot = 0;
    size_t number;
    size_t index;
    const json_t *client;
    const json_t *pool;
    json_array_foreach(clients, number, client)
    {
        json_array_foreach(json_object_get(client, "pool_list"), index, pool)
        {
            if (is_shared(pool) && is_first_member(clients, number, tm_cli_number(pool, "pool")))
                print_shared(clients, pool, slot++, is_long);
        }
    }
}

/* ---- clients ---- */

static void print_client(const json_t *clients, size_t number, bool is_long)
{
    const json_t *client = json_array_get(clients, number);
    uint64_t pages = tm_cli_number(client, "pages");
    bool compress = json_is_true(json_object_get(client, "compress"));
    printf("C=CI:%zu", number);
    add("ww", tm_cli_number(client, "weight"));
    add("ca", tm_cli_number(client, "cap_bytes") >> 20);
    add("co", compress);
    add("fr", json_is_true(json_object_get(client, "frozen")));
    add("Tc", 0);
    add("Ge", sum_of(clients, number, false, "gets_found"));
    add("Pp", sum_of(clients, number, true, "puts_stored"));
    add("Gp", sum_of(clients, number, true, "gets_found"));
    if (is_long) {
        add("Ec", sum_of(clients, number, false, "pages"));
        add("Em", sum_of(clients, number, false, "pages_max"));
        add("cp", compress ? pages : 0);
        add("cb", compress ? tm_cli_number(client, "charged_bytes") : 0);
        add("cn", 0);
        add("cm", tm_cli_number(json_object_get(client, "refused_by"), "memory"));
    }
    printf("\n");
    print_pools(client, number, is_long);
}

/* ---- the store ---- */

static void print_store_tail(const json_t *store, const json_t *clients)
{
    uint64_t pages = tm_cli_number(store, "pages");
    uint64_t frames = (tm_cli_number(store, "block_bytes") + PAGE_BYTES - 1u) / PAGE_BYTES;
    uint64_t copies = tm_cli_number(store, "pages_deduplicated") -
                      tm_min_u64(tm_cli_number(store, "contents_shared"), tm_cli_number(store, "pages_deduplicated"));
    add("Ec", sum_of_all(clients, false, "pages"));
    add("Em", sum_of_all(clients, false, "pages_max"));
    add("Oc", tm_cli_number(store, "objects"));
    add("Om", tm_cli_number(store, "objects"));
    add("Nc", 0);
    add("Nm", 0);
    add("Pc", pages);
    add("Pm", sum_of_all(clients, false, "pages_max") + sum_of_all(clients, true, "pages_max"));
    add("Fc", frames);
    add("Fm", frames);
    add("Sc", pages - tm_min_u64(copies, pages));
    add("Sm", pages);
    add("Ep", sum_of_all(clients, false, "puts_stored"));
    add("Gd", copies);
    add("Zt", (pages - tm_min_u64(copies, pages)) * PAGE_BYTES);
    add("Gz", tm_cli_number(store, "block_bytes"));
}

static void print_store(const json_t *store, const json_t *clients, bool is_long)
{
    static const char *const counted[] = {"puts", "gets", "invalidates", "object_invalidates"};
    uint64_t used = tm_cli_number(store, "metadata_bytes") + tm_cli_number(store, "block_bytes");
    uint64_t resident = tm_cli_number(store, "resident_bytes");
    uint64_t returned = tm_cli_number(store, "returned_bytes") / PAGE_BYTES;
    uint64_t operations = 0;
    for (size_t i = 0; i < TM_ARRAY_SIZE(counted); i++)
        operations += sum_of_all(clients, false, counted[i]) + sum_of_all(clients, true, counted[i]);
    printf("G=Tt:%" PRIu64, operations);
    add("Te", 0);
    add("Cf", 0);
    add("Af", refused_by(clients, "memory"));
    add("Pf", refused_by(clients, "room"));
    add("Ta", (resident - tm_min_u64(resident, used)) / PAGE_BYTES);
    add("Lm", 0);
    add("Et", tm_cli_number(store, "evicted_pages"));
    add("Ea", tm_cli_number(store, "evicted_pages"));
    add("Rt", returned);
    add("Ra", returned);
    add("Rx", 0);
    add("Fp", 0);
    if (is_long)
        print_store_tail(store, clients);
    printf("\n");
}

void tm_cli_print_xen(const json_t *store, const json_t *clients, bool is_long)
{
    if (store != NULL) {
        print_store(store, clients, is_long);
        print_all_shared(clients, is_long);
    }
    for (size_t number = 0; number < json_array_size(clients); number++)
        print_client(clients, number, is_long);
    if (store != NULL)
        printf("T\n");
}
