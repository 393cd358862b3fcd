/* sni.h -- the name in a TLS server_name extension (RFC 6066 3): which certificate a caller wants
 * is decided by it, before anything of the handshake has been answered. A pure function; what
 * follows from a malformed one is for the TLS library to say. */
#pragma once

#include "base/str.h"

enum { SNI_NAME_MAX = 255 };

/* The host name of the extension's content, in lower case and without a dot at its end, in memory
 * of the caller. ERR_missing: it has none that a certificate could be for; ERR_syntax. */
must_use enum err sni_read(struct str content, char memory[SNI_NAME_MAX], struct str *ret_name);
