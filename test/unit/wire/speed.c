/* speed.c -- prints what the readers of this room cost; asserts nothing. Run by hand:
 * build/release/test/unit/speed_wire */
#include <stdio.h>
#include <time.h>

#include "wire/h1.h"

enum { ROUNDS = 300000, TRIES = 7 };

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
        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void head(const char *name, enum h1_kind kind, struct str bytes)
{
        struct h1_field fields[128];
        double best = 1e9;
        for (int try = 0; try < TRIES; try++) {
                double start = now_ns();
                for (int i = 0; i < ROUNDS; i++) {
                        struct h1_head h;
                        size_t used = 0;
                        h1_begin(&h, kind, &limits, fields);
                        if (h1_read(&h, bytes, &used) != H1_DONE)
                                printf("refused\n");
                }
                double each = (now_ns() - start) / (double)ROUNDS;
                best = each < best ? each : best;
        }
        printf("%-28s %4zu B %7.1f ns\n", name, bytes.len, best);
}

static void names(void)
{
        struct str text[] = {S("Host"), S("user-agent"), S("Accept-Encoding"), S("X-Trace-Thing"),
                             S("Access-Control-Request-Headers")};
        for (size_t n = 0; n < countof(text); n++) {
                volatile unsigned sink = 0;
                double start = now_ns();
                for (int i = 0; i < ROUNDS; i++)
                        sink += name_find(text[n]);
                printf("name_find %-30s %5.1f ns\n", text[n].ptr,
                       (now_ns() - start) / (double)ROUNDS);
        }
}

int main(void)
{
        head("request like wrk's", H1_REQUEST, wrk);
        head("request like a browser's", H1_REQUEST, browser);
        head("response", H1_RESPONSE, answer);
        names();
        return 0;
}
