/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_codec.h - a codec and hash without libraries, for tests of the layers above: the simulator,
 * 32-bit and freestanding builds.
 *
 * Encodes runs of equal bytes, and hashes so that a change of any one word changes the hash. Fails on
 * demand. Panics when a context is used without having been made, or by two operations at once.
 * Its blocks carry the numbers of LZ4 and, cold ones, of LZO, which they are not.
 */
#ifndef TM_TEST_CODEC_H
#define TM_TEST_CODEC_H

#include "codec/codec.h"

#define TM_TEST_CODEC_COLD TM_CODEC_LZO

enum tm_test_codec_call {
    TM_TEST_CODEC_INIT,   /* to fail: the context cannot be made */
    TM_TEST_CODEC_ENCODE, /* to fail: the page is stored raw */
    TM_TEST_CODEC_DECODE  /* to fail: the bytes are no page */
};

struct tm_test_codec {
    /* What the store is given. */
    struct tm_codec codec;

    /* Asked at every call; true makes it fail. NULL: nothing fails. */
    bool (*fails)(void *user, enum tm_test_codec_call call);
    void *user;
};

/* Makes @test a codec that never fails. It must outlive the stores that use it. */
void tm_test_codec_init(struct tm_test_codec *test);

#endif
