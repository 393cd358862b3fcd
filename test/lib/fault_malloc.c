/* fault_malloc.c -- counts what the house and its libraries allocate, and lets one allocation fail.
 * Preloaded into unit tests by ./dev torture: the n-th fails (GATE_TEST_MALLOC=n), or none, and
 * their number is told at the end (GATE_TEST_MALLOC=0). Preloaded into the gate by scenarios: their
 * number stands in a shared file (GATE_TEST_MALLOC_COUNT=path). What cmocka and libc allocate for
 * themselves is left alone. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void *(*real_malloc)(size_t);
static void *(*real_calloc)(size_t, size_t);
static void *(*real_realloc)(void *, size_t);
static long fail_at = -1, own_count;
static long *count = &own_count;
static _Thread_local bool is_inside;

/* dlsym may allocate before the real calloc is known. */
static char early[4096];
static size_t early_used;

__attribute__((constructor)) static void begin(void)
{
        const char *text = getenv("GATE_TEST_MALLOC");
        real_malloc = (void *(*)(size_t))dlsym(RTLD_NEXT, "malloc");
        real_realloc = (void *(*)(void *, size_t))dlsym(RTLD_NEXT, "realloc");
        real_calloc = (void *(*)(size_t, size_t))dlsym(RTLD_NEXT, "calloc");
        fail_at = text == NULL ? -1 : strtol(text, NULL, 10);
        const char *path = getenv("GATE_TEST_MALLOC_COUNT");
        int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
        void *shared = fd < 0 ? MAP_FAILED
                              : mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                                     0);
        if (shared != MAP_FAILED)
                count = shared;
        if (fd >= 0)
                close(fd);
}

__attribute__((destructor)) static void end(void)
{
        char text[64];
        if (fail_at != 0)
                return;
        int n = snprintf(text, sizeof text, "torture: %ld allocations\n", *count);
        ssize_t done = write(STDERR_FILENO, text, (size_t)n);
        (void)done;
}

/* True when the caller is ours: not the C library, the loader, cmocka or an oracle. */
static bool is_ours(void *caller)
{
        static const char *const others[] = {"libc.so",    "ld-linux", "libcmocka",
                                             "libjansson", "libgcc",   "libcrypto"};
        Dl_info info;
        is_inside = true;
        bool is_found = dladdr(caller, &info) != 0 && info.dli_fname != NULL;
        is_inside = false;
        for (size_t i = 0; is_found && i < sizeof others / sizeof *others; i++) {
                if (strstr(info.dli_fname, others[i]) != NULL)
                        return false;
        }
        return is_found;
}

static bool fails(void *caller)
{
        if ((fail_at < 0 && count == &own_count) || is_inside || !is_ours(caller))
                return false;
        if (__atomic_add_fetch(count, 1, __ATOMIC_RELAXED) != fail_at)
                return false;
        errno = ENOMEM;
        return true;
}

void *malloc(size_t size)
{
        if (real_malloc == NULL) {
                begin();
                if (real_malloc == NULL)
                        abort();
        }
        return fails(__builtin_return_address(0)) ? NULL : real_malloc(size);
}

void *calloc(size_t n, size_t size)
{
        if (real_calloc == NULL) {
                void *piece = early + early_used;
                early_used += (n * size + 15) & ~(size_t)15;
                if (early_used > sizeof early)
                        abort();
                return piece;
        }
        return fails(__builtin_return_address(0)) ? NULL : real_calloc(n, size);
}

void *realloc(void *old, size_t size)
{
        if (real_realloc == NULL)
                begin();
        return fails(__builtin_return_address(0)) ? NULL : real_realloc(old, size);
}
