/* SPDX-License-Identifier: BSD-2-Clause */
/* idle.c - see idle.h. */
#include "host/idle.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/atomic.h"

#define BELIEVED_NS UINT64_C(1000000)
#define TEXT_BYTES 128u

void tm_idle_init(struct tm_idle *idle)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    idle->file = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
    idle->cpus = cpus > 0 ? (unsigned)cpus : 1u;
    idle->looked_ns = 0;
    idle->has_idle = 1;
}

void tm_idle_fini(struct tm_idle *idle)
{
    if (idle->file >= 0)
        close(idle->file);
    idle->file = -1;
}

/* "0.20 0.18 0.12 1/80 11206": three averages, then running and all threads. */
bool tm_idle_parse(const char *text, unsigned *running)
{
    for (unsigned field = 0; field < 3; field++) {
        while (*text != '\0' && *text != ' ')
            text++;
        if (*text == '\0')
            return false;
        text++;
    }
    char *end = NULL;
    unsigned long long number = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '/' || number > UINT32_MAX)
        return false;
    *running = (unsigned)number;
    return true;
}

static bool look(const struct tm_idle *idle)
{
    char text[TEXT_BYTES];
    unsigned running;
    ssize_t length = idle->file < 0 ? -1 : pread(idle->file, text, sizeof text - 1u, 0);
    if (length <= 0)
        return true;
    text[length] = '\0';
    return !tm_idle_parse(text, &running) || running <= idle->cpus;
}

bool tm_idle_has(struct tm_idle *idle, uint64_t now_ns)
{
    uint64_t looked = tm_load_relaxed(&idle->looked_ns);
    if (looked == 0 || now_ns - looked >= BELIEVED_NS) {
        tm_store_relaxed(&idle->has_idle, (uint32_t)look(idle));
        tm_store_relaxed(&idle->looked_ns, now_ns);
    }
    return tm_load_relaxed(&idle->has_idle) != 0;
}
