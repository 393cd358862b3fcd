/* base64.h -- RFC 4648, strictly: the standard alphabet always padded, the one for URLs never; no
 * blanks, no line breaks, no bits left over that are not zero, so that there is one text per value.
 */
#pragma once

#include "base/str.h"

enum base64 { BASE64_STD, BASE64_URL };

void base64_write(enum base64 kind, struct str bytes, struct text *out);

/* ERR_syntax; ERR_limit when `out` is too small. Nothing useful is in `out` after either. */
must_use enum err base64_read(enum base64 kind, struct str s, struct text *out);
