/* line.c -- records whose texts are the input, in every style of line: always one line of
 * characters that no terminal obeys; as JSON a document. */
#include "record/line.h"

#include "fuzz.h"
#include "wire/json.h"

static char memory[LINE_SIZE_MAX];

static void check_line(struct str line, bool is_ascii)
{
        CHECK(str_ends(line, S("\n")));
        for (size_t i = 0; i + 1 < line.len;) {
                size_t len = str_utf8(line, i);
                unsigned char c = (unsigned char)line.ptr[i];
                CHECK(len > 0 && c >= 0x20 && c != 0x7f && (len == 1 || !is_ascii));
                CHECK(len != 2 || c != 0xc2 || (unsigned char)line.ptr[i + 1] >= 0xa0);
                i += len;
        }
}

static void check_json(struct str line)
{
        struct arena arena;
        const struct json *root;
        struct json_trouble trouble;
        arena_init(&arena, NULL, 1 << 22);
        CHECK(json_read(line, NULL, &arena, &root, &trouble) == ERR_ok);
        CHECK(json_is(json_get(root, S("attributes")), JSON_OBJECT));
        arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct record record = {.reason = REASON_done};
        if (size < 4 || size > 16384)
                return 0;
        record.reason = (enum reason)(data[0] % REASON_COUNT);
        record.status = (uint16_t)(data[1] * 4);
        record.request.version = data[2];
        struct str text = fuzz_copy(fuzz_input(data + 3, size - 3)), rest = text;
#define TEXT(member, max) record.member = str_first(str_cut(&rest, '\n'), max);
        RECORD_TEXTS(TEXT)
#undef TEXT
        for (int style = LINE_JSON; style <= LINE_CLF; style++) {
                struct line_look look = {.style = (enum line_style)style};
                struct text out = text_over(memory, sizeof memory);
                line_put(&out, &look, &record);
                CHECK(!out.is_cut);
                check_line(text_str(&out), style == LINE_CLF);
                if (style == LINE_JSON)
                        check_json(text_str(&out));
        }
        fuzz_free(text);
        return 0;
}
