/* h1_chunks.c -- chunked bodies: the same data whatever the cuts, and the same again when the data
 * is chunked anew. */
#include "fuzz.h"
#include "wire/h1.h"

enum { EXTENSIONS_MAX = 64, SIZE_MAX_IN = 4096 };

struct reading {
        enum h1_state state;
        size_t used, len;
        bool is_first_read;
        char data[SIZE_MAX_IN];
};

static void read_all(struct reading *r, struct str bytes, size_t piece)
{
        struct h1_chunks chunks;
        h1_chunks_begin(&chunks, EXTENSIONS_MAX);
        *r = (struct reading){.state = H1_MORE};
        size_t have = 0;
        while (r->state == H1_MORE && r->used < bytes.len) {
                if (have == 0)
                        have = size_min(piece, bytes.len - r->used);
                struct str copy = fuzz_copy(str_first(str_skip(bytes, r->used), have)), data;
                size_t used;
                r->state = h1_chunks_read(&chunks, copy, &used, &data);
                CHECK(used <= copy.len && (used > 0 || r->state != H1_MORE));
                CHECK(data.len <= used);
                if (data.len > 0) {
                        CHECK(data.ptr >= copy.ptr && data.ptr + data.len <= copy.ptr + used);
                        memcpy(r->data + r->len, data.ptr, data.len);
                }
                r->len += data.len;
                r->used += used;
                have -= used;
                fuzz_free(copy);
        }
        r->is_first_read = chunks.is_first_read;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static struct reading whole, cut, again;
        if (size == 0 || size > SIZE_MAX_IN)
                return 0;
        struct str bytes = fuzz_input(data + 1, size - 1);
        read_all(&whole, bytes, size);
        read_all(&cut, bytes, 1 + data[0] % 16u);
        CHECK(whole.state == cut.state && whole.is_first_read == cut.is_first_read);
        CHECK(whole.len == cut.len && memcmp(whole.data, cut.data, whole.len) == 0);
        if (whole.state != H1_DONE)
                return 0;
        CHECK(whole.used == cut.used && whole.is_first_read);
        CHECK(whole.used >= 3 && memcmp(bytes.ptr + whole.used - 2, "\r\n", 2) == 0);
        char memory[SIZE_MAX_IN + 64];
        struct text text = text_over(memory, sizeof memory);
        if (whole.len > 0) {
                h1_put_chunk_size(&text, whole.len);
                text_put(&text, str_from(whole.data, whole.len));
                text_put(&text, S("\r\n"));
        }
        h1_put_chunk_size(&text, 0);
        read_all(&again, text_str(&text), text.len);
        CHECK(again.state == H1_DONE && again.used == text.len && again.len == whole.len);
        CHECK(memcmp(whole.data, again.data, whole.len) == 0);
        return 0;
}
