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
#define prefetch(ptr)     __builtin_prefetch(ptr)

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

/* Two words that change together or not at all, also between processes that share the memory. */
struct duo {
        uint64_t lo, hi;
} aligned(16);

/* When *at holds *expected it becomes `desired` in one step; else *expected becomes what it holds.
 * A full barrier. Two halves read one after the other may not belong together; the next swap tells.
 */
static inline bool duo_swap(struct duo *at, struct duo *expected, struct duo desired)
{
        __extension__ typedef unsigned __int128 wide __attribute__((may_alias));
        wide want = ((wide)expected->hi << 64) | expected->lo;
        wide put = ((wide)desired.hi << 64) | desired.lo;
        wide had = __sync_val_compare_and_swap((volatile wide *)(void *)at, want, put);
        if (likely(had == want))
                return true;
        *expected = (struct duo){(uint64_t)had, (uint64_t)(had >> 64)};
        return false;
}

/* The halves, each read in one step and in one order for all who look. */
static inline uint64_t duo_lo(const struct duo *at)
{
        return __atomic_load_n(&at->lo, __ATOMIC_SEQ_CST);
}

static inline uint64_t duo_hi(const struct duo *at)
{
        return __atomic_load_n(&at->hi, __ATOMIC_SEQ_CST);
}

/* From or to the order of bytes in which numbers are read. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define big_endian_u64(x) __builtin_bswap64(x)
#define big_endian_u32(x) __builtin_bswap32(x)
#else
#define big_endian_u64(x) (x)
#define big_endian_u32(x) (x)
#endif

static inline uint64_t rotl64(uint64_t x, unsigned n)
{
        return (x << n) | (x >> (64 - n));
}

/* Words of memory in machine order, from any address. */
static inline uint64_t load_u64(const void *at)
{
        uint64_t word;
        memcpy(&word, at, sizeof word);
        return word;
}

static inline uint32_t load_u32(const void *at)
{
        uint32_t word;
        memcpy(&word, at, sizeof word);
        return word;
}

/* Zero bits below the lowest one; x is not 0. */
static inline unsigned lowest_bit(uint64_t x)
{
        return (unsigned)__builtin_ctzll(x);
}

/* Position of the highest bit that is set; x is not 0. */
static inline unsigned highest_bit(uint64_t x)
{
        return 63 - (unsigned)__builtin_clzll(x);
}

/* Sixteen bytes at once. Operators work on each byte; a comparison yields 0xff where it holds. */
typedef uint8_t bytes16 __attribute__((vector_size(16)));

static inline bytes16 bytes16_load(const void *at)
{
        bytes16 v;
        memcpy(&v, at, sizeof v);
        return v;
}

/* Bit i is the upper bit of byte i. */
static inline uint32_t bytes16_mask(bytes16 v)
{
#ifdef __SSE2__
        typedef char chars16 __attribute__((vector_size(16)));
        return (uint32_t)__builtin_ia32_pmovmskb128((chars16)v);
#else
        uint32_t mask = 0;
        for (unsigned i = 0; i < 16; i++)
                mask |= (uint32_t)(v[i] >> 7) << i;
        return mask;
#endif
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
