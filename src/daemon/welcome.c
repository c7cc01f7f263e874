/* SPDX-License-Identifier: BSD-2-Clause */
/* welcome.c - answering TM_WIRE_HELLO: who it is, and memory that both share. */
#include "daemon/forward.h"
#include "daemon/session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#define DEFAULT_ENTRIES 64u
#define DEFAULT_SLOTS 64u

/* What is shared, and of what the client gets a copy. */
enum shared {
    SHARED_MEMORY,
    SHARED_WAKE_DAEMON,
    SHARED_WAKE_CLIENT,
    SHARED_COUNT
};

static uint32_t within(uint32_t wish, uint32_t fallback, uint32_t least, uint32_t most)
{
    uint32_t value = wish == 0 ? fallback : wish;
    return value < least ? least : value > most ? most
                                                : value;
}

/* As wished, as far as the format goes. */
static struct tm_wire_sizes choose_sizes(const struct tm_wire_sizes *wish)
{
    struct tm_wire_sizes sizes;
    uint32_t entries = within(wish->entries, DEFAULT_ENTRIES, TM_WIRE_ENTRIES_MIN, TM_WIRE_ENTRIES_MAX);
    sizes.entries = tm_is_power_of_two(entries) ? entries : UINT32_C(2) << tm_log2(entries);
    sizes.slots = within(wish->slots, DEFAULT_SLOTS, TM_WIRE_SLOTS_MIN, TM_WIRE_SLOTS_MAX);
    return sizes;
}

/*
 * New memory, zero, which nobody can make smaller: else reading it could end the daemon. It is one client's, and goes
 * with him.
 */
static int make_memory(struct tm_session *session, size_t bytes)
{
    int memory = memfd_create("tmem-session", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (memory < 0)
        return -1;
    if (ftruncate(memory, (off_t)bytes) != 0 ||
        fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        (void)close(memory);
        return -1;
    }
    void *mapped = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    if (mapped == MAP_FAILED) {
        (void)close(memory);
        return -1;
    }
    (void)madvise(mapped, bytes, MADV_DONTDUMP);
    session->head = mapped;
    session->memory_bytes = bytes;
    return memory;
}

static void use_memory(struct tm_session *session, const struct tm_wire_sizes *sizes)
{
    struct tm_wire_places places = tm_wire_places(sizes);
    unsigned char *base = (unsigned char *)session->head;
    tm_ring_init(&session->requests, base + places.requests, sizeof(struct tm_wire_request), sizes->entries,
                 &session->head->accepted.count, &session->head->submitted.count);
    tm_ring_init(&session->answers, base + places.answers, sizeof(struct tm_wire_answer), sizes->entries,
                 &session->head->answered.count, &session->head->seen.count);
    session->regions[0].base = base + places.slots;
    session->regions[0].bytes = (uint64_t)sizes->slots * TM_PAGE_BYTES;
    session->bounds.region_bytes[0] = session->regions[0].bytes;
}

/*
 * What both share. The pipe is ours to write and the client's to read: the two ends are different open files, so
 * nothing that he does to his makes us wait. The eventfd is never read, only waited for by its edges.
 */
static bool share(struct tm_session *session, const struct tm_wire_sizes *sizes, int shared[SHARED_COUNT])
{
    int ends[2];
    shared[SHARED_MEMORY] = make_memory(session, (size_t)tm_wire_places(sizes).bytes);
    if (shared[SHARED_MEMORY] < 0)
        return false;
    use_memory(session, sizes);
    session->wake_daemon = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    shared[SHARED_WAKE_DAEMON] = session->wake_daemon;
    if (session->wake_daemon < 0 || pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
        (void)close(shared[SHARED_MEMORY]);
        return false;
    }
    shared[SHARED_WAKE_CLIENT] = ends[0];
    session->wake_client = ends[1];
    return true;
}

static void send_welcome(struct tm_session *session, struct tm_scratch *scratch, const struct tm_wire_sizes *sizes,
                         bool claimed, const int shared[SHARED_COUNT])
{
    union tm_wire_any *answer = &scratch->answer;
    struct tmem_client_stats stats;
    (void)tm_message_begin(answer, TM_WIRE_WELCOME, session->version, scratch->question.head.number);
    answer->welcome.features = session->bounds.features;
    answer->welcome.claimed = claimed;
    answer->welcome.sizes = *sizes;
    answer->welcome.memory_bytes = session->memory_bytes;
    if (tmem_client_stats(session->tenant->client, &stats, sizeof stats) == TMEM_OK) {
        answer->welcome.cap_bytes = stats.cap_bytes;
        answer->welcome.weight = stats.weight;
    }
    memcpy(answer->welcome.name, session->tenant->name, sizeof answer->welcome.name);
    answer->welcome.token = session->tenant->token;
    tm_session_send(session, answer, shared, SHARED_COUNT);
}

/* Says no, and ends the connection: who wants to try again connects again. */
static void refuse(struct tm_session *session, struct tm_scratch *scratch, enum tmem_result result, const char *text)
{
    tm_session_fail(session, scratch, result, text);
    session->state = TM_SESSION_OVER;
}

/* A token and no name: whose token it is, or nobody. */
static bool must_claim(const struct tm_wire_hello *hello)
{
    static const struct tm_wire_token none;
    return (hello->features & TM_WIRE_CLAIMS) != 0 && hello->name[0] == '\0' && !tm_token_is(&none, &hello->token);
}

/* True: it went to another daemon, and was told so. */
static bool send_on(struct tm_session *session, struct tm_scratch *scratch)
{
    const struct tm_wire_hello *hello = &scratch->question.hello;
    char path[TM_WIRE_PATH_BYTES];
    if ((hello->features & TM_WIRE_MOVES) == 0 ||
        !tm_forwards_find(session->daemon->forwards, &hello->token, path))
        return false;
    (void)tm_message_begin(&scratch->answer, TM_WIRE_MOVED, session->version, hello->head.number);
    memcpy(scratch->answer.moved.path, path, sizeof path);
    tm_session_send(session, &scratch->answer, NULL, 0);
    session->state = TM_SESSION_OVER;
    return true;
}

void tm_session_welcome(struct tm_session *session, struct tm_scratch *scratch)
{
    const struct tm_wire_hello *hello = &scratch->question.hello;
    char text[TM_WIRE_TEXT_BYTES] = "";
    int shared[SHARED_COUNT];
    bool claimed;
    session->version = tm_wire_version_for(hello->head.version, hello->newest_version);
    if (session->version == 0) {
        snprintf(text, sizeof text, "the client speaks versions %u to %u, this daemon %u to %u (update the older one)",
                 hello->head.version, hello->newest_version, TM_WIRE_VERSION_MIN, TM_WIRE_VERSION_MAX);
        refuse(session, scratch, TMEM_UNSUPPORTED, text);
        return;
    }
    if (send_on(session, scratch))
        return;
    struct tm_tenant_wish wish = {session->uid, hello->name, hello->size_bytes,
                                  hello->cap_bytes, hello->weight, hello->token, session->socket,
                                  must_claim(hello)};
    enum tmem_result result = tm_tenant_connect(session->daemon->tenants, &wish, &session->tenant, &claimed, text,
                                                sizeof text);
    if (result != TMEM_OK) {
        refuse(session, scratch, result, text);
        return;
    }
    struct tm_wire_sizes sizes = choose_sizes(&hello->sizes);
    session->bounds.features = hello->features & TM_DAEMON_FEATURES;
    if (!share(session, &sizes, shared)) {
        refuse(session, scratch, TMEM_NOMEM, "the daemon has no memory or no descriptors for one more connection");
        return;
    }
    session->state = TM_SESSION_SERVED;
    tm_session_weigh(session);
    send_welcome(session, scratch, &sizes, claimed, shared);
    (void)close(shared[SHARED_MEMORY]);
    (void)close(shared[SHARED_WAKE_CLIENT]);
}
