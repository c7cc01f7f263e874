/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * region.c - memory of the client's own that it lets the daemon map, so that pages go straight to and from it.
 *
 * What is mapped must never end a thread that touches it: a memfd on the kernel's own tmpfs, sealed against shrinking.
 * Pages that the client has cut out of it come back when they are touched, and the daemon's control group pays for
 * them: so the configuration says how much of it a client may have mapped.
 */
#include "daemon/session.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Nobody can make it smaller than @bytes, and it is neither a file nor made of huge pages, which run out. */
static bool is_safe(int memory, uint64_t bytes)
{
    struct stat status;
    struct statfs system;
    int seals = fcntl(memory, F_GET_SEALS);
    return seals >= 0 && (seals & F_SEAL_SHRINK) != 0 && (seals & F_SEAL_WRITE) == 0 && fstat(memory, &status) == 0 &&
           S_ISREG(status.st_mode) && status.st_size >= 0 && (uint64_t)status.st_size >= bytes &&
           fstatfs(memory, &system) == 0 && system.f_type == TMPFS_MAGIC;
}

static uint64_t mapped_bytes(const struct tm_session *session)
{
    uint64_t sum = 0;
    for (unsigned i = 1; i <= TM_WIRE_REGIONS_MAX; i++)
        sum += session->regions[i].bytes;
    return sum;
}

static unsigned free_number(const struct tm_session *session)
{
    unsigned number = 1;
    while (number <= TM_WIRE_REGIONS_MAX && session->regions[number].bytes != 0)
        number++;
    return number;
}

/* 0: it may be mapped, as *number; else what to answer. */
static enum tmem_result judge(const struct tm_session *session, int memory, uint64_t bytes, unsigned *number,
                              const char **text)
{
    uint64_t most = tm_load_acquire(&session->tenant->rule)->region_bytes;
    *number = free_number(session);
    *text = "the daemon maps no more memory of this client (see `regions` in its configuration)";
    if (*number > TM_WIRE_REGIONS_MAX || bytes > most || mapped_bytes(session) > most - bytes)
        return TMEM_REFUSED;
    *text = "such memory must be a memfd without huge pages, sealed with F_SEAL_SHRINK and not against writing";
    return bytes >= TM_PAGE_BYTES && bytes <= SIZE_MAX && is_safe(memory, bytes) ? TMEM_OK : TMEM_INVALID;
}

void tm_session_register(struct tm_session *session, struct tm_scratch *scratch, int memory)
{
    uint64_t bytes = scratch->question.enrol.bytes;
    unsigned number;
    const char *text;
    enum tmem_result result = judge(session, memory, bytes, &number, &text);
    void *base = MAP_FAILED;
    if (result == TMEM_OK)
        base = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    (void)close(memory);
    if (base == MAP_FAILED) {
        tm_session_fail(session, scratch, result != TMEM_OK ? result : TMEM_NOMEM,
                        result != TMEM_OK ? text : "the daemon cannot map that much");
        return;
    }
    (void)madvise(base, (size_t)bytes, MADV_DONTDUMP);
    session->regions[number] = (struct tm_session_region){base, bytes};
    session->bounds.region_bytes[number] = bytes;
    (void)tm_message_begin(&scratch->answer, TM_WIRE_REGISTERED, session->version, scratch->question.head.number);
    scratch->answer.region.region = (uint16_t)number;
    tm_session_send(session, &scratch->answer, NULL, 0);
}

/* One thread serves and hears: no request is using it. */
void tm_session_unregister(struct tm_session *session, struct tm_scratch *scratch)
{
    struct tm_session_region *region = &session->regions[scratch->question.region.region];
    if (region->bytes == 0) {
        tm_session_fail(session, scratch, TMEM_NOT_FOUND, "no such memory of this client");
        return;
    }
    session->bounds.region_bytes[scratch->question.region.region] = 0;
    (void)munmap(region->base, (size_t)region->bytes);
    *region = (struct tm_session_region){NULL, 0};
    (void)tm_message_begin(&scratch->answer, TM_WIRE_DONE, session->version, scratch->question.head.number);
    tm_session_send(session, &scratch->answer, NULL, 0);
}
