/* SPDX-License-Identifier: BSD-2-Clause */
/* daemon_stats.c - see daemon_stats.h. */
#include "cli/daemon_stats.h"

#include <inttypes.h>
#include <stdio.h>

#include "cli/ask.h"
#include "command/size.h"

enum kind {
    KIND_COUNT,
    KIND_BYTES
};

static const struct {
    const char *label;
    const char *member;
    enum kind kind;
} rows[] = {
    {"size", "size_bytes", KIND_BYTES},
    {"resident", "resident_bytes", KIND_BYTES},
    {"of it for records", "metadata_bytes", KIND_BYTES},
    {"pages' bytes", "stored_bytes", KIND_BYTES},
    {"their blocks", "block_bytes", KIND_BYTES},
    {"dead, not free yet", "dead_bytes", KIND_BYTES},
    {"waiting to be compressed", "deferred_bytes", KIND_BYTES},
    {"clients", "clients", KIND_COUNT},
    {"pools", "pools", KIND_COUNT},
    {"objects", "objects", KIND_COUNT},
    {"pages", "pages", KIND_COUNT},
    {"one word repeated", "pages_same", KIND_COUNT},
    {"compressed", "pages_compressed", KIND_COUNT},
    {"kept as they are", "pages_raw", KIND_COUNT},
    {"kept once for several", "pages_deduplicated", KIND_COUNT},
    {"cold", "pages_cold", KIND_COUNT},
    {"pages evicted", "evicted_pages", KIND_COUNT},
    {"pages not admitted", "refused_admissions", KIND_COUNT},
    {"pages damaged", "corrupt_pages", KIND_COUNT},
    {"given back to the host", "returned_bytes", KIND_BYTES},
};

static void print_rows(const json_t *store)
{
    char size[TM_SIZE_TEXT];
    for (size_t i = 0; i < TM_ARRAY_SIZE(rows); i++) {
        uint64_t value = tm_cli_number(store, rows[i].member);
        if (rows[i].kind == KIND_BYTES)
            printf("%-26s %12s\n", rows[i].label, tm_size_format(value, size));
        else
            printf("%-26s %12" PRIu64 "\n", rows[i].label, value);
    }
    uint64_t resident = tm_cli_number(store, "resident_bytes");
    if (resident != 0)
        printf("%-26s %12.2f\n", "stored per resident byte",
               (double)tm_cli_number(store, "stored_bytes") / (double)resident);
}

enum tm_exit tm_cli_daemon_stats(const char *socket, bool as_json)
{
    struct tm_cli_ask ask = {.socket = socket, .as_json = as_json};
    json_t *answer;
    enum tm_exit code = tm_cli_ask(&ask, json_pack("{s:s}", "verb", "stats"), NULL, NULL, &answer);
    if (code != TM_EXIT_OK)
        return code;
    if (!as_json)
        print_rows(json_object_get(answer, "store"));
    json_decref(answer);
    return tm_print_stdout("");
}
