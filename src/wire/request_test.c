/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests: what is right is accepted, and every field that can be wrong is refused for it. */
#include "wire/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define SLOTS_BYTES (16u * TM_PAGE_BYTES)
#define REGION_BYTES (UINT64_C(1) << 33)

static const struct tm_wire_bounds bounds = {
    .features = TM_WIRE_FEATURES,
    .region_bytes = {[0] = SLOTS_BYTES, [3] = REGION_BYTES},
};

/* A request of each operation with every field in use that it may use. */
static struct tm_wire_request make(unsigned operation)
{
    struct tm_wire_request request = {.operation = (uint8_t)operation, .tag = UINT64_MAX, .pool = 7, .index = 1};
    for (unsigned i = 0; i < 3; i++)
        request.object[i] = UINT64_MAX;
    switch (operation) {
    case TM_WIRE_PUT:
    case TM_WIRE_GET:
    case TM_WIRE_PUT_STORED:
    case TM_WIRE_GET_STORED:
        request.stored = operation == TM_WIRE_PUT_STORED ? tm_wire_stored(3, 100) : 0;
        request.index = UINT32_MAX;
        request.place = SLOTS_BYTES - TM_PAGE_BYTES;
        break;
    case TM_WIRE_INVALIDATE_OBJECT:
        request.index = 0;
        break;
    case TM_WIRE_POOL_CREATE:
        request.pool = 0;
        request.index = TM_WIRE_POOL_PERSISTENT | TM_WIRE_POOL_SHARED;
        request.object[2] = 0;
        break;
    case TM_WIRE_POOL_DESTROY:
        request.index = 0;
        memset(request.object, 0, sizeof request.object);
        break;
    default:
        break;
    }
    return request;
}

static enum tm_wire_result judge(const struct tm_wire_request *request)
{
    return tm_request_judge(request, &bounds);
}

static void what_is_right_is_accepted(void **state)
{
    (void)state;
    for (unsigned operation = 1; operation < TM_WIRE_OPERATION_COUNT; operation++) {
        struct tm_wire_request request = make(operation);
        assert_int_equal(judge(&request), TM_WIRE_OK);
    }
}

static void unknown_operations_are_not_supported(void **state)
{
    (void)state;
    for (unsigned operation = 0; operation < 256; operation++) {
        struct tm_wire_request request = make(operation);
        bool known = operation > 0 && operation < TM_WIRE_OPERATION_COUNT;
        assert_int_equal(judge(&request) == TM_WIRE_UNSUPPORTED, !known);
    }
}

static void what_was_not_agreed_on_is_not_supported(void **state)
{
    struct tm_wire_bounds plain = bounds;
    (void)state;
    plain.features = 0;
    for (unsigned operation = 1; operation < TM_WIRE_OPERATION_COUNT; operation++) {
        struct tm_wire_request request = make(operation);
        bool needs = operation == TM_WIRE_PUT_STORED || operation == TM_WIRE_GET_STORED;
        assert_int_equal(tm_request_judge(&request, &plain), needs ? TM_WIRE_UNSUPPORTED : TM_WIRE_OK);
    }
}

/* All values of the flags for all operations, against what the document says. */
static void flags_are_those_of_the_operation(void **state)
{
    unsigned most[TM_WIRE_OPERATION_COUNT] = {0};
    (void)state;
    most[TM_WIRE_PUT] = TM_WIRE_PUT_KEEP;
    most[TM_WIRE_GET] = TM_WIRE_GET_INCLUSIVE;
    most[TM_WIRE_PUT_STORED] = TM_WIRE_PUT_KEEP;
    for (unsigned operation = 1; operation < TM_WIRE_OPERATION_COUNT; operation++) {
        for (unsigned flags = 0; flags < 256; flags++) {
            struct tm_wire_request request = make(operation);
            request.flags = (uint8_t)flags;
            assert_int_equal(judge(&request), flags <= most[operation] ? TM_WIRE_OK : TM_WIRE_INVALID);
        }
    }
}

static void a_page_lies_inside_its_region(void **state)
{
    static const struct {
        uint16_t region;
        uint64_t place;
        bool fits;
    } cases[] = {
        {0, 0, true},
        {0, 1, true},
        {0, SLOTS_BYTES - TM_PAGE_BYTES, true},
        {0, SLOTS_BYTES - TM_PAGE_BYTES + 1u, false},
        {0, SLOTS_BYTES, false},
        {0, UINT64_MAX, false},
        {0, UINT64_MAX - TM_PAGE_BYTES + 1u, false},
        {3, REGION_BYTES - TM_PAGE_BYTES, true},
        {3, REGION_BYTES, false},
        {1, 0, false},
        {TM_WIRE_REGIONS_MAX, 0, false},
        {TM_WIRE_REGIONS_MAX + 1u, 0, false},
        {UINT16_MAX, 0, false},
    };
    static const unsigned operations[] = {TM_WIRE_PUT, TM_WIRE_GET, TM_WIRE_GET_STORED};
    (void)state;
    for (unsigned o = 0; o < TM_ARRAY_SIZE(operations); o++) {
        for (unsigned i = 0; i < TM_ARRAY_SIZE(cases); i++) {
            struct tm_wire_request request = make(operations[o]);
            request.region = cases[i].region;
            request.place = cases[i].place;
            assert_int_equal(judge(&request), cases[i].fits ? TM_WIRE_OK : TM_WIRE_INVALID);
        }
    }
}

static void a_stored_page_needs_only_its_bytes(void **state)
{
    struct tm_wire_request request = make(TM_WIRE_PUT_STORED);
    (void)state;
    request.place = SLOTS_BYTES - 100u;
    assert_int_equal(judge(&request), TM_WIRE_OK);
    request.place++;
    assert_int_equal(judge(&request), TM_WIRE_INVALID);
    request.place = 0;
    request.stored = tm_wire_stored(3, TM_PAGE_BYTES);
    assert_int_equal(judge(&request), TM_WIRE_OK);
    request.stored = tm_wire_stored(3, TM_PAGE_BYTES + 1u);
    assert_int_equal(judge(&request), TM_WIRE_INVALID);
    request.stored = tm_wire_stored(3, UINT32_MAX);
    assert_int_equal(judge(&request), TM_WIRE_INVALID);
    assert_int_equal(tm_wire_stored_codec(request.stored), 3);
}

static void what_is_not_used_must_be_zero(void **state)
{
    (void)state;
    for (unsigned operation = 1; operation < TM_WIRE_OPERATION_COUNT; operation++) {
        const struct tm_wire_request right = make(operation);
        bool has_page = operation == TM_WIRE_PUT || operation == TM_WIRE_GET || operation == TM_WIRE_PUT_STORED ||
                        operation == TM_WIRE_GET_STORED;
        struct tm_wire_request request = right;
        request.pool = 1;
        assert_int_equal(judge(&request), operation == TM_WIRE_POOL_CREATE ? TM_WIRE_INVALID : TM_WIRE_OK);
        request = right;
        request.object[2] = 1;
        assert_int_equal(judge(&request), operation == TM_WIRE_POOL_CREATE || operation == TM_WIRE_POOL_DESTROY
                                              ? TM_WIRE_INVALID
                                              : TM_WIRE_OK);
        request = right;
        request.stored = tm_wire_stored(1, 8);
        assert_int_equal(judge(&request), operation == TM_WIRE_PUT_STORED ? TM_WIRE_OK : TM_WIRE_INVALID);
        request = right;
        request.place = 8;
        assert_int_equal(judge(&request), has_page ? TM_WIRE_OK : TM_WIRE_INVALID);
        request = right;
        request.region = 3;
        assert_int_equal(judge(&request), has_page ? TM_WIRE_OK : TM_WIRE_INVALID);
        request = right;
        request.index = 4;
        bool has_index = has_page || operation == TM_WIRE_INVALIDATE_PAGE;
        assert_int_equal(judge(&request), has_index ? TM_WIRE_OK : TM_WIRE_INVALID);
    }
}

static void only_shared_pools_have_names(void **state)
{
    struct tm_wire_request request = make(TM_WIRE_POOL_CREATE);
    (void)state;
    request.index = TM_WIRE_POOL_PERSISTENT;
    assert_int_equal(judge(&request), TM_WIRE_INVALID);
    memset(request.object, 0, sizeof request.object);
    assert_int_equal(judge(&request), TM_WIRE_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_right_is_accepted),
        cmocka_unit_test(unknown_operations_are_not_supported),
        cmocka_unit_test(what_was_not_agreed_on_is_not_supported),
        cmocka_unit_test(flags_are_those_of_the_operation),
        cmocka_unit_test(a_page_lies_inside_its_region),
        cmocka_unit_test(a_stored_page_needs_only_its_bytes),
        cmocka_unit_test(what_is_not_used_must_be_zero),
        cmocka_unit_test(only_shared_pools_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
