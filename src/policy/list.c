/* list.c -- makes the table of policies of list.def. */
#include "policy/list.h"

static const struct policy *const policies[] = {
#define POLICY(name) &policy_##name,
#include "policy/list.def"
#undef POLICY
};

#define POLICY(name) extern const struct shape shape_##name;
#include "policy/list.def"
#undef POLICY

static const struct shape *const shapes[] = {
#define POLICY(name) &shape_##name,
#include "policy/list.def"
#undef POLICY
};

const struct policies policy_list = {policies, shapes, countof(policies)};
