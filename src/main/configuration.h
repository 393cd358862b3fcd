/* configuration.h -- the configuration of a running gate: the first one, every later one, the last
 * good one. On the steward's thread. */
#pragma once

#include "identity/list.h"
#include "main/keepsake.h"
#include "main/steward.h"
#include "policy/list.h"

/* The first configuration: NULL after the complaints were written to stderr and *ret_code was set.
 */
struct bundle *configuration_first(struct steward *steward, int *ret_code);

/* Compiles it for this gate: NULL after the complaints were written and *ret_code was set. */
struct snapshot *configuration_compile(struct steward *steward, struct bundle *bundle,
                                       int *ret_code);

/* Makes a compiled configuration the one in force. */
void configuration_publish(struct steward *steward, struct snapshot *snapshot);

/* Reads the configuration anew; a bad one changes nothing but reload.text. */
void configuration_reload(struct steward *steward);

/* It serves now. The first one of a gate is kept at once, a later one when it has proved good. */
void configuration_serves(struct steward *steward);

/* To be called now and then: keeps what is in force as the last good one when its time has come. */
void configuration_prove(struct steward *steward);

/* A file of those that were read last has changed: a certificate or key, or with --watch any. */
bool configuration_is_stale(struct steward *steward);
