/* fields.h -- an ordered list of header fields, with look-up by well-known name. Names are compared
 * without regard to case and with `_` equal to `-`, everywhere, so that no alias of a name slips
 * past. Views point into memory of the owner (the exchange's arena); nothing is copied here. */
#pragma once

#include "base/arena.h"
#include "base/str.h"
#include "wire/scan.h"

enum name {
        NAME_other, /* not one of names.def */
#define NAME(id, text, flags) NAME_##id,
#include "wire/names.def"
#undef NAME
        NAME_COUNT
};

enum name_flag {
        NAME_HOP = 1,      /* hop-by-hop: never forwarded (RFC 9110 7.6.1) */
        NAME_FRAMING = 2,  /* owned by the serialiser: no policy may set or remove it */
        NAME_SINGLE = 4,   /* a second line of it is refused */
        NAME_ORIGIN = 8,   /* says where a request came from: dropped unless the peer is trusted */
        NAME_SECRET = 16,  /* its value is never logged */
        NAME_REQUEST = 32, /* belongs to requests only */
        NAME_TRAILER = 64, /* may stand behind a body and is passed on from there */
};

/* The enum of a name; NAME_other when it is not well known. */
enum name name_find(struct str text);
struct str name_text(enum name name); /* canonical spelling, e.g. "Content-Type" */

extern const uint16_t name_flag_table[NAME_COUNT];

/* Flags of enum name_flag; 0 for NAME_other. */
static inline unsigned name_flags(enum name name)
{
        return name_flag_table[name];
}

/* As name_find, but `_` is no `-` here: what a reader of the wire calls for a name just cut. */
enum name name_find_exact(struct str text);

/* Such a field of a request is dropped (security.md d.3): some servers take it for the one with
 * `-`. */
bool name_has_underscore(struct str text);

/* True for names with NAME_ORIGIN and for families of such names (X-Forwarded-*, X-SSL-*,
 * SSL_CLIENT_*, ...), whatever the case and whether parted by '-', '_' or '.'. */
bool name_is_origin(struct str text);

/* Equal but for case and `_` against `-`. */
bool name_eq(struct str a, struct str b);

/* True when text is a token of RFC 9110 5.6.2, at least one character. */
bool name_is_token(struct str text);

/* True when text may stand as a field value: no CR, LF, NUL or other control but HTAB. */
bool value_is_safe(struct str text);

struct field {
        struct str name, value;
        enum name id;
};

struct fields {
        struct field *at;
        struct arena *arena; /* grows here */
        uint16_t count, cap;
};

#define fields_each(field, list)                                                                   \
        for (struct field *field = (list)->at, *field##_end = field + (list)->count;               \
             field < field##_end; field++)

void fields_init(struct fields *fields, struct arena *arena, uint16_t cap);

/* First field of that name, NULL if absent. */
struct field *fields_get(const struct fields *fields, enum name id);
struct field *fields_find(const struct fields *fields, struct str name);

/* The same for a name of which `id` has been found before, once for many requests. */
struct field *fields_find_as(const struct fields *fields, enum name id, struct str name);

/* Value of the first field of that name; empty with NULL ptr if absent. */
struct str fields_value(const struct fields *fields, enum name id);

/* How many fields bear that name. */
unsigned fields_count(const struct fields *fields, enum name id);

/* Appends. Name and value are not copied. */
void fields_add(struct fields *fields, struct str name, struct str value);
void fields_add_known(struct fields *fields, enum name id, struct str value);

/* Replaces all fields of that name by one, at the place of the first. */
void fields_set(struct fields *fields, struct str name, struct str value);
void fields_set_known(struct fields *fields, enum name id, struct str value);

/* Removes all fields of that name; returns how many there were. */
unsigned fields_remove(struct fields *fields, struct str name);
unsigned fields_remove_as(struct fields *fields, enum name id, struct str name);
unsigned fields_remove_known(struct fields *fields, enum name id);

/* Walks the comma-separated members of all lines of a list-valued field, in order, without empty
 * members: struct fields_walk walk = {…id}; while (fields_member(&walk, &member)) … */
struct str list_cut(struct str *rest); /* the same for one line: its first member, perhaps empty */

struct fields_walk {
        const struct fields *fields;
        enum name id;
        uint16_t line;
        struct str rest;
};

bool fields_member(struct fields_walk *walk, struct str *ret_member);

/* True when the list-valued field has that member (without case). */
bool fields_has_member(const struct fields *fields, enum name id, struct str member);
