/* child.c -- starting data processes, speaking to them, ending them. A data process is a program
 * executed anew, never a mere copy of the keeper: each has its own secrets of the loader
 * (addresses, stack guard), so that a caller who makes it crash learns nothing for the next try. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "io/fdpass.h"
#include "io/signals.h"
#include "main/keeper_int.h"
#include "main/say.h"

enum { VARIABLES_MAX = 2048 };

extern char **environ;

enum err image_open(const char *path, struct image *ret_image)
{
        struct image image = {.fd = -1};
        size_t len = strlen(path);
        if (len >= sizeof image.path)
                return ERR_limit;
        int low = open(path, O_PATH | O_CLOEXEC);
        int fd = low < 0 ? -1 : fcntl(low, F_DUPFD_CLOEXEC, CHILD_LINK_FD + 1);
        if (low < 0 || fd < 0)
                return err_from_errno(errno);
        close(low); /* it may have been where a data process expects its link */
        memcpy(image.path, path, len);
        image.fd = fd;
        *ret_image = image;
        return ERR_ok;
}

static bool starts(const char *variable, const char *name)
{
        size_t len = strlen(name);
        return strncmp(variable, name, len) == 0 && variable[len] == '=';
}

void image_exec(const struct keeper *keeper, const struct image *image, const char *entry)
{
        static char *variables[VARIABLES_MAX];
        static char value[64];
        static char name[] = "gate: data";
        static char *no_arguments[] = {name, NULL};
        bool is_data = strcmp(entry, "data") == 0;
        bool is_keeper = strncmp(entry, "keeper", 6) == 0;
        size_t count = 0;
        struct text text = text_over(value, sizeof value - 1);
        text_format(&text, ENTRY_VARIABLE "=%s", entry);
        for (char **from = environ; *from != NULL && count < VARIABLES_MAX - 2; from++) {
                if (starts(*from, ENTRY_VARIABLE))
                        continue;
                if (is_data && (starts(*from, "NOTIFY_SOCKET") || starts(*from, "WATCHDOG_PID") ||
                                starts(*from, "WATCHDOG_USEC")))
                        continue; /* the keeper speaks to systemd, nobody else */
                variables[count++] = *from;
        }
        variables[count++] = value;
        variables[count] = NULL;
        /* Whatever a next binary is, only when it has proved itself it sees our arguments. */
        execveat(image->fd, "", is_keeper ? keeper->argv : no_arguments, variables, AT_EMPTY_PATH);
}

uint32_t child_index(const struct keeper *keeper, const struct child *child)
{
        return (uint32_t)(child - keeper->children);
}

struct child *child_serving(struct keeper *keeper)
{
        for (size_t i = 0; i < CHILDREN_MAX; i++) {
                if (keeper->children[i].state == CHILD_SERVING)
                        return &keeper->children[i];
        }
        return NULL;
}

/* A free place; when all are taken, by those that drain for long, the oldest must go. */
static struct child *find_place(struct keeper *keeper)
{
        struct child *oldest = NULL;
        for (size_t i = 0; i < CHILDREN_MAX; i++) {
                struct child *child = &keeper->children[i];
                if (child->state == CHILD_NONE)
                        return child;
                if (child->state == CHILD_DRAINING &&
                    (oldest == NULL || child->generation < oldest->generation))
                        oldest = child;
        }
        if (oldest != NULL) {
                say("too many data processes drain at once: the oldest (pid %d) is ended",
                    (int)oldest->pid);
                child_kill(keeper, oldest, SIGKILL, GRACE_MS);
        }
        return NULL;
}

static _Noreturn void become_data(const struct keeper *keeper, const struct image *image, int fd)
{
        if (fd == CHILD_LINK_FD)
                fcntl(fd, F_SETFD, 0);
        else if (dup2(fd, CHILD_LINK_FD) < 0)
                _exit(EXIT_FAILURE);
        signals_restore();
        image_exec(keeper, image, "data");
        say("cannot start a data process: %s", strerror(errno));
        _exit(71); /* EX_OSERR */
}

/* The first message: all that it is to know, and the document. */
static void send_start(struct keeper *keeper, struct child *child)
{
        struct message *message = &keeper->message;
        struct data_start *start = &keeper->start;
        start->generation = child->generation;
        start->crashes = keeper->crashes.in_a_row;
        start->last_good = keeper->crashes.use_last_good && !child->is_candidate;
        message_init(message, MESSAGE_START);
        struct text text = text_over(message->text, sizeof message->text);
        CHECK(start_encode(start, &text) == ERR_ok); /* checked when the keeper began */
        message->head.text_len = (uint32_t)text.len;
        if (start->document_fd >= 0)
                message->fds[message->fds_count++] = start->document_fd;
        child_tell(keeper, child, message);
        message->fds_count = 0; /* it stays ours */
}

struct child *child_start(struct keeper *keeper, const struct image *image)
{
        int pair[2];
        struct child *child = find_place(keeper);
        if (child == NULL)
                return NULL;
        if (fdpass_pair(pair) != ERR_ok) {
                say("cannot start a data process: %s", strerror(errno));
                return NULL;
        }
        pid_t pid = fork();
        if (pid == 0)
                become_data(keeper, image, pair[1]);
        close(pair[1]);
        if (pid < 0) {
                say("cannot start a data process: %s", strerror(errno));
                close(pair[0]);
                return NULL;
        }
        *child = (struct child){.state = CHILD_STARTING,
                                .pid = pid,
                                .fd = pair[0],
                                .is_candidate = image != &keeper->image,
                                .generation = ++keeper->generation,
                                .began = keeper->now,
                                .due = keeper->now + keeper->ready_ms};
        send_start(keeper, child);
        return child;
}

void child_tell(struct keeper *keeper, struct child *child, const struct message *message)
{
        if (child->fd < 0)
                return;
        enum err err = message_send(child->fd, message);
        if (err == ERR_ok || err == ERR_closed)
                return; /* who hung up is seen when it is heard */
        say("data process %d does not listen to its keeper (%s): it is replaced", (int)child->pid,
            err_text(err));
        child_kill(keeper, child, SIGABRT, ABORT_MS);
}

void child_tell_kind(struct keeper *keeper, struct child *child, enum message_kind kind)
{
        message_init(&keeper->message, kind);
        child_tell(keeper, child, &keeper->message);
}

void child_command(struct keeper *keeper, struct child *child, enum message_kind kind)
{
        child->owed |= 1u << kind;
        child_catch_up(keeper, child, true);
}

void child_catch_up(struct keeper *keeper, struct child *child, bool has_time)
{
        if (child->owed == 0 || child->fd < 0 || (has_time && fdpass_has_unread(child->fd)))
                return;
        uint32_t owed = child->owed;
        child->owed = 0;
        for (; owed != 0; owed &= owed - 1)
                child_tell_kind(keeper, child, (enum message_kind)__builtin_ctz(owed));
}

void child_drain(struct keeper *keeper, struct child *child, enum drain why, uint64_t limit_ms)
{
        message_init(&keeper->message, MESSAGE_DRAIN);
        keeper->message.head.a = limit_ms;
        keeper->message.head.b = (uint64_t)why;
        child->is_dismissed = true;
        child->owed &= 1u << MESSAGE_REOPEN; /* it still writes logs */
        if (child->state == CHILD_SERVING || child->state == CHILD_DRAINING) {
                child->state = CHILD_DRAINING;
                child->due = keeper->now + limit_ms + GRACE_MS;
        }
        child_tell(keeper, child, &keeper->message);
}

void child_hang_up(struct child *child)
{
        if (child->fd >= 0)
                close(child->fd);
        child->fd = -1;
}

void child_kill(struct keeper *keeper, struct child *child, int signo, uint64_t patience_ms)
{
        kill(child->pid, signo);
        child->state = CHILD_DYING;
        child->due = keeper->now + patience_ms;
}
