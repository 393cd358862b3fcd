/* unit.c -- quantities, dates, base64: what is written is read as the same. */
#include "wire/unit.h"

#include "fuzz.h"
#include "wire/base64.h"
#include "wire/date.h"

enum { INPUT_MAX = 256 };

#define CHECK_NUMBER(s, read, write)                                                               \
        do {                                                                                       \
                int64_t value, again;                                                              \
                char memory[128];                                                                  \
                struct text text = text_over(memory, sizeof memory);                               \
                if (read(s, &value) == ERR_ok) {                                                   \
                        write(value, &text);                                                       \
                        CHECK(!text.is_cut && read(text_str(&text), &again) == ERR_ok);            \
                        CHECK(value == again);                                                     \
                }                                                                                  \
        } while (0)

static void check_rate(struct str s)
{
        struct rate rate, again;
        char memory[INPUT_MAX + 64];
        struct text text = text_over(memory, sizeof memory);
        if (rate_read(s, &rate) != ERR_ok)
                return;
        rate_write(&rate, &text);
        CHECK(!text.is_cut && rate_read(text_str(&text), &again) == ERR_ok);
        CHECK(rate.count == again.count && rate.period_ns == again.period_ns);
        CHECK(rate.by == again.by && str_eq(rate.name, again.name));
}

static void check_base64(struct str s, enum base64 kind)
{
        char memory[INPUT_MAX * 2], back[INPUT_MAX * 2];
        struct text bytes = text_over(memory, sizeof memory);
        struct text text = text_over(back, sizeof back);
        if (base64_read(kind, s, &bytes) != ERR_ok)
                return;
        base64_write(kind, text_str(&bytes), &text);
        CHECK(str_eq(text_str(&text), s));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct host_port host_port;
        struct url url;
        if (size > INPUT_MAX)
                return 0;
        struct str s = fuzz_copy(fuzz_input(data, size));
        CHECK_NUMBER(s, duration_read, duration_write);
        CHECK_NUMBER(s, size_read, size_write);
        CHECK_NUMBER(s, share_read, share_write);
        CHECK_NUMBER(s, date_read_http, date_write_http);
        check_rate(s);
        check_base64(s, BASE64_STD);
        check_base64(s, BASE64_URL);
        if (host_port_read(s, &host_port) == ERR_ok)
                CHECK(host_port.port >= 0 && host_port.port <= 65535);
        if (url_read(s, &url) == ERR_ok)
                CHECK(url.host.len > 0 && url.port > 0 && url.port <= 65535);
        int64_t ms;
        if (date_read_rfc3339(s, &ms) == ERR_ok)
                CHECK(ms > INT64_MIN / 2);
        fuzz_free(s);
        return 0;
}
