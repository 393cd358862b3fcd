/* reason.c -- the table behind reason.h. */
#include "http/reason.h"

static const struct {
        struct str token, text;
        uint16_t status;
        enum whose whose;
} reasons[] = {
#define REASON(name, token, status, whose, text)                                                   \
        {{token, sizeof(token) - 1}, {text, sizeof(text) - 1}, status, WHOSE_##whose},
#include "http/reason.def"
#undef REASON
};

struct str reason_token(enum reason reason)
{
        return reasons[reason].token;
}

struct str reason_text(enum reason reason)
{
        return reasons[reason].text;
}

uint16_t reason_status(enum reason reason)
{
        return reasons[reason].status;
}

enum whose reason_whose(enum reason reason)
{
        return reasons[reason].whose;
}
