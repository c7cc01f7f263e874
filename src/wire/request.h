/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * request.h - judging a request that was copied from a ring: the one place where every field of it is checked.
 *
 * Who locks: nobody; nothing is kept. Cost: a few comparisons.
 */
#ifndef TM_WIRE_REQUEST_H
#define TM_WIRE_REQUEST_H

#include "wire/layout.h"

/* What a client may refer to. */
struct tm_wire_bounds {
    uint32_t features;                               /* enum tm_wire_feature, those agreed on */
    uint64_t region_bytes[TM_WIRE_REGIONS_MAX + 1u]; /* [0]: all slots; 0: no such region */
};

/*
 * tm_request_judge - whether a request means something.
 *
 * @request  private memory: nobody changes it any more.
 *
 * Results: TM_WIRE_OK; TM_WIRE_UNSUPPORTED (an operation that this version, or what was agreed on, does not have);
 * TM_WIRE_INVALID (flags, region or place that do not exist, something in a field that the operation does not use).
 * After TM_WIRE_OK the page's TM_PAGE_BYTES, or in TM_WIRE_PUT_STORED as many as `stored` says, lie inside the region;
 * whether the pool exists and is the client's is for the engine to say.
 */
enum tm_wire_result tm_request_judge(const struct tm_wire_request *request, const struct tm_wire_bounds *bounds);

/* The two halves of `stored`, and of a stored page's answer. */
static inline uint32_t tm_wire_stored_codec(uint64_t stored)
{
    return (uint32_t)stored;
}

static inline uint32_t tm_wire_stored_bytes(uint64_t stored)
{
    return (uint32_t)(stored >> 32);
}

static inline uint64_t tm_wire_stored(uint32_t codec, uint32_t size_bytes)
{
    return (uint64_t)size_bytes << 32 | codec;
}

#endif
