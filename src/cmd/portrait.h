/* portrait.h -- a configuration as a page for people: which doors there are, what is offered behind
 * them, who may call, and how often. In Markdown, without secrets. */
#pragma once

#include "gate/snapshot.h"

void portrait_write(const struct snapshot *snapshot, struct arena *arena, struct text *out);
