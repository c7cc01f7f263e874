/* SPDX-License-Identifier: BSD-2-Clause */
/* stream.c - see stream.h. */
#include "stream.h"

#include "base/mix.h"
#include "order.h"

#include <stdlib.h>
#include <string.h>

/* Reads of one program in a row, in a mix. */
#define BURST 64u

/* Room for one more element in an array that grows by doubling. False: no memory; the array is as it was. */
static bool make_room(void **array, uint64_t used, uint64_t *capacity, size_t element_bytes)
{
    if (used < *capacity)
        return true;
    uint64_t more = *capacity == 0 ? 4096 : *capacity * 2u;
    void *larger = reallocarray(*array, (size_t)more, element_bytes);
    if (larger == NULL)
        return false;
    *array = larger;
    *capacity = more;
    return true;
}

bool policy_stream_add(struct policy_stream *stream, uint32_t number)
{
    void *array = stream->access;
    bool fits = stream->count < POLICY_ACCESSES_MAX &&
                make_room(&array, stream->count, &stream->capacity, sizeof *stream->access);
    stream->access = array;
    if (fits)
        stream->access[stream->count++] = number;
    return fits;
}

bool policy_stream_name(struct policy_stream *stream, struct policy_page page, uint32_t *number)
{
    void *array = stream->page;
    uint64_t capacity = stream->pages_capacity;
    bool fits = stream->pages < POLICY_ACCESSES_MAX &&
                make_room(&array, stream->pages, &capacity, sizeof *stream->page);
    stream->page = array;
    stream->pages_capacity = (uint32_t)capacity;
    if (!fits)
        return false;
    if (page.file >= stream->files)
        stream->files = page.file + 1u;
    *number = stream->pages;
    stream->page[stream->pages++] = page;
    return true;
}

void policy_stream_free(struct policy_stream *stream)
{
    free(stream->access);
    free(stream->page);
    *stream = (struct policy_stream){0};
}

/* Names all pages of @from in @to, with files from @first_file on. */
static bool name_all(struct policy_stream *to, const struct policy_stream *from, uint32_t first_file)
{
    uint32_t number;
    bool done = true;
    for (uint32_t i = 0; i < from->pages && done; i++)
        done = policy_stream_name(to, (struct policy_page){from->page[i].file + first_file, from->page[i].index},
                                  &number);
    return done;
}

static bool add_all(struct policy_stream *to, const struct policy_stream *from, uint64_t begin, uint64_t end,
                    uint32_t first_page)
{
    bool done = true;
    for (uint64_t i = begin; i < end && done; i++)
        done = policy_stream_add(to, from->access[i] + first_page);
    return done;
}

/* ---- mix ---- */

#define MIX_MAX 8u

struct mixing {
    const struct policy_stream *const *streams;
    unsigned count;
    uint32_t first_page[MIX_MAX];
    uint64_t at[MIX_MAX];
    uint64_t left; /* accesses of all of them */
    uint64_t random;
};

/* Whose turn it is: each stream as probable as what is left of it. */
static unsigned draw(struct mixing *mixing)
{
    uint64_t ticket = tm_random_next(&mixing->random) % mixing->left;
    unsigned who = 0;
    for (; ticket >= mixing->streams[who]->count - mixing->at[who]; who++)
        ticket -= mixing->streams[who]->count - mixing->at[who];
    return who;
}

bool policy_stream_mix(struct policy_stream *mix, const struct policy_stream *const *streams, unsigned count)
{
    struct mixing mixing = {.streams = streams, .count = count, .random = 1};
    bool done = count <= MIX_MAX;
    for (unsigned i = 0; i < count && done; i++) {
        mixing.first_page[i] = mix->pages;
        mixing.left += streams[i]->count;
        done = name_all(mix, streams[i], mix->files);
    }
    while (mixing.left > 0 && done) {
        unsigned who = draw(&mixing);
        const struct policy_stream *stream = streams[who];
        uint64_t begin = mixing.at[who];
        uint64_t end = tm_min_u64(begin + BURST, stream->count);
        done = add_all(mix, stream, begin, end, mixing.first_page[who]);
        mixing.at[who] = end;
        mixing.left -= end - begin;
    }
    return done;
}

/* ---- turns ---- */

bool policy_stream_turns(struct policy_stream *turns, const struct policy_stream *const *streams, unsigned count,
                         unsigned rounds)
{
    uint32_t first_page[MIX_MAX];
    bool done = count <= MIX_MAX;
    for (unsigned i = 0; i < count && done; i++) {
        first_page[i] = turns->pages;
        done = name_all(turns, streams[i], turns->files);
    }
    for (unsigned turn = 0; turn < rounds * count && done; turn++) {
        const struct policy_stream *stream = streams[turn % count];
        unsigned round = turn / count;
        done = add_all(turns, stream, stream->count * round / rounds, stream->count * (round + 1u) / rounds,
                       first_page[turn % count]);
    }
    return done;
}

/* ---- loop, scan, cache in front ---- */

bool policy_stream_loop(struct policy_stream *loop, uint32_t pages, unsigned rounds)
{
    uint32_t number;
    bool done = true;
    for (uint32_t i = 0; i < pages && done; i++)
        done = policy_stream_name(loop, (struct policy_page){0, i}, &number);
    for (unsigned round = 0; round < rounds; round++)
        for (uint32_t i = 0; i < pages && done; i++)
            done = policy_stream_add(loop, i);
    return done;
}

bool policy_stream_with_scan(struct policy_stream *with, const struct policy_stream *stream, uint32_t pages)
{
    uint32_t number;
    bool done = name_all(with, stream, 0) && add_all(with, stream, 0, stream->count / 2u, 0);
    uint32_t file = with->files;
    with->scan_from = with->count;
    for (uint32_t i = 0; i < pages && done; i++)
        done = policy_stream_name(with, (struct policy_page){file, i}, &number) && policy_stream_add(with, number);
    with->scan_to = with->count;
    return done && add_all(with, stream, stream->count / 2u, stream->count, 0);
}

bool policy_stream_behind(struct policy_stream *behind, const struct policy_stream *stream, uint32_t capacity)
{
    if (!name_all(behind, stream, 0))
        return false;
    void *front = capacity == 0 ? NULL : policy_lru.create(stream, capacity);
    bool done = capacity == 0 || front != NULL;
    for (uint64_t i = 0; i < stream->count && done; i++) {
        bool found = front != NULL && policy_lru.access(front, i, stream->access[i]);
        if (i == stream->scan_from)
            behind->scan_from = behind->count;
        if (!found)
            done = policy_stream_add(behind, stream->access[i]);
        if (i + 1 == stream->scan_to)
            behind->scan_to = behind->count;
    }
    if (front != NULL)
        policy_lru.destroy(front);
    return done;
}
