/* dns_ares.c -- c-ares on our loop. Its sockets are watched edge-triggered like all others, so it
 * is called until there is nothing to read (it takes one message of TCP per call). It checks ids,
 * sources and questions of answers, and asks again over TCP what was truncated. */
#include <ares.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/check.h"
#include "base/log.h"
#include "io/dns_int.h"

enum { SOCKETS_MAX = 64, READS_MAX = 64, TIMEOUT_MS = 2000, TRIES = 2 };

#define LOOK_NS 10000000000u

static const char system_conf[] = "/etc/resolv.conf";

struct dns_socket {
        struct watcher watcher;
        struct dns_wire *wire;
        int fd; /* -1: free */
        bool is_writing;
};

struct dns_wire {
        struct loop *loop;
        const struct dns_conf *conf;
        ares_channel channel;
        struct timer tick;
        unsigned asking;
        uint64_t look_at;
        struct timespec read_at; /* when system_conf was changed that is in use */
        bool is_open;
        struct dns_socket sockets[SOCKETS_MAX];
};

static struct dns_socket *socket_of(struct dns_wire *wire, int fd)
{
        for (size_t i = 0; i < SOCKETS_MAX; i++) {
                if (wire->sockets[i].fd == fd)
                        return &wire->sockets[i];
        }
        return NULL;
}

static void set_tick(struct dns_wire *wire)
{
        struct timeval time;
        if (!wire->is_open || ares_timeout(wire->channel, NULL, &time) == NULL) {
                timer_clear(&wire->tick);
                return;
        }
        uint64_t delay = (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_usec * 1000u;
        timer_set(wire->loop, &wire->tick, loop_now(wire->loop) + delay);
}

static void on_tick(struct timer *timer)
{
        struct dns_wire *wire = container_of(timer, struct dns_wire, tick);
        ares_process_fd(wire->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
        set_tick(wire);
}

static bool has_more(int fd)
{
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        return poll(&ready, 1, 0) == 1;
}

static void on_event(struct watcher *watcher, unsigned flags)
{
        struct dns_socket *socket = container_of(watcher, struct dns_socket, watcher);
        struct dns_wire *wire = socket->wire;
        int fd = socket->fd;
        if (fd < 0)
                return;
        bool is_readable = (flags & (EVENT_READ | EVENT_END | EVENT_FAULT)) != 0;
        bool is_writable = (flags & EVENT_WRITE) != 0 && socket->is_writing;
        if (is_writable)
                ares_process_fd(wire->channel, ARES_SOCKET_BAD, fd);
        for (int i = 0; i < READS_MAX && is_readable && socket->fd == fd; i++) {
                ares_process_fd(wire->channel, fd, ARES_SOCKET_BAD);
                is_readable = socket->fd == fd && has_more(fd);
        }
        set_tick(wire);
}

/* c-ares opened, uses otherwise, or is about to close a socket. */
static void on_socket(void *arg, ares_socket_t fd, int reads, int writes)
{
        struct dns_wire *wire = arg;
        struct dns_socket *socket = socket_of(wire, fd);
        if (!reads && !writes) {
                if (socket != NULL) {
                        wire->loop->driver->unwatch(wire->loop->world, fd);
                        socket->fd = -1;
                }
                return;
        }
        if (socket == NULL) {
                socket = socket_of(wire, -1);
                if (socket == NULL)
                        return; /* its question will time out */
                socket->fd = fd;
                if (wire->loop->driver->watch(wire->loop->world, fd, WATCH_STREAM,
                                              &socket->watcher) != ERR_ok) {
                        socket->fd = -1;
                        return;
                }
        }
        socket->is_writing = writes != 0;
}

static void init_library(void)
{
        if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
                panic("c-ares cannot be used");
}

static bool open_channel(struct dns_wire *wire)
{
        const struct dns_conf *conf = wire->conf;
        char lookups_all[] = "fb", lookups_wire[] = "b", servers[DNS_SERVERS_MAX];
        struct ares_options options = {
                .timeout = conf->timeout_ns > 0 ? (int)(conf->timeout_ns / 1000000) : TIMEOUT_MS,
                .tries = conf->tries > 0 ? (int)conf->tries : TRIES,
                .lookups = conf->has_no_hosts ? lookups_wire : lookups_all,
                .sock_state_cb = on_socket,
                .sock_state_cb_data = wire,
        };
        int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB;
        struct stat stat_of;
        if (stat(system_conf, &stat_of) == 0)
                wire->read_at = stat_of.st_mtim;
        if (ares_init_options(&wire->channel, &options, mask) != ARES_SUCCESS)
                return false;
        if (conf->servers.len > 0) {
                memcpy(servers, conf->servers.ptr, conf->servers.len);
                servers[conf->servers.len] = '\0';
                if (ares_set_servers_ports_csv(wire->channel, servers) != ARES_SUCCESS) {
                        ares_destroy(wire->channel);
                        return false;
                }
        }
        return true;
}

/* The system's name servers may have changed: a machine that moved, a container that was joined to
 * another network. */
static void follow_system(struct dns_wire *wire)
{
        struct stat stat_of;
        uint64_t now = loop_now(wire->loop);
        if (wire->is_open &&
            (wire->conf->servers.len > 0 || wire->asking > 0 || now < wire->look_at))
                return;
        wire->look_at = now + LOOK_NS;
        if (wire->is_open && (stat(system_conf, &stat_of) != 0 ||
                              memcmp(&stat_of.st_mtim, &wire->read_at, sizeof wire->read_at) == 0))
                return;
        if (wire->is_open) {
                log_info("the system's name servers have changed");
                ares_destroy(wire->channel);
        }
        wire->is_open = open_channel(wire);
}

static enum err err_of(int status)
{
        switch (status) {
        case ARES_SUCCESS:
                return ERR_ok;
        case ARES_ENODATA:
        case ARES_ENOTFOUND:
        case ARES_ENONAME:
                return ERR_missing;
        case ARES_ETIMEOUT:
                return ERR_timeout;
        case ARES_ECONNREFUSED:
                return ERR_refused;
        case ARES_EBADNAME:
                return ERR_syntax;
        case ARES_ENOMEM:
                return ERR_memory;
        case ARES_ECANCELLED:
        case ARES_EDESTRUCTION:
                return ERR_cancelled;
        default:
                return ERR_io;
        }
}

struct question {
        struct dns_wire *wire;
        struct dns_name *name;
};

static unsigned take_addrs(const struct ares_addrinfo *info, struct addr *addrs, unsigned most)
{
        unsigned count = 0;
        for (const struct ares_addrinfo_node *node = info->nodes; node != NULL && count < most;
             node = node->ai_next) {
                if (node->ai_family != AF_INET && node->ai_family != AF_INET6)
                        continue;
                addrs[count] = (struct addr){0};
                memcpy(&addrs[count].u, node->ai_addr,
                       node->ai_family == AF_INET ? sizeof addrs->u.v4 : sizeof addrs->u.v6);
                count++;
        }
        return count;
}

static uint32_t least_ttl(const struct ares_addrinfo *info)
{
        int least = INT32_MAX;
        for (const struct ares_addrinfo_node *node = info->nodes; node != NULL;
             node = node->ai_next)
                least = node->ai_ttl < least ? node->ai_ttl : least;
        for (const struct ares_addrinfo_cname *cname = info->cnames; cname != NULL;
             cname = cname->next)
                least = cname->ttl < least ? cname->ttl : least;
        return least < 0 ? 0 : (uint32_t)least; /* RFC 2181, 8: the highest bit set means 0 */
}

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
        struct addr addrs[DNS_ADDRS_MAX * 4];
        struct question *question = arg;
        struct dns_name *name = question->name;
        struct dns_answer answer = {.addrs = addrs, .error = err_of(status)};
        (void)timeouts;
        question->wire->asking--;
        free(question);
        if (info != NULL) {
                answer.count = take_addrs(info, addrs, (unsigned)countof(addrs));
                answer.ttl = least_ttl(info);
                ares_freeaddrinfo(info);
        }
        dns_give(name, &answer);
}

void dns_wire_ask(void *arg, struct dns_name *name, struct str text, enum dns_family family)
{
        static const int families[] = {
                [DNS_ANY] = AF_UNSPEC, [DNS_V4] = AF_INET, [DNS_V6] = AF_INET6};
        struct dns_wire *wire = arg;
        struct ares_addrinfo_hints hints = {.ai_flags = ARES_AI_NOSORT | ARES_AI_ENVHOSTS,
                                            .ai_family = families[family],
                                            .ai_socktype = SOCK_STREAM};
        char name_text[DNS_NAME_MAX + 2];
        follow_system(wire);
        struct question *question = malloc(sizeof *question);
        if (!wire->is_open || question == NULL) {
                free(question);
                dns_give(name, &(const struct dns_answer){.error = ERR_memory});
                return;
        }
        *question = (struct question){wire, name};
        memcpy(name_text, text.ptr, text.len);
        name_text[text.len] = '\0';
        wire->asking++;
        ares_getaddrinfo(wire->channel, name_text, NULL, &hints, on_answer, question);
        set_tick(wire);
}

struct dns_wire *dns_wire_make(struct loop *loop, const struct dns_conf *conf)
{
        static pthread_once_t once = PTHREAD_ONCE_INIT;
        pthread_once(&once, init_library);
        struct dns_wire *wire = calloc(1, sizeof *wire);
        if (wire == NULL)
                return NULL;
        wire->loop = loop;
        wire->conf = conf;
        timer_init(&wire->tick, on_tick);
        for (size_t i = 0; i < SOCKETS_MAX; i++)
                wire->sockets[i] = (struct dns_socket){
                        .watcher.event = on_event, .wire = wire, .fd = -1};
        follow_system(wire);
        return wire;
}

void dns_wire_free(struct dns_wire *wire)
{
        if (wire->is_open)
                ares_destroy(wire->channel);
        wire->is_open = false;
        timer_stop(&wire->tick);
        free(wire);
}
