/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tables.c - prints the tables of docs/wire-format.md from the headers, and fails when a structure has bytes that no
 * field of the list here covers, or covers twice. format_test.py compares what it prints with the document.
 */
#include <stdio.h>
#include <stdlib.h>

#include "wire/message.h"
#include "wire/request.h"

struct field {
    const char *name; /* NULL: the end */
    size_t offset;
    size_t bytes;
    const char *type;
    const char *text;
};

#define TYPE_OF(x) _Generic((x), uint8_t      \
                            : "u8", uint16_t  \
                            : "u16", uint32_t \
                            : "u32", uint64_t \
                            : "u64", default  \
                            : "")
#define FIELD(s, f, text)                                                                        \
    {                                                                                            \
#f, offsetof(struct s, f), sizeof(((struct s *)0)->f), TYPE_OF(((struct s *)0)->f), text \
    }
#define ARRAY(s, f, type, text)                                           \
    {                                                                     \
#f, offsetof(struct s, f), sizeof(((struct s *)0)->f), type, text \
    }
#define END                  \
    {                        \
        NULL, 0, 0, NULL, "" \
    }

static const struct field request[] = {
    FIELD(tm_wire_request, operation, "what to do: see the table of operations"),
    FIELD(tm_wire_request, flags, "of a put: 1 keep; of a get: 0 the pool's default, 1 exclusive, 2 inclusive"),
    FIELD(tm_wire_request, region, "where the page is: 0 the page slots, else a registered region"),
    FIELD(tm_wire_request, index, "the page's number in its object; of a pool that is made: 1 persistent, 2 shared"),
    FIELD(tm_wire_request, tag, "any value; comes back with the answer"),
    FIELD(tm_wire_request, pool, "the pool's id"),
    ARRAY(tm_wire_request, object, "u64 x 3", "the object's id; of a shared pool that is made its uuid, in two words"),
    FIELD(tm_wire_request, place, "of the page: bytes from the beginning of the slots or the region"),
    FIELD(tm_wire_request, stored, "of PUT_STORED: codec in the low half, bytes in the high half"),
    END};
static const struct field answer[] = {
    FIELD(tm_wire_answer, tag, "the request's"),
    FIELD(tm_wire_answer, result, "see the table of results"),
    FIELD(tm_wire_answer, zero, "0"),
    FIELD(tm_wire_answer, value, "of POOL_CREATE: the pool's id; of GET_STORED: as `stored` of a request"),
    FIELD(tm_wire_answer, check, "of GET_STORED: the checksum of the stored form"),
    END};
static const struct field head_of_memory[] = {
    ARRAY(tm_wire_head, submitted, "place", "requests written; **client**"),
    ARRAY(tm_wire_head, accepted, "place", "requests copied; **daemon**"),
    ARRAY(tm_wire_head, answered, "place", "answers written; **daemon**"),
    ARRAY(tm_wire_head, seen, "place", "answers copied; **client**"),
    ARRAY(tm_wire_head, daemon, "sleep", "1: the daemon sleeps; it sets, the **client** clears who wakes it"),
    ARRAY(tm_wire_head, client, "sleep", "1: the client sleeps; it sets, the **daemon** clears who wakes it"),
    END};
static const struct field place[] = {
    FIELD(tm_wire_place, count, "counts up from 0 and wraps; modulo the entries it is an entry's number"),
    ARRAY(tm_wire_place, zero, "u32 x 15", "not used: the count has its cache line for itself"), END};
static const struct field sleeping[] = {
    FIELD(tm_wire_sleep, sleeps, "0 or 1"),
    FIELD(tm_wire_sleep, crowded, "1: who looks again and again keeps others from working; 2: and many do; the "
                                  "**daemon**'s only"),
    ARRAY(tm_wire_sleep, zero, "u32 x 14", "not used"), END};
static const struct field message[] = {
    FIELD(tm_wire_message, magic, "0x4d454d54, \"TMEM\" in memory"),
    FIELD(tm_wire_message, kind, "see the table of messages"),
    FIELD(tm_wire_message, version, "the one agreed on; in HELLO the oldest that the client speaks"),
    FIELD(tm_wire_message, bytes, "of the whole message"),
    FIELD(tm_wire_message, number, "of the question, any value; comes back with the answer"),
    END};
#define HEAD(s) ARRAY(s, head, "head", "as above")
static const struct field hello[] = {
    HEAD(tm_wire_hello),
    FIELD(tm_wire_hello, newest_version, "the newest that the client speaks"),
    FIELD(tm_wire_hello, zero, "0"),
    FIELD(tm_wire_hello, features, "that the client knows; bits that the daemon does not know are left out"),
    ARRAY(tm_wire_hello, sizes, "u32 x 2", "entries of a ring and page slots, wished for; 0: the daemon's choice"),
    FIELD(tm_wire_hello, size_bytes, "wished for, bounds the cap; 0: whatever it gives"),
    FIELD(tm_wire_hello, cap_bytes, "wished for; 0: whatever it gives"),
    FIELD(tm_wire_hello, weight, "wished for; 0: whatever it gives"),
    FIELD(tm_wire_hello, zero2, "0"),
    ARRAY(tm_wire_hello, name, "text", "the client's; empty: as the daemon calls whoever connects"),
    ARRAY(tm_wire_hello, codec, "text", "wished for, as in a URI; empty: the daemon's (tmemd has one for all)"),
    ARRAY(tm_wire_hello, token, "u8 x 16", "of an earlier WELCOME; all zero: none"),
    END};
static const struct field welcome[] = {
    HEAD(tm_wire_welcome),
    FIELD(tm_wire_welcome, features, "that both know: they may be used"),
    FIELD(tm_wire_welcome, claimed, "1: the token was good, and what was left is there"),
    ARRAY(tm_wire_welcome, sizes, "u32 x 2", "entries of a ring (a power of two) and page slots"),
    FIELD(tm_wire_welcome, memory_bytes, "of the shared memory"),
    FIELD(tm_wire_welcome, cap_bytes, "as it became"),
    FIELD(tm_wire_welcome, weight, "as it became"),
    FIELD(tm_wire_welcome, zero, "0"),
    ARRAY(tm_wire_welcome, name, "text", "what the daemon calls the client"),
    ARRAY(tm_wire_welcome, token, "u8 x 16", "to claim by, the next time"),
    END};
static const struct field failed[] = {
    HEAD(tm_wire_failed), FIELD(tm_wire_failed, result, "see the table of results; not 0"),
    FIELD(tm_wire_failed, zero, "0"),
    ARRAY(tm_wire_failed, text, "text", "for a person: names the thing and the remedy"), END};
static const struct field enrol[] = {
    HEAD(tm_wire_register), FIELD(tm_wire_register, bytes, "of the memfd that comes along"), END};
static const struct field region[] = {
    HEAD(tm_wire_region), FIELD(tm_wire_region, region, "1 to 16"),
    ARRAY(tm_wire_region, zero, "u16 x 3", "0"), END};
static const struct field plain[] = {HEAD(tm_wire_plain), END};
static const struct field pool[] = {HEAD(tm_wire_pool), FIELD(tm_wire_pool, pool, "the pool's id"), END};
static const struct field moved[] = {
    HEAD(tm_wire_moved), ARRAY(tm_wire_moved, path, "text", "of the other daemon's socket, from the root"),
    FIELD(tm_wire_moved, zero, "0"), END};
static const struct field walk[] = {
    HEAD(tm_wire_walk),
    FIELD(tm_wire_walk, pool, "the pool's id"),
    ARRAY(tm_wire_walk, position, "u64 x 4", "0 to begin, then that of the answer before"),
    FIELD(tm_wire_walk, capacity, "keys that the client has room for"),
    FIELD(tm_wire_walk, zero, "0"),
    END};
static const struct field key[] = {
    ARRAY(tm_wire_key, object, "u64 x 3", "the object's id"), FIELD(tm_wire_key, index, "the page's number"),
    FIELD(tm_wire_key, zero, "0"), END};
static const struct field walked[] = {
    HEAD(tm_wire_walked),
    ARRAY(tm_wire_walked, position, "u64 x 4", "where to go on"),
    FIELD(tm_wire_walked, count, "keys that follow, at most 64"),
    FIELD(tm_wire_walked, at_end, "1: the walk is over"),
    ARRAY(tm_wire_walked, keys, "keys", "`count` of them; the message ends behind the last"),
    END};
static const struct field statistics[] = {
    HEAD(tm_wire_statistics), FIELD(tm_wire_statistics, subject, "1 the store, 2 the client, 3 a pool"),
    FIELD(tm_wire_statistics, zero, "0"),
    FIELD(tm_wire_statistics, pool, "of subject 3: the pool's id; else 0"), END};
static const struct field counted[] = {
    HEAD(tm_wire_counted), FIELD(tm_wire_counted, subject, "the question's"),
    FIELD(tm_wire_counted, count, "words that follow, at most 64"),
    ARRAY(tm_wire_counted, words, "u64s", "`count` of them; the message ends behind the last"), END};

static const struct {
    const char *title;
    size_t bytes;
    const struct field *fields;
} structures[] = {
    {"Request", sizeof(struct tm_wire_request), request},
    {"Answer", sizeof(struct tm_wire_answer), answer},
    {"Head of the shared memory", sizeof(struct tm_wire_head), head_of_memory},
    {"place", sizeof(struct tm_wire_place), place},
    {"sleep", sizeof(struct tm_wire_sleep), sleeping},
    {"Head of a message", sizeof(struct tm_wire_message), message},
    {"HELLO", sizeof(struct tm_wire_hello), hello},
    {"WELCOME", sizeof(struct tm_wire_welcome), welcome},
    {"FAILED", sizeof(struct tm_wire_failed), failed},
    {"REGISTER", sizeof(struct tm_wire_register), enrol},
    {"REGISTERED, UNREGISTER", sizeof(struct tm_wire_region), region},
    {"DONE, LEAVE", sizeof(struct tm_wire_plain), plain},
    {"POOL_OPEN, POOL_FORMER, POOL_NEXT, POOL_FOUND", sizeof(struct tm_wire_pool), pool},
    {"MOVED", sizeof(struct tm_wire_moved), moved},
    {"WALK", sizeof(struct tm_wire_walk), walk},
    {"key", sizeof(struct tm_wire_key), key},
    {"WALKED", sizeof(struct tm_wire_walked), walked},
    {"STATISTICS", sizeof(struct tm_wire_statistics), statistics},
    {"COUNTED", sizeof(struct tm_wire_counted), counted},
};

/* ---- numbers ---- */

struct value {
    const char *name;
    uint64_t number;
    const char *text;
};

#define OPERATION(name, text)       \
    {                               \
#name, TM_WIRE_##name, text \
    }
static const struct value operations[] = {
    OPERATION(PUT, "store the page at `place`"),
    OPERATION(GET, "write the page to `place`"),
    OPERATION(INVALIDATE_PAGE, "remove a page"),
    OPERATION(INVALIDATE_OBJECT, "remove all pages of an object"),
    OPERATION(POOL_CREATE, "make a pool, or join a shared one"),
    OPERATION(POOL_DESTROY, "remove a pool with its pages, or leave a shared one"),
    OPERATION(PUT_STORED, "as PUT, from its stored form (feature STORED_PAGES)"),
    OPERATION(GET_STORED, "as GET, inclusive, in its stored form (feature STORED_PAGES)"),
};
static const struct value results[] = {
    OPERATION(OK, "done"),
    OPERATION(MISS, "no such page"),
    OPERATION(REFUSED, "policy: over the cap, frozen, full; the older page is gone"),
    OPERATION(KEPT, "a put that keeps failed, the older page is untouched"),
    OPERATION(NOMEM, "no memory; after a put the older page is gone"),
    OPERATION(CORRUPT, "a persistent page fails its check"),
    OPERATION(INVALID, "a field is not valid; nothing changed"),
    OPERATION(NOT_FOUND, "no such pool of this client"),
    OPERATION(EXISTS, "the name is taken"),
    OPERATION(DENIED, "not allowed"),
    OPERATION(UNSUPPORTED, "not known, or not agreed on"),
    OPERATION(UNAVAILABLE, "not now; again in a moment"),
};
static const struct value features[] = {
    OPERATION(STORED_PAGES, "pages in stored form"),
    OPERATION(REGIONS, "pages in memory of the client's own"),
    OPERATION(MOVES, "who went to another daemon is told where"),
    OPERATION(CLAIMS, "a HELLO with a token and without a name is for the client of this token, or for none"),
};
static const struct value kinds[] = {
    OPERATION(HELLO, "client; answered by WELCOME"),
    OPERATION(WELCOME, "daemon, with three descriptors"),
    OPERATION(FAILED, "daemon, instead of any answer"),
    OPERATION(REGISTER, "client, with a memfd; answered by REGISTERED"),
    OPERATION(REGISTERED, "daemon"),
    OPERATION(UNREGISTER, "client; answered by DONE"),
    OPERATION(DONE, "daemon"),
    OPERATION(POOL_OPEN, "client: is there this pool; answered by DONE"),
    OPERATION(WALK, "client: a step of a walk; answered by WALKED"),
    OPERATION(WALKED, "daemon"),
    OPERATION(STATISTICS, "client; answered by COUNTED"),
    OPERATION(COUNTED, "daemon"),
    OPERATION(LEAVE, "client: its pages go at once; answered by DONE when they have"),
    OPERATION(MOVED, "daemon, instead of WELCOME (feature MOVES)"),
    OPERATION(POOL_FORMER, "client: what the pool is called here; answered by POOL_FOUND (feature MOVES)"),
    OPERATION(POOL_FOUND, "daemon"),
    OPERATION(POOL_NEXT, "client: which of its pools has the least id above this one; answered by POOL_FOUND (feature "
                         "CLAIMS)"),
};
static const struct value limits[] = {
    {"versions", TM_WIRE_VERSION_MAX, "the newest; the oldest is 1"},
    {"entries, least", TM_WIRE_ENTRIES_MIN, "of a ring; a power of two"},
    {"entries, most", TM_WIRE_ENTRIES_MAX, ""},
    {"slots, least", TM_WIRE_SLOTS_MIN, "pages"},
    {"slots, most", TM_WIRE_SLOTS_MAX, ""},
    {"regions, most", TM_WIRE_REGIONS_MAX, ""},
    {"bytes of a region, most", TM_WIRE_REGION_BYTES_MAX, ""},
    {"bytes of a page", TM_PAGE_BYTES, ""},
    {"keys of a step, most", TM_WIRE_KEYS_MAX, ""},
    {"words of statistics, most", TM_WIRE_WORDS_MAX, ""},
};

/* Every number of an enumeration has its row. */
TM_STATIC_ASSERT(TM_ARRAY_SIZE(operations) == TM_WIRE_OPERATION_COUNT - 1);
TM_STATIC_ASSERT(TM_ARRAY_SIZE(results) == TM_WIRE_RESULT_COUNT);
TM_STATIC_ASSERT(TM_ARRAY_SIZE(kinds) == TM_WIRE_KIND_COUNT - 1);
TM_STATIC_ASSERT((TM_WIRE_STORED_PAGES | TM_WIRE_REGIONS | TM_WIRE_MOVES | TM_WIRE_CLAIMS) == TM_WIRE_FEATURES);

static void print_values(const char *title, const struct value *values, size_t count)
{
    printf("| %s | number | |\n|---|---|---|\n", title);
    for (size_t i = 0; i < count; i++)
        printf("| %s | %llu | %s |\n", values[i].name, (unsigned long long)values[i].number, values[i].text);
    printf("\n");
}

static void print_structure(const char *title, size_t bytes, const struct field *fields)
{
    size_t end = 0;
    printf("**%s**, %zu bytes\n\n| at | bytes | type | field | |\n|---|---|---|---|---|\n", title, bytes);
    for (; fields->name != NULL; fields++) {
        if (fields->offset != end) {
            fprintf(stderr, "%s: the list says that %s is at %zu, it is at %zu\n", title, fields->name, end,
                    fields->offset);
            exit(1);
        }
        printf("| %zu | %zu | %s | `%s` | %s |\n", fields->offset, fields->bytes, fields->type, fields->name,
               fields->text);
        end = fields->offset + fields->bytes;
    }
    printf("\n");
    if (end != bytes) {
        fprintf(stderr, "%s: the list ends at %zu of %zu bytes\n", title, end, bytes);
        exit(1);
    }
}

int main(void)
{
    print_values("limit", limits, TM_ARRAY_SIZE(limits));
    print_values("operation", operations, TM_ARRAY_SIZE(operations));
    print_values("result", results, TM_ARRAY_SIZE(results));
    print_values("feature", features, TM_ARRAY_SIZE(features));
    print_values("message", kinds, TM_ARRAY_SIZE(kinds));
    for (size_t i = 0; i < TM_ARRAY_SIZE(structures); i++)
        print_structure(structures[i].title, structures[i].bytes, structures[i].fields);
    return fflush(stdout) != 0;
}
