/* h1.h -- HTTP/1 as bytes: heads and chunks, read strictly and resumably, written canonically.
 * The reader works line by line on one contiguous run of bytes that starts with the head; when it
 * asks for more, it is called again with the same bytes and more behind them, perhaps at another
 * address. Each byte is looked at a bounded number of times, whatever the cuts. Nothing is
 * repaired: what is not exactly HTTP/1 is refused (security.md A to C, d.3). Nothing is allocated.
 */
#pragma once

#include "base/str.h"
#include "wire/fields.h"

enum h1_state { H1_MORE, H1_DONE, H1_BAD };

/* Why a head or a chunk was refused. The codec turns it into a reason. */
enum h1_fault {
        H1_FAULT_NONE,
        H1_FAULT_SYNTAX,        /* 400, resp. 502 */
        H1_FAULT_FRAMING,       /* 400: lengths that contradict each other or cannot be read */
        H1_FAULT_VERSION,       /* 505 */
        H1_FAULT_CODING,        /* 501: a transfer coding that is not chunked */
        H1_FAULT_EXPECT,        /* 417 */
        H1_FAULT_TARGET_LENGTH, /* 414 */
        H1_FAULT_FIELD_LENGTH,  /* 431: one field, all fields, their number, or too many options */
};

/* Most that Connection may name: each is looked for among all fields. */
enum { H1_OPTIONS_MAX = 32 };

enum h1_kind { H1_REQUEST, H1_RESPONSE, H1_TRAILER };

/* How long the body is (RFC 9112 6.3). A length of 0 is H1_BODY_NONE too; has_length tells. */
enum h1_body { H1_BODY_NONE, H1_BODY_LENGTH, H1_BODY_CHUNKED, H1_BODY_CLOSE };

struct h1_limits {
        uint32_t target; /* bytes of the request target */
        uint32_t field;  /* bytes of one field line, at most 65,535 */
        uint32_t header; /* bytes of all field lines */
        uint16_t fields; /* number of field lines */
};

/* A piece of the head, by its offset from the first byte. */
struct h1_span {
        uint32_t at, len;
};

struct h1_field {
        uint32_t name, value; /* offsets */
        uint16_t name_len, value_len;
        uint16_t id; /* enum name */
        uint16_t unused;
};

/* A head being read, and what was found. While more is wanted, fields[count] may hold what is known
 * of the line in hand: whoever moves the fields moves that one, too. */
struct h1_head {
        const struct h1_limits *limits;
        struct h1_field *fields; /* memory of the caller for limits->fields entries */
        uint32_t line;           /* offset of the first line not parsed yet */
        uint32_t scanned;        /* offset up to which that line was looked at */
        uint32_t header;         /* bytes of field lines so far */
        uint16_t count;          /* fields found */
        uint16_t lines;          /* field lines read: those found, and those dropped */
        uint8_t kind;            /* enum h1_kind */
        uint8_t step;            /* of the reader */
        uint8_t fault;           /* enum h1_fault, after H1_BAD */
        uint8_t version;         /* 10 or 11 */
        uint8_t body;          /* enum h1_body: of a request; of a response see h1_response_body */
        bool keeps_alive;      /* what Connection and the version say */
        bool expects_continue; /* Expect: 100-continue in HTTP/1.1 */
        bool has_length, is_chunked;
        uint16_t status; /* of a response */
        uint64_t length; /* Content-Length */
        struct h1_span method, target, phrase;
};

/* Begins a head of that kind. `fields` has room for limits->fields entries. */
void h1_begin(struct h1_head *head, enum h1_kind kind, const struct h1_limits *limits,
              struct h1_field *fields);

/* Reads on. `bytes` is everything since the first byte of the head. H1_DONE: *ret_used is the
 * length of the head with its empty line; H1_MORE: nothing of bytes may be dropped; H1_BAD:
 * head->fault. For requests everything of security.md A and B that can be told from the head is
 * decided here: framing, duplicate singletons, Connection naming framing or credentials, Expect,
 * Host present exactly once in HTTP/1.1. One empty line before a request line is skipped. Fields of
 * requests and trailers with an underscore in their name are dropped, those of responses where they
 * would be taken for a framing or hop-by-hop field. The first fault from the left decides, whatever
 * the cuts; faults between fields are found with the last line. */
enum h1_state h1_read(struct h1_head *head, struct str bytes, size_t *ret_used);

/* How long the body of this response is, given the method it answers (RFC 9112 6.3). A transfer
 * coding whose last is not chunked means until close. With TE and CL, TE wins. *ret_reusable: the
 * connection may carry another request after this response, as far as its head can tell. */
enum h1_body h1_response_body(const struct h1_head *head, bool answers_head, bool *ret_reusable);

static inline struct str h1_str(struct str bytes, struct h1_span span)
{
        return (struct str){bytes.ptr + span.at, span.len};
}

/* A chunked body being read: strictly, with extensions and without blanks around them, up to and
 * including the line of the last chunk; the trailer section behind it is read with h1_read and
 * H1_TRAILER. */
struct h1_chunks {
        uint64_t left;       /* data bytes of the chunk in hand still to come */
        uint32_t extensions; /* bytes of chunk extensions so far, of all chunks */
        uint32_t extensions_max;
        uint8_t step;
        uint8_t digits;
        bool is_first_read; /* the first chunk line was good */
};

void h1_chunks_begin(struct h1_chunks *chunks, uint32_t extensions_max);

/* Takes bytes off `in` up to one piece of data: *ret_used of them were consumed, *ret_data (inside
 * `in`, perhaps empty) is body. H1_MORE: call again with what is left of `in`, or with more;
 * H1_DONE: the last chunk's line was read, the trailer section follows; H1_BAD: refuse and close.
 */
enum h1_state h1_chunks_read(struct h1_chunks *chunks, struct str in, size_t *ret_used,
                             struct str *ret_data);

/* Writing: everything canonical, CRLF, nothing that was not checked on its way in. */
void h1_put_request_line(struct text *text, struct str method, struct str target);
void h1_put_status_line(struct text *text, uint16_t status);
void h1_put_field(struct text *text, struct str name, struct str value);
void h1_put_chunk_size(struct text *text, uint64_t size); /* with CRLF */

/* The standard phrase of a status, "" if there is none. */
struct str h1_phrase(uint16_t status);
