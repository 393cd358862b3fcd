/* h1_write.c -- HTTP/1 as it is written: canonical, and nothing that could be read in two ways.
 * What comes here was read strictly or made by us; a line break in it would be our own fault. */
#include "base/check.h"
#include "wire/h1.h"

void h1_put_request_line(struct text *text, struct str method, struct str target)
{
        text_put(text, method);
        text_char(text, ' ');
        text_put(text, target);
        text_put(text, S(" HTTP/1.1\r\n"));
}

void h1_put_status_line(struct text *text, uint16_t status)
{
        if (likely(status == 200)) {
                text_put(text, S("HTTP/1.1 200 OK\r\n"));
                return;
        }
        CHECK(status >= 100 && status <= 999);
        text_put(text, S("HTTP/1.1 "));
        text_u64(text, status);
        text_char(text, ' ');
        text_put(text, h1_phrase(status));
        text_put(text, S("\r\n"));
}

void h1_put_field(struct text *text, struct str name, struct str value)
{
        size_t len = name.len + value.len + 4;
        if (unlikely(text->is_cut || len > text->max - text->len)) {
                text->is_cut = true;
                return;
        }
        char *at = copy_short(text->at + text->len, name.ptr, name.len);
        *at++ = ':';
        *at++ = ' ';
        at = copy_short(at, value.ptr, value.len);
        *at++ = '\r';
        *at++ = '\n';
        text->len += len;
}

void h1_put_chunk_size(struct text *text, uint64_t size)
{
        unsigned digits = 1;
        while (digits < 16 && size >> (digits * 4) != 0)
                digits++;
        text_hex(text, size, digits);
        text_put(text, S("\r\n"));
}

struct phrase {
        uint16_t status;
        struct str text;
};

#define PHRASE(status, text) {status, S_INIT(text)}

/* The registered ones, in order. */
static const struct phrase phrases[] = {
        PHRASE(100, "Continue"),
        PHRASE(101, "Switching Protocols"),
        PHRASE(102, "Processing"),
        PHRASE(103, "Early Hints"),
        PHRASE(200, "OK"),
        PHRASE(201, "Created"),
        PHRASE(202, "Accepted"),
        PHRASE(203, "Non-Authoritative Information"),
        PHRASE(204, "No Content"),
        PHRASE(205, "Reset Content"),
        PHRASE(206, "Partial Content"),
        PHRASE(207, "Multi-Status"),
        PHRASE(208, "Already Reported"),
        PHRASE(226, "IM Used"),
        PHRASE(300, "Multiple Choices"),
        PHRASE(301, "Moved Permanently"),
        PHRASE(302, "Found"),
        PHRASE(303, "See Other"),
        PHRASE(304, "Not Modified"),
        PHRASE(305, "Use Proxy"),
        PHRASE(307, "Temporary Redirect"),
        PHRASE(308, "Permanent Redirect"),
        PHRASE(400, "Bad Request"),
        PHRASE(401, "Unauthorized"),
        PHRASE(402, "Payment Required"),
        PHRASE(403, "Forbidden"),
        PHRASE(404, "Not Found"),
        PHRASE(405, "Method Not Allowed"),
        PHRASE(406, "Not Acceptable"),
        PHRASE(407, "Proxy Authentication Required"),
        PHRASE(408, "Request Timeout"),
        PHRASE(409, "Conflict"),
        PHRASE(410, "Gone"),
        PHRASE(411, "Length Required"),
        PHRASE(412, "Precondition Failed"),
        PHRASE(413, "Content Too Large"),
        PHRASE(414, "URI Too Long"),
        PHRASE(415, "Unsupported Media Type"),
        PHRASE(416, "Range Not Satisfiable"),
        PHRASE(417, "Expectation Failed"),
        PHRASE(421, "Misdirected Request"),
        PHRASE(422, "Unprocessable Content"),
        PHRASE(423, "Locked"),
        PHRASE(424, "Failed Dependency"),
        PHRASE(425, "Too Early"),
        PHRASE(426, "Upgrade Required"),
        PHRASE(428, "Precondition Required"),
        PHRASE(429, "Too Many Requests"),
        PHRASE(431, "Request Header Fields Too Large"),
        PHRASE(451, "Unavailable For Legal Reasons"),
        PHRASE(500, "Internal Server Error"),
        PHRASE(501, "Not Implemented"),
        PHRASE(502, "Bad Gateway"),
        PHRASE(503, "Service Unavailable"),
        PHRASE(504, "Gateway Timeout"),
        PHRASE(505, "HTTP Version Not Supported"),
        PHRASE(506, "Variant Also Negotiates"),
        PHRASE(507, "Insufficient Storage"),
        PHRASE(508, "Loop Detected"),
        PHRASE(511, "Network Authentication Required"),
};

struct str h1_phrase(uint16_t status)
{
        size_t low = 0, high = countof(phrases);
        while (low < high) {
                size_t middle = (low + high) / 2;
                if (phrases[middle].status < status)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low < countof(phrases) && phrases[low].status == status ? phrases[low].text : S("");
}
