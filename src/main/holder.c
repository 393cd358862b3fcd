/* holder.c -- /proc/net/tcp gives the inode of a listening socket, /proc/PID/fd who has it open. */
#include "main/holder.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LINES_MAX = 100000, LINKS_MAX = 200000, LISTENING = 0x0A };

struct found {
        uint64_t inode, user;
};

static bool hex_of(struct str text, uint64_t *ret_value)
{
        uint64_t value = 0;
        if (text.len == 0 || text.len > 16)
                return false;
        for (size_t i = 0; i < text.len; i++) {
                int digit = char_hex(text.ptr[i]);
                if (digit < 0)
                        return false;
                value = value << 4 | (uint64_t)digit;
        }
        *ret_value = value;
        return true;
}

static struct str next_word(struct str *line)
{
        *line = str_trim(*line);
        struct str word = str_cut(line, ' ');
        return word;
}

/* The kernel writes an address as 32-bit words in the machine's order. */
static bool is_same_ip(struct str hex, const struct addr *addr)
{
        static const uint8_t any[16];
        uint8_t bytes[16];
        size_t words = hex.len / 8;
        for (size_t i = 0; i < words && i < 4; i++) {
                uint64_t word;
                if (!hex_of(str_from(hex.ptr + 8 * i, 8), &word))
                        return false;
                uint32_t part = (uint32_t)word;
                memcpy(bytes + 4 * i, &part, sizeof part);
        }
        const void *ours = words == 1 ? (const void *)&addr->u.v4.sin_addr
                                      : (const void *)&addr->u.v6.sin6_addr;
        size_t len = words * 4;
        bool is_same_family = (words == 1) == (addr->u.any.sa_family == AF_INET);
        if (memcmp(bytes, any, len) == 0)
                return true; /* it holds every address */
        if (!is_same_family)
                return false;
        return memcmp(bytes, ours, len) == 0 || memcmp(ours, any, len) == 0;
}

/* One line of /proc/net/tcp: number, local address, peer, state, four more, user, one more, inode.
 */
static bool is_it(struct str line, const struct addr *addr, struct found *ret_found)
{
        struct str word[10];
        uint64_t port, state;
        for (size_t i = 0; i < countof(word); i++)
                word[i] = next_word(&line);
        struct str local = word[1];
        struct str ip = str_cut(&local, ':');
        if ((ip.len != 8 && ip.len != 32) || !hex_of(local, &port) || !hex_of(word[3], &state))
                return false;
        if (state != LISTENING || port != addr_port(addr) || !is_same_ip(ip, addr))
                return false;
        return str_to_u64(word[7], &ret_found->user) == ERR_ok &&
               str_to_u64(word[9], &ret_found->inode) == ERR_ok;
}

static bool find_inode(const char *path, const struct addr *addr, struct found *ret_found)
{
        char line[512];
        bool is_found = false;
        FILE *file = fopen(path, "re");
        if (file == NULL)
                return false;
        for (int i = 0; i < LINES_MAX && !is_found && fgets(line, sizeof line, file); i++)
                is_found = is_it(str_of(line), addr, ret_found);
        fclose(file);
        return is_found;
}

static void put_process(struct text *text, struct str pid)
{
        char path[64], name[64];
        snprintf(path, sizeof path, "/proc/%.*s/comm", (int)pid.len, pid.ptr);
        FILE *file = fopen(path, "re");
        if (file != NULL) {
                if (fgets(name, sizeof name, file) != NULL) {
                        struct str first = str_of(name);
                        text_put(text, str_cut(&first, '\n'));
                        text_char(text, ' ');
                }
                fclose(file);
        }
        text_format(text, "(pid %.*s)", (int)pid.len, pid.ptr);
}

/* True when the process has the socket open. */
static bool has_open(const char *pid, const char *wanted, int *links)
{
        char path[300], target[64];
        bool is_found = false;
        snprintf(path, sizeof path, "/proc/%s/fd", pid);
        DIR *folder = opendir(path);
        if (folder == NULL)
                return false;
        struct dirent *entry;
        while (!is_found && (entry = readdir(folder)) != NULL && (*links)++ < LINKS_MAX) {
                ssize_t len = readlinkat(dirfd(folder), entry->d_name, target, sizeof target - 1);
                if (len < 0)
                        continue;
                target[len] = '\0';
                is_found = strcmp(target, wanted) == 0;
        }
        closedir(folder);
        return is_found;
}

static bool put_owner(struct text *text, uint64_t inode)
{
        char wanted[48];
        int links = 0;
        bool is_found = false;
        snprintf(wanted, sizeof wanted, "socket:[%llu]", (unsigned long long)inode);
        DIR *proc = opendir("/proc");
        if (proc == NULL)
                return false;
        struct dirent *entry;
        while (!is_found && (entry = readdir(proc)) != NULL && links < LINKS_MAX) {
                if (!char_is_digit(entry->d_name[0]) || !has_open(entry->d_name, wanted, &links))
                        continue;
                put_process(text, str_of(entry->d_name));
                is_found = true;
        }
        closedir(proc);
        return is_found;
}

void holder_find(const struct addr *addr, struct text *text)
{
        struct found found;
        if (!find_inode("/proc/net/tcp", addr, &found) &&
            !find_inode("/proc/net/tcp6", addr, &found))
                return;
        if (!put_owner(text, found.inode))
                text_format(text, "a process of user %llu", (unsigned long long)found.user);
}

void holder_of_peer(int fd, struct text *text)
{
        struct ucred peer;
        socklen_t len = sizeof peer;
        char digits[24];
        struct text pid = text_over(digits, sizeof digits);
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || peer.pid <= 0)
                return;
        text_i64(&pid, peer.pid);
        put_process(text, text_str(&pid));
}
