/* list.h -- the table of proofs, for main to hand down to gate. */
#pragma once

#include "gate/policy.h"

#define PROOF(name) extern const struct proof proof_##name;
#include "identity/list.def"
#undef PROOF

extern const struct proofs proof_list;
