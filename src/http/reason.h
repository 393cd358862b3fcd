/* reason.h -- why something ended as it did: one list for problem codes, log tokens and metric
 * labels. */
#pragma once

#include "base/str.h"

enum reason {
#define REASON(name, token, status, whose, text) REASON_##name,
#include "http/reason.def"
#undef REASON
        REASON_COUNT
};

enum whose { WHOSE_NOBODY, WHOSE_CALLER, WHOSE_UPSTREAM, WHOSE_GATE };

struct str reason_token(enum reason reason); /* e.g. "upstream-timeout" */
struct str reason_text(enum reason reason);  /* one sentence for the caller */
uint16_t reason_status(enum reason reason);  /* 0: no answer */
enum whose reason_whose(enum reason reason); /* whose fault it is */
