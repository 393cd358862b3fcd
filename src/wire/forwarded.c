/* forwarded.c -- the hops in front of us. */
#include "wire/forwarded.h"

#include "base/check.h"

static bool is_port(struct str s)
{
        uint64_t port;
        return s.len <= 5 && str_to_u64(s, &port) == ERR_ok && port <= UINT16_MAX;
}

enum err forwarded_node_read(struct str node, uint8_t ret_address[16])
{
        struct str rest = node, host;
        if (node.len > 0 && node.ptr[0] == '[') {
                rest = str_skip(node, 1);
                host = str_cut(&rest, ']');
                bool has_port = rest.len > 0;
                if (rest.ptr == NULL || str_find(host, ':') < 0 ||
                    (has_port && (rest.ptr[0] != ':' || !is_port(str_skip(rest, 1)))))
                        return ERR_syntax;
                return ip_read(host, ret_address);
        }
        if (str_find(node, '.') < 0 || str_find(node, ':') < 0)
                return ip_read(node, ret_address);
        if (ip_read(node, ret_address) == ERR_ok) /* IPv6 that ends like IPv4 */
                return ERR_ok;
        host = str_cut(&rest, ':');
        return is_port(rest) ? ip_read(host, ret_address) : ERR_syntax;
}

/* ---- Forwarded ---- */

/* A token or a quoted string without escapes, from *rest. */
static bool read_value(struct str *rest, struct str *ret_value)
{
        if (rest->len == 0 || rest->ptr[0] != '"') {
                size_t len = name_run(*rest);
                *ret_value = str_first(*rest, len);
                *rest = str_skip(*rest, len);
                return len > 0;
        }
        *rest = str_skip(*rest, 1);
        *ret_value = str_cut(rest, '"');
        return rest->ptr != NULL && str_find(*ret_value, '\\') < 0 && value_is_safe(*ret_value);
}

/* Where the value of that parameter goes; NULL for one that says nothing to us. */
static struct str *place_of(struct forwarded_element *element, struct str name)
{
        if (str_eq_nocase(name, S("for")))
                return &element->node;
        if (str_eq_nocase(name, S("by")))
                return &element->by;
        if (str_eq_nocase(name, S("host")))
                return &element->host;
        return str_eq_nocase(name, S("proto")) ? &element->proto : NULL;
}

enum err forwarded_read(struct str element, struct forwarded_element *ret_element)
{
        struct forwarded_element found = {0};
        struct str rest = str_trim(element);
        while (rest.len > 0) {
                struct str value;
                if (rest.ptr[0] == ';') {
                        rest = str_trim(str_skip(
                                rest, 1)); /* the RFC has no blanks here, many senders do */
                        continue;
                }
                size_t len = name_run(rest);
                struct str name = str_first(rest, len);
                rest = str_skip(rest, len);
                if (len == 0 || rest.len == 0 || rest.ptr[0] != '=')
                        return ERR_syntax;
                rest = str_skip(rest, 1);
                if (!read_value(&rest, &value))
                        return ERR_syntax;
                rest = str_trim(rest);
                if (rest.len > 0 && rest.ptr[0] != ';')
                        return ERR_syntax;
                struct str *place = place_of(&found, name);
                if (place == NULL)
                        continue;
                if (place->ptr != NULL)
                        return ERR_syntax; /* RFC 7239 4: each parameter once */
                *place = value;
        }
        *ret_element = found;
        return ERR_ok;
}

/* The address in an entry of either field. */
static enum err entry_read(enum name id, struct str entry, uint8_t ret_address[16])
{
        struct forwarded_element element;
        if (id == NAME_x_forwarded_for)
                return forwarded_node_read(entry, ret_address);
        if (forwarded_read(entry, &element) != ERR_ok || element.node.ptr == NULL)
                return ERR_syntax;
        return forwarded_node_read(element.node, ret_address);
}

void forwarded_walk(const struct fields *fields, enum name id, const struct cidrs *trusted,
                    uint8_t address[16])
{
        struct str last[FORWARDED_ENTRIES_MAX];
        size_t count = 0;
        CHECK(id == NAME_x_forwarded_for || id == NAME_forwarded);
        if (!cidrs_has(trusted, address))
                return;
        /* Commas part whatever the quotes: a quote that a caller left open must not swallow what
         * the hops behind it added. */
        fields_each (field, fields) {
                struct str rest = field->value;
                while (field->id == id && rest.ptr != NULL)
                        last[count++ % countof(last)] = str_trim(str_cut(&rest, ','));
        }
        size_t looked_at = size_min(count, countof(last));
        for (size_t i = 1; i <= looked_at; i++) {
                uint8_t hop[16];
                if (entry_read(id, last[(count - i) % countof(last)], hop) != ERR_ok)
                        return;
                memcpy(address, hop, sizeof hop);
                if (!cidrs_has(trusted, hop))
                        return;
        }
}

static void put_value(struct text *out, struct str value)
{
        bool is_token = name_is_token(value);
        if (!is_token)
                text_char(out, '"');
        text_put(out, value);
        if (!is_token)
                text_char(out, '"');
}

static void write_rest(struct str host, struct str proto, struct text *out)
{
        if (host.len > 0) {
                text_put(out, S(";host="));
                put_value(out, host);
        }
        if (proto.len > 0) {
                text_put(out, S(";proto="));
                put_value(out, proto);
        }
}

void forwarded_write_node(struct str node, struct str host, struct str proto, struct text *out)
{
        text_put(out, S("for="));
        text_put(out, node);
        write_rest(host, proto, out);
}

void forwarded_write(const uint8_t client[16], struct str host, struct str proto, struct text *out)
{
        bool is_v4 = ip_is_v4(client);
        text_put(out, is_v4 ? S("for=") : S("for=\"["));
        ip_write(client, out);
        if (!is_v4)
                text_put(out, S("]\""));
        write_rest(host, proto, out);
}
