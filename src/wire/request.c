/* SPDX-License-Identifier: BSD-2-Clause */
/* request.c - see request.h. */
#include "wire/request.h"

/* What the fields of an operation may hold. */
struct shape {
    bool known;
    bool has_page; /* region and place */
    bool has_object;
    bool has_pool;
    bool has_index;
    bool has_stored;
    uint8_t flags_max;
    uint32_t index_max;
    uint32_t needs; /* enum tm_wire_feature */
};

static const struct shape shapes[TM_WIRE_OPERATION_COUNT] = {
    [TM_WIRE_PUT] = {true, true, true, true, true, false, TM_WIRE_PUT_KEEP, UINT32_MAX, 0},
    [TM_WIRE_GET] = {true, true, true, true, true, false, TM_WIRE_GET_INCLUSIVE, UINT32_MAX, 0},
    [TM_WIRE_INVALIDATE_PAGE] = {true, false, true, true, true, false, 0, UINT32_MAX, 0},
    [TM_WIRE_INVALIDATE_OBJECT] = {true, false, true, true, false, false, 0, 0, 0},
    [TM_WIRE_POOL_CREATE] = {true, false, true, false, true, false, 0,
                             TM_WIRE_POOL_PERSISTENT | TM_WIRE_POOL_SHARED, 0},
    [TM_WIRE_POOL_DESTROY] = {true, false, false, true, false, false, 0, 0, 0},
    [TM_WIRE_PUT_STORED] = {true, true, true, true, true, true, TM_WIRE_PUT_KEEP, UINT32_MAX, TM_WIRE_STORED_PAGES},
    [TM_WIRE_GET_STORED] = {true, true, true, true, true, false, 0, UINT32_MAX, TM_WIRE_STORED_PAGES},
};

static bool has_object(const struct tm_wire_request *request)
{
    return (request->object[0] | request->object[1] | request->object[2]) != 0;
}

/* A private pool has no name, and a uuid has two words. */
static bool names_its_pool_well(const struct tm_wire_request *request)
{
    return (request->index & TM_WIRE_POOL_SHARED) != 0 ? request->object[2] == 0 : !has_object(request);
}

static bool has_room(const struct tm_wire_request *request, const struct tm_wire_bounds *bounds)
{
    if (request->region > TM_WIRE_REGIONS_MAX)
        return false;
    uint64_t room = bounds->region_bytes[request->region];
    uint64_t need = request->operation == TM_WIRE_PUT_STORED ? tm_wire_stored_bytes(request->stored) : TM_PAGE_BYTES;
    return need <= TM_PAGE_BYTES && need <= room && request->place <= room - need;
}

enum tm_wire_result tm_request_judge(const struct tm_wire_request *request, const struct tm_wire_bounds *bounds)
{
    if (request->operation >= TM_WIRE_OPERATION_COUNT)
        return TM_WIRE_UNSUPPORTED;
    const struct shape *shape = &shapes[request->operation];
    if (!shape->known || (shape->needs & ~bounds->features) != 0)
        return TM_WIRE_UNSUPPORTED;
    if (request->flags > shape->flags_max || (shape->has_index ? request->index > shape->index_max
                                                               : request->index != 0))
        return TM_WIRE_INVALID;
    if ((!shape->has_object && has_object(request)) || (!shape->has_pool && request->pool != 0) ||
        (!shape->has_stored && request->stored != 0))
        return TM_WIRE_INVALID;
    if (request->operation == TM_WIRE_POOL_CREATE && !names_its_pool_well(request))
        return TM_WIRE_INVALID;
    if (!shape->has_page)
        return request->region == 0 && request->place == 0 ? TM_WIRE_OK : TM_WIRE_INVALID;
    return has_room(request, bounds) ? TM_WIRE_OK : TM_WIRE_INVALID;
}
