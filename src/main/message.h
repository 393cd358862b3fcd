/* message.h -- the language between keeper and data process: records on a SOCK_SEQPACKET pair, each
 * a fixed head, a text and at most MESSAGE_FDS_MAX descriptors. The keeper trusts no data process:
 * what it cannot read is the end of that process. Kinds are in main/message.def; numbers of the
 * kinds, and of what follows here, never change their meaning within a version: at an upgrade a
 * keeper and a data process of two binaries speak to each other. */
#pragma once

#include "base/str.h"

enum {
        MESSAGE_VERSION = 1,
        MESSAGE_TEXT_MAX = 16384,
        MESSAGE_FDS_MAX = 250, /* the kernel's limit for one record is 253 */
};

enum message_kind {
        MESSAGE_NONE,
#define MESSAGE(name, who) MESSAGE_##name,
#include "main/message.def"
#undef MESSAGE
        MESSAGE_KINDS
};

/* Why it is to drain. */
enum drain { DRAIN_STOP = 0, DRAIN_REPLACED = 1, DRAIN_NOW = 2 };

/* What a data process may ask its keeper to do, on behalf of who came through its admin socket. */
enum request {
        REQUEST_STOP = 0,    /* as SIGTERM */
        REQUEST_UPGRADE = 1, /* as SIGUSR2 */
        REQUEST_RENEW = 2, /* a fresh process in its place, e.g. to read what only root may read */
        REQUEST_ABORT = 3, /* as SIGTERM twice */
        REQUESTS
};

struct message_head {
        uint16_t version, kind;
        uint32_t serial, count;
        int32_t error; /* errno */
        uint64_t a, b;
        uint32_t text_len, zero;
};

struct message {
        struct message_head head;
        char text[MESSAGE_TEXT_MAX];
        int fds_count;
        int fds[MESSAGE_FDS_MAX]; /* received: the reader's to close */
};

/* An empty message of that kind. */
void message_init(struct message *message, enum message_kind kind);
void message_set_text(struct message *message, struct str text); /* cut at MESSAGE_TEXT_MAX */

static inline struct str message_text(const struct message *message)
{
        return (struct str){message->text, message->head.text_len};
}

/* Sends at once or not at all: ERR_again when the other side does not read, ERR_closed when it is
 * gone. Descriptors stay the sender's. */
must_use enum err message_send(int fd, const struct message *message);

/* Takes the next one; does not wait. ERR_again: none is there; ERR_closed; ERR_version; ERR_syntax:
 * this is no message. Text is valid UTF-8 or not, as it came, without NUL only where said. */
must_use enum err message_take(int fd, struct message *ret_message);

/* As message_take, but waits up to wait_ms: ERR_timeout. */
must_use enum err message_wait(int fd, int wait_ms, struct message *ret_message);

/* Closes the descriptors that came with it and were not taken (set to -1 by who takes one). */
void message_close(struct message *message);

const char *message_name(enum message_kind kind);
