/* embedded.h -- files of examples/ that the binary carries; made by tools/embed.py in the build. */
#pragma once

#include "base/str.h"

extern const struct str quickstart_yaml; /* examples/quickstart/gateway.yaml */
