/* sni.c -- a list of one name: length, kind, length, bytes. */
#include "wire/sni.h"

enum { KIND_HOST_NAME = 0 };

static size_t u16_at(struct str s, size_t at)
{
        return (size_t)(uint8_t)s.ptr[at] << 8 | (uint8_t)s.ptr[at + 1];
}

static bool is_name_char(char c)
{
        return (c >= 'a' && c <= 'z') || char_is_digit(c) || c == '-' || c == '.' || c == '_';
}

enum err sni_read(struct str content, char memory[SNI_NAME_MAX], struct str *ret_name)
{
        enum { LIST_HEAD = 2, NAME_HEAD = 3 };
        if (content.len < LIST_HEAD + NAME_HEAD || u16_at(content, 0) != content.len - LIST_HEAD)
                return ERR_syntax;
        struct str list = str_skip(content, LIST_HEAD);
        size_t len = u16_at(list, 1);
        /* RFC 6066 3: no two names of one kind, and there is only one kind. */
        if (list.ptr[0] != KIND_HOST_NAME || len != list.len - NAME_HEAD)
                return ERR_syntax;
        struct str name = str_skip(list, NAME_HEAD);
        if (str_ends(name, S(".")))
                name.len--;
        if (name.len == 0 || name.len > SNI_NAME_MAX)
                return ERR_missing;
        for (size_t i = 0; i < name.len; i++) {
                memory[i] = char_lower(name.ptr[i]);
                if (!is_name_char(memory[i]))
                        return ERR_missing;
        }
        *ret_name = str_from(memory, name.len);
        return ERR_ok;
}
