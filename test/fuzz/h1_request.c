/* h1_request.c -- heads of requests, and trailer sections. */
#include "h1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct reading whole, again;
        char memory[4096];
        struct text text = text_over(memory, sizeof memory);
        if (size == 0 || size > 2048)
                return 0;
        struct str bytes = fuzz_input(data + 1, size - 1);
        if (data[0] >= 0xf0) {
                fuzz_head(&whole, H1_TRAILER, bytes, data[0]);
                return 0;
        }
        fuzz_head(&whole, H1_REQUEST, bytes, data[0]);
        if (whole.state != H1_DONE)
                return 0;
        struct str method = h1_str(bytes, whole.head.method);
        struct str target = h1_str(bytes, whole.head.target);
        if (whole.head.version == 11)
                h1_put_request_line(&text, method, target);
        else
                text_format(&text, STR_FMT " " STR_FMT " HTTP/1.0\r\n", STR_ARG(method),
                            STR_ARG(target));
        put_fields(&text, &whole, bytes);
        CHECK(!text.is_cut);
        read_again(&again, H1_REQUEST, text_str(&text));
        check_same(&whole, bytes, &again, text_str(&text));
        CHECK(again.used == text.len);
        CHECK(!(whole.head.is_chunked && whole.head.has_length));
        return 0;
}
