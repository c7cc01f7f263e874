/* SPDX-License-Identifier: BSD-2-Clause */
/* unix_token.c - a token in a file: a client that waits for whoever shows it. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "client/unix.h"

#define DIGITS (2u * (unsigned)sizeof(struct tm_wire_token))

/* The digit's value; 16: it is none. */
static unsigned value_of(char digit)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = digit != '\0' ? strchr(digits, digit) : NULL;
    return found != NULL ? (unsigned)(found - digits) : 16u;
}

/* @text: of @length bytes, with or without the end of a line. All zero is no token. */
static bool parse(const char *text, size_t length, struct tm_wire_token *token)
{
    unsigned all = 0;
    if (length == DIGITS + 1u && text[DIGITS] == '\n')
        length--;
    if (length != DIGITS)
        return false;
    for (unsigned i = 0; i < DIGITS; i += 2) {
        unsigned high = value_of(text[i]);
        unsigned low = value_of(text[i + 1u]);
        if (high > 15 || low > 15)
            return false;
        token->bytes[i / 2u] = (unsigned char)(high << 4 | low);
        all |= high | low;
    }
    return all != 0;
}

static enum tmem_result cannot_read(const char *path, int cause, struct tmem_error *error)
{
    const char *why = cause == ENOENT   ? "there is no such file"
                      : cause == EACCES ? "permission denied"
                                        : "it cannot be read";
    tm_error_set(error, "token=%s: %s (make it by: tmem token CLIENT)", path, why);
    return cause == ENOENT ? TMEM_NOT_FOUND : cause == EACCES ? TMEM_DENIED
                                                              : TMEM_INVALID;
}

static enum tmem_result read_token(const char *path, struct tm_wire_token *token, struct tmem_error *error)
{
    char text[DIGITS + 2u]; /* one byte more than it may have */
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t length = file >= 0 ? read(file, text, sizeof text) : -1;
    int cause = errno;
    if (file >= 0)
        (void)close(file);
    if (length < 0)
        return cannot_read(path, cause, error);
    bool is_token = parse(text, (size_t)length, token);
    explicit_bzero(text, sizeof text);
    if (is_token)
        return TMEM_OK;
    tm_error_set(error, "token=%s: expected %u hexadecimal digits in it, as `tmem token CLIENT` prints them", path,
                 DIGITS);
    return TMEM_INVALID;
}

enum tmem_result tm_unix_claim_by_file(struct tm_unix_store *store, struct tmem_error *error)
{
    struct tm_unix_client *client;
    struct tm_wire_token token;
    enum tmem_result result = read_token(store->uri.token, &token, error);
    if (result == TMEM_OK)
        result = tm_unix_claim(store, &token, &client, error);
    if (result != TMEM_OK)
        return result;
    result = tm_unix_find_pools(client);
    if (result == TMEM_OK)
        tm_unix_add_client(store, client);
    else {
        tm_error_set(error, "the client's pools: %s", tmem_result_text(result));
        tm_unix_disconnect(client, false); /* its pages wait again */
    }
    return result;
}
