/* err.c -- texts of the operating errors and their translation from errno. */
#include "base/err.h"

#include <errno.h>

static const char *const texts[] = {
#define ERR(name, text) text,
#include "base/err.def"
#undef ERR
};

const char *err_text(enum err err)
{
        return (unsigned)err < ERR_COUNT ? texts[err] : "unknown error";
}

static const struct {
        int number;
        enum err err;
} numbers[] = {
        {0, ERR_ok},
        {EAGAIN, ERR_again},
        {EINTR, ERR_again},
        {EINPROGRESS, ERR_again},
        {ENOMEM, ERR_memory},
        {ENOBUFS, ERR_memory},
        {EPIPE, ERR_closed},
        {ECONNRESET, ERR_reset},
        {ECONNABORTED, ERR_reset},
        {ECONNREFUSED, ERR_refused},
        {EHOSTUNREACH, ERR_unreachable},
        {ENETUNREACH, ERR_unreachable},
        {ENETDOWN, ERR_unreachable},
        {ETIMEDOUT, ERR_timeout},
        {EADDRINUSE, ERR_address_used},
        {EADDRNOTAVAIL, ERR_no_ports},
        {EMFILE, ERR_no_files},
        {ENFILE, ERR_no_files},
        {EACCES, ERR_denied},
        {EPERM, ERR_denied},
        {ENOENT, ERR_missing},
        {ENOTDIR, ERR_missing},
        {EEXIST, ERR_exists},
        {ENOSPC, ERR_full},
        {EDQUOT, ERR_full},
        {EFBIG, ERR_full},
        {EBUSY, ERR_busy},
        {ERANGE, ERR_range},
};

enum err err_from_errno(int number)
{
        for (size_t i = 0; i < countof(numbers); i++) {
                if (numbers[i].number == number)
                        return numbers[i].err;
        }
        return ERR_io;
}
