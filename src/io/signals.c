/* signals.c -- signalfd. */
#include "io/signals.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/check.h"

enum err signals_open(const int *list, int *ret_fd)
{
        sigset_t set;
        sigemptyset(&set);
        for (; *list != 0; list++)
                CHECK(sigaddset(&set, *list) == 0);
        CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
        int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        if (fd < 0)
                return err_from_errno(errno);
        *ret_fd = fd;
        return ERR_ok;
}

int signals_take(int fd, bool *ret_is_of_system)
{
        struct signalfd_siginfo info;
        if (read(fd, &info, sizeof info) != (ssize_t)sizeof info)
                return 0;
        *ret_is_of_system = info.ssi_code == SI_KERNEL;
        return (int)info.ssi_signo;
}

void signals_restore(void)
{
        sigset_t none;
        sigemptyset(&none);
        pthread_sigmask(SIG_SETMASK, &none, NULL);
}

void signals_ignore(const int *list)
{
        struct sigaction action = {.sa_handler = SIG_IGN};
        sigemptyset(&action.sa_mask);
        for (; *list != 0; list++)
                CHECK(sigaction(*list, &action, NULL) == 0);
}

bool signals_is_ignored(int signo)
{
        struct sigaction action;
        return sigaction(signo, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}
