/* fault_int.h -- what fault.c and fault_write.c share. */
#pragma once

#include "schema/fault.h"

/* True when that byte of a source belongs to a secret. */
bool sources_is_hidden(struct sources *sources, uint16_t source, size_t at);
