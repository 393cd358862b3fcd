/* settings.h -- declared settings as pages: of a policy, of a kind of thing, of the whole
 * configuration. */
#pragma once

#include "cmd/sheet.h"
#include "gate/policy.h"

/* The sentence of a shape and the table of its settings. */
void settings_write(struct sheet *sheet, const struct shape *shape);

/* That, and the same of every part, each under a heading. */
void settings_write_all(struct sheet *sheet, const struct shape *shape);

/* A policy: where it stands, its settings, its examples. */
void settings_write_policy(struct sheet *sheet, const struct policy *policy);
