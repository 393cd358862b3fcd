/* list.h -- the table of policies, for main to hand down to gate. */
#pragma once

#include "gate/policy.h"

#define POLICY(name) extern const struct policy policy_##name;
#include "policy/list.def"
#undef POLICY

extern const struct policies policy_list;
