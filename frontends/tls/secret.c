/* SPDX-License-Identifier: BSD-2-Clause */
/* secret.c - files that hold keys: nobody else may read them, and lines IDENTITY:HEX as psktool writes them. */
#include "tls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* With less than 128 bits, who made a client connect to him could find the key by trying. */
#define KEY_BYTES_MIN 16u

static enum tm_exit open_secret(const char *path, FILE **file)
{
    char cause[TM_ERROR_TEXT_SIZE];
    struct stat status;
    *file = NULL;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor >= 0 && fstat(descriptor, &status) == 0) {
        if (!S_ISREG(status.st_mode) || (status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
            (void)close(descriptor);
            return tm_fail(TM_EXIT_DENIED, "%s: others may read this key (try: a new key in a file of mode 600)", path);
        }
        *file = fdopen(descriptor, "r");
        if (*file != NULL)
            return TM_EXIT_OK;
    }
    int error = errno;
    if (descriptor >= 0)
        (void)close(descriptor);
    return tm_fail(tm_exit_of_error(error), "cannot read %s: %s (try: %s)", path, tm_error_text(error, cause),
                   tm_error_remedy(error, "psktool or certtool, which make keys"));
}

enum tm_exit tls_secret_check(const char *path)
{
    FILE *file;
    enum tm_exit code = open_secret(path, &file);
    if (code == TM_EXIT_OK)
        (void)fclose(file);
    return code;
}

void tls_key_free(struct tls_key *key)
{
    gnutls_free(key->identity);
    if (key->bytes.data != NULL)
        explicit_bzero(key->bytes.data, key->bytes.size);
    gnutls_free(key->bytes.data);
    *key = (struct tls_key){.identity = NULL};
}

/* False: the line is none, or there is no memory. */
static bool read_line(char *line, struct tls_key *key)
{
    char *colon = strrchr(line, ':');
    if (colon == NULL || colon == line)
        return false;
    *colon = '\0';
    const gnutls_datum_t digits = {(unsigned char *)colon + 1, (unsigned)strlen(colon + 1)};
    if (gnutls_hex_decode2(&digits, &key->bytes) != 0)
        return false;
    key->identity = gnutls_strdup(line);
    return key->identity != NULL && key->bytes.size >= KEY_BYTES_MIN;
}

enum tm_exit tls_key_read(const char *path, const char *identity, struct tls_key *key)
{
    char *line = NULL;
    size_t line_bytes = 0;
    unsigned number = 0;
    ssize_t length;
    FILE *file;
    *key = (struct tls_key){.identity = NULL};
    enum tm_exit code = open_secret(path, &file);
    if (code != TM_EXIT_OK)
        return code;
    while (key->identity == NULL && (length = getline(&line, &line_bytes, file)) > 0) {
        number++;
        line[strcspn(line, "\r\n")] = '\0';
        if (line[0] == '\0')
            continue;
        if (!read_line(line, key)) {
            tls_key_free(key);
            code = tm_fail(TM_EXIT_FAILED, "%s: line %u is not IDENTITY:HEX with a key of %u bytes or more "
                                           "(try: psktool -u NAME -p FILE)",
                           path, number, KEY_BYTES_MIN);
            break;
        }
        if (identity != NULL && strcmp(key->identity, identity) != 0)
            tls_key_free(key);
    }
    if (line != NULL)
        explicit_bzero(line, line_bytes);
    free(line);
    (void)fclose(file);
    return code;
}
