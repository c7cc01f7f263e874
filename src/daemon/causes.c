/* SPDX-License-Identifier: BSD-2-Clause */
/* causes.c - see causes.h. */
#include "daemon/causes.h"

const char *tm_eviction_name(unsigned cause)
{
    static const char *const names[TMEM_EVICTION_COUNT] = {
        [TMEM_EVICTED_AHEAD] = "ahead",
        [TMEM_EVICTED_ROOM] = "room",
        [TMEM_EVICTED_CAP] = "cap",
        [TMEM_EVICTED_SIZE] = "size",
        [TMEM_EVICTED_RECLAIM] = "reclaim",
    };
    return cause < TMEM_EVICTION_COUNT ? names[cause] : NULL;
}

const char *tm_refusal_name(unsigned cause)
{
    static const char *const names[TMEM_REFUSAL_COUNT] = {
        [TMEM_REFUSAL_FROZEN] = "frozen",
        [TMEM_REFUSAL_CAP] = "cap",
        [TMEM_REFUSAL_ROOM] = "room",
        [TMEM_REFUSAL_MEMORY] = "memory",
    };
    return cause < TMEM_REFUSAL_COUNT ? names[cause] : NULL;
}
