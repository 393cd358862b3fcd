/* message.c -- records between keeper and data process. */
#include "main/message.h"

#include <unistd.h>

#include "io/fdpass.h"

static const char *const names[] = {
        "NONE",
#define MESSAGE(name, who) #name,
#include "main/message.def"
#undef MESSAGE
};

const char *message_name(enum message_kind kind)
{
        return (unsigned)kind < MESSAGE_KINDS ? names[kind] : "UNKNOWN";
}

void message_init(struct message *message, enum message_kind kind)
{
        message->head = (struct message_head){.version = MESSAGE_VERSION, .kind = (uint16_t)kind};
        message->fds_count = 0;
}

void message_set_text(struct message *message, struct str text)
{
        text = str_first(text, MESSAGE_TEXT_MAX);
        if (text.len > 0)
                memcpy(message->text, text.ptr, text.len);
        message->head.text_len = (uint32_t)text.len;
}

/* Both ways: the record is the head and as much of the text as there is. The casts away from const
 * are the kernel's interface: a record that is sent is only read. */
enum err message_send(int fd, const struct message *message)
{
        struct parcel parcel = {.head = (void *)(uintptr_t)&message->head,
                                .head_len = sizeof message->head,
                                .body = (void *)(uintptr_t)message->text,
                                .body_len = message->head.text_len,
                                .fds = (int *)(uintptr_t)message->fds,
                                .fds_count = message->fds_count};
        return fdpass_send(fd, &parcel);
}

enum err message_take(int fd, struct message *ret_message)
{
        struct message *message = ret_message;
        struct parcel parcel = {.head = &message->head,
                                .head_len = sizeof message->head,
                                .body = message->text,
                                .body_len = MESSAGE_TEXT_MAX,
                                .fds = message->fds,
                                .fds_count = MESSAGE_FDS_MAX};
        message->fds_count = 0;
        enum err err = fdpass_take(fd, &parcel);
        if (err != ERR_ok)
                return err;
        message->fds_count = parcel.fds_count;
        if (message->head.version != MESSAGE_VERSION)
                err = ERR_version;
        else if (message->head.text_len != parcel.body_len || message->head.kind == MESSAGE_NONE ||
                 message->head.kind >= MESSAGE_KINDS)
                err = ERR_syntax;
        if (err != ERR_ok)
                message_close(message);
        return err;
}

enum err message_wait(int fd, int wait_ms, struct message *ret_message)
{
        enum err err = message_take(fd, ret_message);
        if (err != ERR_again)
                return err;
        err = fdpass_wait(fd, wait_ms);
        return err == ERR_ok ? message_take(fd, ret_message) : err;
}

void message_close(struct message *message)
{
        for (int i = 0; i < message->fds_count; i++) {
                if (message->fds[i] >= 0)
                        close(message->fds[i]);
        }
        message->fds_count = 0;
}
