/* topic.h -- what there is help on beside commands: complaints about the configuration, policies,
 * kinds of things, reasons, and pages such as exit codes. */
#pragma once

#include "cmd/sheet.h"

/* Writes the page of a topic: "E104", "rate_limit", "rate-limited", "exit-codes". False: there is
 * none of that name. */
bool topic_write(struct str name, struct sheet *sheet);

void topic_write_list(struct sheet *sheet);

/* The topic that was probably meant; empty when none is near. */
struct str topic_nearest(struct str name);
