/* keeper_link.c -- asking the keeper, and hearing it. */
#include "main/keeper_link.h"

#include <unistd.h>

#include "base/check.h"
#include "main/keeper_local.h"

enum { BEAT_S = 1 };

#define NS_PER_S 1000000000u

void keeper_link_open(struct keeper_link *link, int fd)
{
        memset(link, 0, sizeof *link);
        link->fd = fd;
}

static void gone(struct keeper_link *link)
{
        if (link->is_gone)
                return;
        link->is_gone = true;
        link->is_drain_due = true;
        link->drain_why = DRAIN_STOP;
        link->drain_due_ms = link->drain_ms;
}

/* What a message of the keeper makes due; it is done on the loop. */
static void note(struct keeper_link *link)
{
        const struct message *message = &link->message;
        switch ((enum message_kind)message->head.kind) {
        case MESSAGE_RELOAD:
                link->is_reload_due = true;
                break;
        case MESSAGE_REOPEN:
                link->is_reopen_due = true;
                break;
        case MESSAGE_DRAIN:
                link->is_drain_due = true;
                link->drain_why = (enum drain)message->head.b;
                link->drain_due_ms = message->head.a;
                break;
        case MESSAGE_REQUEST_FAILED:
                if (link->ops != NULL && link->ops->request_failed != NULL)
                        link->ops->request_failed(link, (enum request)message->head.a,
                                                  message_text(message));
                break;
        default: /* an answer that came too late */
                break;
        }
        if (link->loop != NULL)
                loop_ready(link->loop, &link->deliver);
}

static void on_deliver(struct task *task)
{
        struct keeper_link *link = container_of(task, struct keeper_link, deliver);
        if (link->is_drain_due) {
                link->is_drain_due = false;
                link->ops->drain(link, link->drain_why, link->drain_due_ms);
        }
        if (link->is_reopen_due) {
                link->is_reopen_due = false;
                link->ops->reopen(link);
        }
        if (link->is_reload_due) {
                link->is_reload_due = false;
                link->ops->reload(link);
        }
}

static void on_event(struct watcher *watcher, unsigned flags)
{
        struct keeper_link *link = container_of(watcher, struct keeper_link, watcher);
        enum err err;
        (void)flags;
        if (link->local != NULL) {
                local_take_signals(link);
                loop_ready(link->loop, &link->deliver);
                return;
        }
        while ((err = message_take(link->fd, &link->message)) == ERR_ok) {
                note(link);
                message_close(&link->message);
        }
        if (err == ERR_again)
                return;
        gone(link);
        link->loop->driver->unwatch(link->loop->world, link->fd);
        loop_ready(link->loop, &link->deliver);
}

/* Sends; when there is no keeper any more, nothing happens here, but on the loop. */
static void tell(struct keeper_link *link, const struct message *message)
{
        if (link->fd < 0 || link->is_gone)
                return;
        if (message_send(link->fd, message) == ERR_closed && link->loop == NULL)
                gone(link);
}

/* Sends link->message and waits for the answer, which is in link->message then. */
static enum err ask(struct keeper_link *link, enum message_kind answer)
{
        struct message *message = &link->message;
        uint32_t serial = ++link->serial;
        message->head.serial = serial;
        enum err err = message_send(link->fd, message);
        while (err == ERR_ok) {
                err = message_wait(link->fd, KEEPER_ASK_MS, message);
                if (err == ERR_ok && message->head.kind == answer && message->head.serial == serial)
                        return ERR_ok;
                if (err == ERR_ok) {
                        note(link);
                        message_close(message);
                }
        }
        if (err == ERR_closed)
                gone(link);
        return err;
}

static void put_request(struct message *message, const struct bind_request *request)
{
        struct text text = text_over(message->text, sizeof message->text);
        text_put(&text, request->address);
        if (request->name.len > 0) {
                text_char(&text, '\t');
                text_put(&text, request->name);
        }
        message->head.text_len = (uint32_t)text.len;
}

enum err keeper_link_bind(struct keeper_link *link, const struct bind_request *request,
                          struct bound *ret_bound, struct text *why)
{
        struct message *message = &link->message;
        if (link->local != NULL)
                return local_bind(link, request, ret_bound, why);
        message_init(message, MESSAGE_BIND);
        message->head.count = request->count;
        message->head.a = request->mode;
        put_request(message, request);
        enum err err = ask(link, MESSAGE_BOUND);
        if (err != ERR_ok) {
                text_put(why, S("the keeper does not answer"));
                return err;
        }
        struct str text = message_text(message);
        if (message->head.error != 0 || message->fds_count == 0) {
                text_put(why, str_first(text, why->max - why->len));
                err = err_from_errno(message->head.error);
                return err == ERR_ok ? ERR_io : err;
        }
        text = str_first(text, sizeof ret_bound->address - 1);
        memcpy(ret_bound->address, text.ptr, text.len);
        ret_bound->address[text.len] = '\0';
        ret_bound->count = (uint32_t)message->fds_count;
        memcpy(ret_bound->fds, message->fds, sizeof(int) * (size_t)message->fds_count);
        message->fds_count = 0;
        return ERR_ok;
}

void keeper_link_release(struct keeper_link *link, const struct bind_request *request)
{
        message_init(&link->message, MESSAGE_RELEASE);
        put_request(&link->message, request);
        if (link->local == NULL) {
                tell(link, &link->message);
                return;
        }
        binder_release(&link->local->binder, message_text(&link->message), 0);
        binder_prune(&link->local->binder);
}

enum err keeper_link_cells(struct keeper_link *link, uint64_t size, uint64_t layout, int *ret_fd,
                           uint64_t *ret_size)
{
        struct message *message = &link->message;
        if (link->local != NULL)
                return local_cells(link->local, size, layout, ret_fd, ret_size);
        message_init(message, MESSAGE_CELLS);
        message->head.a = size;
        message->head.b = layout;
        enum err err = ask(link, MESSAGE_HELD);
        if (err != ERR_ok)
                return err;
        if (message->head.error != 0 || message->fds_count != 1 || message->head.a < size) {
                message_close(message);
                return message->head.error != 0 ? err_from_errno(message->head.error) : ERR_io;
        }
        *ret_fd = message->fds[0];
        *ret_size = message->head.a;
        message->fds_count = 0;
        return ERR_ok;
}

enum err keeper_link_ready(struct keeper_link *link, uint64_t drain_ms, uint64_t stream_drain_ms)
{
        struct message *message = &link->message;
        enum err err = ERR_ok;
        link->drain_ms = drain_ms;
        if (link->local != NULL) {
                err = local_ready(link->local);
        } else {
                message_init(message, MESSAGE_READY);
                message->head.a = drain_ms;
                message->head.b = stream_drain_ms;
                err = ask(link, MESSAGE_GO);
                if (err == ERR_ok)
                        err = err_from_errno(message->head.error);
        }
        link->is_ready = err == ERR_ok;
        return err;
}

static void on_beat(struct timer *timer)
{
        struct keeper_link *link = container_of(timer, struct keeper_link, beat);
        timer_set(link->loop, timer, loop_now(link->loop) + (uint64_t)BEAT_S * NS_PER_S);
        if (!link->is_ready)
                return;
        if (link->local != NULL) {
                local_beat(link->local);
                return;
        }
        message_init(&link->message, MESSAGE_ALIVE);
        tell(link, &link->message);
}

void keeper_link_attach(struct keeper_link *link, struct loop *loop,
                        const struct keeper_link_ops *ops, void *owner)
{
        bool is_local = link->local != NULL;
        link->loop = loop;
        link->ops = ops;
        link->owner = owner;
        link->watcher.event = on_event;
        task_init(&link->deliver, on_deliver);
        timer_init(&link->beat, on_beat);
        timer_set(loop, &link->beat, loop_now(loop) + (uint64_t)BEAT_S * NS_PER_S);
        enum err err = loop->driver->watch(loop->world, is_local ? link->local->signals : link->fd,
                                           is_local ? WATCH_LISTEN : WATCH_STREAM, &link->watcher);
        CHECK(err == ERR_ok);
        loop_ready(loop, &link->deliver);
}

void keeper_link_detach(struct keeper_link *link)
{
        int fd = link->local != NULL ? link->local->signals : link->fd;
        if (link->loop == NULL)
                return;
        timer_stop(&link->beat);
        list_remove(&link->deliver.node);
        if (!link->is_gone)
                link->loop->driver->unwatch(link->loop->world, fd);
        link->loop = NULL;
}

static void tell_text(struct keeper_link *link, enum message_kind kind, struct str text)
{
        message_init(&link->message, kind);
        message_set_text(&link->message, text);
        tell(link, &link->message);
}

void keeper_link_reloaded(struct keeper_link *link, uint64_t drain_ms, uint64_t stream_drain_ms)
{
        link->drain_ms = drain_ms;
        message_init(&link->message, MESSAGE_RELOADED);
        link->message.head.a = drain_ms;
        link->message.head.b = stream_drain_ms;
        tell(link, &link->message);
}

void keeper_link_reload_failed(struct keeper_link *link, struct str why)
{
        tell_text(link, MESSAGE_RELOAD_FAILED, why);
}

void keeper_link_status(struct keeper_link *link, struct str line)
{
        tell_text(link, MESSAGE_STATUS, line);
}

void keeper_link_stuck(struct keeper_link *link)
{
        struct message message;
        message_init(&message, MESSAGE_STUCK);
        if (link->fd >= 0 && message_send(link->fd, &message) != ERR_ok)
                return; /* the keeper will notice by itself */
}

void keeper_link_drained(struct keeper_link *link)
{
        message_init(&link->message, MESSAGE_DRAINED);
        tell(link, &link->message);
}

void keeper_link_request(struct keeper_link *link, enum request what)
{
        if (link->local == NULL) {
                message_init(&link->message, MESSAGE_REQUEST);
                link->message.head.a = (uint64_t)what;
                tell(link, &link->message);
                return;
        }
        if (what == REQUEST_STOP || what == REQUEST_ABORT) {
                link->is_drain_due = true;
                link->drain_why = what == REQUEST_STOP ? DRAIN_STOP : DRAIN_NOW;
                link->drain_due_ms = what == REQUEST_STOP ? link->drain_ms : 0;
                loop_ready(link->loop, &link->deliver);
        } else if (link->ops->request_failed != NULL) {
                link->ops->request_failed(link, what, S("there is no keeper (--no-keeper)"));
        }
}
