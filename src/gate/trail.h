/* trail.h -- the steps that an exchange took, and the same as text. Most exchanges take the steps
 * of the one before them: a worker keeps the text of that one. */
#pragma once

#include "base/base.h"

enum { TRAIL_MAX = 48, TRAIL_TEXT_MAX = 512 };

struct trail {
        uint8_t len;
        uint8_t at[TRAIL_MAX]; /* of enum step */
};

/* What a text is of, and the text. */
struct trail_text {
        uint64_t snapshot; /* its number; 0: there is no text yet */
        const void *route;
        struct trail trail;
        uint16_t asked; /* policies that were */
        uint16_t len;
        char text[TRAIL_TEXT_MAX];
};
