/* h1_response.c -- heads of responses. */
#include "h1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct reading whole, again;
        char memory[4096];
        struct text text = text_over(memory, sizeof memory);
        if (size == 0 || size > 2048)
                return 0;
        struct str bytes = fuzz_input(data + 1, size - 1);
        fuzz_head(&whole, H1_RESPONSE, bytes, data[0]);
        if (whole.state != H1_DONE)
                return 0;
        text_format(&text, "HTTP/1.%c %u ", whole.head.version == 11 ? '1' : '0',
                    whole.head.status);
        text_put(&text, h1_str(bytes, whole.head.phrase));
        text_put(&text, S("\r\n"));
        put_fields(&text, &whole, bytes);
        CHECK(!text.is_cut);
        read_again(&again, H1_RESPONSE, text_str(&text));
        check_same(&whole, bytes, &again, text_str(&text));
        bool is_reusable;
        enum h1_body body = h1_response_body(&whole.head, (data[0] & 1) != 0, &is_reusable);
        CHECK(body != H1_BODY_CLOSE || !is_reusable);
        CHECK(body != H1_BODY_LENGTH || (whole.head.has_length && !whole.head.is_chunked));
        return 0;
}
