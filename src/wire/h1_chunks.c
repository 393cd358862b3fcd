/* h1_chunks.c -- the reader of chunked bodies (RFC 9112 7.1): one step per byte of a chunk line,
 * whole runs of data. Extensions are read by their grammar, counted, and given to nobody. Blanks
 * around them, which the RFC calls bad, are refused: no client sends them, and readers differ on
 * them. */
#include "wire/h1.h"

enum step {
        STEP_SIZE,      /* in the digits */
        STEP_NAME,      /* first character of an extension's name */
        STEP_NAME_MORE, /* the others */
        STEP_VALUE,     /* first character of an extension's value */
        STEP_TOKEN,     /* in a value that is a token */
        STEP_QUOTED,    /* in a value that is a quoted string */
        STEP_ESCAPED,   /* behind a backslash in it */
        STEP_UNQUOTED,  /* behind it */
        STEP_LINE_LF,   /* behind the CR of the chunk line */
        STEP_DATA,      /* in the data */
        STEP_DATA_LF,   /* behind the CR of the data */
        STEP_DONE,
        STEP_BAD,
};

enum { DIGITS_MAX = 16 };

void h1_chunks_begin(struct h1_chunks *chunks, uint32_t extensions_max)
{
        *chunks = (struct h1_chunks){.extensions_max = extensions_max};
}

static bool is_token_char(char c)
{
        return name_run(str_from(&c, 1)) == 1;
}

/* What may follow an extension's name or value, resp. the size. */
static enum step step_between(char c)
{
        return c == ';' ? STEP_NAME : c == '\r' ? STEP_LINE_LF : STEP_BAD;
}

static enum step read_size(struct h1_chunks *chunks, char c)
{
        int digit = char_hex(c);
        if (digit < 0)
                return chunks->digits == 0 ? STEP_BAD : step_between(c);
        if (chunks->digits == DIGITS_MAX)
                return STEP_BAD;
        chunks->digits++;
        chunks->left = chunks->left << 4 | (unsigned)digit;
        return chunks->left > INT64_MAX ? STEP_BAD : STEP_SIZE;
}

/* One byte of an extension. */
static enum step read_extension(enum step step, char c)
{
        switch (step) {
        case STEP_NAME:
                return is_token_char(c) ? STEP_NAME_MORE : STEP_BAD;
        case STEP_NAME_MORE:
                if (is_token_char(c))
                        return STEP_NAME_MORE;
                return c == '=' ? STEP_VALUE : step_between(c);
        case STEP_VALUE:
                if (c == '"')
                        return STEP_QUOTED;
                return is_token_char(c) ? STEP_TOKEN : STEP_BAD;
        case STEP_TOKEN:
                return is_token_char(c) ? STEP_TOKEN : step_between(c);
        case STEP_QUOTED:
                if (c == '"')
                        return STEP_UNQUOTED;
                if (c == '\\')
                        return STEP_ESCAPED;
                return value_is_safe(str_from(&c, 1)) ? STEP_QUOTED : STEP_BAD;
        case STEP_ESCAPED:
                return value_is_safe(str_from(&c, 1)) ? STEP_QUOTED : STEP_BAD;
        default:
                return step_between(c);
        }
}

/* The chunk line is whole. */
static enum step begin_data(struct h1_chunks *chunks)
{
        chunks->is_first_read = true;
        chunks->digits = 0;
        return chunks->left == 0 ? STEP_DONE : STEP_DATA;
}

/* One byte that is not data. */
static enum step read_byte(struct h1_chunks *chunks, char c)
{
        enum step step = chunks->step;
        switch (step) {
        case STEP_SIZE:
                return read_size(chunks, c);
        case STEP_LINE_LF:
                return c == '\n' ? begin_data(chunks) : STEP_BAD;
        case STEP_DATA:
                return c == '\r' ? STEP_DATA_LF : STEP_BAD;
        case STEP_DATA_LF:
                return c == '\n' ? STEP_SIZE : STEP_BAD;
        default:
                if (chunks->extensions++ == chunks->extensions_max)
                        return STEP_BAD;
                return read_extension(step, c);
        }
}

enum h1_state h1_chunks_read(struct h1_chunks *chunks, struct str in, size_t *ret_used,
                             struct str *ret_data)
{
        size_t at = 0;
        *ret_data = (struct str){in.ptr, 0};
        while (chunks->step != STEP_DONE && chunks->step != STEP_BAD && at < in.len) {
                if (chunks->step == STEP_DATA && chunks->left > 0) {
                        *ret_data = str_first(str_skip(in, at), chunks->left);
                        chunks->left -= ret_data->len;
                        at += ret_data->len;
                        break;
                }
                chunks->step = (uint8_t)read_byte(chunks, in.ptr[at++]);
        }
        *ret_used = at;
        if (chunks->step == STEP_BAD)
                return H1_BAD;
        return chunks->step == STEP_DONE ? H1_DONE : H1_MORE;
}
