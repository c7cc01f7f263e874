/* SPDX-License-Identifier: BSD-2-Clause */
/* list.c - `tmem list`: who has what in a daemon's store. */
#include "cli/ask.h"
#include "command/size.h"
#include "xenctrl/xenctrl.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char tm_cli_list_help[] =
    "usage: tmem list [OPTIONS] [CLIENT]\n"
    "\n"
    "Lists the clients of a daemon, or one of them, with what they hold and how it serves them.\n"
    "\n"
    "  -l, --long     every counter, and the pools\n"
    "  -a, --all      all clients, as without CLIENT\n"
    "  --orphans      only those that are gone and left persistent pages, and how long these wait\n"
    "  --xen          the lines in which Xen's tools list and read them; clients are numbered\n" TM_CLI_ASK_HELP
    "\n" TM_CLI_ASK_STATUS;

#define NAME_COLUMNS 24

struct listing {
    struct tm_cli_ask ask;
    const char *client;
    bool all;
    bool orphans;
    bool with_pools;
    bool as_xen;
};

/* "none", or a size. */
static const char *limit_text(const json_t *object, const char *name, char text[static TM_SIZE_TEXT])
{
    if (json_is_null(json_object_get(object, name)))
        (void)snprintf(text, TM_SIZE_TEXT, "none");
    else
        (void)tm_size_format(tm_cli_number(object, name), text);
    return text;
}

/* The share of gets that found their page; "-" where there were none. */
static const char *hits_text(const json_t *object, char *text, size_t text_size)
{
    uint64_t gets = tm_cli_number(object, "gets");
    if (gets == 0)
        (void)snprintf(text, text_size, "-");
    else
        (void)snprintf(text, text_size, "%.1f %%", 100.0 * (double)tm_cli_number(object, "gets_found") / (double)gets);
    return text;
}

static const char *state_text(const json_t *client, char *text, size_t text_size)
{
    bool is_orphan = strcmp(tm_cli_text(client, "state"), "orphan") == 0;
    bool is_frozen = json_is_true(json_object_get(client, "frozen"));
    if (is_orphan)
        (void)snprintf(text, text_size, "orphan, %" PRIu64 " s%s", tm_cli_number(client, "seconds_left"),
                       is_frozen ? ", frozen" : "");
    else
        (void)snprintf(text, text_size, "%s", is_frozen ? "frozen" : tm_cli_text(client, "state"));
    return text;
}

/* ---- short ---- */

static void print_head(void)
{
    printf("%-*s %7s %8s %8s %6s %10s %8s %10s  %s\n", NAME_COLUMNS, "CLIENT", "WEIGHT", "CAP", "CHARGED", "POOLS",
           "PAGES", "HITS", "EVICTED", "STATE");
}

static void print_client(const json_t *client)
{
    char cap[TM_SIZE_TEXT];
    char charged[TM_SIZE_TEXT];
    char hits[16];
    char state[64];
    printf("%-*s %7" PRIu64 " %8s %8s %6" PRIu64 " %10" PRIu64 " %8s %10" PRIu64 "  %s\n", NAME_COLUMNS,
           tm_cli_text(client, "client"), tm_cli_number(client, "weight"), limit_text(client, "cap_bytes", cap),
           tm_size_format(tm_cli_number(client, "charged_bytes"), charged), tm_cli_number(client, "pools"),
           tm_cli_number(client, "pages"), hits_text(client, hits, sizeof hits), tm_cli_number(client, "evicted"),
           state_text(client, state, sizeof state));
}

/* ---- long ---- */

static void print_counters(const json_t *object, const char *indent)
{
    char hits[16];
    printf("%s%" PRIu64 " pages of %" PRIu64 " objects (most ever %" PRIu64 "; %" PRIu64 " are one word repeated)\n",
           indent, tm_cli_number(object, "pages"), tm_cli_number(object, "objects"),
           tm_cli_number(object, "pages_max"), tm_cli_number(object, "same_filled"));
    printf("%sputs %" PRIu64 ": stored %" PRIu64 ", replaced %" PRIu64 ", refused %" PRIu64 " (%" PRIu64
           " of them dropped an older page)\n",
           indent, tm_cli_number(object, "puts"), tm_cli_number(object, "puts_stored"),
           tm_cli_number(object, "puts_replaced"), tm_cli_number(object, "puts_refused"),
           tm_cli_number(object, "puts_dropped_old"));
    printf("%sgets %" PRIu64 ": found %" PRIu64 " (%s), corrupt %" PRIu64 "\n", indent, tm_cli_number(object, "gets"),
           tm_cli_number(object, "gets_found"), hits_text(object, hits, sizeof hits),
           tm_cli_number(object, "gets_corrupt"));
    printf("%sinvalidated %" PRIu64 " of %" PRIu64 " pages, %" PRIu64 " of %" PRIu64 " objects; evicted %" PRIu64
           " pages\n",
           indent, tm_cli_number(object, "invalidates_found"), tm_cli_number(object, "invalidates"),
           tm_cli_number(object, "object_invalidates_found"), tm_cli_number(object, "object_invalidates"),
           tm_cli_number(object, "evicted"));
}

static void print_pool(const json_t *pool)
{
    bool is_shared = json_is_true(json_object_get(pool, "shared"));
    printf("  pool %" PRIu64 ", %s", tm_cli_number(pool, "pool"), tm_cli_text(pool, "kind"));
    if (is_shared)
        printf(", shared as %s by %" PRIu64, tm_cli_text(pool, "uuid"), tm_cli_number(pool, "members"));
    printf("\n");
    print_counters(pool, "    ");
}

static void print_client_long(const json_t *client)
{
    char cap[TM_SIZE_TEXT];
    char charged[TM_SIZE_TEXT];
    char most[TM_SIZE_TEXT];
    char state[64];
    size_t index;
    const json_t *pool;
    printf("%s: %s, user %" PRIu64 ", weight %" PRIu64 ", cap %s, charged %s (most ever %s), lost %" PRIu64
           " pages for others\n",
           tm_cli_text(client, "client"), state_text(client, state, sizeof state), tm_cli_number(client, "uid"),
           tm_cli_number(client, "weight"), limit_text(client, "cap_bytes", cap),
           tm_size_format(tm_cli_number(client, "charged_bytes"), charged),
           tm_size_format(tm_cli_number(client, "charged_max_bytes"), most),
           tm_cli_number(client, "evicted_for_others"));
    print_counters(client, "  ");
    json_array_foreach(json_object_get(client, "pool_list"), index, pool)
    {
        print_pool(pool);
    }
}

/* ---- all of it ---- */

static void print_store(const json_t *store)
{
    char size[TM_SIZE_TEXT];
    char resident[TM_SIZE_TEXT];
    char stored[TM_SIZE_TEXT];
    printf("store of %s: %s resident, %s of pages, %" PRIu64 " clients\n",
           tm_size_format(tm_cli_number(store, "size_bytes"), size),
           tm_size_format(tm_cli_number(store, "resident_bytes"), resident),
           tm_size_format(tm_cli_number(store, "stored_bytes"), stored), tm_cli_number(store, "clients"));
}

/* Numbers are places in the list. */
static enum tm_exit print_as_xen(const struct listing *listing, const json_t *store, const json_t *clients)
{
    size_t index;
    json_t *client;
    bool is_numbered = true;
    json_array_foreach(clients, index, client)
    {
        is_numbered = is_numbered && json_object_set_new(client, "number", json_integer((json_int_t)index)) == 0;
    }
    char *text = is_numbered ? tm_xc_list_text(clients, listing->client == NULL ? store : NULL, listing->with_pools)
                             : NULL;
    enum tm_exit code = text != NULL ? tm_print_stdout(text) : tm_fail(TM_EXIT_FAILED, "no memory for the list");
    free(text);
    return code;
}

static void print_all(const struct listing *listing, const json_t *store, const json_t *clients)
{
    size_t index;
    const json_t *client;
    if (listing->client == NULL)
        print_store(store);
    if (!listing->with_pools && json_array_size(clients) != 0)
        print_head();
    json_array_foreach(clients, index, client)
    {
        if (listing->with_pools)
            print_client_long(client);
        else
            print_client(client);
    }
}

/* One answer after the other, until there is no more. */
static enum tm_exit list(const struct listing *listing)
{
    json_t *answer = NULL;
    json_t *clients = json_array();
    char after[128] = "";
    enum tm_exit code;
    do {
        json_decref(answer);
        answer = NULL;
        json_t *question = json_pack("{s:s, s:s*, s:b, s:b, s:b, s:s*}", "verb", "list", "client", listing->client,
                                     "orphans", (int)listing->orphans, "pools",
                                     (int)(listing->with_pools || listing->as_xen), "activity", (int)listing->as_xen,
                                     "after", after[0] != '\0' ? after : NULL);
        code = tm_cli_ask(&listing->ask, question, NULL, NULL, &answer);
        (void)snprintf(after, sizeof after, "%s", tm_cli_text(answer, "next"));
        if (code == TM_EXIT_OK && json_array_extend(clients, json_object_get(answer, "clients")) != 0)
            code = tm_fail(TM_EXIT_FAILED, "no memory for so many clients");
    } while (code == TM_EXIT_OK && after[0] != '\0');
    if (code == TM_EXIT_OK && listing->as_xen)
        code = print_as_xen(listing, json_object_get(answer, "store"), clients);
    else if (code == TM_EXIT_OK && !listing->ask.as_json)
        print_all(listing, json_object_get(answer, "store"), clients);
    json_decref(answer);
    json_decref(clients);
    return code == TM_EXIT_OK ? tm_print_stdout("") : code;
}

enum tm_exit tm_cli_list(int count, char **arguments)
{
    struct listing listing = {.client = NULL};
    const struct tm_cli_option options[] = {
        TM_CLI_ASK_OPTIONS(&listing.ask),
        {"--long", "-l", NULL, &listing.with_pools},
        {"--all", "-a", NULL, &listing.all},
        {"--orphans", NULL, NULL, &listing.orphans},
        {"--xen", NULL, NULL, &listing.as_xen},
    };
    enum tm_exit code = tm_cli_read(count, arguments, options, TM_ARRAY_SIZE(options), &listing.client, 1);
    if (code != TM_EXIT_OK)
        return code;
    if (listing.all && listing.client != NULL)
        return tm_cli_usage("list", "both a client and -a");
    if (listing.as_xen && listing.ask.as_json)
        return tm_cli_usage("list", "both --xen and --json");
    return list(&listing);
}
