/* keeper_local.c -- one process that is keeper and data process. */
#include "main/keeper_local.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "io/signals.h"
#include "main/keeper.h"
#include "main/privs.h"
#include "main/say.h"

enum { EXIT_SYSTEM = 71, EXIT_SIGNALLED = 128, STOPS_PATIENT = 2 };

enum err local_open(struct local *local)
{
        static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, 0};
        static const int ignored[] = {SIGPIPE, SIGUSR2, 0};
        int count = notify_take_sockets();
        binder_init(&local->binder);
        cells_init(&local->cells);
        for (int fd = 3; fd < 3 + count; fd++)
                binder_adopt(&local->binder, fd);
        notify_open(&local->notify);
        signals_ignore(ignored);
        return signals_open(signals, &local->signals);
}

enum err local_bind(struct keeper_link *link, const struct bind_request *request,
                    struct bound *ret_bound, struct text *why)
{
        struct local *local = link->local;
        struct door *door;
        int error = binder_bind(&local->binder, request, 0, &door, why);
        if (error == 0 && link->is_ready)
                error = binder_listen(&local->binder, 0, why);
        if (error != 0)
                return err_from_errno(error);
        memcpy(ret_bound->address, door->real, sizeof ret_bound->address);
        for (ret_bound->count = 0; ret_bound->count < door->count; ret_bound->count++) {
                int fd = fcntl(door->fds[ret_bound->count], F_DUPFD_CLOEXEC, 0);
                if (fd < 0)
                        break;
                ret_bound->fds[ret_bound->count] = fd;
        }
        return ret_bound->count > 0 ? ERR_ok : ERR_no_files;
}

enum err local_ready(struct local *local)
{
        char memory[BINDER_WHY_MAX];
        struct text why = text_over(memory, sizeof memory);
        int error = binder_listen(&local->binder, 0, &why);
        if (error != 0)
                return err_from_errno(error);
        notify_say(&local->notify, S("READY=1\nSTATUS=serving"));
        return ERR_ok;
}

enum err local_cells(struct local *local, uint64_t size, uint64_t layout, int *ret_fd,
                     uint64_t *ret_size)
{
        const struct cells_memory *memory;
        enum err err = cells_hold(&local->cells, size, layout, &memory);
        if (err != ERR_ok)
                return err;
        int fd = fcntl(memory->fd, F_DUPFD_CLOEXEC, 0);
        if (fd < 0)
                return ERR_no_files;
        *ret_fd = fd;
        *ret_size = memory->size;
        return ERR_ok;
}

static void stop(struct keeper_link *link, int signo)
{
        if (++link->local->stops > STOPS_PATIENT)
                _exit(EXIT_SIGNALLED + signo);
        notify_say(&link->local->notify, S("STOPPING=1"));
        binder_close(&link->local->binder);
        link->drain_why = link->local->stops == 1 ? DRAIN_STOP : DRAIN_NOW;
        link->drain_due_ms = link->local->stops == 1 ? link->drain_ms : 0;
        link->is_drain_due = true;
}

void local_take_signals(struct keeper_link *link)
{
        bool is_of_system;
        int signo;
        while ((signo = signals_take(link->local->signals, &is_of_system)) != 0) {
                if (signo == SIGUSR1)
                        link->is_reopen_due = true;
                else if (signo == SIGHUP && !is_of_system)
                        link->is_reload_due = true;
                else
                        stop(link, signo);
        }
}

void local_beat(const struct local *local)
{
        if (local->notify.watchdog_ms > 0)
                notify_say(&local->notify, S("WATCHDOG=1"));
}

int keeper_skip(const struct keeper_options *options, data_run_fn *run)
{
        static struct local local;
        static struct keeper_link link;
        static struct data_start start;
        start = options->start;
        privs_keep(start.core_dumps != 0);
        if (local_open(&local) != ERR_ok ||
            document_keep(options->document, &start.document_fd) != ERR_ok) {
                say("cannot start: the system refuses");
                return EXIT_SYSTEM;
        }
        start.generation = 1;
        keeper_link_open(&link, -1);
        link.local = &local;
        start.link = &link;
        int code = run(&start);
        binder_close(&local.binder);
        return code;
}
