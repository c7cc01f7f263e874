/* SPDX-License-Identifier: BSD-2-Clause */
/* message.c - see message.h. */
#include "wire/message.h"

/* A printable text that ends inside its field, with nothing behind its end. */
static bool is_text(const char *text, size_t bytes)
{
    size_t at = 0;
    while (at < bytes && text[at] >= ' ' && text[at] <= '~')
        at++;
    if (at == bytes)
        return false;
    while (at < bytes && text[at] == '\0')
        at++;
    return at == bytes;
}

static bool judge_hello(const union tm_wire_any *any, size_t bytes)
{
    const struct tm_wire_hello *hello = &any->hello;
    (void)bytes;
    return hello->zero == 0 && hello->zero2 == 0 && hello->head.version != 0 &&
           hello->newest_version >= hello->head.version && is_text(hello->name, sizeof hello->name) &&
           is_text(hello->codec, sizeof hello->codec);
}

static bool judge_welcome(const union tm_wire_any *any, size_t bytes)
{
    const struct tm_wire_welcome *welcome = &any->welcome;
    (void)bytes;
    return welcome->zero == 0 && welcome->claimed <= 1 && (welcome->features & ~(uint32_t)TM_WIRE_FEATURES) == 0 &&
           tm_wire_sizes_are_valid(&welcome->sizes) &&
           welcome->memory_bytes == tm_wire_places(&welcome->sizes).bytes &&
           is_text(welcome->name, sizeof welcome->name) && welcome->name[0] != '\0';
}

static bool judge_failed(const union tm_wire_any *any, size_t bytes)
{
    const struct tm_wire_failed *failed = &any->failed;
    (void)bytes;
    return failed->result != TM_WIRE_OK && failed->result < TM_WIRE_RESULT_COUNT && failed->zero == 0 &&
           is_text(failed->text, sizeof failed->text);
}

static bool judge_register(const union tm_wire_any *any, size_t bytes)
{
    (void)bytes;
    return any->enrol.bytes >= TM_PAGE_BYTES && any->enrol.bytes <= TM_WIRE_REGION_BYTES_MAX &&
           any->enrol.bytes % TM_PAGE_BYTES == 0;
}

static bool judge_region(const union tm_wire_any *any, size_t bytes)
{
    const struct tm_wire_region *region = &any->region;
    (void)bytes;
    return region->region >= 1 && region->region <= TM_WIRE_REGIONS_MAX &&
           (region->zero[0] | region->zero[1] | region->zero[2]) == 0;
}

static bool judge_plain(const union tm_wire_any *any, size_t bytes)
{
    (void)any;
    (void)bytes;
    return true;
}

static bool judge_moved(const union tm_wire_any *any, size_t bytes)
{
    (void)bytes;
    return any->moved.zero == 0 && is_text(any->moved.path, sizeof any->moved.path) && any->moved.path[0] == '/';
}

static bool judge_walk(const union tm_wire_any *any, size_t bytes)
{
    (void)bytes;
    return any->walk.capacity >= 1 && any->walk.capacity <= TM_WIRE_KEYS_MAX && any->walk.zero == 0;
}

static bool judge_walked(const union tm_wire_any *any, size_t bytes)
{
    const struct tm_wire_walked *walked = &any->walked;
    if (walked->count > TM_WIRE_KEYS_MAX || walked->at_end > 1 ||
        bytes != offsetof(struct tm_wire_walked, keys) + walked->count * sizeof walked->keys[0])
        return false;
    for (uint32_t i = 0; i < walked->count; i++)
        if (walked->keys[i].zero != 0)
            return false;
    return true;
}

static bool judge_statistics(const union tm_wire_any *any, size_t bytes)
{
    const struct tm_wire_statistics *statistics = &any->statistics;
    (void)bytes;
    return statistics->zero == 0 && statistics->subject >= TM_WIRE_OF_STORE &&
           statistics->subject <= TM_WIRE_OF_POOL &&
           (statistics->subject == TM_WIRE_OF_POOL || statistics->pool == 0);
}

static bool judge_counted(const union tm_wire_any *any, size_t bytes)
{
    const struct tm_wire_counted *counted = &any->counted;
    return counted->subject >= TM_WIRE_OF_STORE && counted->subject <= TM_WIRE_OF_POOL &&
           counted->count <= TM_WIRE_WORDS_MAX &&
           bytes == offsetof(struct tm_wire_counted, words) + counted->count * sizeof counted->words[0];
}

/* What each kind of message is. */
static const struct {
    uint32_t least_bytes;
    uint32_t most_bytes;
    uint8_t descriptors;
    enum tm_wire_sender sender;
    bool (*judge)(const union tm_wire_any *any, size_t bytes);
} kinds[TM_WIRE_KIND_COUNT] = {
#define FIXED(kind, type, descriptors, sender, judge) \
    [kind] = {sizeof(struct type), sizeof(struct type), descriptors, sender, judge}
#define UP_TO(kind, type, field, sender, judge) \
    [kind] = {offsetof(struct type, field), sizeof(struct type), 0, sender, judge}
    FIXED(TM_WIRE_HELLO, tm_wire_hello, 0, TM_WIRE_FROM_CLIENT, judge_hello),
    FIXED(TM_WIRE_WELCOME, tm_wire_welcome, 3, TM_WIRE_FROM_DAEMON, judge_welcome),
    FIXED(TM_WIRE_FAILED, tm_wire_failed, 0, TM_WIRE_FROM_DAEMON, judge_failed),
    FIXED(TM_WIRE_REGISTER, tm_wire_register, 1, TM_WIRE_FROM_CLIENT, judge_register),
    FIXED(TM_WIRE_REGISTERED, tm_wire_region, 0, TM_WIRE_FROM_DAEMON, judge_region),
    FIXED(TM_WIRE_UNREGISTER, tm_wire_region, 0, TM_WIRE_FROM_CLIENT, judge_region),
    FIXED(TM_WIRE_DONE, tm_wire_plain, 0, TM_WIRE_FROM_DAEMON, judge_plain),
    FIXED(TM_WIRE_POOL_OPEN, tm_wire_pool, 0, TM_WIRE_FROM_CLIENT, judge_plain),
    FIXED(TM_WIRE_WALK, tm_wire_walk, 0, TM_WIRE_FROM_CLIENT, judge_walk),
    UP_TO(TM_WIRE_WALKED, tm_wire_walked, keys, TM_WIRE_FROM_DAEMON, judge_walked),
    FIXED(TM_WIRE_STATISTICS, tm_wire_statistics, 0, TM_WIRE_FROM_CLIENT, judge_statistics),
    UP_TO(TM_WIRE_COUNTED, tm_wire_counted, words, TM_WIRE_FROM_DAEMON, judge_counted),
    FIXED(TM_WIRE_MOVED, tm_wire_moved, 0, TM_WIRE_FROM_DAEMON, judge_moved),
    FIXED(TM_WIRE_POOL_FORMER, tm_wire_pool, 0, TM_WIRE_FROM_CLIENT, judge_plain),
    FIXED(TM_WIRE_POOL_FOUND, tm_wire_pool, 0, TM_WIRE_FROM_DAEMON, judge_plain),
    FIXED(TM_WIRE_POOL_NEXT, tm_wire_pool, 0, TM_WIRE_FROM_CLIENT, judge_plain),
    FIXED(TM_WIRE_LEAVE, tm_wire_plain, 0, TM_WIRE_FROM_CLIENT, judge_plain),
};

bool tm_message_judge(const union tm_wire_any *any, size_t bytes, unsigned descriptors, enum tm_wire_sender sender)
{
    const struct tm_wire_message *head = &any->head;
    if (bytes < sizeof *head || head->magic != TM_WIRE_MAGIC || head->bytes != bytes)
        return false;
    if (head->kind == 0 || head->kind >= TM_WIRE_KIND_COUNT || kinds[head->kind].sender != sender)
        return false;
    if (bytes < kinds[head->kind].least_bytes || bytes > kinds[head->kind].most_bytes ||
        descriptors != kinds[head->kind].descriptors)
        return false;
    return kinds[head->kind].judge(any, bytes);
}

size_t tm_message_begin(union tm_wire_any *any, enum tm_wire_kind kind, uint16_t version, uint32_t number)
{
    TM_ASSERT(kind > 0 && kind < TM_WIRE_KIND_COUNT);
    uint32_t bytes = kinds[kind].least_bytes;
    memset(any, 0, sizeof *any);
    any->head = (struct tm_wire_message){TM_WIRE_MAGIC, (uint16_t)kind, version, bytes, number};
    return bytes;
}

uint16_t tm_wire_version_for(uint16_t oldest, uint16_t newest)
{
    if (newest < TM_WIRE_VERSION_MIN || oldest > TM_WIRE_VERSION_MAX)
        return 0;
    return newest < TM_WIRE_VERSION_MAX ? newest : (uint16_t)TM_WIRE_VERSION_MAX;
}
