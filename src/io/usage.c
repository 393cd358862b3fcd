/* usage.c -- getrusage, /proc/self/statm, /proc/self/fd. */
#include "io/usage.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"

static uint64_t ns_of(const struct timeval *time)
{
        return (uint64_t)time->tv_sec * 1000000000 + (uint64_t)time->tv_usec * 1000;
}

static uint64_t read_rss(void)
{
        char memory[128];
        uint64_t pages = 0;
        int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return 0;
        ssize_t n = read(fd, memory, sizeof memory);
        close(fd);
        struct str rest = str_from(memory, n > 0 ? (size_t)n : 0);
        str_cut(&rest, ' ');
        if (str_to_u64(str_cut(&rest, ' '), &pages) != ERR_ok)
                return 0;
        return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Newer kernels tell the number as the size of the directory. */
static uint64_t count_fds(void)
{
        struct stat stat_of;
        uint64_t count = 0;
        if (stat("/proc/self/fd", &stat_of) == 0 && stat_of.st_size > 0)
                return (uint64_t)stat_of.st_size;
        DIR *dir = opendir("/proc/self/fd");
        if (dir == NULL)
                return 0;
        for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
                count += entry->d_name[0] != '.';
        closedir(dir);
        return count > 0 ? count - 1 : 0; /* the one just opened */
}

void usage_read(struct usage *ret_usage)
{
        struct usage usage = {0};
        struct rusage times;
        struct rlimit limit;
        if (getrusage(RUSAGE_SELF, &times) == 0)
                usage.cpu_ns = ns_of(&times.ru_utime) + ns_of(&times.ru_stime);
        if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
                usage.fds_max = limit.rlim_cur;
        usage.rss_bytes = read_rss();
        usage.fds = count_fds();
        *ret_usage = usage;
}
