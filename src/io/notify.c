/* notify.c -- datagrams to $NOTIFY_SOCKET. */
#include "io/notify.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { SOCKETS_FIRST = 3, SOCKETS_MAX = 256 };

static uint64_t number_of(const char *variable)
{
        const char *value = getenv(variable);
        uint64_t number = 0;
        if (value == NULL || str_to_u64(str_of(value), &number) != ERR_ok)
                return 0;
        return number;
}

void notify_open(struct notify *notify)
{
        *notify = (struct notify){.fd = -1};
        struct str address = str_of(getenv("NOTIFY_SOCKET"));
        if (address.len < 2 || address.len >= sizeof notify->address ||
            (address.ptr[0] != '/' && address.ptr[0] != '@'))
                return;
        memcpy(notify->address, address.ptr, address.len);
        notify->address_len = address.len;
        if (address.ptr[0] == '@')
                notify->address[0] = '\0'; /* the abstract namespace */
        notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        uint64_t pid = number_of("WATCHDOG_PID");
        if (pid == 0 || pid == (uint64_t)getpid())
                notify->watchdog_ms = number_of("WATCHDOG_USEC") / 1000;
}

void notify_close(struct notify *notify)
{
        if (notify->fd >= 0)
                close(notify->fd);
        notify->fd = -1;
}

void notify_say(const struct notify *notify, struct str lines)
{
        struct sockaddr_un to = {.sun_family = AF_UNIX};
        if (notify->fd < 0)
                return;
        memcpy(to.sun_path, notify->address, notify->address_len);
        socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + notify->address_len);
        ssize_t n = sendto(notify->fd, lines.ptr, lines.len, MSG_NOSIGNAL | MSG_DONTWAIT,
                           (const struct sockaddr *)&to, len);
        (void)n;
}

void notify_reloading(const struct notify *notify)
{
        char memory[80];
        struct text text = text_over(memory, sizeof memory);
        struct timespec time;
        clock_gettime(CLOCK_MONOTONIC, &time);
        text_put(&text, S("RELOADING=1\nMONOTONIC_USEC="));
        text_u64(&text, (uint64_t)time.tv_sec * 1000000u + (uint64_t)time.tv_nsec / 1000u);
        notify_say(notify, text_str(&text));
}

int notify_take_sockets(void)
{
        uint64_t count = number_of("LISTEN_FDS"), pid = number_of("LISTEN_PID");
        unsetenv("LISTEN_FDS");
        unsetenv("LISTEN_PID");
        unsetenv("LISTEN_FDNAMES");
        if (pid != (uint64_t)getpid() || count > SOCKETS_MAX)
                return 0;
        for (int fd = SOCKETS_FIRST; fd < SOCKETS_FIRST + (int)count; fd++) {
                fcntl(fd, F_SETFD, FD_CLOEXEC);
                fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
        }
        return (int)count;
}
