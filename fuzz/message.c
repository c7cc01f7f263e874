/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * message.c - a target for each message that a client may send, FUZZ_KIND: the daemon takes any bytes for it, with any
 * number of descriptors, and either answers or ends the connection.
 *
 * Input: a byte of choices, then what follows the message's head. Choices: 1 the length is the one that the kind has,
 * whatever the input's; 2 the next four bytes are xored into the head's kind and version; 4, 8 so many descriptors
 * come along; 16, 32, 64 the seals of a memfd that is one of them.
 */
#include "fuzz/by_hand.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MEMORY_BYTES (16u * TM_PAGE_BYTES)

static int make_memory(unsigned choices)
{
    static const int seals[] = {F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE};
    int memory = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    bool is_made = memory >= 0 && ftruncate(memory, MEMORY_BYTES) == 0;
    TM_ASSERT(is_made);
    for (unsigned i = 0; i < TM_ARRAY_SIZE(seals); i++)
        if ((choices >> (4u + i) & 1u) != 0)
            (void)fcntl(memory, F_ADD_SEALS, seals[i]);
    return memory;
}

/* The same bytes for those who judge: both directions, each number of descriptors. */
static void judge(const union tm_wire_any *message, size_t bytes)
{
    for (unsigned count = 0; count < 4; count++) {
        union tm_wire_any copy = *message;
        (void)tm_message_judge(&copy, bytes, count, TM_WIRE_FROM_CLIENT);
        copy = *message;
        (void)tm_message_judge(&copy, bytes, count, TM_WIRE_FROM_DAEMON);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct by_hand it;
    union tm_wire_any message;
    int descriptors[4];
    if (size == 0)
        return 0;
    unsigned choices = data[0];
    size_t bytes = tm_message_begin(&message, FUZZ_KIND, TM_WIRE_VERSION_MAX, 7);
    size_t body = tm_min_u64(size - 1u, sizeof message - sizeof message.head);
    memcpy((unsigned char *)&message + sizeof message.head, data + 1, body);
    if ((choices & 1u) == 0)
        bytes = sizeof message.head + body;
    message.head.bytes = (uint32_t)bytes;
    if ((choices & 2u) != 0 && body >= sizeof(uint32_t)) {
        message.head.kind ^= (uint16_t)(data[1] | data[2] << 8);
        message.head.version ^= (uint16_t)(data[3] | data[4] << 8);
    }
    judge(&message, bytes);
    if (FUZZ_KIND == TM_WIRE_HELLO)
        by_hand_knock(&it);
    else
        by_hand_enter(&it);
    unsigned count = choices >> 2 & 3u;
    for (unsigned i = 0; i < count; i++)
        descriptors[i] = i == 0 ? make_memory(choices) : dup(descriptors[0]);
    (void)raw_send(&it.client, &message, bytes, descriptors, count);
    for (unsigned i = 0; i < count; i++)
        (void)close(descriptors[i]);
    by_hand_settle(&it);
    return 0;
}
