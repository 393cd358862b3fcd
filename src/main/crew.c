/* crew.c -- threads and the mail that goes to all of them. */
#include "main/crew.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/check.h"
#include "base/log.h"
#include "io/loop.h"
#include "record/journal.h"

/* Turns a worker may take to let everything go once it must. */
enum { LAST_TURNS = 1000 };

void crew_init(struct crew *crew, struct gate *gate, unsigned count, size_t pages_max)
{
        CHECK(count > 0 && count <= CREW_MOST);
        *crew = (struct crew){.gate = gate, .count = count};
        arena_init(&crew->arena, NULL, SIZE_MAX / 2);
        crew->hands = arena_array(&crew->arena, struct hand *, count);
        crew->watched = arena_array(&crew->arena, struct watched, count);
        gate->workers = arena_array(&crew->arena, struct worker *, count);
        gate->worker_count = count;
        for (unsigned i = 0; i < count; i++) {
                struct hand *hand = arena_new(&crew->arena, struct hand);
                hand->loop = loop_make(&driver_epoll, pages_max);
                crew->hands[i] = hand;
                gate->workers[i] = &hand->worker;
                hand->worker.http.loop = hand->loop;
        }
}

static void *work(void *arg)
{
        struct hand *hand = arg;
        char name[16];
        sigset_t all;
        sigfillset(&all);
        sigdelset(&all, SIGSEGV);
        sigdelset(&all, SIGABRT);
        sigdelset(&all, SIGQUIT);
        pthread_sigmask(SIG_SETMASK, &all, NULL);
        snprintf(name, sizeof name, "worker-%u", hand->worker.index);
        pthread_setname_np(pthread_self(), name);
        /* What it has to say goes the way of its records: a full stderr holds up nobody. */
        if (hand->worker.ring != NULL)
                log_to(journal_sink, hand->worker.ring, name);
        loop_run(hand->loop);
        return NULL;
}

void crew_start(struct crew *crew)
{
        for (unsigned i = 0; i < crew->count; i++) {
                struct hand *hand = crew->hands[i];
                CHECK(pthread_create(&hand->thread, NULL, work, hand) == 0);
                hand->is_started = true;
                crew->watched[i] = (struct watched){hand->loop, hand->thread, "worker"};
        }
}

/* ---- telling all of them ---- */

struct errand {
        struct mail mail;
        struct worker *worker;
        void (*fn)(struct worker *worker, void *arg);
        void *arg;
        struct errands *all;
};

struct errands {
        pthread_mutex_t lock;
        pthread_cond_t done;
        unsigned left;
};

static void on_errand(struct mail *mail)
{
        struct errand *errand = container_of(mail, struct errand, mail);
        struct errands *all = errand->all;
        errand->fn(errand->worker, errand->arg);
        pthread_mutex_lock(&all->lock);
        if (--all->left == 0)
                pthread_cond_signal(&all->done);
        pthread_mutex_unlock(&all->lock);
}

void crew_call(struct crew *crew, void (*fn)(struct worker *worker, void *arg), void *arg)
{
        struct errands all = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, crew->count};
        struct errand errands[CREW_MOST];
        for (unsigned i = 0; i < crew->count; i++) {
                struct hand *hand = crew->hands[i];
                if (!hand->is_started) {
                        fn(&hand->worker, arg);
                        all.left--;
                        continue;
                }
                errands[i] = (struct errand){{NULL, on_errand}, &hand->worker, fn, arg, &all};
                loop_post(hand->loop, &errands[i].mail);
        }
        pthread_mutex_lock(&all.lock);
        while (all.left > 0)
                pthread_cond_wait(&all.done, &all.lock);
        pthread_mutex_unlock(&all.lock);
}

/* ---- ending ---- */

static void drain(struct worker *worker, void *arg)
{
        (void)arg;
        worker_drain(worker);
}

void crew_drain(struct crew *crew)
{
        crew_call(crew, drain, NULL);
}

static void end_streams(struct worker *worker, void *arg)
{
        worker_end_streams(worker, *(const uint64_t *)arg);
}

void crew_end_streams(struct crew *crew, uint64_t within_ns)
{
        crew_call(crew, end_streams, &within_ns);
}

bool crew_is_drained(const struct crew *crew)
{
        for (unsigned i = 0; i < crew->count; i++) {
                if (!worker_is_drained(&crew->hands[i]->worker))
                        return false;
        }
        return true;
}

static void stop(struct worker *worker, void *arg)
{
        (void)arg;
        loop_stop(worker->http.loop);
}

void crew_join(struct crew *crew)
{
        crew_call(crew, stop, NULL);
        for (unsigned i = 0; i < crew->count; i++) {
                struct hand *hand = crew->hands[i];
                if (hand->is_started)
                        pthread_join(hand->thread, NULL);
                hand->is_started = false;
                worker_abort(&hand->worker);
                for (int turn = 0; turn < LAST_TURNS && !worker_is_empty(&hand->worker); turn++)
                        loop_turn(hand->loop, 0);
        }
}

void crew_fini(struct crew *crew)
{
        for (unsigned i = 0; i < crew->count; i++) {
                worker_fini(&crew->hands[i]->worker);
                loop_turn(crew->hands[i]->loop, 0);
                loop_free(crew->hands[i]->loop);
        }
        arena_fini(&crew->arena);
}
