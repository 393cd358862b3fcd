/* speed.c -- prints what the readers of this room cost; asserts nothing. Run by hand:
 * build/release/test/unit/speed_wire */
#include <stdio.h>
#include <time.h>

#include "wire/h1.h"
#include "wire/target.h"

enum { ROUNDS = 1000, TRIES = 400 }; /* the best of many short runs: others use this machine too */

static const struct h1_limits limits = {8192, 8192, 32768, 128};

static const struct str wrk = S_INIT(
        "GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nX-API-Key: key-12\r\n\r\n");

static const struct str browser = S_INIT(
        "GET /catalog/items/12345?sort=price&page=2 HTTP/1.1\r\n"
        "Host: shop.example.com\r\n"
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
        "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
        "Accept-Language: en-US,en;q=0.5\r\n"
        "Accept-Encoding: gzip, deflate, br, zstd\r\n"
        "Referer: https://shop.example.com/catalog\r\n"
        "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n"
        "X-Trace-Thing: 1\r\n"
        "Cache-Control: no-cache\r\n"
        "Connection: keep-alive\r\n\r\n");

static const struct str answer = S_INIT("HTTP/1.1 200 OK\r\n"
                                        "Server: nginx/1.22.1\r\n"
                                        "Date: Fri, 20 Nov 2026 10:00:00 GMT\r\n"
                                        "Content-Type: application/json\r\n"
                                        "Content-Length: 100\r\n"
                                        "Connection: keep-alive\r\n\r\n");

static double now_ns(void)
{
        struct timespec t;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
        return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* What one call of `once` costs at best. */
static double measure(void (*once)(struct str input, void *arg), struct str input, void *arg)
{
        double best = 1e9;
        for (int try = 0; try < TRIES; try++) {
                double start = now_ns();
                for (int i = 0; i < ROUNDS; i++)
                        once(input, arg);
                double each = (now_ns() - start) / (double)ROUNDS;
                best = each < best ? each : best;
        }
        return best;
}

static void read_once(struct str bytes, void *arg)
{
        static struct h1_field fields[128];
        struct h1_head h;
        size_t used = 0;
        h1_begin(&h, *(enum h1_kind *)arg, &limits, fields);
        if (h1_read(&h, bytes, &used) != H1_DONE)
                printf("refused\n");
}

static void head(const char *name, enum h1_kind kind, struct str bytes)
{
        printf("%-44s %4zu B %6.1f ns\n", name, bytes.len, measure(read_once, bytes, &kind));
}

static void find_once(struct str text, void *arg)
{
        *(volatile unsigned *)arg += name_find(text);
}

static void origin_once(struct str text, void *arg)
{
        *(volatile unsigned *)arg += name_is_origin(text);
}

static void names(void)
{
        struct str text[] = {S("Host"), S("user-agent"), S("Accept-Encoding"), S("X-Trace-Thing"),
                             S("Access-Control-Request-Headers")};
        unsigned sink = 0;
        for (size_t n = 0; n < countof(text); n++)
                printf("name_find %-41s %6.1f ns\n", text[n].ptr,
                       measure(find_once, text[n], &sink));
        printf("name_is_origin %-36s %6.1f ns\n", text[3].ptr,
               measure(origin_once, text[3], &sink));
}

static void target_once(struct str raw, void *arg)
{
        struct arena *arena = arg;
        struct target target;
        if (target_read(raw, arena, &target) != TARGET_OK)
                printf("refused\n");
        if (arena->used > 1 << 16) {
                arena_fini(arena);
                arena_init(arena, NULL, 1 << 20);
        }
}

static void targets(void)
{
        struct str raw[] = {S("/"), S("/catalog/items/12345?sort=price&page=2"), S("/a/%2e%2E/b")};
        struct arena arena;
        arena_init(&arena, NULL, 1 << 20);
        for (size_t n = 0; n < countof(raw); n++)
                printf("target %-44s %6.1f ns\n", raw[n].ptr, measure(target_once, raw[n], &arena));
        arena_fini(&arena);
}

int main(void)
{
        head("request like wrk's", H1_REQUEST, wrk);
        head("request like a browser's", H1_REQUEST, browser);
        head("response", H1_RESPONSE, answer);
        names();
        targets();
        return 0;
}
