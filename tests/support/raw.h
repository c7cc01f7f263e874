/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * raw.h - a client that speaks the wire format by hand: as the format says, or not at all.
 *
 * It keeps to nothing of itself, so that a test can do each thing wrong. What fails in it that a test did not mean to
 * fail answers false or -1.
 */
#ifndef TM_TEST_RAW_H
#define TM_TEST_RAW_H

#include "wire/message.h"
#include "wire/ring.h"

#define RAW_DESCRIPTORS 8u

struct raw_client {
    int socket;                       /* -1: closed */
    int descriptors[RAW_DESCRIPTORS]; /* of the last message */
    unsigned descriptor_count;
    union tm_wire_any answer; /* the last message */
    int wake_daemon;
    int wake_client;
    struct tm_wire_head *head;
    uint64_t memory_bytes;
    unsigned char *slots;
    struct tm_wire_sizes sizes;
    struct tm_wire_token token;
    struct tm_ring requests;
    struct tm_ring answers;
    uint64_t tag;
};

/* raw_use - begin with a socket that is connected. raw_connect - connect to a daemon; false: errno says why. */
void raw_use(struct raw_client *client, int socket);
bool raw_connect(struct raw_client *client, const char *path);

/* raw_close - close and unmap whatever is open. */
void raw_close(struct raw_client *client);

/* raw_send - send @bytes as they are, with descriptors. */
bool raw_send(struct raw_client *client, const void *bytes, size_t count, const int *descriptors,
              unsigned descriptor_count);

/* raw_receive - the next message into client->answer; its kind, 0 when the daemon has hung up, -1 after @timeout_ms or
 * when it is no message of the daemon's. */
int raw_receive(struct raw_client *client, int timeout_ms);

/* raw_hello - say who it is, and take in what comes: the kind of the answer. After TM_WIRE_WELCOME rings are ready. */
int raw_hello(struct raw_client *client, const char *name, const struct tm_wire_token *token);

/* The same in two steps, for who plays the daemon's part in between. */
bool raw_greet(struct raw_client *client, const char *name, const struct tm_wire_token *token);
int raw_enter(struct raw_client *client);

/* raw_ask - send a message begun with tm_message_begin() and receive the answer's kind. */
int raw_ask(struct raw_client *client, union tm_wire_any *question);

/* raw_submit - write and publish one request, and wake the daemon where it sleeps. */
void raw_submit(struct raw_client *client, const struct tm_wire_request *request);

/* raw_take - wait for an answer, asleep after a while; false: none came in @timeout_ms. */
bool raw_take(struct raw_client *client, struct tm_wire_answer *answer, int timeout_ms);

/* raw_do - one request and its answer: the result, or -1. */
int raw_do(struct raw_client *client, const struct tm_wire_request *request, uint64_t *value);

/* The usual requests, one page in slot @slot. */
int raw_pool(struct raw_client *client, uint32_t flags, uint64_t *pool);
int raw_put(struct raw_client *client, uint64_t pool, uint64_t object, uint32_t index, unsigned slot);
int raw_get(struct raw_client *client, uint64_t pool, uint64_t object, uint32_t index, unsigned slot);

/* raw_fill, raw_is_filled - a page that says whose it is. */
void raw_fill(struct raw_client *client, unsigned slot, uint64_t seed);
bool raw_is_filled(const struct raw_client *client, unsigned slot, uint64_t seed);

#endif
