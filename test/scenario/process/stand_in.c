/* stand_in.c -- a data process that does next to nothing, below the real keeper: it reads a few
 * lines of what it is to do, binds, and answers every connection with who it is. The scenarios of
 * this folder break it in every way that a real one may break. Lines of the configuration:
 *   listen ADDRESS [NAME] · workers N · user NAME · drain MS · version TEXT · cells · exit CODE
 *   crash · hang · deaf · slow MS (an answer takes that long) · nonsense (to the keeper)
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "main/keeper.h"
#include "main/keeper_link.h"
#include "main/privs.h"
#include "main/watchdog.h"
#include "net/listen.h"

enum { LISTENS_MAX = 8, WORKERS_MAX = 8, EXIT_BAD = 78, EXIT_TAKEN = 71, EXIT_NOT_ALLOWED = 77 };

struct wish {
        char listen[LISTENS_MAX][LINK_ADDRESS_MAX], name[LISTENS_MAX][32];
        size_t listens;
        char user[64], version[64];
        uint64_t workers, drain_ms, slow_ms, exit_code;
        bool has_cells, is_crashing, is_hanging, is_deaf, is_nonsense;
};

struct worker {
        struct loop *loop;
        pthread_t thread;
        struct listener listeners[LISTENS_MAX * 4];
        size_t count;
        struct mail stop;
};

static struct wish wish;
static struct data_start *start;
static struct bound bounds[LISTENS_MAX];
static struct worker workers[WORKERS_MAX];
static struct watched watched[WORKERS_MAX];
static struct watchdog watchdog;
static struct loop *steward;
static struct task leave;
static struct timer patience;
static _Atomic uint64_t *answers;
static _Atomic int busy;

static void say_line(const char *text, uint64_t number)
{
        fprintf(stderr, "data %d: %s %llu\n", (int)getpid(), text, (unsigned long long)number);
}

static void take_line(struct str line)
{
        struct str word = str_cut(&line, ' ');
        uint64_t number = 0;
        bool is_number = line.ptr != NULL && str_to_u64(line, &number) == ERR_ok;
        if (str_is(word, "listen") && wish.listens < LISTENS_MAX) {
                struct str address = str_cut(&line, ' ');
                memcpy(wish.listen[wish.listens], address.ptr, address.len);
                if (line.ptr != NULL)
                        memcpy(wish.name[wish.listens], line.ptr, line.len);
                wish.listens++;
        } else if (str_is(word, "user")) {
                memcpy(wish.user, line.ptr, line.len);
        } else if (str_is(word, "version")) {
                memcpy(wish.version, line.ptr, line.len);
                wish.version[line.len] = '\0';
        } else if (str_is(word, "workers") && is_number) {
                wish.workers = u64_min(number, WORKERS_MAX);
        } else if (str_is(word, "drain") && is_number) {
                wish.drain_ms = number;
        } else if (str_is(word, "slow") && is_number) {
                wish.slow_ms = number;
        } else if (str_is(word, "exit") && is_number) {
                wish.exit_code = number;
        }
        wish.has_cells = wish.has_cells || str_is(word, "cells");
        wish.is_crashing = wish.is_crashing || str_is(word, "crash");
        wish.is_hanging = wish.is_hanging || str_is(word, "hang");
        wish.is_deaf = wish.is_deaf || str_is(word, "deaf");
        wish.is_nonsense = wish.is_nonsense || str_is(word, "nonsense");
}

static bool read_wish(void)
{
        static char memory[8192];
        int fd = start->document_fd >= 0 ? start->document_fd
                                         : open(start->configuration, O_RDONLY | O_CLOEXEC);
        ssize_t len = fd < 0 ? -1 : pread(fd, memory, sizeof memory, 0);
        if (len < 0) {
                fprintf(stderr, "error: cannot read %s: %s\n", start->configuration,
                        strerror(errno));
                return false;
        }
        if (fd != start->document_fd)
                close(fd);
        memset(&wish, 0, sizeof wish);
        wish.workers = 2;
        wish.version[0] = '-';
        wish.drain_ms = 2000;
        struct str rest = str_from(memory, (size_t)len);
        while (rest.len > 0)
                take_line(str_cut(&rest, '\n'));
        return true;
}

static void answer(int fd)
{
        char memory[256], request[1024];
        struct text text = text_over(memory, sizeof memory);
        ssize_t got = recv(fd, request, sizeof request, 0);
        while (got == 4 && memcmp(request, "spin", 4) == 0)
                pthread_testcancel();
        if (wish.slow_ms > 0)
                usleep((useconds_t)(wish.slow_ms * 1000));
        uint64_t count = answers == NULL ? 0 : ++*answers;
        text_format(&text, "pid %d version %s count %llu uid %d last_good %llu crashes %llu\n",
                    (int)getpid(), wish.version, (unsigned long long)count, (int)getuid(),
                    (unsigned long long)start->last_good, (unsigned long long)start->crashes);
        if (got > 0 && send(fd, memory, text.len, MSG_NOSIGNAL) < 0)
                say_line("a caller is gone", 0);
        shutdown(fd, SHUT_WR);
        close(fd);
        busy--;
}

static void *answer_slowly(void *arg)
{
        answer((int)(intptr_t)arg);
        return NULL;
}

static void accepted(struct listener *listener, int fd, const struct addr *peer)
{
        pthread_t thread;
        (void)listener;
        (void)peer;
        busy++;
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
        if (wish.slow_ms == 0) {
                answer(fd);
                return;
        }
        CHECK(pthread_create(&thread, NULL, answer_slowly, (void *)(intptr_t)fd) == 0);
        pthread_detach(thread);
}

static void *work(void *arg)
{
        struct worker *worker = arg;
        uint32_t own = (uint32_t)(worker - workers);
        for (size_t i = 0; i < wish.listens; i++) {
                int fd;
                for (uint32_t nth = 0;
                     (fd = bound_pick(&bounds[i], own, (uint32_t)wish.workers, nth)) >= 0; nth++) {
                        struct listener *listener = &worker->listeners[worker->count++];
                        CHECK(worker->count < countof(worker->listeners));
                        CHECK(listener_open(listener, worker->loop, fd, accepted) == ERR_ok);
                }
        }
        loop_run(worker->loop);
        return NULL;
}

/* Takes what is queued, then listens no more. */
static void on_stop_mail(struct mail *mail)
{
        struct worker *worker = container_of(mail, struct worker, stop);
        for (size_t i = 0; i < worker->count; i++) {
                struct listener *listener = &worker->listeners[i];
                listener->watcher.event(&listener->watcher, EVENT_READ);
                listener_shut(listener);
        }
        loop_stop(worker->loop);
}

static void on_patience(struct timer *timer)
{
        if (busy > 0) {
                timer_set(steward, timer, loop_now(steward) + 10000000);
                return;
        }
        keeper_link_drained(start->link);
        loop_stop(steward);
}

static void on_leave(struct task *task)
{
        (void)task;
        for (size_t i = 0; i < wish.workers; i++)
                pthread_join(workers[i].thread, NULL);
        for (size_t i = 0; i < wish.listens; i++) {
                for (uint32_t k = 0; k < bounds[i].count; k++)
                        close(bounds[i].fds[k]);
        }
        timer_init(&patience, on_patience);
        on_patience(&patience);
}

static void on_drain(struct keeper_link *link, enum drain why, uint64_t limit_ms)
{
        (void)link;
        say_line(why == DRAIN_STOP  ? "drain stop"
                 : why == DRAIN_NOW ? "drain now"
                                    : "drain replaced",
                 limit_ms);
        if (wish.is_deaf)
                return;
        watchdog_stop(&watchdog);
        for (size_t i = 0; i < wish.workers && workers[i].stop.open == NULL; i++) {
                workers[i].stop.open = on_stop_mail;
                loop_post(workers[i].loop, &workers[i].stop);
        }
        if (leave.run == NULL) {
                task_init(&leave, on_leave);
                loop_ready(steward, &leave);
        }
}

static void on_reload(struct keeper_link *link)
{
        char version[sizeof wish.version];
        struct wish before = wish;
        memcpy(version, wish.version, sizeof version);
        if (!read_wish() || wish.exit_code != 0) {
                wish = before;
                say_line("reload failed", 0);
                keeper_link_reload_failed(link, S("the file is bad"));
                return;
        }
        wish.listens = before.listens;
        wish.workers = before.workers;
        say_line("reloaded", 0);
        keeper_link_reloaded(link, wish.drain_ms, wish.drain_ms);
        if (wish.is_crashing)
                raise(SIGSEGV);
        if (str_eq(str_of(wish.version), S("upgrade")))
                keeper_link_request(link, REQUEST_UPGRADE);
        if (str_eq(str_of(wish.version), S("renew")))
                keeper_link_request(link, REQUEST_RENEW);
        if (str_eq(str_of(wish.version), S("stop")))
                keeper_link_request(link, REQUEST_STOP);
}

static void on_reopen(struct keeper_link *link)
{
        (void)link;
        say_line("reopen", 0);
}

static void on_request_failed(struct keeper_link *link, enum request what, struct str why)
{
        static const char *const words[REQUESTS] = {
                [REQUEST_STOP] = "stop",
                [REQUEST_UPGRADE] = "upgrade",
                [REQUEST_RENEW] = "renew",
                [REQUEST_ABORT] = "abort",
        };
        (void)link;
        CHECK(what < REQUESTS);
        fprintf(stderr, "data %d: request to %s failed: %.*s\n", (int)getpid(), words[what],
                STR_ARG(why));
}

static int bind_all(void)
{
        char memory[512];
        for (size_t i = 0; i < wish.listens; i++) {
                struct text why = text_over(memory, sizeof memory);
                struct bind_request request = {.address = str_of(wish.listen[i]),
                                               .name = str_of(wish.name[i]),
                                               .count = (uint32_t)wish.workers};
                enum err err = keeper_link_bind(start->link, &request, &bounds[i], &why);
                if (err != ERR_ok) {
                        fprintf(stderr, "error: cannot listen on %s: %.*s\n", wish.listen[i],
                                STR_ARG(text_str(&why)));
                        return err == ERR_denied ? EXIT_NOT_ALLOWED : EXIT_TAKEN;
                }
                fprintf(stderr, "data %d: listening %s sockets %u\n", (int)getpid(),
                        bounds[i].address, bounds[i].count);
        }
        return 0;
}

static void map_cells(void)
{
        int fd;
        uint64_t size;
        CHECK(keeper_link_cells(start->link, 4096, 7, &fd, &size) == ERR_ok);
        CHECK(size >= 4096);
        answers = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        CHECK(answers != MAP_FAILED);
        close(fd);
}

static void start_workers(void)
{
        for (size_t i = 0; i < wish.workers; i++) {
                workers[i].loop = loop_make(&driver_epoll, 256);
                watched[i].loop = workers[i].loop;
                watched[i].name = "worker";
                CHECK(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
                watched[i].thread = workers[i].thread;
        }
}

static void stuck(void *owner)
{
        keeper_link_stuck(owner);
}

static int run(struct data_start *the_start)
{
        static const struct keeper_link_ops ops = {.reload = on_reload,
                                                   .reopen = on_reopen,
                                                   .drain = on_drain,
                                                   .request_failed = on_request_failed};
        struct user user;
        start = the_start;
        if (!read_wish())
                return EXIT_BAD;
        if (wish.exit_code != 0 && !start->last_good)
                return (int)wish.exit_code;
        if (wish.is_crashing && !start->last_good)
                raise(SIGSEGV);
        if (wish.is_hanging)
                for (;;)
                        pause();
        if (wish.has_cells)
                map_cells();
        int code = bind_all();
        if (code != 0)
                return code;
        CHECK(privs_user(str_of(wish.user), &user) == ERR_ok);
        CHECK(privs_drop(&user, start->core_dumps != 0) == ERR_ok);
        if (wish.is_nonsense)
                CHECK(send(start->link->fd, "nonsense", 8, 0) == 8);
        steward = loop_make(&driver_epoll, 256);
        if (keeper_link_ready(start->link, wish.drain_ms, wish.drain_ms) != ERR_ok)
                return EXIT_TAKEN;
        start_workers();
        keeper_link_attach(start->link, steward, &ops, NULL);
        watchdog_start(&watchdog, steward, watched, wish.workers);
        watchdog.stuck = stuck;
        watchdog.owner = start->link;
        keeper_link_status(start->link, S("the stand-in serves"));
        loop_run(steward);
        return 0;
}

/* stand_in CONFIGURATION [--no-keeper] [--document] [--ready MS] [--stall MS] */
int main(int argc, char **argv)
{
        static struct keeper_options options;
        static char document[4096];
        int code;
        bool has_keeper = true;
        if (keeper_reenter(argc, argv, run, &code))
                return code;
        options.argc = argc;
        options.argv = argv;
        options.start.core_dumps = getenv("CORE_DUMPS") != NULL;
        for (int i = 1; i < argc; i++) {
                struct str arg = str_of(argv[i]);
                if (str_is(arg, "--no-keeper"))
                        has_keeper = false;
                else if (str_is(arg, "--document"))
                        options.document = str_from(document, strlen(document));
                else if (str_is(arg, "--ready") && i + 1 < argc)
                        CHECK(str_to_u64(str_of(argv[++i]), &options.ready_ms) == ERR_ok);
                else if (str_is(arg, "--stall") && i + 1 < argc)
                        CHECK(str_to_u64(str_of(argv[++i]), &options.stall_ms) == ERR_ok);
                else {
                        CHECK(arg.len < DATA_PATH_MAX);
                        memcpy(options.start.configuration, argv[i], arg.len);
                        FILE *file = fopen(argv[i], "re");
                        size_t len = file == NULL ? 0
                                                  : fread(document, 1, sizeof document - 1, file);
                        document[len] = '\0';
                        if (file != NULL)
                                fclose(file);
                }
        }
        return has_keeper ? keeper_run(&options) : keeper_skip(&options, run);
}
