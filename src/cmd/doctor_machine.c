/* doctor_machine.c -- limits of the system that a gate runs into before its own. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include "cmd/doctor.h"
#include "cmd/show.h"

enum {
        FILE_MAX = 4096,
        FDS_FEW = 10000,
        BACKLOG_FEW = 1024,
        PORTS_FEW = 20000,
        YEAR_LEAST = 2025,
        FALLBACK_PERCENT = 50, /* the preset of limits.memory */
};

struct str doctor_read(struct doctor *doctor, const char *path)
{
        char *memory = arena_alloc(&doctor->call->arena, FILE_MAX);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return S("");
        ssize_t n = read(fd, memory, FILE_MAX);
        close(fd);
        struct str text = str_from(memory, n > 0 ? (size_t)n : 0);
        while (str_ends(text, S("\n")))
                text.len--;
        return text;
}

/* The number that a file begins with; -1 when there is none. */
static int64_t read_number(struct doctor *doctor, const char *path)
{
        struct str text = doctor_read(doctor, path), word;
        uint64_t value;
        word = str_cut(&text, ' ');
        if (str_to_u64(word, &value) != ERR_ok || value > INT64_MAX)
                return -1;
        return (int64_t)value;
}

/* ---- limits of the process ---- */

void look_at_limits(struct doctor *doctor)
{
        struct rlimit limit;
        if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
                return;
        /* The gate takes what it may have; the lower limit does not matter. */
        unsigned long long most = limit.rlim_max;
        if (most >= FDS_FEW) {
                finding_add(doctor, FINDING_good, "descriptors", "%llu may be open", most);
                return;
        }
        finding_add(doctor, FINDING_warning, "descriptors",
                    "only %llu may be open: each proxied request needs two", most)
                ->help = S("`LimitNOFILE=524288` in the systemd unit, `--ulimit nofile=524288` of "
                           "a container, or a line in /etc/security/limits.conf");
}

/* ---- the kernel ---- */

static void look_at_backlog(struct doctor *doctor)
{
        int64_t backlog = read_number(doctor, "/proc/sys/net/core/somaxconn");
        if (backlog < 0)
                return;
        if (backlog >= BACKLOG_FEW) {
                finding_add(doctor, FINDING_good, "backlog",
                            "%lld callers may wait for each socket", (long long)backlog);
                return;
        }
        finding_add(doctor, FINDING_warning, "backlog",
                    "only %lld callers may wait for each socket: bursts are refused",
                    (long long)backlog)
                ->help = S("sysctl -w net.core.somaxconn=4096");
}

static void look_at_outgoing(struct doctor *doctor)
{
        struct str rest = doctor_read(doctor, "/proc/sys/net/ipv4/ip_local_port_range");
        uint64_t first, last;
        struct str low = str_cut(&rest, '\t');
        if (str_to_u64(low, &first) != ERR_ok || str_to_u64(str_trim(rest), &last) != ERR_ok ||
            last < first)
                return;
        unsigned long long count = last - first + 1;
        if (count >= PORTS_FEW) {
                finding_add(doctor, FINDING_good, "outgoing",
                            "%llu ports for connections to each target", count);
                return;
        }
        finding_add(doctor, FINDING_warning, "outgoing",
                    "only %llu ports for connections to each target", count)
                ->help = S("sysctl -w net.ipv4.ip_local_port_range='16384 60999'");
}

void look_at_kernel(struct doctor *doctor)
{
        look_at_backlog(doctor);
        look_at_outgoing(doctor);
}

/* ---- the clock ---- */

void look_at_clock(struct doctor *doctor)
{
        struct timex clock = {0};
        struct tm date;
        time_t now = time(NULL);
        if (gmtime_r(&now, &date) == NULL || date.tm_year + 1900 < YEAR_LEAST) {
                finding_add(doctor, FINDING_bad, "clock", "it says %lld seconds since 1970",
                            (long long)now)
                        ->help = S("set it: keys and certificates expire by it");
                return;
        }
        int state = adjtimex(&clock);
        if (state < 0)
                return;
        char text[32];
        size_t len = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &date);
        if ((clock.status & STA_UNSYNC) == 0 && state != TIME_ERROR) {
                finding_add(doctor, FINDING_good, "clock", "%.*s, kept right", (int)len, text);
                return;
        }
        finding_add(doctor, FINDING_warning, "clock", "%.*s, but nothing keeps it right", (int)len,
                    text)
                ->help = S("systemctl enable --now systemd-timesyncd, or chrony");
}

/* ---- memory and processors, and what a container has of them ---- */

/* A file of the control group that this process is in; empty: there is none, or no such limit. */
static struct str read_group(struct doctor *doctor, const char *name)
{
        struct str groups = doctor_read(doctor, "/proc/self/cgroup");
        while (groups.ptr != NULL && groups.len > 0) {
                struct str line = str_cut(&groups, '\n');
                if (!str_starts(line, S("0::")))
                        continue;
                struct str path = arena_format(&doctor->call->arena, "/sys/fs/cgroup" STR_FMT "/%s",
                                               STR_ARG(str_skip(line, 3)), name);
                struct str text = doctor_read(doctor, arena_cstr(&doctor->call->arena, path));
                if (text.len > 0)
                        return text;
        }
        return doctor_read(
                doctor, arena_cstr(&doctor->call->arena,
                                   arena_format(&doctor->call->arena, "/sys/fs/cgroup/%s", name)));
}

/* limits.memory is a share of the machine's memory, whatever the container has of it. */
void look_at_memory(struct doctor *doctor)
{
        uint64_t machine = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
        uint64_t share = FALLBACK_PERCENT * PERCENT, group;
        struct text text = text_grow(&doctor->call->arena, 256);
        bool has_group = str_to_u64(read_group(doctor, "memory.max"), &group) == ERR_ok &&
                         group < machine;
        if (doctor->bundle != NULL)
                share = (uint64_t)doctor->bundle->config->limits.memory;
        uint64_t wanted = machine / 1000000 * share;
        show_bytes(&text, machine);
        if (has_group) {
                text_put(&text, S(", of which this container has "));
                show_bytes(&text, group);
        }
        if (!has_group || wanted <= group / 10 * 9) {
                finding_add(doctor, FINDING_good, "memory", STR_FMT, STR_ARG(text_str(&text)));
                return;
        }
        text_put(&text, S("; traffic may want "));
        show_bytes(&text, wanted);
        uint64_t fitting = group / 4 * 3 / (machine / 100 + 1);
        finding_add(doctor, FINDING_warning, "memory", STR_FMT, STR_ARG(text_str(&text)))->help =
                arena_format(&doctor->call->arena,
                             "limits: { memory: %llu%% } in the configuration",
                             (unsigned long long)u64_max(fitting, 1));
}

void look_at_processors(struct doctor *doctor)
{
        long cores = sysconf(_SC_NPROCESSORS_ONLN);
        struct str text = read_group(doctor, "cpu.max"), quota = str_cut(&text, ' ');
        uint64_t used, period;
        int64_t workers = doctor->bundle == NULL ? 0 : doctor->bundle->config->workers;
        if (workers == 0)
                workers = cores;
        if (str_to_u64(quota, &used) != ERR_ok || str_to_u64(text, &period) != ERR_ok ||
            period == 0 || (int64_t)((used + period - 1) / period) >= workers) {
                finding_add(doctor, FINDING_good, "processors", "%ld, %lld workers", cores,
                            (long long)workers);
                return;
        }
        unsigned long long fitting = (used + period - 1) / period;
        finding_add(doctor, FINDING_warning, "processors",
                    "%ld, of which this container may use %llu.%llu; %lld workers would wait for "
                    "each other",
                    cores, (unsigned long long)(used / period),
                    (unsigned long long)(used % period * 10 / period), (long long)workers)
                ->help = arena_format(&doctor->call->arena, "workers: %llu in the configuration",
                                      fitting);
}
