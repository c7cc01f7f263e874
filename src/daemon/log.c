/* SPDX-License-Identifier: BSD-2-Clause */
/* log.c - see log.h. */
#include "daemon/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/atomic.h"

#define LINE_BYTES 1024u

static TM_PRINTF(2, 0) void write_line(uint32_t left_out, const char *format, va_list arguments)
{
    static const char prefix[] = "tmemd: ";
    char line[LINE_BYTES];
    size_t used = sizeof prefix - 1u;
    memcpy(line, prefix, used);
    int length = vsnprintf(line + used, sizeof line - used - 1u, format, arguments);
    if (length > 0)
        used += (size_t)tm_min_u64((uint64_t)length, sizeof line - used - 2u);
    if (left_out != 0) {
        length = snprintf(line + used, sizeof line - used - 1u, " (and %u more like it before)", left_out);
        if (length > 0)
            used += (size_t)tm_min_u64((uint64_t)length, sizeof line - used - 2u);
    }
    /* What clients sent is part of some lines: one line stays one. */
    for (size_t i = 0; i < used; i++)
        if ((unsigned char)line[i] < ' ')
            line[i] = '?';
    line[used++] = '\n';
    /* One write, so that lines do not mix. What cannot be written to stderr cannot be reported either. */
    ssize_t written = write(STDERR_FILENO, line, used);
    (void)written;
}

void tm_log(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    write_line(0, format, arguments);
    va_end(arguments);
}

void tm_log_limited(struct tm_log_limit *limit, uint64_t now_ns, const char *format, ...)
{
    va_list arguments;
    uint64_t begin_ns = tm_load_relaxed(&limit->begin_ns);
    uint32_t left_out = 0;
    if ((begin_ns == 0 || now_ns - begin_ns >= TM_LOG_PERIOD_NS) &&
        tm_compare_exchange(&limit->begin_ns, &begin_ns, now_ns)) {
        tm_store_relaxed(&limit->lines, 0u);
        left_out = tm_exchange(&limit->left_out, 0u);
    }
    if (tm_fetch_add_relaxed(&limit->lines, 1u) >= TM_LOG_BURST) {
        (void)tm_fetch_add_relaxed(&limit->left_out, 1u);
        return;
    }
    va_start(arguments, format);
    write_line(left_out, format, arguments);
    va_end(arguments);
}
