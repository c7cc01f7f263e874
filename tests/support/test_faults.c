/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_faults.c - failures inside of store and base, asked of tm_test_faults_host. Linked with
 * -Wl,--wrap=tm_arena_take,--wrap=tm_record_alloc,--wrap=tm_table_insert: calls from other files come here first.
 */
#include "store/store_internal.h"
#include "support/test_host.h"

uint32_t __real_tm_arena_take(struct tm_arena *arena, unsigned order, unsigned purpose, const struct tm_heap *heap,
                              enum tm_tier tier);
uint32_t __wrap_tm_arena_take(struct tm_arena *arena, unsigned order, unsigned purpose, const struct tm_heap *heap,
                              enum tm_tier tier);
uint64_t __real_tm_record_alloc(struct tm_store *store, enum tm_arena_kind arena, enum tm_record_class record_class,
                                enum tm_tier tier);
uint64_t __wrap_tm_record_alloc(struct tm_store *store, enum tm_arena_kind arena, enum tm_record_class record_class,
                                enum tm_tier tier);
bool __real_tm_table_insert(struct tm_table *table, struct tm_bucket *bucket, uint32_t hash, uint64_t ref);
bool __wrap_tm_table_insert(struct tm_table *table, struct tm_bucket *bucket, uint32_t hash, uint64_t ref);

static bool fails(enum tm_test_fault fault)
{
    return tm_test_faults_host != NULL && tm_test_host_fails(tm_test_faults_host, fault);
}

uint32_t __wrap_tm_arena_take(struct tm_arena *arena, unsigned order, unsigned purpose, const struct tm_heap *heap,
                              enum tm_tier tier)
{
    if (purpose == TM_PURPOSE_DATA && fails(TM_FAULT_SEGMENT))
        return 0;
    return __real_tm_arena_take(arena, order, purpose, heap, tier);
}

uint64_t __wrap_tm_record_alloc(struct tm_store *store, enum tm_arena_kind arena, enum tm_record_class record_class,
                                enum tm_tier tier)
{
    return fails(TM_FAULT_RECORD) ? 0 : __real_tm_record_alloc(store, arena, record_class, tier);
}

bool __wrap_tm_table_insert(struct tm_table *table, struct tm_bucket *bucket, uint32_t hash, uint64_t ref)
{
    return !fails(TM_FAULT_TABLE) && __real_tm_table_insert(table, bucket, hash, ref);
}
