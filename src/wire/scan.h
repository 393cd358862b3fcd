/* scan.h -- how far a run of good characters goes: tokens, field values, targets. What the readers
 * of this room spend their time in, hence sixteen bytes at a time and inline. Each looks at nothing
 * behind the end of its text. */
#pragma once

#include "base/str.h"

/* tchar of RFC 9110 5.6.2 */
extern const bool scan_token_chars[256];

/* How many characters at the start may stand in a token. */
static inline size_t name_run(struct str text)
{
        size_t i = 0;
        while (i < text.len && scan_token_chars[(uint8_t)text.ptr[i]])
                i++;
        return i;
}

/* How many at the start may stand in a field value: all but controls other than HTAB. */
static always_inline size_t value_run(struct str text)
{
        size_t i = 0;
        for (; text.len - i >= 16; i += 16) {
                bytes16 v = bytes16_load(text.ptr + i);
                uint32_t stop = bytes16_mask((bytes16)(((v < 0x20) & (v != '\t')) | (v == 0x7f)));
                if (stop != 0)
                        return i + lowest_bit(stop);
        }
        for (; i < text.len; i++) { /* fewer than sixteen are left */
                uint8_t c = (uint8_t)text.ptr[i];
                if ((c < 0x20 && c != '\t') || c == 0x7f)
                        break;
        }
        return i;
}

/* How many at the start are visible ASCII: what a target is made of. */
static always_inline size_t target_run(struct str text)
{
        size_t i = 0;
        for (; text.len - i >= 16; i += 16) {
                bytes16 v = bytes16_load(text.ptr + i);
                uint32_t stop = bytes16_mask((bytes16)((v < 0x21) | (v > 0x7e)));
                if (stop != 0)
                        return i + lowest_bit(stop);
        }
        while (i < text.len && text.ptr[i] > 0x20 && text.ptr[i] < 0x7f)
                i++;
        return i;
}
