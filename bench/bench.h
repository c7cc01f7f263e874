/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench.h - what the parts of a run share, and the parts.
 *
 * `tmem bench engine` measures every operation of the public API beside the limit of this machine,
 * in the same run. A round is made of blocks: one store, filled once, on which a row of cases is timed
 * (blocks.c); a store that is full (full.c); stores that give memory back (give_back.c); persistent pages in a
 * memory file (memory_file.c); puts that are compressed later (deferred.c); and look-ups among very many
 * pages (index.c). Between two cases the cold copy is measured, as the probe of rows.h.
 */
#ifndef TM_BENCH_H
#define TM_BENCH_H

#include "bare.h"
#include "corpus.h"
#include "memory_limits.h"
#include "rows.h"
#include "store.h"

/* Where a block's pages come from. */
enum bench_source {
    BENCH_FROM_CORPUS,
    BENCH_FROM_RANDOM,    /* random bytes: nothing shrinks them */
    BENCH_FROM_WORDS,     /* one word repeated, another for each page: small numbers, patterns, addresses, doubles */
    BENCH_FROM_ANY_WORDS, /* any 64 random bits repeated */
};

/* Pages of one nature in stores with one codec. */
struct bench_content {
    const char *name;  /* in the rows */
    const char *codec; /* of the URI */
    const char *bare;  /* the library that it is compared with, or NULL */
    enum bench_source source;
};

#define BENCH_CONTENTS 7u
#define BENCH_RAW 0u /* of them, pages as they are; */
#define BENCH_LZ4 4u /* and the default */
extern const struct bench_content bench_contents[BENCH_CONTENTS];

/* Pages of one word, made on the spot. */
static inline bool bench_is_words(const struct bench_content *content)
{
    return content->source == BENCH_FROM_WORDS || content->source == BENCH_FROM_ANY_WORDS;
}

struct bench {
    uint64_t pages; /* in each store; a multiple of 2 * BENCH_OBJECT_PAGES */
    struct bench_corpus corpus;
    unsigned char *random_pages; /* as many */
    uint32_t *page_order;        /* the pages of the first half, shuffled */
    uint32_t *object_order;      /* the objects of the second half, shuffled */
    struct bench_limits limits;
    struct bench_bare *bare[BENCH_CONTENTS];
    bool lacks[BENCH_CONTENTS];     /* the build does not have the codec */
    struct bench_store index_store; /* of very many pages; of all rounds */
    struct bench_rows rows;
    double put_raw_ns; /* of this round */
    bool progress;     /* stderr is a terminal */
    unsigned round;
};

/* bench_create - loads the corpus and prepares the rest. TM_EXIT_OK, or a code after a message; the
 * caller destroys it in either case. */
enum tm_exit bench_create(struct bench *bench, const char *corpus_path, uint64_t pages);
void bench_destroy(struct bench *bench);

/* bench_progress - says on a terminal what is being measured. */
void bench_progress(const struct bench *bench, const char *content, const char *what);
void bench_progress_end(const struct bench *bench);

/* bench_probe - measures the cold copy. TM_EXIT_OK, or a code after a message. */
enum tm_exit bench_probe(struct bench *bench);

/* bench_cold_copy_ns - the mean of the last two probes. */
double bench_cold_copy_ns(const struct bench *bench);

/* The parts of a round; TM_EXIT_OK, or a code after a message. */
enum tm_exit bench_blocks_run(struct bench *bench);
enum tm_exit bench_full_run(struct bench *bench);
enum tm_exit bench_give_back_run(struct bench *bench);
enum tm_exit bench_memory_file_run(struct bench *bench);
enum tm_exit bench_deferred_run(struct bench *bench);
enum tm_exit bench_index_run(struct bench *bench);

/* What is alike in every round, and measured once. */
enum tm_exit bench_space_run(struct bench *bench);
enum tm_exit bench_cold_run(struct bench *bench);

#endif
