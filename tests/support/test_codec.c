/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_codec.c - see test_codec.h.
 *
 * The encoded form is a row of runs. A first byte below 128 is followed by that many bytes and one
 * more, as they are; a larger one, less 125, is how often the next byte is repeated. The form for cold pages has one
 * code more: 127 is followed by a count and so many bytes, each of which is repeated as often as the one before.
 */
#include "support/test_codec.h"

#include "base/atomic.h"
#include "base/mix.h"

#define CONTEXT_MAGIC UINT32_C(0x7e57c0de)
#define LITERALS_MAX 128u
#define REPEATS_MIN 3u
#define REPEATS_MAX 130u
#define REPEAT_CODE 125u
#define SERIES_CODE 127u
#define SERIES_MAX 255u

struct context {
    uint32_t magic;
    uint32_t busy;
};

static bool fails(const struct tm_codec *codec, enum tm_test_codec_call call)
{
    const struct tm_test_codec *test = codec->user;
    return test->fails != NULL && test->fails(test->user, call);
}

static void enter(struct context *context)
{
    TM_MAGIC_CHECK(context, CONTEXT_MAGIC);
    TM_ASSERT(tm_exchange(&context->busy, 1u) == 0);
}

static void leave(struct context *context)
{
    TM_ASSERT(tm_exchange(&context->busy, 0u) == 1u);
}

static bool context_init(const struct tm_codec *codec, void *memory)
{
    struct context *context = memory;
    TM_ASSERT(context->magic == 0 && (uintptr_t)memory % TM_CACHE_LINE == 0);
    if (fails(codec, TM_TEST_CODEC_INIT))
        return false;
    TM_MAGIC_SET(context, CONTEXT_MAGIC);
    return true;
}

static uint64_t hash(const void *bytes, size_t size, uint64_t seed)
{
    const unsigned char *from = bytes;
    uint64_t sum = tm_scramble(seed ^ size);
    for (size_t at = 0; at < size; at += sizeof(uint64_t)) {
        uint64_t word = 0;
        memcpy(&word, from + at, (size_t)tm_min_u64(size - at, sizeof word));
        sum = tm_scramble(sum + word);
    }
    return sum;
}

static uint64_t copy_hash(void *to, const void *from, size_t size, uint64_t seed)
{
    memcpy(to, from, size);
    return hash(to, size, seed);
}

static void copy_out(void *to, const void *from, size_t size)
{
    memcpy(to, from, size);
}

/* How often the byte at @at is repeated. */
static size_t run_length(const unsigned char *page, size_t at)
{
    size_t end = at + 1;
    while (end < TM_PAGE_BYTES && end - at < REPEATS_MAX && page[end] == page[at])
        end++;
    return end - at;
}

static size_t encode_runs(const unsigned char *page, unsigned char *out)
{
    size_t used = 0;
    size_t literal = 0; /* where the last row of literals has its first byte; valid if literals > 0 */
    size_t literals = 0;
    for (size_t at = 0; at < TM_PAGE_BYTES && used + 2 < TM_CODEC_ENCODED_MAX;) {
        size_t run = run_length(page, at);
        if (run >= REPEATS_MIN) {
            out[used++] = (unsigned char)(run + REPEAT_CODE);
            out[used++] = page[at];
            literals = 0;
            at += run;
            if (at == TM_PAGE_BYTES)
                return used;
            continue;
        }
        if (literals == 0 || literals == LITERALS_MAX) {
            literal = used++;
            literals = 0;
        }
        out[literal] = (unsigned char)literals++;
        out[used++] = page[at++];
        if (at == TM_PAGE_BYTES)
            return used;
    }
    return 0;
}

static size_t encode(const struct tm_codec *codec, void *context, const void *page, void *out,
                     enum tm_codec_id *id)
{
    size_t size = 0;
    enter(context);
    if (!fails(codec, TM_TEST_CODEC_ENCODE))
        size = encode_runs(page, out);
    if (size != 0)
        *id = codec->encodes;
    leave(context);
    return size;
}

/* What was written last, which the next byte may add to. */
struct tail {
    size_t literal; /* where the row of literals has its first byte; valid if literals > 0 */
    size_t literals;
    size_t series; /* where the count of a series is; valid if is_series */
    bool is_series;
};

static size_t put_run(struct tail *tail, size_t run, size_t last_run, unsigned char byte, unsigned char *out,
                      size_t used)
{
    tail->literals = 0;
    if (run == last_run && tail->is_series && out[tail->series] < SERIES_MAX) {
        out[tail->series]++;
    } else if (run == last_run) {
        out[used++] = (unsigned char)SERIES_CODE;
        tail->series = used;
        tail->is_series = true;
        out[used++] = 1;
    } else {
        out[used++] = (unsigned char)(run + REPEAT_CODE);
        tail->is_series = false;
    }
    out[used++] = byte;
    return used;
}

static size_t put_literal(struct tail *tail, unsigned char byte, unsigned char *out, size_t used)
{
    if (tail->literals == 0 || tail->literals == SERIES_CODE) {
        tail->literal = used++;
        tail->literals = 0;
        tail->is_series = false;
    }
    out[tail->literal] = (unsigned char)tail->literals++;
    out[used++] = byte;
    return used;
}

static size_t encode_series(const unsigned char *page, unsigned char *out)
{
    struct tail tail = {.literals = 0};
    size_t used = 0;
    size_t last_run = 0;
    for (size_t at = 0; at < TM_PAGE_BYTES && used + 3 < TM_CODEC_ENCODED_MAX;) {
        size_t run = run_length(page, at);
        if (run >= REPEATS_MIN) {
            used = put_run(&tail, run, last_run, page[at], out, used);
            last_run = run;
            at += run;
        } else {
            used = put_literal(&tail, page[at++], out, used);
        }
        if (at == TM_PAGE_BYTES)
            return used;
    }
    return 0;
}

static bool cold_init(const struct tm_codec *codec, void *memory)
{
    return context_init(codec, memory);
}

static size_t cold_encode(const struct tm_codec *codec, void *memory, const void *page, void *out)
{
    enter(memory);
    size_t size = fails(codec, TM_TEST_CODEC_ENCODE) ? 0 : encode_series(page, out);
    leave(memory);
    return size;
}

static bool decode_series(const unsigned char *in, size_t in_size, unsigned char *page)
{
    size_t done = 0;
    size_t run = 0;
    for (size_t at = 0; at < in_size;) {
        size_t code = in[at++];
        size_t values = 1; /* bytes that follow, */
        size_t times = 1;  /* each of them so often */
        if (code == SERIES_CODE) {
            if (at == in_size || run == 0)
                return false;
            values = in[at++];
            times = run;
        } else if (code > SERIES_CODE) {
            times = run = code - REPEAT_CODE;
        } else {
            values = code + 1;
        }
        if (values > in_size - at || values * times > TM_PAGE_BYTES - done)
            return false;
        for (size_t i = 0; i < values; i++, done += times)
            memset(page + done, in[at + i], times);
        at += values;
    }
    return done == TM_PAGE_BYTES;
}

static bool decode_runs(const unsigned char *in, size_t in_size, unsigned char *page)
{
    size_t done = 0;
    for (size_t at = 0; at < in_size;) {
        size_t code = in[at++];
        bool repeated = code >= LITERALS_MAX;
        size_t bytes = repeated ? code - REPEAT_CODE : code + 1;
        size_t needs = repeated ? 1 : bytes;
        if (needs > in_size - at || bytes > TM_PAGE_BYTES - done)
            return false;
        if (repeated)
            memset(page + done, in[at], bytes);
        else
            memcpy(page + done, in + at, bytes);
        at += needs;
        done += bytes;
    }
    return done == TM_PAGE_BYTES;
}

static bool knows(const struct tm_codec *codec, enum tm_codec_id id)
{
    return id == TM_CODEC_RAW || id == TM_CODEC_SAME || id == codec->encodes || id == TM_TEST_CODEC_COLD;
}

static bool decode_page(enum tm_codec_id id, const void *in, size_t in_size, unsigned char *page)
{
    if (id == TM_CODEC_RAW && in_size == TM_PAGE_BYTES) {
        memcpy(page, in, TM_PAGE_BYTES);
        return true;
    }
    if (id == TM_CODEC_SAME && in_size == sizeof(uint64_t)) {
        for (size_t at = 0; at < TM_PAGE_BYTES; at += in_size)
            memcpy(page + at, in, in_size);
        return true;
    }
    if (id == TM_TEST_CODEC_COLD)
        return decode_series(in, in_size, page);
    return id != TM_CODEC_RAW && id != TM_CODEC_SAME && decode_runs(in, in_size, page);
}

static bool decode(const struct tm_codec *codec, void *context, enum tm_codec_id id, const void *in,
                   size_t in_size, void *page)
{
    bool decoded;
    enter(context);
    decoded = !fails(codec, TM_TEST_CODEC_DECODE) && knows(codec, id) && decode_page(id, in, in_size, page);
    leave(context);
    return decoded;
}

void tm_test_codec_init(struct tm_test_codec *test)
{
    *test = (struct tm_test_codec){
        .codec = {
            .user = test,
            .encodes = TM_CODEC_LZ4,
            .context_bytes = sizeof(struct context),
            .context_init = context_init,
            .hash = hash,
            .copy_hash = copy_hash,
            .copy_out = copy_out,
            .copy_out_hash = copy_hash,
            .encode = encode,
            .decode = decode,
            .knows = knows,
            .cold_encodes = TM_TEST_CODEC_COLD,
            .cold_bytes = sizeof(struct context),
            .cold_init = cold_init,
            .cold_encode = cold_encode,
        },
    };
}
