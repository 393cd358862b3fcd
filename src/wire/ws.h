/* ws.h -- WebSocket (RFC 6455) as far as somebody in between needs it: the handshake, where frames
 * begin and end in a stream of bytes, and how large messages are. Payloads are neither unmasked nor
 * inflated nor looked at. */
#pragma once

#include "base/str.h"

enum { WS_KEY_SIZE = 24, WS_ACCEPT_SIZE = 28 };

/* Status codes of a close frame (RFC 6455 7.4.1). */
enum ws_code { WS_GOING_AWAY = 1001, WS_PROTOCOL_ERROR = 1002, WS_TOO_BIG = 1009 };

/* 16 bytes in base64, as Sec-WebSocket-Key must be. */
bool ws_key_is_good(struct str key);

/* What Sec-WebSocket-Accept must be for that key: WS_ACCEPT_SIZE characters. */
void ws_put_accept(struct str key, struct text *out);

/* One direction of a connection. Zero is its beginning, but for the members above. */
struct ws_frames {
        bool is_masked;       /* frames of this direction must be: those of callers */
        uint64_t message_max; /* bytes of one message, as they are on the wire; 0: any */
        uint64_t left;        /* payload bytes of the frame in hand still to come */
        uint64_t message;     /* bytes of the message in hand so far, those to come of this frame
                                 counted */
        uint8_t head[14];     /* of a frame head that is not whole yet … */
        uint8_t have;         /* … so many bytes */
        uint8_t fault;        /* enum ws_fault */
        bool is_open;         /* fragments of a message have come, and not its last one */
        bool is_closed;       /* a close frame was passed */
};

enum ws_fault {
        WS_FAULT_NONE,
        WS_FAULT_FRAME, /* no frame of RFC 6455: from here on nobody knows where one begins */
        WS_FAULT_SIZE,  /* the message is larger than message_max, as its frame head says */
};

/* Reads on, to the end of the frame in hand at most: how many of the bytes belong to it. Once there
 * is a fault, 0. */
size_t ws_frames_read(struct ws_frames *frames, struct str bytes);

/* True between two frames: another one may be put in here, if no close frame was passed. */
static inline bool ws_frames_are_whole(const struct ws_frames *frames)
{
        return frames->left == 0 && frames->have == 0 && frames->fault != WS_FAULT_FRAME;
}

enum { WS_CLOSE_MAX = 8 };

/* A close frame; masked for the way to servers. The key of the mask is what hides nothing: zero. */
void ws_put_close(enum ws_code code, bool is_masked, struct text *out);
