/* SPDX-License-Identifier: BSD-2-Clause */
/* failing.h - memory that is refused once. Programs link with --wrap=malloc, calloc and realloc. */
#ifndef TMEM_TEST_XEN_FAILING_H
#define TMEM_TEST_XEN_FAILING_H

#include <stdbool.h>

/* The allocation after the next @count ones is refused; negative: none is. */
void failing_after(long count);
/* True when it has been asked for. Then all are served again. */
bool failing_has_happened(void);

#endif
