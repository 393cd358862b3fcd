/* fault.c -- preloaded into the gate by scenarios: lets system calls fail as rules in shared memory
 * say (test/lib/rig/faults.py). Not part of the product. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum call {
        ACCEPT4,
        SOCKET,
        CONNECT,
        SEND,
        SENDMSG,
        RECV,
        RECVMSG,
        READ,
        WRITE,
        WRITEV,
        EPOLL_CTL,
        OPEN,
        OPENAT,
        MMAP,
        EVENTFD,
        FSYNC,
        RENAME,
        GETRANDOM,
        CALL_COUNT
};

struct rule {
        int32_t error, skip, count, hits;
};

static struct rule *rules;
static const int64_t *clock_ahead; /* seconds: of the calendar, of what goes on steadily */

__attribute__((constructor)) static void map_rules(void)
{
        const char *path = getenv("GATE_TEST_FAULTS");
        if (path == NULL)
                return;
        int (*real_open)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
        void *(*real_mmap)(void *, size_t, int, int, int, off_t) = dlsym(RTLD_NEXT, "mmap");
        int fd = real_open(path, O_RDWR | O_CLOEXEC);
        void *memory = fd < 0 ? MAP_FAILED
                              : real_mmap(NULL,
                                          sizeof(struct rule) * CALL_COUNT + 2 * sizeof(int64_t),
                                          PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (memory != MAP_FAILED) {
                rules = memory;
                clock_ahead = (const int64_t *)(const void *)(rules + CALL_COUNT);
        }
        if (fd >= 0)
                close(fd);
}

/* True when this call fails; errno is set. */
static int fails(enum call call)
{
        if (rules == NULL || __atomic_load_n(&rules[call].count, __ATOMIC_ACQUIRE) == 0)
                return 0;
        struct rule *rule = &rules[call];
        if (__atomic_load_n(&rule->skip, __ATOMIC_RELAXED) > 0 &&
            __atomic_fetch_sub(&rule->skip, 1, __ATOMIC_RELAXED) > 0)
                return 0;
        if (rule->count > 0 && __atomic_fetch_sub(&rule->count, 1, __ATOMIC_RELAXED) <= 0)
                return 0;
        __atomic_fetch_add(&rule->hits, 1, __ATOMIC_RELAXED);
        if (rule->error < 0) {
                usleep((useconds_t)-rule->error * 1000);
                return 0;
        }
        errno = rule->error;
        return 1;
}

/* NAME(parameters) calls the next library's unless the rule says that it fails. */
#define WRAP(call, result, name, parameters, arguments, failure)                                   \
        result name parameters                                                                     \
        {                                                                                          \
                static result(*real) parameters;                                                   \
                if (real == NULL)                                                                  \
                        real = (result(*) parameters)dlsym(RTLD_NEXT, #name);                      \
                if (fails(call))                                                                   \
                        return failure;                                                            \
                return real arguments;                                                             \
        }

WRAP(ACCEPT4, int, accept4, (int fd, struct sockaddr *a, socklen_t *l, int f), (fd, a, l, f), -1)
WRAP(SOCKET, int, socket, (int d, int t, int p), (d, t, p), -1)
WRAP(CONNECT, int, connect, (int fd, const struct sockaddr *a, socklen_t l), (fd, a, l), -1)
WRAP(SEND, ssize_t, send, (int fd, const void *b, size_t n, int f), (fd, b, n, f), -1)
WRAP(SENDMSG, ssize_t, sendmsg, (int fd, const struct msghdr *m, int f), (fd, m, f), -1)
WRAP(RECV, ssize_t, recv, (int fd, void *b, size_t n, int f), (fd, b, n, f), -1)
WRAP(RECVMSG, ssize_t, recvmsg, (int fd, struct msghdr *m, int f), (fd, m, f), -1)
WRAP(READ, ssize_t, read, (int fd, void *b, size_t n), (fd, b, n), -1)
WRAP(WRITE, ssize_t, write, (int fd, const void *b, size_t n), (fd, b, n), -1)
WRAP(WRITEV, ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n), -1)
WRAP(EPOLL_CTL, int, epoll_ctl, (int e, int o, int fd, struct epoll_event *v), (e, o, fd, v), -1)
WRAP(MMAP, void *, mmap, (void *a, size_t n, int p, int f, int fd, off_t o), (a, n, p, f, fd, o),
     MAP_FAILED)
WRAP(EVENTFD, int, eventfd, (unsigned v, int f), (v, f), -1)
WRAP(FSYNC, int, fsync, (int fd), (fd), -1)
WRAP(RENAME, int, rename, (const char *a, const char *b), (a, b), -1)
WRAP(GETRANDOM, ssize_t, getrandom, (void *b, size_t n, unsigned f), (b, n, f), -1)

/* What the gate asks of the kernel itself: the same calls, and ruled as they are. */
long syscall(long number, ...)
{
        static long (*real)(long, ...);
        va_list args;
        long a[6];
        va_start(args, number);
        for (int i = 0; i < 6; i++)
                a[i] = va_arg(args, long);
        va_end(args);
        if (real == NULL)
                real = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
        if ((number == SYS_sendto && fails(SEND)) || (number == SYS_recvfrom && fails(RECV)))
                return -1;
        return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

int open(const char *path, int flags, ...)
{
        static int (*real)(const char *, int, ...);
        va_list args;
        va_start(args, flags);
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
        va_end(args);
        if (real == NULL)
                real = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
        return fails(OPEN) ? -1 : real(path, flags, mode);
}

int openat(int dir, const char *path, int flags, ...)
{
        static int (*real)(int, const char *, int, ...);
        va_list args;
        va_start(args, flags);
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
        va_end(args);
        if (real == NULL)
                real = (int (*)(int, const char *, int, ...))dlsym(RTLD_NEXT, "openat");
        return fails(OPENAT) ? -1 : real(dir, path, flags, mode);
}

/* The calendar of another day; or a machine that was asleep. */
int clock_gettime(clockid_t clock, struct timespec *time)
{
        static int (*real)(clockid_t, struct timespec *);
        if (real == NULL)
                real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
        int result = real(clock, time);
        if (clock_ahead != NULL && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
                time->tv_sec += __atomic_load_n(&clock_ahead[0], __ATOMIC_RELAXED);
        if (clock_ahead != NULL && clock == CLOCK_BOOTTIME)
                time->tv_sec += __atomic_load_n(&clock_ahead[1], __ATOMIC_RELAXED);
        return result;
}

/* A machine with less memory than this one. */
long sysconf(int name)
{
        static long (*real)(int);
        const char *pages = getenv("GATE_TEST_PHYS_PAGES");
        if (real == NULL)
                real = (long (*)(int))dlsym(RTLD_NEXT, "sysconf");
        return name == _SC_PHYS_PAGES && pages != NULL ? strtol(pages, NULL, 10) : real(name);
}

/* With 64-bit file offsets the same calls have a second name. */
int open64(const char *path, int flags, ...) __attribute__((alias("open")));
int openat64(int dir, const char *path, int flags, ...) __attribute__((alias("openat")));
/* tidy: many, because mmap has six. */
void *mmap64(void *a, size_t n, int p, int f, int fd, off_t o) __attribute__((alias("mmap")));
