/* gateway_gate.h -- the gate of the simulated gateway, for those parts that look into it. */
#pragma once

#include "gateway.h"

extern const struct policy policy_probe;

extern struct worker worker;
extern struct gate gate;

/* The site: the gateway's own, watched. */
extern const struct site watched_site;
