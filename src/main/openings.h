/* openings.h -- the addresses a gate listens on: bound by its keeper, accepted on by its workers.
 */
#pragma once

#include "main/steward.h"

/* Binds what the configuration listens on; complaints go to stderr. An exit code, 0 when all is
 * bound. What is bound already and still wanted stays as it is. */
int openings_bind(struct steward *steward, const struct config *config);

/* Binds one host and port; `why` says what is in the way. */
must_use enum err openings_bind_host(struct steward *steward, struct str name,
                                     const struct host_port *host_port, struct text *why);

/* Lets the workers accept on what is new, and shuts what is no longer wanted. */
void openings_enter(struct steward *steward);

/* The workers accept no more. Without other holders of the sockets callers are refused from here
 * on, instead of waiting for somebody who never comes. */
void openings_close(struct steward *steward);
