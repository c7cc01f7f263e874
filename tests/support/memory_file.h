/* SPDX-License-Identifier: BSD-2-Clause */
/* memory_file.h - a file in memory, as a sink and a source of save/save.h. */
#ifndef TM_TESTS_MEMORY_FILE_H
#define TM_TESTS_MEMORY_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct file {
    unsigned char bytes[1u << 20];
    size_t size, at;
    size_t room; /* the sink says no beyond it */
};

static inline bool write_file(void *user, const void *bytes, size_t size)
{
    struct file *to = user;
    if (to->room - to->size < size)
        return false;
    memcpy(to->bytes + to->size, bytes, size);
    to->size += size;
    return true;
}

static inline size_t read_file(void *user, void *bytes, size_t size)
{
    struct file *from = user;
    size_t left = from->size - from->at;
    size = size < left ? size : left;
    memcpy(bytes, from->bytes + from->at, size);
    from->at += size;
    return size;
}

#endif
