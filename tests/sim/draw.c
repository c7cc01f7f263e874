/* SPDX-License-Identifier: BSD-2-Clause */
/* draw.c - what operations and plans are drawn by. */
#include "base/mix.h"
#include "sim/world.h"

uint64_t sim_random(struct sim_draw *draw, uint64_t below)
{
    return tm_random_next(&draw->state) % below;
}

bool sim_chance(struct sim_draw *draw, unsigned of)
{
    return sim_random(draw, of) == 0;
}
