/* keeper_begin.c -- how a keeper comes to be: started by a person or systemd, or as heir of another
 * keeper; and how a process finds out that a keeper started it. */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "io/signals.h"
#include "main/keeper_int.h"
#include "main/privs.h"
#include "main/say.h"

enum { EXIT_USAGE = 64, EXIT_FAULT = 70, EXIT_SYSTEM = 71, START_WAIT_MS = 10000 };

static struct keeper keeper_memory; /* one per process; large, and mostly never touched */

static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD, 0};

/* Where our program will be found after an upgrade: as it was called, with symbolic links as they
 * are, because an upgrade may be a link that points elsewhere. Empty when that is another file. */
static void find_path(const char *called, char *to, size_t size)
{
        char folder[PATH_MAX];
        struct stat ours, there;
        struct text text = text_over(to, size - 1);
        to[0] = '\0';
        if (strchr(called, '/') == NULL || stat("/proc/self/exe", &ours) < 0 ||
            getcwd(folder, sizeof folder) == NULL)
                return;
        if (called[0] != '/') {
                text_put(&text, str_of(folder));
                text_char(&text, '/');
        }
        text_put(&text, str_of(called));
        to[text.len] = '\0';
        if (text.is_cut || stat(to, &there) < 0 || there.st_ino != ours.st_ino ||
            there.st_dev != ours.st_dev)
                to[0] = '\0';
}

static enum err open_own_image(struct image *image, const char *called)
{
        char path[PATH_MAX];
        find_path(called, path, sizeof path);
        if (path[0] == '\0') {
                ssize_t len = readlink("/proc/self/exe", path, sizeof path - 1);
                if (len < 0)
                        return ERR_missing;
                path[len] = '\0';
        }
        enum err err = image_open("/proc/self/exe", image);
        if (err == ERR_ok)
                memcpy(image->path, path, strlen(path) + 1);
        return err;
}

/* What it is told fits where it must go: one message, and lines of the heritage. */
static bool can_be_told(const struct data_start *start)
{
        char memory[DATA_START_MAX];
        struct text text = text_over(memory, sizeof memory);
        return start_encode(start, &text) == ERR_ok && str_find(text_str(&text), '\n') < 0;
}

static enum err open_ears(struct keeper *keeper)
{
        static const int ignored[] = {SIGPIPE, 0};
        panic_on_signals();
        prctl(PR_SET_NAME, "gate"); /* the kernel would name an heir after a descriptor */
        keeper->is_detached = signals_is_ignored(SIGHUP);
        signals_ignore(ignored);
        notify_open(&keeper->notify);
        keeper->upgrade.image.fd = -1;
        keeper->now = keeper->notified = keeper_clock();
        return signals_open(signals, &keeper->signals);
}

/* Standard descriptors that are missing would be taken by the first things we open. */
static void fill_standard(void)
{
        int fd;
        do {
                fd = open("/dev/null", O_RDWR);
        } while (fd >= 0 && fd <= STDERR_FILENO);
        if (fd >= 0)
                close(fd);
}

static void adopt_given(struct keeper *keeper)
{
        int count = notify_take_sockets();
        for (int fd = 3; fd < 3 + count; fd++)
                binder_adopt(&keeper->binder, fd);
        close_range((unsigned)(3 + count), ~0U, CLOSE_RANGE_CLOEXEC);
}

static void begin(struct keeper *keeper)
{
        memset(keeper->children, 0, sizeof keeper->children);
        for (size_t i = 0; i < CHILDREN_MAX; i++)
                keeper->children[i].fd = -1;
        binder_init(&keeper->binder);
        cells_init(&keeper->cells);
}

int keeper_run(const struct keeper_options *options)
{
        struct keeper *keeper = &keeper_memory;
        begin(keeper);
        keeper->start = options->start;
        keeper->start.document_fd = -1;
        keeper->argc = options->argc;
        keeper->argv = options->argv;
        keeper->served = options->served;
        keeper->ready_ms = options->ready_ms != 0 ? options->ready_ms : READY_MS;
        keeper->stall_ms = options->stall_ms != 0 ? options->stall_ms : STALL_MS;
        if (!can_be_told(&options->start)) {
                say("a path on the command line is too long or has a line break in it");
                return EXIT_USAGE;
        }
        fill_standard();
        adopt_given(keeper);
        privs_keep(options->start.core_dumps != 0);
        enum err err = open_ears(keeper);
        if (err == ERR_ok)
                err = open_own_image(&keeper->image, options->argv[0]);
        if (err == ERR_ok)
                err = document_keep(options->document, &keeper->start.document_fd);
        if (err != ERR_ok) {
                say("cannot start: %s", err_text(err));
                return EXIT_SYSTEM;
        }
        return keeper_turn_until_over(keeper);
}

/* This process was executed by a keeper. */

static int read_heritage(struct keeper *keeper, const char *number)
{
        uint64_t fd;
        begin(keeper);
        enum err err = str_to_u64(str_of(number), &fd);
        if (err == ERR_ok && fd <= INT_MAX)
                err = heritage_read(keeper, (int)fd);
        if (err == ERR_ok) {
                heritage_pass(keeper, false);
                close((int)fd);
                return 0;
        }
        say("cannot take over from the keeper before: %s", err_text(err));
        return EXIT_FAULT;
}

static int be_heir(const char *number, int argc, char **argv)
{
        struct keeper *keeper = &keeper_memory;
        char path[DATA_PATH_MAX];
        int code = read_heritage(keeper, number);
        if (code != 0)
                return code;
        keeper->argc = argc;
        keeper->argv = argv;
        keeper->has_served = true;
        privs_keep(keeper->start.core_dumps != 0);
        privs_keep_less();
        memcpy(path, keeper->image.path, sizeof path);
        if (open_ears(keeper) != ERR_ok || image_open("/proc/self/exe", &keeper->image) != ERR_ok) {
                say("cannot take over from the keeper before: the system refuses");
                return EXIT_SYSTEM;
        }
        memcpy(keeper->image.path, path, sizeof path);
        char memory[80];
        struct text text = text_over(memory, sizeof memory);
        text_format(&text, "READY=1\nMAINPID=%d\nSTATUS=serving", (int)getpid());
        notify_say(&keeper->notify, text_str(&text));
        say("upgraded: this is %s now", keeper->image.path);
        return keeper_turn_until_over(keeper);
}

static int be_data(data_run_fn *run)
{
        static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE, 0};
        static struct keeper_link link;
        static struct data_start start;
        static struct message message;
        prctl(PR_SET_NAME, "gate-data");
        panic_on_signals();
        signals_ignore(ignored); /* the keeper hears them */
        fcntl(CHILD_LINK_FD, F_SETFD, FD_CLOEXEC);
        enum err err = message_wait(CHILD_LINK_FD, START_WAIT_MS, &message);
        if (err == ERR_ok && message.head.kind != MESSAGE_START)
                err = ERR_syntax;
        if (err == ERR_ok)
                err = start_decode(message_text(&message), &start);
        if (err != ERR_ok) {
                say("a data process cannot understand its keeper: %s", err_text(err));
                return EXIT_FAULT;
        }
        if (message.fds_count == 1)
                start.document_fd = message.fds[0];
        keeper_link_open(&link, CHILD_LINK_FD);
        start.link = &link;
        return run(&start);
}

bool keeper_reenter(int argc, char **argv, data_run_fn *run, int *ret_code)
{
        char entry[32];
        const char *value = getenv(ENTRY_VARIABLE);
        if (value == NULL || strlen(value) >= sizeof entry)
                return false;
        memcpy(entry, value, strlen(value) + 1);
        unsetenv(ENTRY_VARIABLE);
        if (strcmp(entry, "data") == 0)
                *ret_code = be_data(run);
        else if (strncmp(entry, "keeper:", 7) == 0)
                *ret_code = be_heir(entry + 7, argc, argv);
        else if (strncmp(entry, "trial:", 6) == 0)
                *ret_code = read_heritage(&keeper_memory, entry + 6);
        else
                return false;
        return true;
}
