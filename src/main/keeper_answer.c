/* keeper_answer.c -- what data processes ask and tell. They speak to callers, so they may have
 * fallen into other hands: nothing they say makes the keeper do more than is written here, and one
 * that talks nonsense is replaced. */
#include <errno.h>
#include <signal.h>

#include "main/keeper_int.h"
#include "main/say.h"

enum { MESSAGES_PER_TURN = 64, DRAIN_MS_MAX = 24 * 3600 * 1000, STATUS_MAX = 200 };

static void answer(struct keeper *keeper, struct child *child)
{
        child_tell(keeper, child, &keeper->message);
        keeper->message.fds_count = 0; /* they are the binder's and the cells' */
}

static void begin_answer(struct keeper *keeper, enum message_kind kind)
{
        uint32_t serial = keeper->message.head.serial;
        message_init(&keeper->message, kind);
        keeper->message.head.serial = serial;
}

static void on_bind(struct keeper *keeper, struct child *child)
{
        struct message *message = &keeper->message;
        char asked[LINK_ADDRESS_MAX], memory[BINDER_WHY_MAX];
        struct text copy = text_over(asked, sizeof asked);
        struct text why = text_over(memory, sizeof memory);
        struct door *door = NULL;
        text_put(&copy, message_text(message));
        struct str rest = text_str(&copy);
        struct bind_request request = {.address = str_cut(&rest, '\t'),
                                       .count = message->head.count,
                                       .mode = (uint32_t)message->head.a};
        request.name = rest;
        uint32_t owner = child_index(keeper, child);
        int error = binder_bind(&keeper->binder, &request, owner, &door, &why);
        if (error == 0 && child->state == CHILD_SERVING)
                error = binder_listen(&keeper->binder, owner, &why);
        begin_answer(keeper, MESSAGE_BOUND);
        message->head.error = error;
        if (error != 0) {
                message_set_text(message, text_str(&why));
        } else {
                message_set_text(message, str_of(door->real));
                message->head.count = door->count;
                message->fds_count = (int)door->count;
                memcpy(message->fds, door->fds, sizeof(int) * door->count);
        }
        answer(keeper, child);
}

static void on_cells(struct keeper *keeper, struct child *child)
{
        struct message *message = &keeper->message;
        const struct cells_memory *memory;
        uint64_t size = message->head.a, layout = message->head.b;
        enum err err = cells_hold(&keeper->cells, size, layout, &memory);
        begin_answer(keeper, MESSAGE_HELD);
        if (err != ERR_ok) {
                message->head.error = err == ERR_range ? EINVAL : ENOMEM;
        } else {
                message->head.a = memory->size;
                message->fds[message->fds_count++] = memory->fd;
        }
        answer(keeper, child);
}

static void take_times(struct child *child, const struct message *message)
{
        child->drain_ms = u64_min(message->head.a, DRAIN_MS_MAX);
        child->stream_drain_ms = u64_min(message->head.b, DRAIN_MS_MAX);
}

static void on_ready(struct keeper *keeper, struct child *child)
{
        char memory[BINDER_WHY_MAX];
        struct text why = text_over(memory, sizeof memory);
        if (child->state != CHILD_STARTING)
                return;
        take_times(child, &keeper->message);
        int error = binder_listen(&keeper->binder, child_index(keeper, child), &why);
        begin_answer(keeper, MESSAGE_GO);
        keeper->message.head.error = error;
        message_set_text(&keeper->message, text_str(&why));
        answer(keeper, child);
        if (error == 0 && child->state == CHILD_STARTING)
                keeper_child_ready(keeper, child);
}

static void on_reloaded(struct keeper *keeper, struct child *child)
{
        if (child->state != CHILD_SERVING)
                return;
        take_times(child, &keeper->message);
        keeper->changed = keeper->now;
        keeper->crashes.early = 0;
        keeper->crashes.use_last_good = false;
        binder_prune(&keeper->binder);
        notify_say(&keeper->notify, S("READY=1"));
}

static void on_reload_failed(struct keeper *keeper, struct child *child)
{
        char memory[STATUS_MAX + 32];
        struct text text = text_over(memory, sizeof memory);
        if (child->state != CHILD_SERVING)
                return;
        notify_say(&keeper->notify, S("READY=1"));
        text_put(&text, S("reload failed: "));
        text_put(&text, str_first(message_text(&keeper->message), STATUS_MAX));
        keeper_status(keeper, text_str(&text));
}

/* Who was replaced has nothing to say any more; who drains for a stop may be in a hurry. */
static bool may_request(const struct keeper *keeper, const struct child *child)
{
        uint64_t what = keeper->message.head.a;
        if (child->state == CHILD_SERVING)
                return what < REQUESTS;
        return keeper->is_stopping && child->state == CHILD_DRAINING && what == REQUEST_ABORT;
}

static void on_told(struct keeper *keeper, struct child *child)
{
        struct message *message = &keeper->message;
        if (message->head.kind == MESSAGE_STATUS && child->state == CHILD_SERVING)
                keeper_status(keeper, str_first(message_text(message), STATUS_MAX));
        else if (message->head.kind == MESSAGE_STUCK && child->state != CHILD_DYING) {
                child->state = CHILD_DYING; /* by its own hand: it writes where it stands first */
                child->due = keeper->now + ABORT_MS;
        } else if (message->head.kind == MESSAGE_REQUEST && may_request(keeper, child))
                keeper_request(keeper, (enum request)message->head.a);
        else if (message->head.kind == MESSAGE_RELEASE) {
                binder_release(&keeper->binder, message_text(message), child_index(keeper, child));
                if (child->state == CHILD_SERVING)
                        binder_prune(&keeper->binder);
        }
}

static bool on_message(struct keeper *keeper, struct child *child)
{
        if (child->state == CHILD_SERVING)
                child->due = keeper->now + keeper->stall_ms;
        switch ((enum message_kind)keeper->message.head.kind) {
        case MESSAGE_BIND:
                on_bind(keeper, child);
                return true;
        case MESSAGE_CELLS:
                on_cells(keeper, child);
                return true;
        case MESSAGE_READY:
                on_ready(keeper, child);
                return true;
        case MESSAGE_RELOADED:
                on_reloaded(keeper, child);
                return true;
        case MESSAGE_RELOAD_FAILED:
                on_reload_failed(keeper, child);
                return true;
        case MESSAGE_RELEASE:
        case MESSAGE_STATUS:
        case MESSAGE_STUCK:
        case MESSAGE_REQUEST:
                on_told(keeper, child);
                return true;
        case MESSAGE_ALIVE:
        case MESSAGE_DRAINED:
                return true;
        default:
                return false; /* only the keeper says that */
        }
}

void keeper_hear(struct keeper *keeper, struct child *child)
{
        enum err err = ERR_ok;
        for (int i = 0; i < MESSAGES_PER_TURN && child->fd >= 0 && err == ERR_ok; i++) {
                err = message_take(child->fd, &keeper->message);
                if (err == ERR_ok && keeper->message.fds_count > 0)
                        err = ERR_syntax; /* a data process has nothing to hand up */
                if (err == ERR_ok && !on_message(keeper, child))
                        err = ERR_syntax;
        }
        message_close(&keeper->message);
        if (err == ERR_ok || err == ERR_again || child->fd < 0)
                return;
        if (err == ERR_closed) { /* it is about to end, and is not waited for long */
                child->due = u64_min(child->due, keeper->now + GRACE_MS);
        } else {
                say("data process %d says what cannot be understood (%s): it is replaced",
                    (int)child->pid, err_text(err));
                child_kill(keeper, child, SIGKILL, GRACE_MS);
        }
        child_hang_up(child);
}
