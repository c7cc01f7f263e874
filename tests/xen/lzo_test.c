/* SPDX-License-Identifier: BSD-2-Clause */
/* lzo_test.c - the kernel's two LZO functions: streams go to liblzo2 and come from it, and damaged ones are refused. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#include <tmem/lzo.h>

#include "tests/model/content.h"
#include "tests/xen/lzo_peer.h"

#define CONTENTS 400u

static unsigned char page[TMEM_PAGE_SIZE], back[TMEM_PAGE_SIZE];
static unsigned char stream[lzo1x_worst_compress(TMEM_PAGE_SIZE)];
static void *work;

static int set_up(void **state)
{
    (void)state;
    work = malloc(LZO1X_MEM_COMPRESS);
    return work == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(work);
    return 0;
}

/* A page of any kind. */
static void make_page(unsigned number)
{
    content_fill(content_draw(content_scatter(number + 1)), page);
}

static void streams_are_understood_by_liblzo2(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CONTENTS; i++) {
        size_t size = 0, back_size = sizeof back;
        make_page(i);
        assert_int_equal(lzo1x_1_compress(page, sizeof page, stream, &size, work), LZO_E_OK);
        assert_true(size > 0 && size <= sizeof stream);
        assert_int_equal(lzo_peer_decompress(stream, size, back, &back_size), 0);
        assert_int_equal(back_size, sizeof page);
        assert_memory_equal(back, page, sizeof page);
    }
}

static void streams_of_liblzo2_are_understood(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CONTENTS; i++) {
        make_page(i);
        size_t size = lzo_peer_compress(i % LZO_PEER_COMPRESSORS, page, sizeof page, stream);
        size_t back_size = sizeof back;
        assert_int_equal(lzo1x_decompress_safe(stream, size, back, &back_size), LZO_E_OK);
        assert_int_equal(back_size, sizeof page);
        assert_memory_equal(back, page, sizeof page);
    }
}

static void streams_that_are_not_whole_are_refused(void **state)
{
    size_t size = 0;
    (void)state;
    make_page(3);
    memset(page, 'a', 2000);
    assert_int_equal(lzo1x_1_compress(page, sizeof page, stream, &size, work), LZO_E_OK);
    for (size_t cut = 0; cut < size; cut++) {
        size_t room = sizeof back;
        assert_int_not_equal(lzo1x_decompress_safe(stream, cut, back, &room), LZO_E_OK);
        assert_true(room <= sizeof back);
    }
    size_t room = sizeof back - 1;
    assert_int_equal(lzo1x_decompress_safe(stream, size, back, &room), LZO_E_OUTPUT_OVERRUN);
    room = sizeof back;
    assert_int_equal(lzo1x_decompress_safe(stream, size + 1, back, &room), LZO_E_INPUT_NOT_CONSUMED);
}

static void missing_arguments_are_an_error(void **state)
{
    size_t size = sizeof back;
    (void)state;
    assert_int_equal(lzo1x_1_compress(NULL, 1, stream, &size, work), LZO_E_ERROR);
    assert_int_equal(lzo1x_1_compress(page, 1, NULL, &size, work), LZO_E_ERROR);
    assert_int_equal(lzo1x_1_compress(page, 1, stream, NULL, work), LZO_E_ERROR);
    assert_int_equal(lzo1x_1_compress(page, 1, stream, &size, NULL), LZO_E_ERROR);
    assert_int_equal(lzo1x_decompress_safe(NULL, 1, back, &size), LZO_E_ERROR);
    assert_int_equal(lzo1x_decompress_safe(stream, 1, NULL, &size), LZO_E_ERROR);
    assert_int_equal(lzo1x_decompress_safe(stream, 1, back, NULL), LZO_E_ERROR);
    assert_int_equal(LZO1X_MEM_COMPRESS, 16384 * sizeof(void *));
    assert_int_equal(lzo1x_worst_compress(4096), 4096 + 256 + 67);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_are_understood_by_liblzo2),
        cmocka_unit_test(streams_of_liblzo2_are_understood),
        cmocka_unit_test(streams_that_are_not_whole_are_refused),
        cmocka_unit_test(missing_arguments_are_an_error),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
