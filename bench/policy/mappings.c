/* SPDX-License-Identifier: BSD-2-Clause */
/* mappings.c - see mappings.h. */
#include "mappings.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define PRESENT (UINT64_C(1) << 63) /* of an entry of the kernel's page map */
#define ENTRIES 512u

struct mapping {
    uint64_t from;
    uint64_t to;
    uint64_t offset;
    uint64_t device;
    uint64_t inode;
};

static bool append(struct policy_pages *pages, uint32_t file, uint64_t index)
{
    if (pages->count == pages->capacity) {
        uint64_t capacity = pages->capacity == 0 ? 1024 : pages->capacity * 2u;
        struct policy_page *page = reallocarray(pages->page, (size_t)capacity, sizeof *page);
        if (page == NULL)
            return false;
        pages->page = page;
        pages->capacity = capacity;
    }
    pages->page[pages->count++] = (struct policy_page){file, (uint32_t)index};
    return true;
}

/*
 * Reads a line of /proc/PID/maps. False: it maps no regular file. Where a filesystem shows the kernel another device
 * than it shows programs, the path says which.
 */
static bool parse(const char *line, struct mapping *mapping)
{
    unsigned major;
    unsigned minor;
    int path_at = 0;
    struct stat status;
    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*4s %" SCNx64 " %x:%x %" SCNu64 " %n", &mapping->from, &mapping->to,
               &mapping->offset, &major, &minor, &mapping->inode, &path_at) != 6 ||
        mapping->inode == 0 || line[path_at] != '/')
        return false;
    mapping->device = makedev(major, minor);
    if (stat(line + path_at, &status) != 0 || status.st_ino != mapping->inode)
        return true; /* removed meanwhile */
    mapping->device = status.st_dev;
    return S_ISREG(status.st_mode);
}

static bool read_mapping(struct policy_trace *trace, int page_map, const struct mapping *mapping, uint64_t from,
                         uint64_t to, struct policy_pages *pages)
{
    uint64_t entries[ENTRIES];
    uint32_t file;
    uint64_t begin = tm_max_u64(from, mapping->from);
    uint64_t end = tm_min_u64(to, mapping->to);
    if (!policy_trace_file(trace, mapping->device, mapping->inode, &file))
        return false;
    while (begin < end) {
        uint64_t count = tm_min_u64(tm_round_up(end - begin, TM_PAGE_BYTES) / TM_PAGE_BYTES, ENTRIES);
        ssize_t got = pread(page_map, entries, (size_t)count * sizeof entries[0],
                            (off_t)(begin / TM_PAGE_BYTES * sizeof entries[0]));
        if (got < (ssize_t)sizeof entries[0])
            return true;
        for (uint64_t i = 0; i < (uint64_t)got / sizeof entries[0]; i++) {
            uint64_t index = (begin - mapping->from + mapping->offset) / TM_PAGE_BYTES + i;
            if ((entries[i] & PRESENT) != 0 && !append(pages, file, index))
                return false;
        }
        begin += (uint64_t)got / sizeof entries[0] * TM_PAGE_BYTES;
    }
    return true;
}

bool policy_mappings_read(struct policy_trace *trace, pid_t process, uint64_t from, uint64_t to,
                          struct policy_pages *pages)
{
    char path[64];
    char *line = NULL;
    size_t line_capacity = 0;
    bool done = true;
    (void)snprintf(path, sizeof path, "/proc/%d/pagemap", (int)process);
    int page_map = open(path, O_RDONLY | O_CLOEXEC);
    (void)snprintf(path, sizeof path, "/proc/%d/maps", (int)process);
    FILE *maps = fopen(path, "re");
    ssize_t length;
    while (page_map >= 0 && maps != NULL && done && (length = getline(&line, &line_capacity, maps)) > 0) {
        struct mapping mapping;
        line[strcspn(line, "\n")] = '\0';
        if (parse(line, &mapping) && mapping.from < to && mapping.to > from)
            done = read_mapping(trace, page_map, &mapping, from, to, pages);
    }
    free(line);
    if (maps != NULL)
        (void)fclose(maps);
    if (page_map >= 0)
        (void)close(page_map);
    return done;
}

void policy_pages_free(struct policy_pages *pages)
{
    free(pages->page);
    *pages = (struct policy_pages){0};
}
