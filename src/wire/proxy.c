/* proxy.c -- https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt: version 1 is section 2.1,
 * version 2 section 2.2. */
#include "wire/proxy.h"

#include "wire/cidr.h"

enum {
        V2_FIXED = 16, /* signature, version and command, family, length */
        V2_IPV4 = 12,  /* two addresses and two ports */
        V2_IPV6 = 36,
        COMMAND_LOCAL = 0x20,
        COMMAND_PROXY = 0x21,
        FAMILY_TCP4 = 0x11,
        FAMILY_TCP6 = 0x21,
        TLV_CRC32C = 0x03,
        TLV_UNIQUE_ID = 0x05,
        UNIQUE_ID_MAX = 128,
};

static const char signature[12] = {'\r', '\n', '\r', '\n', '\0', '\r',
                                   '\n', 'Q',  'U',  'I',  'T',  '\n'};
static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

/* True when one is the beginning of the other. */
static bool agrees(struct str bytes, struct str with)
{
        size_t len = size_min(bytes.len, with.len);
        return memcmp(bytes.ptr, with.ptr, len) == 0;
}

/* ---- version 1 ---- */

/* Decimal, without leading zeros. */
static bool read_port(struct str text, uint16_t *ret_port)
{
        uint64_t port;
        if ((text.len > 1 && text.ptr[0] == '0') || str_to_u64(text, &port) != ERR_ok ||
            port > UINT16_MAX)
                return false;
        *ret_port = (uint16_t)port;
        return true;
}

static bool read_ip(struct str text, bool is_v6, uint8_t ret_bytes[16])
{
        return (str_find(text, ':') >= 0) == is_v6 && ip_read(text, ret_bytes) == ERR_ok;
}

/* "TCP4 192.0.2.1 198.51.100.1 4711 443"; what follows UNKNOWN is to be ignored. */
static bool read_line(struct str line, struct proxy_header *header)
{
        if (str_eq(line, S("UNKNOWN")) || str_starts(line, S("UNKNOWN "))) {
                header->is_local = true;
                return true;
        }
        struct str protocol = str_cut(&line, ' '), source = str_cut(&line, ' ');
        struct str target = str_cut(&line, ' '), source_port = str_cut(&line, ' ');
        bool is_v6 = str_eq(protocol, S("TCP6"));
        return (is_v6 || str_eq(protocol, S("TCP4"))) && line.ptr != NULL &&
               read_ip(source, is_v6, header->source) && read_ip(target, is_v6, header->target) &&
               read_port(source_port, &header->source_port) &&
               read_port(line, &header->target_port);
}

static enum proxy_state read_v1(struct str bytes, struct proxy_header *ret_header, size_t *ret_used)
{
        struct proxy_header header = {0};
        struct str begin = S("PROXY ");
        ptrdiff_t end = str_find(str_first(bytes, PROXY_V1_MAX), '\n');
        if (end < 0)
                return bytes.len < PROXY_V1_MAX ? PROXY_MORE : PROXY_BAD;
        if (bytes.ptr[end - 1] != '\r')
                return PROXY_BAD;
        struct str line = str_skip(str_first(bytes, (size_t)end - 1), begin.len);
        if (!read_line(line, &header))
                return PROXY_BAD;
        *ret_header = header;
        *ret_used = (size_t)end + 1;
        return PROXY_DONE;
}

/* ---- version 2 ---- */

static uint32_t crc32c_add(uint32_t crc, uint8_t byte)
{
        crc ^= byte;
        for (int i = 0; i < 8; i++)
                crc = crc >> 1 ^ (0x82f63b78u & (0u - (crc & 1)));
        return crc;
}

/* Of the whole header, the four bytes of the checksum itself taken as zero. */
static bool is_sum_right(struct str header, size_t sum_at)
{
        uint32_t crc = UINT32_MAX;
        for (size_t i = 0; i < header.len; i++) {
                bool is_sum = i >= sum_at && i < sum_at + 4;
                crc = crc32c_add(crc, is_sum ? 0 : (uint8_t)header.ptr[i]);
        }
        return ~crc == big_endian_u32(load_u32(header.ptr + sum_at));
}

static size_t read_u16(const char *at)
{
        return (size_t)(uint8_t)at[0] << 8 | (uint8_t)at[1];
}

/* What is attached: type, length, value, to the last byte of the header. */
static bool are_tlvs_good(struct str header, size_t at)
{
        bool has_sum = false;
        while (at < header.len) {
                if (header.len - at < 3)
                        return false;
                uint8_t type = (uint8_t)header.ptr[at];
                size_t len = read_u16(header.ptr + at + 1);
                at += 3;
                if (len > header.len - at)
                        return false;
                if (type == TLV_UNIQUE_ID && len > UNIQUE_ID_MAX)
                        return false;
                if (type == TLV_CRC32C && (has_sum || len != 4 || !is_sum_right(header, at)))
                        return false;
                has_sum = has_sum || type == TLV_CRC32C;
                at += len;
        }
        return true;
}

static void take_addresses(const char *at, bool is_v6, struct proxy_header *header)
{
        size_t size = is_v6 ? 16 : 4;
        memcpy(header->source, mapped, sizeof mapped);
        memcpy(header->target, mapped, sizeof mapped);
        memcpy(header->source + 16 - size, at, size);
        memcpy(header->target + 16 - size, at + size, size);
        header->source_port = (uint16_t)read_u16(at + 2 * size);
        header->target_port = (uint16_t)read_u16(at + 2 * size + 2);
}

/* Decides with the first byte that cannot be. */
static enum proxy_state read_v2(struct str bytes, struct proxy_header *ret_header, size_t *ret_used)
{
        struct proxy_header header = {0};
        if (bytes.len <= sizeof signature)
                return PROXY_MORE;
        uint8_t command = (uint8_t)bytes.ptr[12];
        if (command != COMMAND_LOCAL && command != COMMAND_PROXY)
                return PROXY_BAD;
        header.is_local = command == COMMAND_LOCAL;
        if (bytes.len < V2_FIXED)
                return PROXY_MORE;
        uint8_t family = (uint8_t)bytes.ptr[13];
        size_t size = V2_FIXED + read_u16(bytes.ptr + 14);
        size_t addresses = family == FAMILY_TCP6 ? V2_IPV6 : V2_IPV4;
        if (size > PROXY_SIZE_MAX)
                return PROXY_BAD;
        if (!header.is_local &&
            ((family != FAMILY_TCP4 && family != FAMILY_TCP6) || size < V2_FIXED + addresses))
                return PROXY_BAD;
        if (bytes.len < size)
                return PROXY_MORE;
        if (!header.is_local) {
                take_addresses(bytes.ptr + V2_FIXED, family == FAMILY_TCP6, &header);
                if (!are_tlvs_good(str_first(bytes, size), V2_FIXED + addresses))
                        return PROXY_BAD;
        }
        *ret_header = header;
        *ret_used = size;
        return PROXY_DONE;
}

enum proxy_state proxy_read(struct str bytes, struct proxy_header *ret_header, size_t *ret_used)
{
        struct str v1 = S("PROXY "), v2 = str_from(signature, sizeof signature);
        if (bytes.len == 0)
                return PROXY_MORE;
        if (agrees(bytes, v1))
                return bytes.len < v1.len ? PROXY_MORE : read_v1(bytes, ret_header, ret_used);
        if (agrees(bytes, v2))
                return read_v2(bytes, ret_header, ret_used);
        return PROXY_NONE;
}

/* ---- writing ---- */

static void put_u16(struct text *out, uint16_t value)
{
        text_char(out, (char)(value >> 8));
        text_char(out, (char)(value & 0xff));
}

static void put_ip(struct text *out, const uint8_t address[16], bool is_v4)
{
        if (is_v4)
                ip_write(address, out);
        else
                ip6_write(address, out);
}

static void write_v1(const struct proxy_header *header, bool is_v4, struct text *out)
{
        if (header->is_local) {
                text_put(out, S("PROXY UNKNOWN\r\n"));
                return;
        }
        text_put(out, is_v4 ? S("PROXY TCP4 ") : S("PROXY TCP6 "));
        put_ip(out, header->source, is_v4);
        text_char(out, ' ');
        put_ip(out, header->target, is_v4);
        text_char(out, ' ');
        text_u64(out, header->source_port);
        text_char(out, ' ');
        text_u64(out, header->target_port);
        text_put(out, S("\r\n"));
}

static void write_v2(const struct proxy_header *header, bool is_v4, struct text *out)
{
        size_t size = is_v4 ? 4 : 16;
        text_put(out, str_from(signature, sizeof signature));
        if (header->is_local) {
                text_put(out, str_from("\x20\0\0\0", 4));
                return;
        }
        text_char(out, COMMAND_PROXY);
        text_char(out, is_v4 ? FAMILY_TCP4 : FAMILY_TCP6);
        put_u16(out, is_v4 ? V2_IPV4 : V2_IPV6);
        text_put(out, str_from((const char *)header->source + 16 - size, size));
        text_put(out, str_from((const char *)header->target + 16 - size, size));
        put_u16(out, header->source_port);
        put_u16(out, header->target_port);
}

void proxy_write(enum proxy_version version, const struct proxy_header *header, struct text *out)
{
        bool is_v4 = ip_is_v4(header->source) && ip_is_v4(header->target);
        if (version == PROXY_V1)
                write_v1(header, is_v4, out);
        else if (version == PROXY_V2)
                write_v2(header, is_v4, out);
}
