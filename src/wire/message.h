/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * message.h - the messages on the socket, with which a connection begins and all rare work is done: their layouts, and
 * judging one that arrived.
 *
 * The socket keeps messages apart (SOCK_SEQPACKET). Each begins with a head that says what it is and how long; a
 * descriptor that belongs to it comes along (SCM_RIGHTS). The client asks, the daemon answers each question once, in
 * order, with a message of the kind named beside it, or with TM_WIRE_FAILED.
 *
 * Who locks: nobody; nothing is kept. Cost: one pass over the message.
 */
#ifndef TM_WIRE_MESSAGE_H
#define TM_WIRE_MESSAGE_H

#include "wire/layout.h"

/* Bytes "TMEM" in memory order of a little-endian machine. */
#define TM_WIRE_MAGIC UINT32_C(0x4d454d54)

#define TM_WIRE_NAME_BYTES 64u  /* of a client, the NUL included */
#define TM_WIRE_CODEC_BYTES 32u /* as in a URI, "zstd:3", the NUL included */
#define TM_WIRE_TEXT_BYTES 248u
#define TM_WIRE_PATH_BYTES 108u /* of a socket, the NUL included */
#define TM_WIRE_KEYS_MAX 64u    /* of one step of a walk */

enum tm_wire_kind {
    TM_WIRE_HELLO = 1,    /* -> TM_WIRE_WELCOME */
    TM_WIRE_WELCOME = 2,  /* with three descriptors, in this order: see below */
    TM_WIRE_FAILED = 3,   /* instead of any answer */
    TM_WIRE_REGISTER = 4, /* with a memfd -> TM_WIRE_REGISTERED */
    TM_WIRE_REGISTERED = 5,
    TM_WIRE_UNREGISTER = 6, /* -> TM_WIRE_DONE */
    TM_WIRE_DONE = 7,
    TM_WIRE_POOL_OPEN = 8, /* -> TM_WIRE_DONE */
    TM_WIRE_WALK = 9,      /* -> TM_WIRE_WALKED */
    TM_WIRE_WALKED = 10,
    TM_WIRE_STATISTICS = 11, /* -> TM_WIRE_COUNTED */
    TM_WIRE_COUNTED = 12,
    TM_WIRE_LEAVE = 13,       /* -> TM_WIRE_DONE; the client's pages go at once, instead of waiting for it */
    TM_WIRE_MOVED = 14,       /* instead of TM_WIRE_WELCOME: the client is with another daemon */
    TM_WIRE_POOL_FORMER = 15, /* -> TM_WIRE_POOL_FOUND; what the pool is called here that was called so there */
    TM_WIRE_POOL_FOUND = 16,
    TM_WIRE_POOL_NEXT = 17, /* -> TM_WIRE_POOL_FOUND; the client's pool with the least id above this one */
    TM_WIRE_KIND_COUNT
};

/*
 * What comes with TM_WIRE_WELCOME:
 *
 *   the shared memory, a memfd sealed against changes of its size;
 *   an eventfd that wakes the daemon: write 1 after tm_sleep_must_wake(&head->daemon) only;
 *   the reading end of a pipe that wakes the client: whatever is in it means nothing but "look". At its end (read()
 *   answers 0) the daemon is gone. It is no eventfd, since those who share one share its O_NONBLOCK: a client could
 *   make the daemon wait.
 *
 * A client has at most `entries` requests under way, those counted whose answers it has not taken. So there is always
 * room for an answer, and who takes answers need not wake the daemon.
 */
struct tm_wire_message {
    uint32_t magic;
    uint16_t kind;    /* enum tm_wire_kind */
    uint16_t version; /* of the format: in TM_WIRE_HELLO the oldest that the client speaks, then the one agreed on */
    uint32_t bytes;   /* of the whole message, this head included */
    uint32_t number;  /* of the question, any value; comes back with the answer */
};
TM_STATIC_ASSERT(sizeof(struct tm_wire_message) == 16);

/* By which a client that comes back claims what it left. All zero: none. */
struct tm_wire_token {
    unsigned char bytes[16];
};

struct tm_wire_hello {
    struct tm_wire_message head;
    uint16_t newest_version;
    uint16_t zero;
    uint32_t features;          /* enum tm_wire_feature, that the client knows; bits that nobody knows are left out */
    struct tm_wire_sizes sizes; /* wished for, 0: the daemon's; the welcome says which it became */
    uint64_t size_bytes;        /* wished for, as in size=; 0: whatever it gives. Bounds the cap */
    uint64_t cap_bytes;         /* wished for; 0: whatever it gives; the daemon's configuration bounds it */
    uint32_t weight;            /* the same */
    uint32_t zero2;
    char name[TM_WIRE_NAME_BYTES];   /* the client's; empty: as the daemon's configuration calls whoever connects */
    char codec[TM_WIRE_CODEC_BYTES]; /* wished for; empty: the daemon's */
    struct tm_wire_token token;
};
TM_STATIC_ASSERT(sizeof(struct tm_wire_hello) == 168);
TM_STATIC_ASSERT(offsetof(struct tm_wire_hello, name) == 56);
TM_STATIC_ASSERT(offsetof(struct tm_wire_hello, token) == 152);

struct tm_wire_welcome {
    struct tm_wire_message head;
    uint32_t features; /* that both know */
    uint32_t claimed;  /* 1: the token was good, the pages are there */
    struct tm_wire_sizes sizes;
    uint64_t memory_bytes; /* of the shared memory: what tm_wire_places() says for the sizes */
    uint64_t cap_bytes;
    uint32_t weight;
    uint32_t zero;
    char name[TM_WIRE_NAME_BYTES];
    struct tm_wire_token token; /* for the next time */
};
TM_STATIC_ASSERT(sizeof(struct tm_wire_welcome) == 136);

struct tm_wire_failed {
    struct tm_wire_message head;
    uint32_t result; /* enum tm_wire_result, not TM_WIRE_OK */
    uint32_t zero;
    char text[TM_WIRE_TEXT_BYTES]; /* for a person: names the thing and the remedy */
};
TM_STATIC_ASSERT(sizeof(struct tm_wire_failed) == 272);

struct tm_wire_register {
    struct tm_wire_message head;
    uint64_t bytes; /* of the memfd, which must be sealed against shrinking */
};
TM_STATIC_ASSERT(sizeof(struct tm_wire_register) == 24);

/* TM_WIRE_REGISTERED, TM_WIRE_UNREGISTER. */
struct tm_wire_region {
    struct tm_wire_message head;
    uint16_t region; /* 1 ... TM_WIRE_REGIONS_MAX */
    uint16_t zero[3];
};
TM_STATIC_ASSERT(sizeof(struct tm_wire_region) == 24);

/* TM_WIRE_DONE, TM_WIRE_LEAVE. */
struct tm_wire_plain {
    struct tm_wire_message head;
};

/* TM_WIRE_POOL_OPEN, TM_WIRE_POOL_FORMER, TM_WIRE_POOL_NEXT, TM_WIRE_POOL_FOUND. */
struct tm_wire_pool {
    struct tm_wire_message head;
    uint64_t pool;
};
TM_STATIC_ASSERT(sizeof(struct tm_wire_pool) == 24);

struct tm_wire_moved {
    struct tm_wire_message head;
    char path[TM_WIRE_PATH_BYTES]; /* of the other daemon's socket */
    uint32_t zero;
};
TM_STATIC_ASSERT(sizeof(struct tm_wire_moved) == 128);

struct tm_wire_walk {
    struct tm_wire_message head;
    uint64_t pool;
    uint64_t position[4];
    uint32_t capacity; /* 1 ... TM_WIRE_KEYS_MAX */
    uint32_t zero;
};
TM_STATIC_ASSERT(sizeof(struct tm_wire_walk) == 64);

struct tm_wire_key {
    uint64_t object[3];
    uint32_t index;
    uint32_t zero;
};

/* As long as it has keys. */
struct tm_wire_walked {
    struct tm_wire_message head;
    uint64_t position[4];
    uint32_t count;
    uint32_t at_end; /* 1: the walk is over */
    struct tm_wire_key keys[TM_WIRE_KEYS_MAX];
};
TM_STATIC_ASSERT(offsetof(struct tm_wire_walked, keys) == 56);

enum tm_wire_subject {
    TM_WIRE_OF_STORE = 1, /* only what a client may know: see the document */
    TM_WIRE_OF_CLIENT = 2,
    TM_WIRE_OF_POOL = 3,
};

struct tm_wire_statistics {
    struct tm_wire_message head;
    uint32_t subject; /* enum tm_wire_subject */
    uint32_t zero;
    uint64_t pool; /* of TM_WIRE_OF_POOL */
};
TM_STATIC_ASSERT(sizeof(struct tm_wire_statistics) == 32);

/* The words of the library's own structure, as many as the daemon knows. */
#define TM_WIRE_WORDS_MAX 64u
struct tm_wire_counted {
    struct tm_wire_message head;
    uint32_t subject;
    uint32_t count; /* words that follow */
    uint64_t words[TM_WIRE_WORDS_MAX];
};
TM_STATIC_ASSERT(offsetof(struct tm_wire_counted, words) == 24);

/* Room for any message. */
union tm_wire_any {
    struct tm_wire_message head;
    struct tm_wire_hello hello;
    struct tm_wire_welcome welcome;
    struct tm_wire_failed failed;
    struct tm_wire_register enrol;
    struct tm_wire_region region;
    struct tm_wire_plain plain;
    struct tm_wire_pool pool;
    struct tm_wire_moved moved;
    struct tm_wire_walk walk;
    struct tm_wire_walked walked;
    struct tm_wire_statistics statistics;
    struct tm_wire_counted counted;
};

/* Who sent a message. */
enum tm_wire_sender {
    TM_WIRE_FROM_CLIENT,
    TM_WIRE_FROM_DAEMON,
};

/*
 * tm_message_judge - whether what arrived is a message that this sender may send.
 *
 * @any          the message, in private memory.
 * @bytes        as many as arrived.
 * @descriptors  as many as came along.
 *
 * True: kind, length, number of descriptors and every field are as message.h says; texts end with a NUL inside their
 * field and are printable ASCII; what is not used is 0. Versions, and what the numbers ask for, are for the receiver
 * to agree to. False: nothing of it is to be used.
 */
bool tm_message_judge(const union tm_wire_any *any, size_t bytes, unsigned descriptors, enum tm_wire_sender sender);

/* Writes the head of a message of a kind with one length; returns that length. */
size_t tm_message_begin(union tm_wire_any *any, enum tm_wire_kind kind, uint16_t version, uint32_t number);

/* The version to speak with whoever speaks [oldest, newest]; 0: there is none. */
uint16_t tm_wire_version_for(uint16_t oldest, uint16_t newest);

#endif
