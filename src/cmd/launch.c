/* launch.c -- starting a gate from within a command. */
#include "cmd/launch.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cmd/gateway.h"
#include "gate/bundle.h"
#include "identity/list.h"
#include "main/holder.h"
#include "main/keeper.h"
#include "main/privs.h"
#include "policy/list.h"

enum { SHOWN_MAX = 1 << 20, BACKLOG = 128 };

static bool loopback(unsigned port, bool is_v6, struct addr *ret_addr)
{
        struct str ip = is_v6 ? S("::1") : S("127.0.0.1");
        return addr_read_ip(ip, (uint16_t)port, ret_addr) == ERR_ok;
}

int port_listen(unsigned port, bool is_v6)
{
        struct addr addr;
        int yes = 1;
        if (!loopback(port, is_v6, &addr))
                return -1;
        int fd = socket(addr.u.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return -1;
        /* Without SO_REUSEPORT, so that a port which another gate shares among its workers is seen
         * to be taken. */
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
        if (is_v6)
                setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
        if (bind(fd, &addr.u.any, addr_len(&addr)) == 0 && listen(fd, BACKLOG) == 0)
                return fd;
        close(fd);
        return -1;
}

/* A machine without IPv6 has every port of it free. */
static bool has_v6(void)
{
        struct addr addr;
        int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return false;
        bool is_there = loopback(0, true, &addr) && bind(fd, &addr.u.any, addr_len(&addr)) == 0;
        close(fd);
        return is_there;
}

static bool is_free(unsigned port, bool is_v6)
{
        int fd = port_listen(port, is_v6);
        if (fd >= 0)
                close(fd);
        return fd >= 0;
}

unsigned port_pick(unsigned from)
{
        bool with_v6 = has_v6();
        for (unsigned port = from; port < from + LAUNCH_PORTS && port <= UINT16_MAX; port++) {
                if (is_free(port, false) && (!with_v6 || is_free(port, true)))
                        return port;
        }
        return 0;
}

struct str port_holder(struct call *call, unsigned port)
{
        struct text text = text_grow(&call->arena, 512);
        for (int is_v6 = 0; is_v6 < 2 && text.len == 0; is_v6++) {
                struct addr addr;
                if (loopback(port, is_v6 == 1, &addr))
                        holder_find(&addr, &text);
        }
        return text.at == NULL ? S("") : text_str(&text);
}

struct str launch_socket(struct call *call)
{
        struct gateway_place place = {.host = S("localhost")};
        const char *folder = getenv("TMPDIR");
        int fd;
        bool is_usual = usual_socket(&call->arena, &place.socket);
        if (is_usual && place_connect(&place, SECOND, &fd) != ERR_ok)
                return S("");
        if (is_usual)
                close(fd);
        if (folder == NULL || folder[0] != '/')
                folder = "/tmp";
        return arena_format(&call->arena, "%s/gate-%d.sock", folder, (int)getpid());
}

const char *launch_name(const struct call *call)
{
        return strchr(call->argv[0], '/') != NULL ? call->argv[0] : "gate";
}

int launch_check(struct call *call, struct str document, struct str name)
{
        struct load_request request = {
                .path = name, .text = document, .environment = S(""), .world = &world_real};
        struct bundle *bundle = bundle_read(&request, &policy_list, &proof_list);
        struct snapshot *snapshot = NULL;
        if (bundle_is_good(bundle))
                snapshot = bundle_compile(bundle, NULL);
        if (snapshot != NULL) { /* it owns the bundle */
                snapshot_free(snapshot);
                return EXIT_done;
        }
        struct text text = text_grow(&call->arena, SHOWN_MAX);
        faults_sort(&bundle->load.faults);
        faults_write(&bundle->load.faults, call->colors_err, &text);
        fwrite(text.at, 1, text.len, stderr);
        bundle_free(bundle);
        return EXIT_config;
}

void launch_say(const struct call *call, bool is_well, const char *word, const char *format, ...)
{
        va_list args;
        const char *color = is_well ? "\x1b[32m" : "\x1b[33m";
        const char *mark = is_well ? "✓" : "!";
        if (call->is_quiet)
                return;
        fprintf(stderr, "  %s%s%s %-11s ", call->colors_err ? color : "", mark,
                call->colors_err ? "\x1b[0m" : "", word);
        va_start(args, format);
        vfprintf(stderr, format, args);
        va_end(args);
        fputc('\n', stderr);
}

void launch_settle(pid_t parent)
{
        struct user user;
        signal(SIGINT, SIG_IGN);
        signal(SIGHUP, SIG_IGN);
        signal(SIGPIPE, SIG_IGN);
        if (privs_user(STR_NONE, &user) != ERR_ok || privs_drop(&user, false) != ERR_ok)
                _exit(EXIT_denied);
        /* In this order: whoever becomes another user loses the signal it had asked for, and the
         * parent may have ended before it was asked for. */
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent)
                _exit(EXIT_done);
}

int launch_run(const struct call *call, struct str document, struct str path,
               void (*served)(const struct binder *binder))
{
        static struct keeper_options options;
        options.start.document_fd = -1;
        options.document = document;
        options.argc = call->argc;
        options.argv = call->argv;
        options.served = served;
        if (path.len >= DATA_PATH_MAX)
                return call_fail(call, EXIT_usage, NULL, "a path may have %d bytes at most",
                                 DATA_PATH_MAX - 1);
        if (path.len > 0)
                memcpy(options.start.configuration, path.ptr, path.len);
        fflush(NULL);
        return keeper_run(&options);
}
