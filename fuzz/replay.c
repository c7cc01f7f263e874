/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * replay.c - runs a target on files, without a fuzzer: what was found once stays found.
 *
 *   replay DIRECTORY    every file in it, in the order of names
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int fail(const char *path)
{
    fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
    return 1;
}

static int replay(const char *directory, const char *name)
{
    static uint8_t input[INPUT_MAX];
    char path[4096];
    if (snprintf(path, sizeof path, "%s/%s", directory, name) >= (int)sizeof path)
        return 0;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return fail(path);
    size_t size = fread(input, 1, sizeof input, file);
    int failed = ferror(file);
    (void)fclose(file);
    if (failed != 0)
        return fail(path);
    /* Memory of exactly this size, so that reading beyond it is seen. */
    uint8_t *copy = malloc(size != 0 ? size : 1);
    if (copy == NULL)
        return fail(path);
    memcpy(copy, input, size);
    (void)LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    return 0;
}

static int is_file(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int main(int count, char **arguments)
{
    struct dirent **entries = NULL;
    int status = 0;
    int found = count == 2 ? scandir(arguments[1], &entries, is_file, alphasort) : -1;
    if (found < 0)
        return fail(count == 2 ? arguments[1] : "usage: replay DIRECTORY");
    for (int i = 0; i < found; i++) {
        status |= replay(arguments[1], entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    printf("%d inputs\n", found);
    return found == 0 ? fail(arguments[1]) : status;
}
