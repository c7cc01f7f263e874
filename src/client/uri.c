/* SPDX-License-Identifier: BSD-2-Clause */
/* uri.c - reading a store URI, strictly: what is not understood is an error that says so. */
#include "client/uri.h"

#include <tmem/control.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_SIZE (UINT64_C(256) << 20)
#define WORKERS_MAX 64u
#define VALUE_MAX 64u
#define DEFAULT_COLD_SECONDS 60u

void tm_error_set(struct tmem_error *error, const char *format, ...)
{
    va_list arguments;
    if (error == NULL)
        return;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
}

/* ---- values ---- */

static bool parse_number(const char *text, uint64_t most, uint64_t *value)
{
    uint64_t sum = 0;
    if (*text == 0)
        return false;
    for (; *text != 0; text++) {
        if (*text < '0' || *text > '9')
            return false;
        if (!tm_mul_u64(sum, 10, &sum) || !tm_add_u64(sum, (uint64_t)(*text - '0'), &sum) || sum > most)
            return false;
    }
    *value = sum;
    return true;
}

/* A number with an optional unit of 1024s: K, M, G, T. */
static bool parse_size(const char *text, uint64_t *bytes)
{
    static const char units[] = "KMGT";
    char digits[VALUE_MAX];
    size_t length = strlen(text);
    uint64_t factor = 1;
    if (length == 0 || length >= sizeof digits)
        return false;
    memcpy(digits, text, length + 1u);
    const char *unit = strchr(units, digits[length - 1u] & ~0x20);
    if (unit != NULL && digits[length - 1u] > '9') {
        factor = UINT64_C(1) << (10 * (unit - units + 1));
        digits[length - 1u] = 0;
    }
    uint64_t number;
    return parse_number(digits, UINT64_MAX, &number) && tm_mul_u64(number, factor, bytes);
}

static bool parse_choice(const char *value, const char *no, const char *yes, bool *choice)
{
    bool is_yes = strcmp(value, yes) == 0;
    if (!is_yes && strcmp(value, no) != 0)
        return false;
    *choice = is_yes;
    return true;
}

/* "zstd:3": a name and, for zstd, a level. */
static enum tmem_result parse_codec(const char *value, struct tm_uri *uri, struct tmem_error *error)
{
    static const struct {
        const char *name;
        enum tm_codec_id id;
    } codecs[] = {{"none", TM_CODEC_RAW}, {"lz4", TM_CODEC_LZ4}, {"zstd", TM_CODEC_ZSTD}, {"lzo", TM_CODEC_LZO}};
    size_t length = strcspn(value, ":");
    int level = 0;
    if (value[length] == ':') {
        uint64_t number;
        const char *text = value + length + 1u;
        bool is_negative = *text == '-';
        if (!parse_number(text + is_negative, is_negative ? 7 : 19, &number) || number == 0) {
            tm_error_set(error, "codec=%s: a level is -7 ... -1 or 1 ... 19 (for example codec=zstd:3)", value);
            return TMEM_INVALID;
        }
        level = is_negative ? -(int)number : (int)number;
    }
    for (size_t i = 0; i < TM_ARRAY_SIZE(codecs); i++) {
        struct tm_codec made;
        if (strlen(codecs[i].name) != length || strncmp(codecs[i].name, value, length) != 0)
            continue;
        if (level != 0 && codecs[i].id != TM_CODEC_ZSTD) {
            tm_error_set(error, "codec=%s: only zstd has levels", value);
            return TMEM_INVALID;
        }
        /* Which codecs a daemon has is for it to say. */
        if (!uri->is_unix && !tm_codec_create(codecs[i].id, level, &made)) {
            tm_error_set(error, "codec=%s: this build has no such codec (try codec=zstd, or configure with -Dlzo=true)",
                         value);
            return TMEM_UNSUPPORTED;
        }
        uri->codec = codecs[i].id;
        uri->level = level;
        (void)snprintf(uri->codec_text, sizeof uri->codec_text, "%s", value);
        return TMEM_OK;
    }
    tm_error_set(error, "codec=%s: unknown codec (lz4, zstd, zstd:LEVEL, lzo, none)", value);
    return TMEM_INVALID;
}

/* ---- keys ---- */

static enum tmem_result bad_value(struct tmem_error *error, const char *key, const char *value, const char *expected)
{
    tm_error_set(error, "%s=%s: expected %s", key, value, expected);
    return TMEM_INVALID;
}

static enum tmem_result set_size(const char *value, struct tm_uri *uri, struct tmem_error *error)
{
    if (!parse_size(value, &uri->size_bytes))
        return bad_value(error, "size", value, "a number of bytes, such as 512M or 4G");
    if (uri->size_bytes < TM_STORE_SIZE_MIN)
        return bad_value(error, "size", value, "at least 16M");
    return TMEM_OK;
}

static enum tmem_result set_memory(const char *key, const char *value, struct tm_uri *uri, struct tmem_error *error)
{
    uint64_t number;
    if (strcmp(key, "persistent") == 0) {
        if (!parse_choice(value, "anon", "memfd", &uri->use_memfd))
            return bad_value(error, key, value, "anon or memfd");
        return TMEM_OK;
    }
    if (!parse_number(value, 1u << 20, &number))
        return bad_value(error, key, value, "the number of an open memory file");
    uri->arena_fd = (int)number;
    return TMEM_OK;
}

static enum tmem_result set_cold(const char *key, const char *value, struct tm_uri *uri, struct tmem_error *error)
{
    uint64_t number = 0;
    if (strcmp(key, "cold-age") == 0) {
        if (!parse_number(value, TMEM_COLD_AGE_MAX, &number))
            return bad_value(error, key, value, "a number of seconds, at most a million");
        uri->cold_seconds = (uint32_t)number;
        return TMEM_OK;
    }
    if (strcmp(value, "off") != 0 && (!parse_number(value, 100, &number) || number == 0))
        return bad_value(error, key, value, "off, or how many per cent of one CPU, 1 to 100");
    uri->cold_percent = (uint32_t)number;
    return TMEM_OK;
}

static enum tmem_result set_name(const char *value, struct tm_uri *uri, struct tmem_error *error)
{
    static const char legal[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:@";
    size_t length = strlen(value);
    if (length == 0 || length >= sizeof uri->name || strspn(value, legal) != length)
        return bad_value(error, "name", value, "1 to 31 letters, digits, '.', '_', '-', ':' or '@'");
    memcpy(uri->name, value, length + 1u);
    return TMEM_OK;
}

static enum tmem_result set_token(const char *value, struct tm_uri *uri, struct tmem_error *error)
{
    size_t length = strlen(value);
    if (length == 0 || length >= sizeof uri->token)
        return bad_value(error, "token", value, "the name of a file with a client's token");
    memcpy(uri->token, value, length + 1u);
    return TMEM_OK;
}

/* Of a store in a daemon; what else it is made of is the daemon's to say. */
static enum tmem_result set_unix_key(const char *key, const char *value, struct tm_uri *uri, struct tmem_error *error)
{
    if (strcmp(key, "size") == 0)
        return set_size(value, uri, error);
    if (strcmp(key, "codec") == 0)
        return parse_codec(value, uri, error);
    if (strcmp(key, "name") == 0)
        return set_name(value, uri, error);
    if (strcmp(key, "token") == 0)
        return set_token(value, uri, error);
    tm_error_set(error, "unknown key '%s' (size, codec, name, token; all else is in the daemon's configuration)", key);
    return TMEM_INVALID;
}

static enum tmem_result set_key(const char *key, const char *value, struct tm_uri *uri, struct tmem_error *error)
{
    uint64_t number;
    if (strcmp(key, "size") == 0)
        return set_size(value, uri, error);
    if (strcmp(key, "codec") == 0)
        return parse_codec(value, uri, error);
    if (strcmp(key, "persistent") == 0 || strcmp(key, "arena-fd") == 0)
        return set_memory(key, value, uri, error);
    if (strcmp(key, "dedup") == 0)
        return parse_choice(value, "off", "on", &uri->dedup) ? TMEM_OK : bad_value(error, key, value, "on or off");
    if (strcmp(key, "defer") == 0)
        return parse_choice(value, "off", "on", &uri->defer) ? TMEM_OK : bad_value(error, key, value, "on or off");
    if (strcmp(key, "maintenance") == 0)
        return parse_choice(value, "none", "thread", &uri->maintenance)
                   ? TMEM_OK
                   : bad_value(error, key, value, "thread or none");
    if (strcmp(key, "cold") == 0 || strcmp(key, "cold-age") == 0)
        return set_cold(key, value, uri, error);
    if (strcmp(key, "workers") == 0) {
        if (!parse_number(value, WORKERS_MAX, &number) || number == 0)
            return bad_value(error, key, value, "1 ... 64");
        uri->workers = (unsigned)number;
        return TMEM_OK;
    }
    tm_error_set(error,
                 "unknown key '%s' (size, codec, dedup, defer, workers, persistent, arena-fd, maintenance, cold, "
                 "cold-age)",
                 key);
    return TMEM_INVALID;
}

/* One "key=value" of @length bytes. */
static enum tmem_result parse_pair(const char *text, size_t length, struct tm_uri *uri, struct tmem_error *error)
{
    char pair[2u * VALUE_MAX];
    if (length >= sizeof pair) {
        tm_error_set(error, "'%.32s...' is too long", text);
        return TMEM_INVALID;
    }
    memcpy(pair, text, length);
    pair[length] = 0;
    char *equals = strchr(pair, '=');
    if (equals == NULL) {
        tm_error_set(error, "'%s': expected key=value", pair);
        return TMEM_INVALID;
    }
    *equals = 0;
    return (uri->is_unix ? set_unix_key : set_key)(pair, equals + 1, uri, error);
}

/* What follows the scheme and the path. */
static enum tmem_result parse_pairs(const char *text, struct tm_uri *uri, struct tmem_error *error)
{
    while (*text != 0) {
        size_t length = strcspn(text, ",");
        enum tmem_result result = parse_pair(text, length, uri, error);
        if (result != TMEM_OK)
            return result;
        text += length;
        if (*text == ',' && *++text == 0) {
            tm_error_set(error, "nothing follows the last ','");
            return TMEM_INVALID;
        }
    }
    return TMEM_OK;
}

/* "PATH[,key=value...]" */
static enum tmem_result parse_unix(const char *text, struct tm_uri *uri, struct tmem_error *error)
{
    size_t length = strcspn(text, ",");
    if (length == 0) {
        tm_error_set(error, "unix: has no path (for example unix:/run/tmem/tmemd.sock)");
        return TMEM_INVALID;
    }
    if (length >= sizeof uri->path) {
        tm_error_set(error, "'%.32s...' is too long for a socket (at most %zu bytes)", text, sizeof uri->path - 1u);
        return TMEM_INVALID;
    }
    uri->is_unix = true;
    uri->size_bytes = 0;
    memcpy(uri->path, text, length);
    uri->path[length] = 0;
    text += length;
    if (*text == ',' && *++text == 0) {
        tm_error_set(error, "nothing follows the last ','");
        return TMEM_INVALID;
    }
    return parse_pairs(text, uri, error);
}

enum tmem_result tm_uri_parse(const char *text, struct tm_uri *uri, struct tmem_error *error)
{
    static const char embedded[] = "embedded:";
    static const char daemon[] = "unix:";
    *uri = (struct tm_uri){.size_bytes = DEFAULT_SIZE,
                           .codec = TM_CODEC_LZ4,
                           .dedup = true,
                           .maintenance = true,
                           .cold_seconds = DEFAULT_COLD_SECONDS,
                           .arena_fd = -1};
    if (strncmp(text, daemon, sizeof daemon - 1u) == 0)
        return parse_unix(text + sizeof daemon - 1u, uri, error);
    if (strncmp(text, embedded, sizeof embedded - 1u) != 0) {
        tm_error_set(error, "'%.64s': expected embedded:[key=value,...] or unix:PATH[,key=value,...]", text);
        return TMEM_INVALID;
    }
    enum tmem_result result = parse_pairs(text + sizeof embedded - 1u, uri, error);
    if (result != TMEM_OK)
        return result;
    if (uri->cold_percent != 0 && uri->codec == TM_CODEC_ZSTD) {
        tm_error_set(error, "cold=%u: codec=zstd makes no page smaller later (choose another codec, or cold=off)",
                     uri->cold_percent);
        return TMEM_INVALID;
    }
    uri->use_memfd = uri->use_memfd || uri->arena_fd >= 0;
    return TMEM_OK;
}
