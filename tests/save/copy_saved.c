/* SPDX-License-Identifier: BSD-2-Clause */
/* copy_saved.c - reads a saved client from stdin, item by item, and writes it to stdout again. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "save/save.h"

void tm_platform_panic(const char *file, int line, const char *what)
{
    (void)fprintf(stderr, "%s:%d: %s\n", file, line, what);
    abort();
}

static bool give(void *user, const void *bytes, size_t size)
{
    return fwrite(bytes, 1, size, user) == size;
}

static size_t take(void *user, void *bytes, size_t size)
{
    return fread(bytes, 1, size, user);
}

int main(void)
{
    static struct tm_save_item item;
    struct tm_save_writer writer;
    struct tm_save_reader reader;
    enum tm_save_answer answer = TM_SAVE_BROKEN;
    bool done = tm_save_begin(&writer, TM_SAVE_FILE, 1, give, stdout);
    if (tm_save_open(&reader, take, stdin))
        while (done && (answer = tm_save_read(&reader, &item)) == TM_SAVE_ITEM)
            done = tm_save_write(&writer, &item);
    if (answer != TM_SAVE_ENDED)
        (void)fprintf(stderr, "%s\n", reader.text);
    done = tm_save_finish(&writer, answer == TM_SAVE_ENDED) && done;
    tm_save_close(&reader);
    return done && answer == TM_SAVE_ENDED && fflush(stdout) == 0 ? 0 : 1;
}
