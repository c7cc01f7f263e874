/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bare.h - the compression libraries' own calls, on pages that are in cache, into a hot buffer: what
 * a store with this codec cannot be faster than.
 */
#ifndef TM_BENCH_BARE_H
#define TM_BENCH_BARE_H

#include "corpus.h"
#include "work.h"

struct bench_bare;

/*
 * bench_bare_create - the library of codec @name ("lz4", "zstd" or "lzo"), and a sample of the timed
 * pages encoded with it.
 *
 * NULL: this build lacks it, or no memory. The corpus must outlive it.
 */
struct bench_bare *bench_bare_create(const char *name, const struct bench_corpus *corpus);

void bench_bare_destroy(struct bench_bare *bare);

/* Mean bytes of an encoded page; a page that does not shrink counts as a whole page. */
double bench_bare_mean_bytes(const struct bench_bare *bare);

/* Bytes of all pages of the corpus as they were found, each encoded alone; 0: no memory. */
uint64_t bench_bare_corpus_bytes(struct bench_bare *bare);

/* Nanoseconds of one page's encoding and decoding. False: it went wrong. */
bool bench_bare_encode(struct bench_bare *bare, unsigned threads, double *ns);
bool bench_bare_decode(struct bench_bare *bare, unsigned threads, double *ns);

#endif
