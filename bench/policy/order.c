/* SPDX-License-Identifier: BSD-2-Clause */
/* order.c - see order.h. */
#include "order.h"

bool policy_order_run(const struct policy_order *order, const struct policy_stream *stream, uint32_t capacity,
                      uint64_t *hits)
{
    void *state = order->create(stream, capacity);
    *hits = 0;
    if (state == NULL)
        return false;
    for (uint64_t at = 0; at < stream->count; at++) {
        bool found = order->access(state, at, stream->access[at]);
        if (at < stream->scan_from || at >= stream->scan_to)
            *hits += found;
    }
    order->destroy(state);
    return true;
}
