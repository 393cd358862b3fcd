/* gateway_ear.c -- byte by byte in heads and lines, in pieces in bodies. */
#include "gateway_ear.h"

#include "base/check.h"

enum place {
        PLACE_HEAD,
        PLACE_LENGTH,
        PLACE_SIZE,
        PLACE_CHUNK,
        PLACE_GAP,
        PLACE_TAIL,
        PLACE_CLOSE
};

enum { LINES_MAX = 200 * 1024 };

struct str message_field(const struct message *message, const char *name)
{
        for (unsigned i = 0; i < message->count; i++) {
                if (str_eq_nocase(message->fields[i].name, str_of(name)))
                        return message->fields[i].value;
        }
        return STR_NONE;
}

static void clear(struct ear *ear)
{
        ear->len = ear->at = 0;
        ear->place = PLACE_HEAD;
}

void ear_init(struct ear *ear, bool is_request, const struct ear_ops *ops, void *owner)
{
        struct arena *arena = ear->arena;
        *ear = (struct ear){.ops = ops, .owner = owner, .arena = arena, .is_request = is_request};
        ear->cap = 2048;
        ear->line = arena_alloc(arena, ear->cap);
}

static void keep(struct ear *ear, char c)
{
        if (ear->len == ear->cap) {
                char *line = arena_alloc(ear->arena, ear->cap * 2);
                memcpy(line, ear->line, ear->len);
                ear->line = line;
                ear->cap *= 2;
        }
        ear->line[ear->len++] = c;
}

static bool is_token(struct str text)
{
        for (size_t i = 0; i < text.len; i++) {
                char c = text.ptr[i];
                bool is_alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                char_is_digit(c);
                if (!is_alnum && (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL))
                        return false;
        }
        return text.len > 0;
}

static bool is_visible(struct str text)
{
        for (size_t i = 0; i < text.len; i++) {
                if (text.ptr[i] < 0x21 || text.ptr[i] > 0x7e)
                        return false;
        }
        return text.len > 0;
}

static bool is_value(struct str text)
{
        for (size_t i = 0; i < text.len; i++) {
                unsigned char c = (unsigned char)text.ptr[i];
                if ((c < 0x20 && c != '\t') || c == 0x7f)
                        return false;
        }
        return str_trim(text).len == text.len;
}

static const char *read_request_line(struct message *message, struct str line)
{
        message->method = str_cut(&line, ' ');
        message->target = str_cut(&line, ' ');
        if (!is_token(message->method))
                return "a method that is none";
        if (!is_visible(message->target) || message->target.ptr[0] != '/')
                return "a target that is none";
        return str_is(line, "HTTP/1.1") ? NULL : "another version than HTTP/1.1";
}

static const char *read_status_line(struct message *message, struct str line)
{
        uint64_t status;
        struct str version = str_cut(&line, ' '), code = str_cut(&line, ' ');
        if (!str_is(version, "HTTP/1.1"))
                return "another version than HTTP/1.1";
        if (code.len != 3 || str_to_u64(code, &status) != ERR_ok || status < 100 || status > 599)
                return "a status that is none";
        if (line.ptr == NULL || !is_value(line))
                return "a status line without a phrase";
        message->status = (unsigned)status;
        return NULL;
}

static const char *read_field(struct message *message, struct str line)
{
        struct str name = str_cut(&line, ':');
        if (message->count == MESSAGE_FIELDS_MAX)
                return "too many fields";
        if (!is_token(name) || line.ptr == NULL)
                return "a field without a name";
        if (line.len > 0 && line.ptr[0] != ' ')
                return "no space behind the colon";
        line = str_skip(line, 1);
        if (!is_value(line))
                return "a value that is none";
        message->fields[message->count].name = name;
        message->fields[message->count++].value = line;
        return NULL;
}

/* What may stand there once. */
static const char *read_once(const struct message *message, const char *name, struct str *ret_value)
{
        unsigned count = 0;
        *ret_value = STR_NONE;
        for (unsigned i = 0; i < message->count; i++) {
                if (!str_eq_nocase(message->fields[i].name, str_of(name)))
                        continue;
                *ret_value = message->fields[i].value;
                count++;
        }
        return count > 1 ? "a field twice that may stand once" : NULL;
}

static const char *read_framing(struct ear *ear)
{
        struct message *message = &ear->message;
        struct str length, coding, host, connection;
        const char *fault = read_once(message, "Content-Length", &length);
        message->length = UINT64_MAX;
        if (fault == NULL)
                fault = read_once(message, "Transfer-Encoding", &coding);
        if (fault == NULL)
                fault = read_once(message, "Host", &host);
        if (fault == NULL)
                fault = read_once(message, "Connection", &connection);
        if (fault != NULL)
                return fault;
        if (ear->is_request && host.len == 0)
                return "no Host";
        if (length.ptr != NULL && coding.ptr != NULL)
                return "two framings";
        if (coding.ptr != NULL && !str_is(coding, "chunked"))
                return "a coding that is not chunked";
        if (length.ptr != NULL && (length.len > 1 && length.ptr[0] == '0'))
                return "a length with zeros in front";
        if (length.ptr != NULL && str_to_u64(length, &message->length) != ERR_ok)
                return "a length that is none";
        message->is_chunked = coding.ptr != NULL;
        message->closes = str_is(connection, "close");
        return NULL;
}

static const char *read_head(struct ear *ear)
{
        struct message *message = &ear->message;
        struct str rest = str_from(ear->line, ear->len - 2);
        const char *fault = NULL;
        bool is_first = true;
        *message = (struct message){0};
        while (rest.len > 0 && fault == NULL) {
                struct str line = str_cut(&rest, '\n');
                if (!str_ends(line, S("\r")))
                        return "a line that does not end with CR LF";
                line.len--;
                if (is_first)
                        fault = ear->is_request ? read_request_line(message, line)
                                                : read_status_line(message, line);
                else
                        fault = read_field(message, line);
                is_first = false;
        }
        return fault != NULL ? fault : read_framing(ear);
}

static void message_over(struct ear *ear)
{
        clear(ear);
        ear->ops->over(ear->owner, &ear->message);
}

static const char *head_over(struct ear *ear)
{
        struct message *message = &ear->message;
        const char *fault = read_head(ear);
        if (fault != NULL)
                return fault;
        message->is_interim = !ear->is_request && message->status < 200;
        bool has_none = ear->ops->head(ear->owner, message);
        if (message->is_interim) {
                if (message->length != UINT64_MAX || message->is_chunked)
                        return "an interim response with a body";
                clear(ear);
                return NULL;
        }
        ear->left = message->length;
        if (has_none || message->length == 0)
                message_over(ear);
        else if (message->is_chunked)
                ear->place = PLACE_SIZE;
        else if (message->length != UINT64_MAX)
                ear->place = PLACE_LENGTH;
        else if (ear->is_request)
                message_over(ear);
        else
                ear->place = PLACE_CLOSE;
        ear->at = ear->len;
        return NULL;
}

static const char *size_over(struct ear *ear)
{
        struct str line = str_from(ear->line + ear->at, ear->len - ear->at);
        if (!str_ends(line, S("\r\n")))
                return "a chunk line that does not end with CR LF";
        line.len -= 2;
        if (line.len == 0 || line.len > 8 || (line.len > 1 && line.ptr[0] == '0'))
                return "a chunk size that is none";
        ear->left = 0;
        for (size_t i = 0; i < line.len; i++) {
                int digit = char_hex(line.ptr[i]);
                if (digit < 0)
                        return "a chunk size that is none";
                ear->left = ear->left * 16 + (unsigned)digit;
        }
        ear->place = ear->left > 0 ? PLACE_CHUNK : PLACE_TAIL;
        /* Trailers are read like fields: they stay until the message is over. */
        if (ear->left > 0)
                ear->len = ear->at;
        else
                ear->at = ear->len;
        return NULL;
}

static const char *tail_line(struct ear *ear)
{
        struct message *message = &ear->message;
        struct str line = str_from(ear->line + ear->at, ear->len - ear->at);
        if (!str_ends(line, S("\r\n")))
                return "a trailer that does not end with CR LF";
        line.len -= 2;
        ear->at = ear->len;
        if (line.len == 0) {
                message_over(ear);
                return NULL;
        }
        message->trailers++;
        return read_field(message, line);
}

static bool ends_head(const struct ear *ear)
{
        return ear->len >= 4 && memcmp(ear->line + ear->len - 4, "\r\n\r\n", 4) == 0;
}

static const char *take_char(struct ear *ear, char c)
{
        if (ear->len >= LINES_MAX)
                return "lines without an end";
        keep(ear, c);
        if (c != '\n')
                return NULL;
        switch ((enum place)ear->place) {
        case PLACE_HEAD:
                return ends_head(ear) ? head_over(ear) : NULL;
        case PLACE_SIZE:
                return size_over(ear);
        case PLACE_GAP:
                if (ear->len - ear->at != 2 || ear->line[ear->at] != '\r')
                        return "no CR LF behind a chunk";
                ear->len = ear->at;
                ear->place = PLACE_SIZE;
                return NULL;
        default:
                return tail_line(ear);
        }
}

static size_t take_body(struct ear *ear, struct str bytes)
{
        struct message *message = &ear->message;
        if (ear->place != PLACE_CLOSE)
                bytes = str_first(bytes, (size_t)u64_min(ear->left, SIZE_MAX));
        message->got += bytes.len;
        ear->left -= bytes.len;
        ear->ops->body(ear->owner, message, bytes);
        if (ear->is_stopped || ear->left > 0 || ear->place == PLACE_CLOSE)
                return bytes.len;
        if (ear->place == PLACE_LENGTH)
                message_over(ear);
        else
                ear->place = PLACE_GAP;
        return bytes.len;
}

const char *ear_feed(struct ear *ear, const uint8_t *bytes, size_t len)
{
        const char *fault = NULL;
        size_t at = 0;
        while (at < len && fault == NULL && !ear->is_stopped) {
                bool is_body = ear->place == PLACE_LENGTH || ear->place == PLACE_CHUNK ||
                               ear->place == PLACE_CLOSE;
                if (is_body)
                        at += take_body(ear, str_from((const char *)bytes + at, len - at));
                else
                        fault = take_char(ear, (char)bytes[at++]);
        }
        return ear->is_stopped ? NULL : fault;
}

bool ear_end(struct ear *ear)
{
        if (ear->place == PLACE_CLOSE)
                message_over(ear);
        return ear_is_between(ear);
}

bool ear_is_between(const struct ear *ear)
{
        return ear->place == PLACE_HEAD && ear->len == 0;
}
