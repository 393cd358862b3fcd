/* addr.c -- socket addresses and their text, without the resolver. */
#include "io/addr.h"

#include <arpa/inet.h>

enum err addr_read_ip(struct str ip, uint16_t port, struct addr *ret_addr)
{
        char text[INET6_ADDRSTRLEN];
        struct addr addr = {0};
        if (ip.len == 0 || ip.len >= sizeof text || str_find(ip, '\0') >= 0)
                return ERR_syntax;
        memcpy(text, ip.ptr, ip.len);
        text[ip.len] = '\0';
        if (inet_pton(AF_INET, text, &addr.u.v4.sin_addr) == 1) {
                addr.u.v4.sin_family = AF_INET;
                addr.u.v4.sin_port = htons(port);
        } else if (inet_pton(AF_INET6, text, &addr.u.v6.sin6_addr) == 1) {
                addr.u.v6.sin6_family = AF_INET6;
                addr.u.v6.sin6_port = htons(port);
        } else {
                return ERR_syntax;
        }
        *ret_addr = addr;
        return ERR_ok;
}

enum err addr_read(struct str text, struct addr *ret_addr)
{
        struct str ip, port_text;
        uint64_t port;
        if (str_starts(text, S("["))) {
                ptrdiff_t close = str_find(text, ']');
                if (close < 0)
                        return ERR_syntax;
                ip = str_first(str_skip(text, 1), (size_t)close - 1);
                port_text = str_skip(text, (size_t)close + 1);
                if (!str_starts(port_text, S(":")))
                        return ERR_syntax;
                port_text = str_skip(port_text, 1);
        } else {
                port_text = text;
                ip = str_cut(&port_text, ':');
        }
        enum err err = str_to_u64(port_text, &port);
        if (err != ERR_ok)
                return err;
        if (port > UINT16_MAX)
                return ERR_range;
        bool is_v6 = str_find(ip, ':') >= 0;
        if (is_v6 != str_starts(text, S("[")))
                return ERR_syntax;
        return addr_read_ip(ip, (uint16_t)port, ret_addr);
}

socklen_t addr_len(const struct addr *addr)
{
        return addr->u.any.sa_family == AF_INET ? sizeof addr->u.v4 : sizeof addr->u.v6;
}

uint16_t addr_port(const struct addr *addr)
{
        return ntohs(addr->u.any.sa_family == AF_INET ? addr->u.v4.sin_port : addr->u.v6.sin6_port);
}

void addr_set_port(struct addr *addr, uint16_t port)
{
        if (addr->u.any.sa_family == AF_INET)
                addr->u.v4.sin_port = htons(port);
        else
                addr->u.v6.sin6_port = htons(port);
}

void addr_bytes(const struct addr *addr, uint8_t ret_bytes[16])
{
        static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
        if (addr->u.any.sa_family == AF_INET6) {
                memcpy(ret_bytes, &addr->u.v6.sin6_addr, 16);
                return;
        }
        memcpy(ret_bytes, mapped, 12);
        memcpy(ret_bytes + 12, &addr->u.v4.sin_addr, 4);
}

bool addr_eq(const struct addr *a, const struct addr *b)
{
        uint8_t x[16], y[16];
        addr_bytes(a, x);
        addr_bytes(b, y);
        return memcmp(x, y, 16) == 0 && addr_port(a) == addr_port(b);
}

static bool is_mapped(const uint8_t bytes[16])
{
        static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
        return memcmp(bytes, mapped, 12) == 0;
}

struct addr addr_of_bytes(const uint8_t bytes[16], uint16_t port)
{
        struct addr addr = {0};
        if (is_mapped(bytes)) {
                addr.u.v4.sin_family = AF_INET;
                memcpy(&addr.u.v4.sin_addr, bytes + 12, 4);
        } else {
                addr.u.v6.sin6_family = AF_INET6;
                memcpy(&addr.u.v6.sin6_addr, bytes, 16);
        }
        addr_set_port(&addr, port);
        return addr;
}

bool addr_is_loopback(const struct addr *addr)
{
        uint8_t bytes[16];
        addr_bytes(addr, bytes);
        if (is_mapped(bytes))
                return bytes[12] == 127;
        return memcmp(bytes, &in6addr_loopback, 16) == 0;
}

static char *put_octet(char *at, unsigned octet)
{
        if (octet >= 100)
                *at++ = (char)('0' + octet / 100);
        if (octet >= 10)
                *at++ = (char)('0' + octet / 10 % 10);
        *at++ = (char)('0' + octet % 10);
        return at;
}

void addr_put_bytes(struct text *text, const uint8_t bytes[16])
{
        char ip[INET6_ADDRSTRLEN], *at = ip;
        if (!is_mapped(bytes)) {
                inet_ntop(AF_INET6, bytes, ip, sizeof ip);
                text_put(text, str_of(ip));
                return;
        }
        for (int i = 12; i < 16; i++) {
                at = put_octet(at, bytes[i]);
                *at++ = '.';
        }
        text_put(text, str_from(ip, (size_t)(at - ip) - 1));
}

void addr_put_ip(struct text *text, const struct addr *addr)
{
        uint8_t bytes[16];
        addr_bytes(addr, bytes);
        addr_put_bytes(text, bytes);
}

void addr_put(struct text *text, const struct addr *addr)
{
        uint8_t bytes[16];
        addr_bytes(addr, bytes);
        bool is_v6 = !is_mapped(bytes);
        if (is_v6)
                text_char(text, '[');
        addr_put_ip(text, addr);
        if (is_v6)
                text_char(text, ']');
        text_char(text, ':');
        text_u64(text, addr_port(addr));
}
