/* effective.h -- the configuration with everything that holds although nobody wrote it: presets,
 * the listener that is there without any, limits that a listener has from the top, paths of APIs.
 * What was included is in it. Each value keeps its origin; secrets are marked. */
#pragma once

#include "gate/bundle.h"

/* Of a good bundle; lies in its arena. */
const struct json *effective_make(struct bundle *bundle);
