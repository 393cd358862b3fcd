/* load.c -- open-loop load: requests leave at their scheduled times whatever the answers do, and
 * latency counts from the scheduled time, so a proxy that stalls is charged for everybody it kept
 * waiting. One thread. Prints one JSON object.
 *
 *     load PORT PATH RATE SECONDS CONNECTIONS [HEADER…] */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 256, HEAD_MAX = 8192, REQUEST_MAX = 4096 };

static const uint64_t SECOND = 1000000000;

struct conn {
        int fd;
        bool is_busy, is_dead;
        uint64_t scheduled;
        size_t held;   /* bytes of the head so far */
        size_t left;   /* bytes of the body to come */
        bool has_head; /* the head is whole, the body is not */
        struct conn *next_free;
        char head[HEAD_MAX];
};

static struct load {
        char request[REQUEST_MAX];
        size_t request_len;
        struct sockaddr_in target;
        struct conn *conns, *free;
        int conn_count, epoll;
        uint32_t *latencies; /* ns / 10 */
        size_t planned, started, done, failed, statuses;
        uint64_t begin, gap;
} load;

static uint64_t now(void)
{
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static void release(struct conn *conn)
{
        conn->is_busy = conn->has_head = false;
        conn->held = 0;
        conn->next_free = load.free;
        load.free = conn;
}

static void open_conn(struct conn *conn)
{
        conn->fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(conn->fd, (struct sockaddr *)&load.target, sizeof load.target) < 0) {
                perror("load: connect");
                exit(71);
        }
        setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};
        epoll_ctl(load.epoll, EPOLL_CTL_ADD, conn->fd, &event);
        release(conn);
}

/* The connection broke: what it carried failed; a new one takes its place. */
static void replace(struct conn *conn)
{
        if (conn->is_busy) {
                load.failed++;
                load.done++;
        }
        close(conn->fd);
        for (struct conn **at = &load.free; *at != NULL; at = &(*at)->next_free) {
                if (*at == conn) {
                        *at = conn->next_free;
                        break;
                }
        }
        open_conn(conn);
}

/* Reads status and length of a whole head; false when it is none that a bench expects. */
static bool read_head(struct conn *conn, size_t head)
{
        conn->head[conn->held] = '\0';
        const char *length = strcasestr(conn->head, "\r\nContent-Length:");
        if (memcmp(conn->head, "HTTP/1.1 ", 9) != 0 || length == NULL)
                return false;
        if (conn->head[9] != '2')
                load.statuses++;
        size_t body = strtoul(length + 17, NULL, 10), have = conn->held - head;
        if (have > body)
                return false;
        conn->left = body - have;
        conn->has_head = true;
        return true;
}

static void finish(struct conn *conn)
{
        uint64_t took = now() - conn->scheduled;
        load.latencies[load.done - load.failed] = (uint32_t)(took / 10 > UINT32_MAX ? UINT32_MAX
                                                                                    : took / 10);
        load.done++;
        release(conn);
}

static void on_data(struct conn *conn)
{
        static char sink[1 << 18];
        if (conn->has_head || !conn->is_busy) {
                ssize_t n = recv(conn->fd, sink, sizeof sink, MSG_DONTWAIT);
                if (n < 0 && errno == EAGAIN)
                        return;
                if (n <= 0 || !conn->is_busy || (size_t)n > conn->left) {
                        replace(conn);
                        return;
                }
                conn->left -= (size_t)n;
        } else {
                ssize_t n = recv(conn->fd, conn->head + conn->held, HEAD_MAX - 1 - conn->held,
                                 MSG_DONTWAIT);
                if (n < 0 && errno == EAGAIN)
                        return;
                conn->held += n > 0 ? (size_t)n : 0;
                const char *end = memmem(conn->head, conn->held, "\r\n\r\n", 4);
                if (end == NULL && n > 0 && conn->held < HEAD_MAX - 1)
                        return;
                if (n <= 0 || end == NULL || !read_head(conn, (size_t)(end + 4 - conn->head))) {
                        replace(conn);
                        return;
                }
        }
        if (conn->left == 0)
                finish(conn);
}

/* Sends what is due, as long as a connection is free; returns the ns until the next is due. */
static uint64_t start_due(void)
{
        while (load.started < load.planned) {
                uint64_t due = load.begin + load.started * load.gap, time = now();
                if (due > time)
                        return due - time;
                struct conn *conn = load.free;
                if (conn == NULL)
                        return SECOND;
                load.free = conn->next_free;
                load.started++;
                conn->is_busy = true;
                conn->scheduled = due;
                if (send(conn->fd, load.request, load.request_len, MSG_NOSIGNAL) !=
                    (ssize_t)load.request_len)
                        replace(conn);
        }
        return SECOND;
}

static int compare(const void *a, const void *b)
{
        uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
        return x < y ? -1 : x > y;
}

static unsigned long part(size_t count, unsigned per_mille)
{
        return count == 0 ? 0 : load.latencies[(count - 1) * per_mille / 1000] * 10ul;
}

static void report(double seconds)
{
        struct rusage usage;
        size_t good = load.done - load.failed;
        getrusage(RUSAGE_SELF, &usage);
        qsort(load.latencies, good, sizeof *load.latencies, compare);
        double cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
                     (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
        printf("{\"requests\": %zu, \"failed\": %zu, \"not_2xx\": %zu, \"seconds\": %.3f, "
               "\"cpu_us\": %.0f, \"p50_ns\": %lu, \"p90_ns\": %lu, \"p99_ns\": %lu, "
               "\"p999_ns\": %lu, \"max_ns\": %lu}\n",
               load.done, load.failed, load.statuses, seconds, cpu, part(good, 500),
               part(good, 900), part(good, 990), part(good, 999), part(good, 1000));
}

static void run(double seconds)
{
        struct epoll_event events[EVENTS];
        load.begin = now() + SECOND / 100;
        uint64_t give_up = load.begin + (uint64_t)((seconds + 5) * 1e9);
        while (load.done < load.planned && now() < give_up) {
                uint64_t rest = start_due();
                struct timespec wait = {(time_t)(rest / SECOND), (long)(rest % SECOND)};
                int count = epoll_pwait2(load.epoll, events, EVENTS, &wait, NULL);
                for (int i = 0; i < count; i++)
                        on_data(events[i].data.ptr);
        }
        load.failed += load.planned - load.done;
        load.done = load.planned;
        report((double)(now() - load.begin) / 1e9);
}

static void add_text(const char *text)
{
        size_t len = strlen(text);
        if (len >= REQUEST_MAX - load.request_len)
                exit(64);
        memcpy(load.request + load.request_len, text, len);
        load.request_len += len;
}

int main(int argc, char **argv)
{
        if (argc < 6) {
                fprintf(stderr, "load PORT PATH RATE SECONDS CONNECTIONS [HEADER…]\n");
                return 64;
        }
        double rate = strtod(argv[3], NULL), seconds = strtod(argv[4], NULL);
        load.target = (struct sockaddr_in){.sin_family = AF_INET};
        load.target.sin_port = htons((uint16_t)strtol(argv[1], NULL, 10));
        load.target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        add_text("GET ");
        add_text(argv[2]);
        add_text(" HTTP/1.1\r\nHost: bench.test\r\n");
        for (int i = 6; i < argc; i++) {
                add_text(argv[i]);
                add_text("\r\n");
        }
        add_text("\r\n");
        load.conn_count = (int)strtol(argv[5], NULL, 10);
        load.planned = (size_t)(rate * seconds);
        load.gap = (uint64_t)(1e9 / rate);
        load.latencies = calloc(load.planned + 1, sizeof *load.latencies);
        load.conns = calloc((size_t)load.conn_count, sizeof *load.conns);
        load.epoll = epoll_create1(0);
        if (load.latencies == NULL || load.conns == NULL || load.epoll < 0)
                return 71;
        for (int i = 0; i < load.conn_count; i++)
                open_conn(&load.conns[i]);
        run(seconds);
        return 0;
}
