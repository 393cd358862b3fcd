/* keeper.c -- the loop of the keeper and its decisions: who serves, who is replaced, when it is
 * over. Every wait has an end, every child a deadline. */
#include "main/keeper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "io/signals.h"
#include "main/keeper_int.h"
#include "main/privs.h"
#include "main/say.h"

enum {
        EXIT_OUR_FAULT = 70, /* EX_SOFTWARE */
        EXIT_SIGNALLED = 128,
        LATE_MS = 1000, /* who wakes that much too late was asleep with all others */
        HURRY_MS = 500, /* what a second signal leaves */
};

uint64_t keeper_clock(void)
{
        struct timespec time;
        clock_gettime(CLOCK_MONOTONIC, &time);
        return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

void keeper_status(struct keeper *keeper, struct str line)
{
        char memory[300];
        struct text text = text_over(memory, sizeof memory);
        text_put(&text, S("STATUS="));
        for (size_t i = 0; i < line.len && i < 250; i++)
                text_char(&text, (unsigned char)line.ptr[i] < ' ' ? ' ' : line.ptr[i]);
        notify_say(&keeper->notify, text_str(&text));
}

/* Stopping. */

void keeper_stop(struct keeper *keeper, int exit_code)
{
        keeper->is_stopping = true;
        keeper->exit_code = exit_code;
        binder_close_tcp(&keeper->binder);
        if (keeper->upgrade.is_on)
                upgrade_failed(keeper, "the gate is to stop");
        notify_say(&keeper->notify, S("STOPPING=1"));
        for (size_t i = 0; i < CHILDREN_MAX; i++) {
                struct child *child = &keeper->children[i];
                if (child->state == CHILD_STARTING) {
                        child->is_dismissed = true;
                        child_kill(keeper, child, SIGKILL, GRACE_MS);
                } else if (child->state != CHILD_NONE && child->state != CHILD_DYING) {
                        child_drain(keeper, child, DRAIN_STOP, child->drain_ms);
                }
        }
}

static void on_stop(struct keeper *keeper, int signo)
{
        if (!keeper->is_stopping) {
                struct child *child = child_serving(keeper);
                say("stopping: requests in progress have %llu s; once more to stop at once",
                    (unsigned long long)(child == NULL ? 0 : (child->drain_ms + 999) / 1000));
                keeper_stop(keeper, 0);
                return;
        }
        say("stopping at once");
        keeper->exit_code = EXIT_SIGNALLED + signo;
        for (size_t i = 0; i < CHILDREN_MAX; i++) {
                struct child *child = &keeper->children[i];
                if (child->state == CHILD_NONE)
                        continue;
                child_drain(keeper, child, DRAIN_NOW, 0);
                child->state = CHILD_DYING;
                child->due = keeper->now + HURRY_MS;
        }
}

/* Signals. */

static void reload(struct keeper *keeper)
{
        struct child *child = child_serving(keeper);
        for (size_t i = 0; i < CHILDREN_MAX; i++) {
                /* It may have read what was before. */
                if (keeper->children[i].state == CHILD_STARTING)
                        keeper->is_reload_due = true;
        }
        keeper->crashes.use_last_good = false;
        if (child == NULL) { /* the next one hears of it */
                keeper->is_reload_due = true;
                return;
        }
        notify_reloading(&keeper->notify);
        child_command(keeper, child, MESSAGE_RELOAD);
}

static void reopen(struct keeper *keeper)
{
        for (size_t i = 0; i < CHILDREN_MAX; i++) {
                if (keeper->children[i].state != CHILD_NONE)
                        child_command(keeper, &keeper->children[i], MESSAGE_REOPEN);
        }
}

/* A fresh process of the same image beside the one that serves; it drains when the other is ready.
 */
static void renew(struct keeper *keeper)
{
        for (size_t i = 0; i < CHILDREN_MAX; i++) {
                if (keeper->children[i].state == CHILD_STARTING) {
                        keeper_request_failed(keeper, REQUEST_RENEW, "another one starts already");
                        return;
                }
        }
        if (child_start(keeper, &keeper->image) == NULL)
                keeper_request_failed(keeper, REQUEST_RENEW, "it cannot be started");
}

void keeper_request(struct keeper *keeper, enum request what)
{
        if (what == REQUEST_ABORT) {
                if (!keeper->is_stopping)
                        on_stop(keeper, SIGTERM);
                on_stop(keeper, SIGTERM);
        } else if (what == REQUEST_STOP && !keeper->is_stopping) {
                on_stop(keeper, SIGTERM);
        } else if (what == REQUEST_UPGRADE && !keeper->is_stopping) {
                upgrade_begin(keeper);
        } else if (what == REQUEST_RENEW && !keeper->is_stopping) {
                renew(keeper);
        }
}

void keeper_request_failed(struct keeper *keeper, enum request what, const char *why)
{
        struct child *child = child_serving(keeper);
        if (child == NULL)
                return;
        message_init(&keeper->message, MESSAGE_REQUEST_FAILED);
        keeper->message.head.a = (uint64_t)what;
        message_set_text(&keeper->message, str_of(why));
        child_tell(keeper, child, &keeper->message);
}

static void take_signals(struct keeper *keeper)
{
        bool is_of_system;
        int signo;
        while ((signo = signals_take(keeper->signals, &is_of_system)) != 0) {
                bool is_hangup = signo == SIGHUP && is_of_system; /* the terminal is gone */
                if (is_hangup && keeper->is_detached)
                        continue;
                if (signo == SIGTERM || signo == SIGINT || is_hangup)
                        on_stop(keeper, signo);
                else if (keeper->is_stopping)
                        continue;
                else if (signo == SIGHUP)
                        reload(keeper);
                else if (signo == SIGUSR1)
                        reopen(keeper);
                else if (signo == SIGUSR2)
                        upgrade_begin(keeper);
        }
}

/* Data processes: ready, gone, late. */

void keeper_child_ready(struct keeper *keeper, struct child *child)
{
        bool is_upgrade = child->is_candidate;
        child->state = CHILD_SERVING;
        child->is_candidate = false;
        child->ready = keeper->changed = keeper->now;
        child->due = keeper->now + keeper->stall_ms;
        for (size_t i = 0; i < CHILDREN_MAX; i++) {
                struct child *other = &keeper->children[i];
                if (other == child)
                        continue;
                if (other->state == CHILD_SERVING) {
                        child_drain(keeper, other, DRAIN_REPLACED,
                                    u64_max(other->drain_ms, other->stream_drain_ms));
                } else if (other->state == CHILD_STARTING && !other->is_candidate) {
                        other->is_dismissed = true;
                        child_kill(keeper, other, SIGKILL, GRACE_MS);
                }
        }
        binder_prune(&keeper->binder);
        if (!keeper->has_served)
                privs_keep_less();
        if (!keeper->has_served && keeper->served != NULL)
                keeper->served(&keeper->binder);
        keeper->has_served = true;
        notify_say(&keeper->notify, S("READY=1\nSTATUS=serving"));
        if (keeper->is_reload_due) {
                keeper->is_reload_due = false;
                child_command(keeper, child, MESSAGE_RELOAD);
        }
        if (is_upgrade && keeper->upgrade.is_on)
                upgrade_finish(keeper);
}

/* Nothing ever served: what it said is the answer to who started us. */
static void first_failed(struct keeper *keeper, const struct child *child, int status)
{
        if (WIFEXITED(status) && WEXITSTATUS(status) != 0) {
                keeper_stop(keeper, WEXITSTATUS(status));
                return;
        }
        say("data process %d ended before it was ready: %s", (int)child->pid, say_status(status));
        if (WIFEXITED(status) || ++keeper->crashes.in_a_row >= CRASHES_TO_GIVE_UP)
                keeper_stop(keeper, EXIT_OUR_FAULT);
}

static uint64_t backoff(uint32_t crashes)
{
        if (crashes <= 1)
                return 0;
        return u64_min((uint64_t)BACKOFF_MS << u64_min(crashes - 2, 10), BACKOFF_MAX_MS);
}

static void crashed(struct keeper *keeper, const struct child *child, int status)
{
        struct crashes *crashes = &keeper->crashes;
        bool was_steady = child->ready != 0 && keeper->now - child->ready >= STEADY_MS;
        bool was_good = child->ready != 0 && keeper->now - keeper->changed >= GOOD_MS;
        crashes->in_a_row = was_steady ? 1 : crashes->in_a_row + 1;
        crashes->early = was_good ? 1 : crashes->early + 1;
        /* It cannot even start with what is there now, though it could before. */
        if (child->ready == 0 && WIFEXITED(status) && WEXITSTATUS(status) != 0)
                crashes->use_last_good = true;
        if (crashes->early >= CRASHES_TO_LAST_GOOD)
                crashes->use_last_good = true;
        uint64_t wait = backoff(crashes->in_a_row);
        crashes->restart = keeper->now + wait;
        say("data process %d ended (%s); another one starts %s%s", (int)child->pid,
            say_status(status), wait == 0 ? "now" : "in a moment",
            crashes->use_last_good ? ", with the last good configuration" : "");
        keeper_status(keeper, S("the data process ended unexpectedly, another one starts"));
}

static void child_over(struct keeper *keeper, struct child *child, int status)
{
        if (child->state == CHILD_STARTING)
                child->state = CHILD_DYING; /* it is too late to be ready */
        keeper_hear(keeper, child);
        struct child old = *child;
        child_hang_up(child);
        child->state = CHILD_NONE;
        binder_release_all(&keeper->binder, child_index(keeper, child));
        if (child_serving(keeper) != NULL)
                binder_prune(&keeper->binder);
        if (old.is_candidate && keeper->upgrade.is_on) {
                char why[120];
                snprintf(why, sizeof why, "its data process ended before it was ready (%s)",
                         say_status(status));
                upgrade_failed(keeper, why);
        } else if (old.is_dismissed || old.is_candidate) {
                if (!WIFEXITED(status) && old.ready != 0)
                        say("data process %d did not end by itself (%s)", (int)old.pid,
                            say_status(status));
        } else if (!keeper->is_stopping) {
                if (keeper->has_served)
                        crashed(keeper, &old, status);
                else
                        first_failed(keeper, &old, status);
        }
}

static void reap(struct keeper *keeper)
{
        pid_t pid;
        int status;
        while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
                if (keeper->upgrade.is_on && pid == keeper->upgrade.trial)
                        upgrade_trial_over(keeper, status);
                for (size_t i = 0; i < CHILDREN_MAX; i++) {
                        struct child *child = &keeper->children[i];
                        if (child->state != CHILD_NONE && child->pid == pid)
                                child_over(keeper, child, status);
                }
        }
}

static void out_of_patience(struct keeper *keeper, struct child *child)
{
        switch (child->state) {
        case CHILD_STARTING:
                say("data process %d was not ready in %llu ms", (int)child->pid,
                    (unsigned long long)(keeper->now - child->began));
                child_kill(keeper, child, SIGABRT, ABORT_MS);
                return;
        case CHILD_SERVING:
                say("data process %d has not been heard of for too long", (int)child->pid);
                child_kill(keeper, child, SIGABRT, ABORT_MS);
                return;
        case CHILD_DRAINING:
                say("data process %d is still busy at the end of its time", (int)child->pid);
                child_kill(keeper, child, SIGKILL, GRACE_MS);
                return;
        case CHILD_DYING:
                child_kill(keeper, child, SIGKILL, GRACE_MS);
                return;
        case CHILD_NONE:
                return;
        }
}

/* The turn. */

static bool needs_child(const struct keeper *keeper)
{
        bool is_there = false;
        for (size_t i = 0; i < CHILDREN_MAX; i++) {
                const struct child *child = &keeper->children[i];
                is_there = is_there || child->state == CHILD_SERVING ||
                           (child->state == CHILD_STARTING && !child->is_candidate);
        }
        return !is_there && !keeper->is_stopping;
}

static void look_at_clock(struct keeper *keeper)
{
        for (size_t i = 0; i < CHILDREN_MAX; i++) {
                struct child *child = &keeper->children[i];
                if (child->state != CHILD_NONE && child->due <= keeper->now)
                        out_of_patience(keeper, child);
                child_catch_up(keeper, child, true);
        }
        if (keeper->upgrade.is_on && keeper->upgrade.due <= keeper->now)
                upgrade_failed(keeper, "it does not answer");
        if (needs_child(keeper) && keeper->crashes.restart <= keeper->now &&
            child_start(keeper, &keeper->image) == NULL)
                keeper->crashes.restart = keeper->now + BACKOFF_MS;
        struct child *serving = child_serving(keeper);
        bool is_well = serving == NULL || serving->due > keeper->now + keeper->stall_ms / 2;
        uint64_t beat = keeper->notify.watchdog_ms / 3;
        if (beat > 0 && is_well && keeper->now - keeper->notified >= beat) {
                keeper->notified = keeper->now;
                notify_say(&keeper->notify, S("WATCHDOG=1"));
        }
}

static uint64_t next_due(const struct keeper *keeper)
{
        uint64_t due = UINT64_MAX;
        for (size_t i = 0; i < CHILDREN_MAX; i++) {
                const struct child *child = &keeper->children[i];
                if (child->state != CHILD_NONE)
                        due = u64_min(due, child->due);
                if (child->owed != 0 && child->fd >= 0)
                        due = u64_min(due, keeper->now + OWED_MS);
        }
        if (keeper->upgrade.is_on)
                due = u64_min(due, keeper->upgrade.due);
        if (needs_child(keeper))
                due = u64_min(due, keeper->crashes.restart);
        if (keeper->notify.watchdog_ms > 0)
                due = u64_min(due, keeper->notified + keeper->notify.watchdog_ms / 3);
        return due;
}

/* When the machine slept or we were stopped, so were they: nobody is late. */
static void forgive(struct keeper *keeper, uint64_t late)
{
        for (size_t i = 0; i < CHILDREN_MAX; i++) {
                if (keeper->children[i].state != CHILD_NONE)
                        keeper->children[i].due += late + GRACE_MS;
        }
}

static void wait_and_hear(struct keeper *keeper)
{
        struct pollfd polled[1 + CHILDREN_MAX];
        uint64_t due = next_due(keeper);
        uint64_t wait = due <= keeper->now ? 0 : u64_min(due - keeper->now, 60000);
        polled[0] = (struct pollfd){.fd = keeper->signals, .events = POLLIN};
        for (size_t i = 0; i < CHILDREN_MAX; i++) {
                const struct child *child = &keeper->children[i];
                int fd = child->state == CHILD_NONE ? -1 : child->fd;
                polled[1 + i] = (struct pollfd){.fd = fd, .events = POLLIN};
        }
        poll(polled, countof(polled), (int)wait);
        uint64_t woken = keeper_clock();
        if (woken > keeper->now + wait + LATE_MS)
                forgive(keeper, woken - keeper->now - wait);
        keeper->now = woken;
        for (size_t i = 0; i < CHILDREN_MAX; i++) {
                if (polled[1 + i].fd >= 0 && polled[1 + i].revents != 0)
                        keeper_hear(keeper, &keeper->children[i]);
        }
        take_signals(keeper);
        reap(keeper);
}

static bool is_over(const struct keeper *keeper)
{
        for (size_t i = 0; i < CHILDREN_MAX; i++) {
                if (keeper->children[i].state != CHILD_NONE)
                        return false;
        }
        return keeper->is_stopping;
}

int keeper_turn_until_over(struct keeper *keeper)
{
        while (!is_over(keeper)) {
                look_at_clock(keeper);
                wait_and_hear(keeper);
        }
        binder_close(&keeper->binder);
        cells_close(&keeper->cells);
        notify_close(&keeper->notify);
        return keeper->exit_code;
}
