/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * corpus.h - the pages that are measured with.
 *
 * `pages` are the pages as they were found, with duplicates and same-filled ones: for what depends on
 * them, such as density. `timed` are as many different pages as asked for, none same-filled, in random
 * order, so that every part of them is like every other. Where the corpus has too few, they are
 * repeated with eight bytes changed.
 */
#ifndef TM_BENCH_CORPUS_H
#define TM_BENCH_CORPUS_H

#include "command/command.h"

/* The timed pages are also what is copied from where the copy should be cold: so many are cold. */
#define BENCH_COLD_PAGES 65536u

struct bench_corpus {
    unsigned char *pages;
    uint64_t pages_bytes; /* room */
    uint64_t count;
    uint64_t same_filled; /* of them */
    uint64_t duplicates;  /* of the others, equal to one before */
    unsigned char *timed;
    uint64_t timed_count; /* at least the cold pages asked for */
    uint64_t made_up;     /* of the timed pages: repeated and changed */
};

/*
 * bench_corpus_load - from the file @path, at most @pages pages; where @path is NULL, from text and
 * shared libraries of this machine.
 *
 * @cold_pages  BENCH_COLD_PAGES, or fewer where what is timed is not judged.
 *
 * TM_EXIT_OK, or an exit code after a message. The caller frees it in either case.
 */
enum tm_exit bench_corpus_load(struct bench_corpus *corpus, const char *path, uint64_t pages, uint64_t cold_pages);

void bench_corpus_free(struct bench_corpus *corpus);

/* The timed page of this number, counted in circles. */
static inline const unsigned char *bench_page(const struct bench_corpus *corpus, uint64_t number)
{
    return corpus->timed + number % corpus->timed_count * TM_PAGE_BYTES;
}

#endif
