/* start.c -- a start as name=value pairs. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "main/data.h"

static void put_text(struct text *text, const char *name, struct str value)
{
        if (value.len == 0)
                return;
        text_put(text, str_of(name));
        text_char(text, '=');
        text_put(text, value);
        text_char(text, '\0');
}

static void put_number(struct text *text, const char *name, uint64_t value)
{
        char digits[24];
        struct text number = text_over(digits, sizeof digits);
        text_u64(&number, value);
        if (value != 0)
                put_text(text, name, text_str(&number));
}

enum err start_encode(const struct data_start *start, struct text *text)
{
#define START_TEXT(name)   put_text(text, #name, str_of(start->name));
#define START_NUMBER(name) put_number(text, #name, start->name);
#include "main/start.def"
#undef START_TEXT
#undef START_NUMBER
        return text->is_cut ? ERR_limit : ERR_ok;
}

static enum err set_text(char *to, struct str value)
{
        if (value.len >= DATA_PATH_MAX)
                return ERR_limit;
        memcpy(to, value.ptr, value.len);
        to[value.len] = '\0';
        return ERR_ok;
}

static enum err set_one(struct data_start *start, struct str name, struct str value)
{
#define START_TEXT(member)                                                                         \
        if (str_is(name, #member))                                                                 \
                return set_text(start->member, value);
#define START_NUMBER(member)                                                                       \
        if (str_is(name, #member))                                                                 \
                return str_to_u64(value, &start->member);
#include "main/start.def"
#undef START_TEXT
#undef START_NUMBER
        return ERR_ok; /* a later version's */
}

enum err start_decode(struct str text, struct data_start *ret_start)
{
        struct data_start *start = ret_start;
        memset(start, 0, sizeof *start);
        start->document_fd = -1;
        while (text.len > 0) {
                ptrdiff_t end = str_find(text, '\0');
                if (end < 0)
                        return ERR_syntax;
                struct str value = str_first(text, (size_t)end);
                text = str_skip(text, (size_t)end + 1);
                struct str name = str_cut(&value, '=');
                if (value.ptr == NULL)
                        return ERR_syntax;
                enum err err = set_one(start, name, value);
                if (err != ERR_ok)
                        return err;
        }
        return ERR_ok;
}

enum err document_keep(struct str document, int *ret_fd)
{
        const int seals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
        *ret_fd = -1;
        if (document.len == 0)
                return ERR_ok;
        int fd = memfd_create("gate-document", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (fd < 0)
                return ERR_memory;
        if (write(fd, document.ptr, document.len) != (ssize_t)document.len ||
            lseek(fd, 0, SEEK_SET) != 0 || fcntl(fd, F_ADD_SEALS, seals) < 0) {
                close(fd);
                return ERR_memory;
        }
        *ret_fd = fd;
        return ERR_ok;
}
