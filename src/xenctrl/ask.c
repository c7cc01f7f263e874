/* SPDX-License-Identifier: BSD-2-Clause */
/* ask.c - questions to the daemon, and which of its clients are domains. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "xenctrl/xenctrl.h"

/* ---- members ---- */

uint64_t tm_xc_count(const json_t *object, const char *member)
{
    json_int_t value = json_integer_value(json_object_get(object, member));
    return value > 0 ? (uint64_t)value : 0;
}

const char *tm_xc_text(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));
    return text != NULL ? text : "";
}

bool tm_xc_flag(const json_t *object, const char *member)
{
    return json_is_true(json_object_get(object, member));
}

bool tm_xc_uuid(const json_t *pool, uint64_t uuid[2])
{
    char digits[33] = "";
    char half[17] = "";
    size_t used = 0;
    for (const char *at = tm_xc_text(pool, "uuid"); *at != 0 && used < 32; at++)
        if (*at != '-')
            digits[used++] = *at;
    memcpy(half, digits, 16);
    uuid[0] = used == 32 ? strtoull(digits + 16, NULL, 16) : 0;
    uuid[1] = used == 32 ? strtoull(half, NULL, 16) : 0;
    return used == 32;
}

/* ---- questions ---- */

static long judge(const json_t *answer)
{
    static const struct {
        const char *word;
        int error;
    } words[] = {{"ok", 0},
                 {"invalid", EINVAL},
                 {"unsupported", EOPNOTSUPP},
                 {"not-found", EPERM}, /* the original's -1 */
                 {"denied", EACCES},
                 {"exists", EEXIST},
                 {"refused", ENOMEM},
                 {"no-memory", ENOMEM}};
    const char *word = tm_xc_text(answer, "result");
    for (size_t i = 0; i < TM_ARRAY_SIZE(words); i++)
        if (strcmp(words[i].word, word) == 0)
            return -words[i].error;
    return -EIO;
}

/* Reads lines until the last one, which has the result. */
static long hear(struct tmem_daemon *daemon, const char *line, json_t **answer)
{
    for (;;) {
        json_t *read = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        if (!json_is_object(read)) {
            json_decref(read);
            return -EPROTO;
        }
        if (json_object_get(read, "result") != NULL) {
            *answer = read;
            return 0;
        }
        json_decref(read);
        enum tmem_result result = tmem_daemon_next(daemon, -1, &line);
        if (result != TMEM_OK)
            return result == TMEM_NOMEM ? -ENOMEM : -ENOTCONN;
    }
}

static long ask_with(struct tmem_daemon *daemon, json_t *question, const int *descriptors, size_t count,
                     json_t **answer)
{
    const char *line;
    char *text = question != NULL ? json_dumps(question, JSON_COMPACT) : NULL;
    json_decref(question);
    if (text == NULL)
        return -ENOMEM;
    enum tmem_result asked = tmem_daemon_ask(daemon, text, descriptors, count, &line);
    free(text);
    if (asked != TMEM_OK)
        return asked == TMEM_NOMEM ? -ENOMEM : asked == TMEM_INVALID ? -EBADF
                                                                     : -ENOTCONN;
    long result = hear(daemon, line, answer);
    if (result == 0 && (result = judge(*answer)) != 0)
        json_decref(*answer);
    return result;
}

long tm_xc_ask(struct tmem_daemon *daemon, json_t *question, json_t **answer)
{
    return ask_with(daemon, question, NULL, 0, answer);
}

long tm_xc_do_with(struct tmem_daemon *daemon, json_t *question, int descriptor)
{
    json_t *answer;
    long result = ask_with(daemon, question, &descriptor, 1, &answer);
    if (result == 0)
        json_decref(answer);
    return result;
}

long tm_xc_do(struct tmem_daemon *daemon, json_t *question)
{
    json_t *answer;
    long result = tm_xc_ask(daemon, question, &answer);
    if (result == 0)
        json_decref(answer);
    return result;
}

/* ---- domains ---- */

/* The decimal number after the last '-' of a name; TMEM_CLIENT_ALL: it has none. */
static uint32_t number_of(const char *name)
{
    const char *digits = strrchr(name, '-');
    char *end;
    if (digits == NULL || digits[1] < '0' || digits[1] > '9' || (digits[1] == '0' && digits[2] != 0))
        return TMEM_CLIENT_ALL;
    unsigned long number = strtoul(digits + 1, &end, 10);
    return *end == 0 && number < TMEM_CLIENT_ALL ? (uint32_t)number : TMEM_CLIENT_ALL;
}

uint32_t tm_xc_number(const json_t *client)
{
    const json_t *given = json_object_get(client, "number");
    return given != NULL ? (uint32_t)json_integer_value(given) : number_of(tm_xc_text(client, "client"));
}

const json_t *tm_xc_find(const json_t *clients, uint32_t number)
{
    size_t index;
    const json_t *client;
    json_array_foreach(clients, index, client)
    {
        if (tm_xc_number(client) == number)
            return client;
    }
    return NULL;
}

/* Puts a client where its number belongs. Of two with one number the first counts. */
static long enter(json_t *clients, json_t *client)
{
    uint32_t number = tm_xc_number(client);
    size_t at = json_array_size(clients);
    if (number == TMEM_CLIENT_ALL || tm_xc_find(clients, number) != NULL)
        return 0;
    while (at > 0 && tm_xc_number(json_array_get(clients, at - 1)) > number)
        at--;
    return json_array_insert(clients, at, client) == 0 ? 0 : -ENOMEM;
}

/* One part of the list, after a name. *next receives the name to go on with, or is freed and NULL. */
static long ask_part(struct tmem_daemon *daemon, json_t *clients, json_t **store, char **next)
{
    json_t *answer;
    size_t index;
    json_t *client;
    json_t *question = json_pack("{s:s, s:b, s:b}", "verb", "list", "pools", 1, "activity", 1);
    if (question != NULL && *next != NULL && json_object_set_new(question, "after", json_string(*next)) != 0) {
        json_decref(question);
        question = NULL;
    }
    free(*next);
    *next = NULL;
    long result = tm_xc_ask(daemon, question, &answer);
    if (result != 0)
        return result;
    json_array_foreach(json_object_get(answer, "clients"), index, client)
    {
        result = result == 0 ? enter(clients, client) : result;
    }
    if (*store == NULL)
        *store = json_incref(json_object_get(answer, "store"));
    const char *more = json_string_value(json_object_get(answer, "next"));
    if (result == 0 && more != NULL && (*next = strdup(more)) == NULL)
        result = -ENOMEM;
    json_decref(answer);
    return result;
}

long tm_xc_clients(struct tmem_daemon *daemon, json_t **clients, json_t **store)
{
    char *next = NULL;
    long result = 0;
    *store = NULL;
    *clients = json_array();
    if (*clients == NULL)
        return -ENOMEM;
    do
        result = ask_part(daemon, *clients, store, &next);
    while (result == 0 && next != NULL);
    if (result != 0) {
        json_decref(*clients);
        json_decref(*store);
    }
    return result;
}
