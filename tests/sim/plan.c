/* SPDX-License-Identifier: BSD-2-Clause */
/* plan.c - what a seed makes: how many of what, how short of what, and what the run is about. */
#include "base/mix.h"
#include "sim/world.h"

static uint32_t draw_faults(struct sim_draw *draw)
{
    static const uint32_t kinds[] = {TM_FAULT_BIT(TM_FAULT_ALLOC), TM_FAULT_BIT(TM_FAULT_SPAN),
                                     TM_FAULT_BIT(TM_FAULT_SEGMENT), TM_FAULT_BIT(TM_FAULT_RECORD),
                                     TM_FAULT_BIT(TM_FAULT_TABLE), TM_FAULT_BIT(TM_FAULT_ENCODE)};
    uint32_t mask = 0;
    if (sim_chance(draw, 2))
        return 0;
    for (unsigned i = 0; i < TM_ARRAY_SIZE(kinds); i++)
        mask |= sim_chance(draw, 3) ? kinds[i] : 0;
    /* Seldom, since then what cannot be read is no error. */
    return sim_chance(draw, 4) ? mask | TM_FAULT_BIT(TM_FAULT_DECODE) : mask;
}

static unsigned draw_pools(struct sim_draw *draw, unsigned count)
{
    unsigned pools = 0;
    while (count-- > 0)
        pools |= 1u << sim_random(draw, SIM_POOLS);
    return pools;
}

static enum sim_fill draw_fill(struct sim_draw *draw)
{
    uint64_t fill = sim_random(draw, 16);
    if (fill == 15)
        return SIM_FILL_MANY;
    return fill < 5 ? SIM_FILL_NOTHING : fill < 10 ? SIM_FILL_SOME
                                                   : SIM_FILL_FULL;
}

/* What a theme needs to be one. */
static void draw_theme(struct sim_draw *draw, struct sim_plan *plan)
{
    plan->theme = (enum sim_theme)sim_random(draw, SIM_THEMES);
    switch (plan->theme) {
    case SIM_THEME_TWINS:
        plan->dedup = true;
        plan->objects = 1;
        plan->indices = 2u + (unsigned)sim_random(draw, 2);
        plan->pools = draw_pools(draw, 1);
        plan->twins = 15;
        plan->twin_count = 2u + (unsigned)sim_random(draw, 2);
        plan->fill = sim_chance(draw, 2) ? SIM_FILL_NOTHING : SIM_FILL_SOME;
        break;
    case SIM_THEME_GROWTH:
        plan->objects = SIM_OBJECTS;
        plan->pools = draw_pools(draw, 1);
        plan->fill = SIM_FILL_MANY;
        break;
    case SIM_THEME_TENANTS:
        plan->pools |= draw_pools(draw, 3);
        plan->fill = sim_chance(draw, 4) ? SIM_FILL_SOME : SIM_FILL_FULL;
        break;
    case SIM_THEME_COLD:
        plan->objects = 1;
        plan->indices = 1u + (unsigned)sim_random(draw, 3);
        do
            plan->pools = draw_pools(draw, 1);
        while (!sim_pool_is_persistent(tm_log2(plan->pools)) && !sim_chance(draw, 4));
        plan->fill = sim_chance(draw, 2) ? SIM_FILL_NOTHING : SIM_FILL_SOME;
        break;
    case SIM_THEME_ALL:
    case SIM_THEMES:
        break;
    }
}

void sim_draw_plan(const struct sim_case *sim_case, struct sim_plan *plan)
{
    struct sim_draw draw = {tm_scramble(sim_case->seed ^ UINT64_C(0x706c616e))};
    plan->coroutines = 2u + (unsigned)sim_random(&draw, COROUTINES_MAX - 1u);
    plan->operations = 12u + (unsigned)sim_random(&draw, 72);
    /* Few places, so that operations meet. */
    plan->objects = 1u + (unsigned)sim_random(&draw, 1u + sim_random(&draw, SIM_OBJECTS));
    plan->indices = 1u + (unsigned)sim_random(&draw, 1u + sim_random(&draw, SIM_INDICES));
    plan->pools = draw_pools(&draw, 1u + (unsigned)sim_random(&draw, 3));
    plan->dedup = !sim_chance(&draw, 4);
    plan->ahead = sim_chance(&draw, 4);
    plan->survives = sim_chance(&draw, 2);
    plan->workers = 1u + (unsigned)sim_random(&draw, 6);
    plan->spans = 2u + (unsigned)sim_random(&draw, 5);
    plan->faults = draw_faults(&draw);
    plan->fault_chance = 1u << sim_random(&draw, 7);
    plan->twins = (unsigned)sim_random(&draw, 15);
    plan->twin_count = 1u + (unsigned)sim_random(&draw, 6);
    plan->fill = draw_fill(&draw);
    plan->may_crash = plan->survives && sim_chance(&draw, 2);
    draw_theme(&draw, plan);
    /* With many pages the chains of equal hashes would take all of the time. */
    plan->has_weak_hash = sim_chance(&draw, 4) && (plan->fill == SIM_FILL_NOTHING || plan->fill == SIM_FILL_SOME);
    plan->defer = sim_chance(&draw, 3);
    if (sim_case->operations != 0)
        plan->operations = sim_case->operations;
}
