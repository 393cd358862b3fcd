/* base.h -- the only header everybody includes: fixed types, and every compiler extension that the
 * house allows itself, each under a plain name. Nothing here allocates or knows what a gateway is.
 */
#pragma once

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define static_assert _Static_assert

#define countof(array) (sizeof(array) / sizeof((array)[0]))

/* The structure that holds `member`, of which `ptr` is the address. */
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define must_use          __attribute__((warn_unused_result))
#define printf_like(f, a) __attribute__((format(printf, f, a)))
#define not_inline        __attribute__((noinline))
#define always_inline     inline __attribute__((always_inline))
#define aligned(n)        __attribute__((aligned(n)))
#define maybe_unused      __attribute__((unused))
#define fall_through      __attribute__((fallthrough))
#define unreachable()     __builtin_unreachable()

/* Checked arithmetic: true when the result does not fit. */
#define add_overflows(a, b, ret) __builtin_add_overflow(a, b, ret)
#define sub_overflows(a, b, ret) __builtin_sub_overflow(a, b, ret)
#define mul_overflows(a, b, ret) __builtin_mul_overflow(a, b, ret)

/* Nulls the source and yields what it held: a move of ownership that one can see. */
#define TAKE(ptr)                                                                                  \
        __extension__({                                                                            \
                __typeof__(ptr) taken_ = (ptr);                                                    \
                (ptr) = NULL;                                                                      \
                taken_;                                                                            \
        })

enum { CACHE_LINE = 64, PAGE_SIZE = 4096 };

/* A run of bytes that somebody else owns and may overwrite after the call. */
struct slice {
        uint8_t *ptr;
        size_t len;
};

static inline uint64_t u64_min(uint64_t a, uint64_t b)
{
        return a < b ? a : b;
}

static inline uint64_t u64_max(uint64_t a, uint64_t b)
{
        return a > b ? a : b;
}

static inline size_t size_min(size_t a, size_t b)
{
        return a < b ? a : b;
}

static inline size_t size_max(size_t a, size_t b)
{
        return a > b ? a : b;
}

/* Upper half of the 128-bit product. */
static inline uint64_t mul_high(uint64_t a, uint64_t b)
{
        __extension__ typedef unsigned __int128 wide;
        return (uint64_t)(((wide)a * b) >> 64);
}

static inline uint64_t rotl64(uint64_t x, unsigned n)
{
        return (x << n) | (x >> (64 - n));
}

/* Tells AddressSanitizer what may not be touched; nothing at all in other builds. */
#if defined(__SANITIZE_ADDRESS__)
#define BASE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BASE_ASAN 1
#endif
#endif

#ifdef BASE_ASAN
void __asan_poison_memory_region(void const volatile *ptr, size_t size);
void __asan_unpoison_memory_region(void const volatile *ptr, size_t size);
#define poison(ptr, size)   __asan_poison_memory_region(ptr, size)
#define unpoison(ptr, size) __asan_unpoison_memory_region(ptr, size)
#else
#define poison(ptr, size)   ((void)(ptr), (void)(size))
#define unpoison(ptr, size) ((void)(ptr), (void)(size))
#endif
