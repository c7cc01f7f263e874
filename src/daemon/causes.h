/* SPDX-License-Identifier: BSD-2-Clause */
/* causes.h - why pages were evicted and puts refused, by the words that metrics and control have for it. */
#ifndef TM_DAEMON_CAUSES_H
#define TM_DAEMON_CAUSES_H

#include <tmem/control.h>

/* Names of enum tmem_eviction and enum tmem_refusal; NULL: there are no more. */
const char *tm_eviction_name(unsigned cause);
const char *tm_refusal_name(unsigned cause);

#endif
