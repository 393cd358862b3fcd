/* target.h -- what a request asks for: request-target, authority, path, query. One normalised path
 * is made here, once, and is used by everything behind: routing, policies, limits, logs,
 * forwarding. Normalising twice gives the same. Rules and answers: security.md G, d.3. Pure
 * functions. */
#pragma once

#include "base/arena.h"
#include "base/str.h"

enum target_fault {
        TARGET_OK,
        TARGET_BAD,           /* 400 */
        TARGET_ESCAPED_SLASH, /* 400 unless the route keeps them */
};

struct target {
        struct str path;      /* normalised, begins with '/'; "*" for OPTIONS * */
        struct str query;     /* raw, without '?'; NULL ptr: no '?' was there */
        struct str authority; /* of an absolute-form target; NULL ptr: origin-form */
        bool is_asterisk;
        bool has_escapes; /* any of % ; \ . or upper case in path: the loose reading may differ */
};

/* Reads a request-target (origin-form, absolute-form with http or https, asterisk-form). Where the
 * path is normal already, path is a view into raw; else it lies in the arena. On
 * TARGET_ESCAPED_SLASH the target is set too, for the route that keeps such slashes. */
enum target_fault target_read(struct str raw, struct arena *arena, struct target *ret_target);

/* Normalises a path: dot segments resolved, `//` merged, unreserved escapes decoded, escapes in
 * upper case, characters that no path may hold escaped. TARGET_BAD: bad escapes, controls, bytes
 * over 0x7e, a backslash, a climb above the root, `.`/`..` hidden by `;…` or between escaped
 * slashes. On TARGET_ESCAPED_SLASH the path is set too. */
enum target_fault path_normalise(struct str raw, struct arena *arena, struct str *ret_path);

/* True when path_loose may read this path otherwise. */
bool path_may_be_loose(struct str path);

/* The path as the loosest back end might read it (security.md row 145): fully decoded, `;…` cut
 * from segments, backslash = slash, cut at a decoded ? # or control byte, trailing dots and spaces
 * of a segment dropped, lower case, dots resolved again. */
struct str path_loose(struct str path, struct arena *arena);

/* Canonical host without its port: lower case, one trailing dot removed, IPv6 in brackets in its
 * shortest form. *ret_port is the port written, or `default_port`. ERR_syntax for anything that is
 * no host (security.md rows 61, 66). A view into raw where that is canonical already. */
must_use enum err host_normalise(struct str raw, uint16_t default_port, struct arena *arena,
                                 struct str *ret_host, uint16_t *ret_port);

/* Takes the next pair off a query string, still escaped. Pairs are parted by '&' alone, empty ones
 * are skipped, a name goes up to the first '='; value has a NULL ptr where there was none:
 * while (query_next(&rest, &name, &value)) ... */
bool query_next(struct str *rest, struct str *ret_name, struct str *ret_value);

/* Decodes %xx (and '+' as space when asked); bad escapes are ERR_syntax. A view into s where
 * nothing is escaped. */
must_use enum err percent_decode(struct str s, bool plus_is_space, struct arena *arena,
                                 struct str *ret_decoded);
