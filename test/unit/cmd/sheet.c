/* sheet.c -- one page in three forms. */
#include "cmd/sheet.h"
#include "base/arena.h"

#include "../unit.h"

static char memory[8192];
static struct text out;

static struct sheet sheet_of(enum sheet_style style)
{
        out = text_over(memory, sizeof memory);
        return (struct sheet){.style = style, .width = 40, .out = &out};
}

static bool has(const char *what)
{
        return str_find_str(text_str(&out), str_of(what)) >= 0;
}

static void roff_has_no_request_that_nobody_meant(void **state)
{
        (void)state;
        struct sheet sheet = sheet_of(SHEET_ROFF);
        sheet_text(&sheet, S(".so /etc/passwd"));
        sheet_text(&sheet, S("a back\\slash, a da-sh and `code`"));
        sheet_code(&sheet, S("'quoted\n.TH\n\\fB"));
        assert_true(has("\n\\&.so /etc/passwd\n"));
        assert_true(has("back\\eslash, a da\\-sh and \\fBcode\\fR"));
        assert_true(has("\n\\&'quoted\n\\&.TH\n\\efB\n"));
}

static void text_stays_within_its_width(void **state)
{
        (void)state;
        struct sheet sheet = sheet_of(SHEET_TEXT);
        sheet_text(&sheet, S("Words that are many and go on and on, so that they must be broken "
                             "into lines of which none is too wide — whatever stands in them."));
        sheet_item(&sheet, S("--flag"), S("What it does, told in more words than fit there."));
        for (struct str rest = text_str(&out); rest.len > 0;) {
                struct str line = str_cut(&rest, '\n');
                size_t width = 0;
                for (size_t i = 0; i < line.len; i++)
                        width += (line.ptr[i] & 0xc0) != 0x80;
                assert_true(width <= 40);
                assert_false(str_ends(line, S(" ")));
        }
}

static void a_cell_does_not_end_its_row(void **state)
{
        (void)state;
        static const char *const heads[] = {"key", "value", "meaning", NULL};
        const struct str cells[] = {S("a"), S("b|c"), S("line\nend")};
        struct sheet sheet = sheet_of(SHEET_MARKDOWN);
        sheet_table(&sheet, heads);
        sheet_row(&sheet, cells);
        assert_true(has("| `a` | b\\|c | line end |\n"));
        sheet = sheet_of(SHEET_TEXT);
        sheet_table(&sheet, heads);
        sheet_row(&sheet, cells);
        assert_true(has("Value: b|c."));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(roff_has_no_request_that_nobody_meant),
                cmocka_unit_test(text_stays_within_its_width),
                cmocka_unit_test(a_cell_does_not_end_its_row),
        };
        return cmocka_run_group_tests_name("sheet", tests, NULL, NULL);
}
