/* accept.h -- how much a caller wants a media type (RFC 9110 12.5.1). */
#pragma once

#include "wire/fields.h"

enum { QUALITY_FULL = 1000 };

/* Quality of `type` ("text/html") in thousandths, by the most specific range of Accept that covers
 * it; 0: not wanted. Without Accept everything is wanted alike. Members that are not well formed
 * count as absent. */
unsigned accept_quality(const struct fields *fields, struct str type);

/* The same for a range that names the type itself, wildcards left aside. */
unsigned accept_quality_named(const struct fields *fields, struct str type);
