/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base.h - what every folder of the project builds on: assertions, magic numbers, checked
 * arithmetic and small helpers.
 *
 * Freestanding: needs the compiler's own headers and the four memory functions declared here, and
 * the few functions of platform.h that whoever links it supplies. Nothing here allocates or locks.
 */
#ifndef TM_BASE_H
#define TM_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/platform.h"

/* The four functions of the C library that freestanding code may call. */
void *memcpy(void *restrict to, const void *restrict from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
void *memset(void *to, int value, size_t bytes);
int memcmp(const void *a, const void *b, size_t bytes);

#define TM_LIKELY(x) __builtin_expect(!!(x), 1)
#define TM_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define TM_MUST_USE __attribute__((warn_unused_result))
#define TM_UNUSED __attribute__((unused))
#define TM_ALIGNED(n) __attribute__((aligned(n)))
#define TM_PRINTF(a, b) __attribute__((format(printf, a, b)))

/* The compilers agree on unrolling, but not on how to ask for it. */
#define TM_PRAGMA(text) _Pragma(#text)
#ifdef __clang__
#define TM_UNROLL(times) TM_PRAGMA(unroll times)
#else
#define TM_UNROLL(times) TM_PRAGMA(GCC unroll times)
#endif

/* One cache line, and one page as every part of the project means it. */
#define TM_CACHE_LINE 64u
#define TM_PAGE_BYTES 4096u

/*
 * TM_ASSERT     cheap, on in every build: our own bugs only, never untrusted input.
 * TM_ASSERT_SLOW  walks structures; on in check builds (-Dcheck=true). The disabled form still
 *               compiles its expression, so that it does not rot.
 */
#define TM_ASSERT(expr)                                   \
    do {                                                  \
        if (TM_UNLIKELY(!(expr)))                         \
            tm_platform_panic(__FILE__, __LINE__, #expr); \
    } while (0)

#ifdef TM_CHECK
#define TM_ASSERT_SLOW(expr) TM_ASSERT(expr)
#else
#define TM_ASSERT_SLOW(expr) \
    do {                     \
        if (0 && (expr)) {   \
        }                    \
    } while (0)
#endif

/* Build-time truth. */
#define TM_STATIC_ASSERT(expr) _Static_assert(expr, #expr)

/*
 * Magic: the first member of objects that travel through void pointers or ids. Set when the object
 * is made, inverted when it ends, so that use after the end differs from a wrong pointer.
 */
#define TM_MAGIC_SET(object, value) ((object)->magic = (value))
#define TM_MAGIC_END(object, value)            \
    do {                                       \
        TM_ASSERT((object)->magic == (value)); \
        (object)->magic = ~(value);            \
    } while (0)
#define TM_MAGIC_CHECK(object, value)          \
    do {                                       \
        TM_ASSERT((object) != NULL);           \
        TM_ASSERT((object)->magic == (value)); \
    } while (0)

#define TM_CONTAINER_OF(pointer, type, member) \
    ((type *)(void *)((unsigned char *)(pointer)-offsetof(type, member)))

#define TM_ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

static inline uint64_t tm_min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t tm_max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Rounds up to a multiple of @unit, a power of two. The caller knows that it cannot overflow. */
static inline uint64_t tm_round_up(uint64_t value, uint64_t unit)
{
    return (value + unit - 1u) & ~(unit - 1u);
}

static inline bool tm_is_power_of_two(uint64_t value)
{
    return value != 0 && (value & (value - 1u)) == 0;
}

/* Sum and product that say whether they fit; *result is written only when they do. */
static inline bool tm_add_u64(uint64_t a, uint64_t b, uint64_t *result)
{
    uint64_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return false;
    *result = sum;
    return true;
}

static inline bool tm_mul_u64(uint64_t a, uint64_t b, uint64_t *result)
{
    uint64_t product;
    if (__builtin_mul_overflow(a, b, &product))
        return false;
    *result = product;
    return true;
}

static inline unsigned tm_count_trailing_zeros(uint64_t value)
{
    TM_ASSERT_SLOW(value != 0);
    return (unsigned)__builtin_ctzll(value);
}

/* Floor of the binary logarithm; value is not 0. */
static inline unsigned tm_log2(uint64_t value)
{
    TM_ASSERT_SLOW(value != 0);
    return 63u - (unsigned)__builtin_clzll(value);
}

static inline void tm_prefetch(const void *address)
{
    __builtin_prefetch(address, 0, 3);
}

/* For what is read once: it takes no room in the larger caches. */
static inline void tm_prefetch_once(const void *address)
{
    __builtin_prefetch(address, 0, 0);
}

/* Into the caches behind the first, which have room for more that is under way. */
static inline void tm_prefetch_second(const void *address)
{
    __builtin_prefetch(address, 0, 1);
}

static inline void tm_prefetch_write(const void *address)
{
    __builtin_prefetch(address, 1, 3);
}

#endif
