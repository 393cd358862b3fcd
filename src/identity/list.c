/* list.c -- makes the table of proofs of list.def. */
#include "identity/list.h"

static const struct proof *const proofs[] = {
#define PROOF(name) &proof_##name,
#include "identity/list.def"
#undef PROOF
};

const struct proofs proof_list = {proofs, countof(proofs)};
