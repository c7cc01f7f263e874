/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table.h - two samples as lines of text: what there is, and what happened in between.
 */
#ifndef TM_TOP_TABLE_H
#define TM_TOP_TABLE_H

#include "sample.h"

#define TOP_LINE_BYTES 256u

enum top_order {
    TOP_BY_CHARGE,
    TOP_BY_GETS,
    TOP_BY_NAME,
    TOP_ORDERS
};

struct top_table {
    char (*lines)[TOP_LINE_BYTES];
    size_t count;
    size_t capacity;
    size_t heading; /* lines above this stay when the rest is moved */
};

/*
 * top_table_make - all lines of @now, with the rates since @before, which may be empty: then since the daemon began,
 * without rates.
 *
 * False: no memory; the table is empty.
 */
bool top_table_make(struct top_table *table, const struct top_sample *before, const struct top_sample *now,
                    enum top_order order, bool with_pools);

void top_table_free(struct top_table *table);

/* What an order is called. */
const char *top_order_name(enum top_order order);

#endif
