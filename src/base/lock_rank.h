/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lock_rank.h - every class of lock, in the order in which they may be taken. Included with TM_LOCK
 * defined; see lock.h. A lock may be taken only while every lock held stands above it in this list;
 * two locks of one class are never held together. Check builds enforce both.
 *
 *          name              protects
 */
TM_LOCK(control, "the engine's clients and pools, settings; long calls of operators")
TM_LOCK(account_members, "the members of a shared account and the parts they are charged")
TM_LOCK(causers, "whose puts a client's pages made room for")
TM_LOCK(object_stripe, "a pool's objects that hash to this stripe, and their lists of chunks")
TM_LOCK(index_bucket, "an index bucket, the chunks it names, and all their slots")
TM_LOCK(dedup_bucket, "a dedup bucket, the content records it names, their slots and counts")
TM_LOCK(table_overflow, "the free overflow lines of a hash table")
TM_LOCK(heap, "a heap's lists of segments")
TM_LOCK(lane, "an open segment's fill position")
TM_LOCK(arena, "which spans and units of an arena are in use")
TM_LOCK(record_class, "free records of one class")
TM_LOCK(dirty, "which pages of a client changed since they were last copied")
