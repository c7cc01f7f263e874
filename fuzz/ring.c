/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ring.c - a target for the rings as a whole: any entries, any counts at any time, and pages that change.
 *
 * Input: steps, a byte and what belongs to it:
 *
 *   0  64 bytes: a request is written and published; 1 in the low bits of its pool is the first pool, 2 the other,
 *      and odd places are those of slots
 *   1  a signed byte is added to the count of requests
 *   2  a signed byte is added to the count of answers seen
 *   3  a byte: so many requests are served
 *   4  two bytes: a slot, and what fills it
 *   5  all answers are taken, as a client does that keeps to the format
 */
#include "fuzz/by_hand.h"

#include <string.h>

struct input {
    const uint8_t *at;
    size_t left;
};

static uint8_t next(struct input *input)
{
    if (input->left == 0)
        return 0;
    input->left--;
    return *input->at++;
}

/* What is read back of the shared memory is the daemon's, so its count and the client's own are both kept up. */
static void publish(struct by_hand *it, uint32_t count)
{
    it->client.requests.count = count;
    tm_store_release(it->client.requests.own, count);
}

static void write_request(struct by_hand *it, struct input *input)
{
    struct tm_wire_request request;
    unsigned char *bytes = (unsigned char *)&request;
    for (size_t at = 0; at < sizeof request; at++)
        bytes[at] = next(input);
    if ((request.pool & 3u) == 1 || (request.pool & 3u) == 2)
        request.pool = it->pools[(request.pool & 3u) - 1u];
    if (request.place % 2u != 0)
        request.place = request.place % it->client.sizes.slots * TM_PAGE_BYTES;
    uint32_t count = it->client.requests.count;
    memcpy(it->client.requests.entries +
               (size_t)(count & (it->client.requests.size - 1u)) * it->client.requests.entry_bytes,
           &request, sizeof request);
    publish(it, count + 1u);
}

static void see(struct by_hand *it, uint32_t count)
{
    it->client.answers.count = count;
    tm_store_release(it->client.answers.own, count);
}

static void do_step(struct by_hand *it, struct input *input)
{
    uint8_t slot;
    switch (next(input) % 6u) {
    case 0:
        write_request(it, input);
        return;
    case 1:
        publish(it, it->client.requests.count + (uint32_t)(int8_t)next(input));
        return;
    case 2:
        see(it, it->client.answers.count + (uint32_t)(int8_t)next(input));
        return;
    case 3:
        (void)tm_session_serve(it->session, next(input) % TM_SESSION_TURN + 1u, &it->scratch);
        return;
    case 4:
        slot = next(input);
        memset(it->client.slots + slot % it->client.sizes.slots * TM_PAGE_BYTES, next(input), TM_PAGE_BYTES / 2u);
        return;
    default:
        see(it, tm_load_acquire(it->client.answers.other));
        return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct by_hand it;
    struct input input = {data, size};
    by_hand_enter(&it);
    while (input.left != 0 && it.session->state == TM_SESSION_SERVED)
        do_step(&it, &input);
    by_hand_settle(&it);
    return 0;
}
