/* upgrade.c -- the next binary, step by step, so that a broken one is found out while the old one
 * serves: (1) it is executed aside and reads the heritage, (2) a data process of it gets ready
 * beside the one that serves, (3) the old one drains, and the keeper becomes the next binary in
 * place, with its process id. Until (3) every failure leaves all as it was.
 * doc/why/0011-processes.md */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/signals.h"
#include "main/keeper_int.h"
#include "main/say.h"

static void end_upgrade(struct keeper *keeper)
{
        if (keeper->upgrade.image.fd >= 0)
                close(keeper->upgrade.image.fd);
        keeper->upgrade = (struct upgrade){.image.fd = -1};
}

void upgrade_failed(struct keeper *keeper, const char *why)
{
        struct upgrade *upgrade = &keeper->upgrade;
        if (upgrade->trial > 0) {
                kill(upgrade->trial, SIGKILL);
                waitpid(upgrade->trial, NULL, 0);
        }
        for (size_t i = 0; i < CHILDREN_MAX; i++) {
                struct child *child = &keeper->children[i];
                if (!child->is_candidate || child->state != CHILD_STARTING)
                        continue;
                child->is_dismissed = true;
                child_kill(keeper, child, SIGKILL, GRACE_MS);
        }
        say("upgrade to %s failed: %s; nothing has changed", keeper->image.path, why);
        end_upgrade(keeper);
        notify_say(&keeper->notify, S("READY=1"));
        keeper_request_failed(keeper, REQUEST_UPGRADE, why);
}

/* (1), in a process of its own. */
static _Noreturn void become_trial(struct keeper *keeper, int heritage)
{
        char entry[32];
        snprintf(entry, sizeof entry, "trial:%d", heritage);
        heritage_pass(keeper, true);
        fcntl(heritage, F_SETFD, 0);
        signals_restore();
        image_exec(keeper, &keeper->upgrade.image, entry);
        say("%s cannot be executed: %s", keeper->upgrade.image.path, strerror(errno));
        _exit(71); /* EX_OSERR */
}

void upgrade_begin(struct keeper *keeper)
{
        struct upgrade *upgrade = &keeper->upgrade;
        int heritage;
        if (upgrade->is_on || child_serving(keeper) == NULL || keeper->is_stopping) {
                const char *why = upgrade->is_on ? "an upgrade is under way already"
                                                 : "no data process serves at the moment";
                say("no upgrade: %s", why);
                keeper_request_failed(keeper, REQUEST_UPGRADE, why);
                return;
        }
        enum err err = image_open(keeper->image.path, &upgrade->image);
        if (err == ERR_ok)
                err = heritage_write(keeper, &heritage);
        if (err != ERR_ok) {
                upgrade_failed(keeper, err_text(err));
                return;
        }
        say("upgrading to %s", keeper->image.path);
        notify_reloading(&keeper->notify);
        upgrade->is_on = true;
        upgrade->due = keeper->now + TRIAL_MS;
        upgrade->trial = fork();
        if (upgrade->trial == 0)
                become_trial(keeper, heritage);
        close(heritage);
        if (upgrade->trial < 0)
                upgrade_failed(keeper, strerror(errno));
}

/* (2) */
void upgrade_trial_over(struct keeper *keeper, int wait_status)
{
        char why[120];
        keeper->upgrade.trial = 0;
        keeper->upgrade.due = UINT64_MAX; /* from here on the data process has its own */
        if (!WIFEXITED(wait_status) || WEXITSTATUS(wait_status) != 0) {
                snprintf(why, sizeof why, "it cannot take over (%s)", say_status(wait_status));
                upgrade_failed(keeper, why);
                return;
        }
        if (child_start(keeper, &keeper->upgrade.image) == NULL)
                upgrade_failed(keeper, "its data process cannot be started");
}

/* (3) */
void upgrade_finish(struct keeper *keeper)
{
        char entry[32];
        int heritage = -1;
        /* What is owed is no part of the heritage. */
        for (size_t i = 0; i < CHILDREN_MAX; i++)
                child_catch_up(keeper, &keeper->children[i], false);
        enum err err = heritage_write(keeper, &heritage);
        if (err == ERR_ok) {
                snprintf(entry, sizeof entry, "keeper:%d", heritage);
                heritage_pass(keeper, true);
                fcntl(heritage, F_SETFD, 0);
                image_exec(keeper, &keeper->upgrade.image, entry);
                err = err_from_errno(errno);
                heritage_pass(keeper, false);
                close(heritage);
        }
        say("the data process is upgraded, its keeper is still the old one: %s", err_text(err));
        end_upgrade(keeper);
        notify_say(&keeper->notify, S("READY=1"));
}
