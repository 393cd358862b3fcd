/* changes_int.h -- what changes.c (what is written) and changes_meant.c (what it means) share. */
#pragma once

#include "base/map.h"
#include "cmd/changes.h"

void change_add(struct changes *changes, const struct change *change);
void changes_order(struct changes *changes);

/* A value in a few words: what somebody wrote of it, without secrets. */
struct str brief_value(struct arena *arena, const struct json *node);
