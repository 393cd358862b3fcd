/* gateway_ear.h -- reads what the gate writes, as the strictest of peers would: one message
 * after the other, in the one form that it should have. Written without a look at wire/h1.c, so
 * that what one gets wrong the other does not. */
#pragma once

#include "base/arena.h"

enum { MESSAGE_FIELDS_MAX = 300 };

struct message {
        struct str method, target; /* of a request */
        unsigned status;           /* of a response */
        struct {
                struct str name, value;
        } fields[MESSAGE_FIELDS_MAX];
        unsigned count;
        unsigned trailers; /* how many of the fields came behind the body */
        uint64_t length;   /* as declared; UINT64_MAX: not at all */
        uint64_t got;      /* bytes of the body so far */
        bool is_chunked;
        bool is_interim;
        bool closes; /* Connection: close */
};

/* The value of a field; STR_NONE. */
struct str message_field(const struct message *message, const char *name);

struct ear_ops {
        /* The head is complete. For a response: true when it has no body whatever it says. */
        bool (*head)(void *owner, struct message *message);
        void (*body)(void *owner, struct message *message, struct str bytes);
        void (*over)(void *owner, struct message *message);
};

struct ear {
        const struct ear_ops *ops;
        void *owner;
        struct arena *arena;
        struct message message;
        char *line; /* the head, or the line in hand */
        size_t len, cap;
        size_t at; /* where the line in hand begins */
        uint64_t left;
        uint8_t place;
        bool is_request;
        bool is_stopped; /* the owner has let go: what comes is not read */
};

void ear_init(struct ear *ear, bool is_request, const struct ear_ops *ops, void *owner);

/* NULL, or what is wrong with it. */
const char *ear_feed(struct ear *ear, const uint8_t *bytes, size_t len);

/* The stream has ended: true when no message is in hand. One that ends with the stream is over. */
bool ear_end(struct ear *ear);

/* True when nothing of a next message came yet. */
bool ear_is_between(const struct ear *ear);
