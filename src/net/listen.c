/* listen.c -- accepting. */
#include "net/listen.h"

enum { ACCEPTS_PER_TURN = 64, ACCEPTS_LAST = 65536 /* the longest queue of a socket */ };

#define REST_NS 100000000u

static void rest(struct listener *listener)
{
        listener->rests++;
        listener->is_resting = true;
        listener->loop->driver->unwatch(listener->loop->world, listener->fd);
        timer_set(listener->loop, &listener->rest, listener->loop->now + REST_NS);
}

/* What the system said when it had no more: ERR_again, or why it cannot. */
static enum err accept_most(struct listener *listener, int most)
{
        struct loop *loop = listener->loop;
        for (int i = 0; i < most && listener->is_open; i++) {
                struct addr peer;
                int fd;
                enum err err = loop->driver->accept(loop->world, listener->fd, &peer, &fd);
                if (err == ERR_ok)
                        listener->accepted(listener, fd, &peer);
                else if (err != ERR_reset && err != ERR_unreachable && err != ERR_timeout)
                        return err; /* of those three only that caller is gone */
        }
        return ERR_again;
}

static void on_event(struct watcher *watcher, unsigned flags)
{
        struct listener *listener = container_of(watcher, struct listener, watcher);
        (void)flags;
        if (!listener->is_resting && accept_most(listener, ACCEPTS_PER_TURN) != ERR_again)
                rest(listener);
}

static void on_rested(struct timer *timer)
{
        struct listener *listener = container_of(timer, struct listener, rest);
        struct loop *loop = listener->loop;
        if (!listener->is_open)
                return;
        listener->is_resting = false;
        if (loop->driver->watch(loop->world, listener->fd, WATCH_LISTEN, &listener->watcher) !=
            ERR_ok)
                rest(listener);
}

enum err listener_open(struct listener *listener, struct loop *loop, int fd,
                       void (*accepted)(struct listener *, int, const struct addr *))
{
        *listener = (struct listener){.watcher.event = on_event, .loop = loop, .fd = fd};
        listener->accepted = accepted;
        timer_init(&listener->rest, on_rested);
        enum err err = loop->driver->watch(loop->world, fd, WATCH_LISTEN, &listener->watcher);
        listener->is_open = err == ERR_ok;
        return err;
}

void listener_finish(struct listener *listener)
{
        (void)accept_most(listener, ACCEPTS_LAST); /* also when it rests: there is no later */
        listener_shut(listener);
}

void listener_shut(struct listener *listener)
{
        if (!listener->is_open)
                return;
        listener->is_open = false;
        timer_stop(&listener->rest);
        if (!listener->is_resting)
                listener->loop->driver->unwatch(listener->loop->world, listener->fd);
}
