/* SPDX-License-Identifier: BSD-2-Clause */
/* corpus.c - see corpus.h. */
#include "corpus.h"

#include "base/mix.h"
#include "collect.h"
#include "huge_memory.h"

#include <stdlib.h>
#include <string.h>

/* Which pages were seen: a table of their numbers, one more than that, by the hash of their bytes. */
struct seen {
    uint32_t *numbers;
    uint64_t mask;
};

static uint64_t hash_page(const unsigned char *page)
{
    uint64_t hash = 0;
    for (size_t at = 0; at < TM_PAGE_BYTES; at += sizeof hash) {
        uint64_t word;
        memcpy(&word, page + at, sizeof word);
        hash = tm_scramble(hash + word);
    }
    return hash;
}

static bool is_same_filled(const unsigned char *page)
{
    return memcmp(page, page + sizeof(uint64_t), TM_PAGE_BYTES - sizeof(uint64_t)) == 0;
}

/* False when an equal page was seen before. */
static bool note_page(struct seen *seen, const unsigned char *pages, uint64_t number)
{
    const unsigned char *page = pages + number * TM_PAGE_BYTES;
    uint64_t place = hash_page(page) & seen->mask;
    for (; seen->numbers[place] != 0; place = (place + 1) & seen->mask)
        if (memcmp(page, pages + (uint64_t)(seen->numbers[place] - 1) * TM_PAGE_BYTES, TM_PAGE_BYTES) == 0)
            return false;
    seen->numbers[place] = (uint32_t)number + 1;
    return true;
}

/* Lists the pages that are worth timing in @chosen and answers their number; counts the others. */
static uint64_t choose(struct bench_corpus *corpus, struct seen *seen, uint32_t *chosen)
{
    uint64_t count = 0;
    for (uint64_t i = 0; i < corpus->count; i++)
        if (is_same_filled(corpus->pages + i * TM_PAGE_BYTES))
            corpus->same_filled++;
        else if (note_page(seen, corpus->pages, i))
            chosen[count++] = (uint32_t)i;
        else
            corpus->duplicates++;
    return count;
}

/* Brings the numbers into an order that has nothing to do with the one before; always the same. */
static void shuffle(uint32_t *numbers, uint64_t count)
{
    uint64_t random = 1;
    for (uint64_t left = count; left > 1; left--) {
        uint64_t other = tm_random_next(&random) % left;
        uint32_t number = numbers[left - 1];
        numbers[left - 1] = numbers[other];
        numbers[other] = number;
    }
}

/* Copies the chosen pages, over and over; from the second time on, changed. */
static void fill_timed(struct bench_corpus *corpus, const uint32_t *chosen, uint64_t chosen_count)
{
    for (uint64_t i = 0; i < corpus->timed_count; i++) {
        unsigned char *page = corpus->timed + i * TM_PAGE_BYTES;
        memcpy(page, corpus->pages + (uint64_t)chosen[i % chosen_count] * TM_PAGE_BYTES, TM_PAGE_BYTES);
        if (i >= chosen_count) {
            uint64_t stamp = tm_scramble(i);
            memcpy(page + i % 512u * sizeof stamp, &stamp, sizeof stamp);
            corpus->made_up++;
        }
    }
}

static enum tm_exit prepare_timed(struct bench_corpus *corpus, uint64_t timed)
{
    struct seen seen = {.mask = (UINT64_C(2) << tm_log2(corpus->count)) * 2 - 1};
    uint32_t *chosen = calloc((size_t)corpus->count, sizeof *chosen);
    enum tm_exit code = TM_EXIT_OK;
    seen.numbers = calloc((size_t)seen.mask + 1, sizeof *seen.numbers);
    corpus->timed = bench_memory(timed * TM_PAGE_BYTES);
    corpus->timed_count = timed;
    if (chosen == NULL || seen.numbers == NULL || corpus->timed == NULL) {
        code = tm_fail(TM_EXIT_FAILED, "no memory for the corpus (try: a smaller --pages)");
    } else {
        uint64_t count = choose(corpus, &seen, chosen);
        shuffle(chosen, count);
        if (count > 0)
            fill_timed(corpus, chosen, count);
        else
            code = tm_fail(TM_EXIT_FAILED, "every page of the corpus is same-filled: nothing to measure "
                                           "(try: another --corpus)");
    }
    free(seen.numbers);
    free(chosen);
    return code;
}

enum tm_exit bench_corpus_load(struct bench_corpus *corpus, const char *path, uint64_t pages, uint64_t cold_pages)
{
    *corpus = (struct bench_corpus){0};
    unsigned char *room = bench_memory(pages * TM_PAGE_BYTES);
    if (room == NULL)
        return tm_fail(TM_EXIT_FAILED, "no memory for %llu pages (try: a smaller --pages)",
                       (unsigned long long)pages);
    corpus->pages = room;
    corpus->pages_bytes = pages * TM_PAGE_BYTES;
    uint64_t found = 0;
    enum tm_exit code = path != NULL ? bench_collect_file(path, room, pages, &found)
                                     : bench_collect_machine(room, pages, &found);
    if (code != TM_EXIT_OK)
        return code;
    if (found < pages)
        tm_message("the corpus has %llu pages of the %llu asked for", (unsigned long long)found,
                   (unsigned long long)pages);
    corpus->count = found;
    return prepare_timed(corpus, tm_max_u64(pages, cold_pages));
}

void bench_corpus_free(struct bench_corpus *corpus)
{
    bench_memory_free(corpus->pages, corpus->pages_bytes);
    bench_memory_free(corpus->timed, corpus->timed_count * TM_PAGE_BYTES);
    *corpus = (struct bench_corpus){0};
}
