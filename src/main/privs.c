/* privs.c -- capabilities, users, limits; the kernel's calls themselves, no library. */
#include "main/privs.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"

enum { FILES_FOR_US = 0077, DIRECTORY_MODE = 0700, PASSWD_MAX = 4096 };

struct capabilities {
        struct __user_cap_data_struct half[2];
};

#define CAP_BIT(cap) ((uint64_t)1 << (cap))

/* Binding low ports; becoming the user of the data process; ending a process of that user; making
 * its directories; and a data process that starts reads what root may read, as `sudo` promises. */
static const uint64_t kept = CAP_BIT(CAP_NET_BIND_SERVICE) | CAP_BIT(CAP_SETUID) |
                             CAP_BIT(CAP_SETGID) | CAP_BIT(CAP_KILL) | CAP_BIT(CAP_CHOWN) |
                             CAP_BIT(CAP_DAC_READ_SEARCH);

/* Looking into /proc for who holds an address, while a person waits for the answer. */
static const uint64_t kept_at_first = CAP_BIT(CAP_SYS_PTRACE);

static struct capabilities capabilities_get(void)
{
        struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct capabilities caps = {0};
        CHECK(syscall(SYS_capget, &head, caps.half) == 0);
        return caps;
}

static void capabilities_set(const struct capabilities *caps)
{
        struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
        CHECK(syscall(SYS_capset, &head, caps->half) == 0);
}

/* Keeps at most these of what is permitted. A process that is not root also passes them on to what
 * it executes: the next version of itself. */
static void capabilities_cut(uint64_t mask)
{
        struct capabilities caps = capabilities_get();
        bool is_root = geteuid() == 0;
        for (size_t i = 0; i < countof(caps.half); i++) {
                uint32_t part = (uint32_t)(mask >> (32 * i));
                caps.half[i].permitted &= part;
                caps.half[i].effective = caps.half[i].permitted;
                caps.half[i].inheritable = is_root ? 0 : caps.half[i].permitted;
        }
        capabilities_set(&caps);
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
        for (unsigned long cap = 0; cap <= CAP_LAST_CAP && !is_root; cap++) {
                if (caps.half[cap / 32].inheritable & 1u << cap % 32)
                        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0);
        }
}

/* What is not in the bounding set cannot come back, whatever is executed. */
static void bounds_cut(uint64_t mask)
{
        for (unsigned long cap = 0; cap <= CAP_LAST_CAP; cap++) {
                if (!(mask & CAP_BIT(cap)))
                        prctl(PR_CAPBSET_DROP, cap, 0, 0, 0); /* not permitted: there is nothing */
        }
}

static void raise_limits(bool has_core_dumps)
{
        struct rlimit limit;
        if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
                limit.rlim_cur = limit.rlim_max;
                setrlimit(RLIMIT_NOFILE, &limit);
        }
        if (getrlimit(RLIMIT_CORE, &limit) == 0) {
                limit.rlim_cur = has_core_dumps ? limit.rlim_max : 0;
                setrlimit(RLIMIT_CORE, &limit);
        }
}

void privs_keep(bool has_core_dumps)
{
        umask(FILES_FOR_US);
        raise_limits(has_core_dumps);
        bounds_cut(kept | kept_at_first);
        CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
        capabilities_cut(kept | kept_at_first);
}

void privs_keep_less(void)
{
        capabilities_cut(kept);
}

static enum err look_up(const char *name, struct user *ret_user)
{
        char memory[PASSWD_MAX];
        struct passwd entry, *found = NULL;
        if (getpwnam_r(name, &entry, memory, sizeof memory, &found) != 0 || found == NULL)
                return ERR_missing;
        *ret_user = (struct user){.uid = entry.pw_uid, .gid = entry.pw_gid};
        memcpy(ret_user->name, name, strlen(name));
        return ERR_ok;
}

enum err privs_user(struct str name, struct user *ret_user)
{
        char text[sizeof ret_user->name] = {0};
        if (geteuid() != 0) {
                *ret_user = (struct user){.uid = geteuid(), .gid = getegid()};
                return ERR_ok;
        }
        if (name.len >= sizeof text)
                return ERR_missing;
        if (name.len > 0) {
                memcpy(text, name.ptr, name.len);
                return look_up(text, ret_user);
        }
        enum err err = look_up("gatehouse", ret_user);
        return err == ERR_missing ? look_up("nobody", ret_user) : err;
}

enum err privs_make_dir(const char *path, const struct user *user)
{
        if (mkdir(path, DIRECTORY_MODE) < 0)
                return errno == EEXIST ? ERR_ok : err_from_errno(errno);
        if (geteuid() != 0 || user->uid == 0 || lchown(path, user->uid, user->gid) == 0)
                return ERR_ok;
        enum err err = err_from_errno(errno);
        rmdir(path);
        return err;
}

enum err privs_drop(const struct user *user, bool has_core_dumps)
{
        static const struct capabilities none;
        bool is_root = geteuid() == 0;
        if (is_root && user->uid != 0) {
                if (setgroups(0, NULL) < 0 || setresgid(user->gid, user->gid, user->gid) < 0 ||
                    setresuid(user->uid, user->uid, user->uid) < 0)
                        return err_from_errno(errno);
                CHECK(setuid(0) < 0 && getuid() == user->uid && geteuid() == user->uid);
        }
        CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
        capabilities_set(&none);
        prctl(PR_SET_DUMPABLE, has_core_dumps ? 1 : 0, 0, 0, 0);
        return ERR_ok;
}
