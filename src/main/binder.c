/* binder.c -- which doors there are, and who wants them. */
#include "main/binder.h"

#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/check.h"
#include "main/binder_int.h"
#include "main/say.h"

void binder_init(struct binder *binder)
{
        struct rlimit limit;
        binder->count = 0;
        binder->sockets_max = BINDER_SOCKETS_MAX;
        if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
                binder->sockets_max = (uint32_t)u64_min(BINDER_SOCKETS_MAX, limit.rlim_max / 2);
}

/* How many sockets a door may have: with those of all others they stay below the limit, so that the
 * keeper can always start another data process. */
static uint32_t room_for(const struct binder *binder, const struct door *door)
{
        uint64_t used = 0;
        for (uint32_t i = 0; i < binder->count; i++)
                used += binder->doors[i].count;
        uint64_t others = used - door->count;
        return others >= binder->sockets_max ? 0 : (uint32_t)(binder->sockets_max - others);
}

static struct door *find(struct binder *binder, struct str key)
{
        for (uint32_t i = 0; i < binder->count; i++) {
                if (str_is(key, binder->doors[i].key))
                        return &binder->doors[i];
        }
        return NULL;
}

struct door *binder_add(struct binder *binder)
{
        if (binder->count == BINDER_DOORS_MAX)
                return NULL;
        struct door *door = &binder->doors[binder->count++];
        memset(door, 0, sizeof *door);
        return door;
}

static void drop(struct binder *binder, struct door *door)
{
        struct door *last = &binder->doors[--binder->count];
        door_close(door);
        if (door != last)
                *door = *last;
}

void binder_adopt(struct binder *binder, int fd)
{
        int is_listening = 0, type = 0;
        socklen_t len = sizeof is_listening, type_len = sizeof type;
        struct door *door = binder_add(binder);
        if (door == NULL || getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &len) < 0 ||
            getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) < 0 || !is_listening ||
            type != SOCK_STREAM) {
                say("descriptor %d was passed to be listened on, but is no listening socket; it is "
                    "not used",
                    fd);
                if (door != NULL)
                        binder->count--;
                close(fd);
                return;
        }
        struct text real = text_over(door->real, sizeof door->real - 1);
        socket_put_place(fd, &real);
        memcpy(door->key, door->real, sizeof door->key);
        door->is_unix = str_starts(text_str(&real), S("unix:"));
        door->is_given = true;
        door->fds[0] = fd;
        door->count = door->listening = 1;
}

/* A socket of systemd's for all addresses of a port serves whoever asks for all of them, in either
 * family: ListenStream=80 makes one for both. */
static struct door *find_given(struct binder *binder, const struct place *place)
{
        static const struct in6_addr any;
        for (uint32_t i = 0; i < binder->count && !place->is_unix; i++) {
                struct door *door = &binder->doors[i];
                struct place given;
                if (!door->is_given || door->is_unix ||
                    place_read(str_of(door->real), &given) != ERR_ok ||
                    given.addr.u.any.sa_family != AF_INET6 ||
                    memcmp(&given.addr.u.v6.sin6_addr, &any, sizeof any) != 0)
                        continue;
                bool is_any = place->addr.u.any.sa_family == AF_INET &&
                              place->addr.u.v4.sin_addr.s_addr == 0;
                if (is_any && addr_port(&given.addr) == addr_port(&place->addr))
                        return door;
        }
        return NULL;
}

/* True when a door of ours is on that port: then the address is not taken by a stranger. */
static bool has_port(struct binder *binder, const struct place *place)
{
        for (uint32_t i = 0; i < binder->count && !place->is_unix; i++) {
                struct place other;
                if (place_read(str_of(binder->doors[i].real), &other) == ERR_ok && !other.is_unix &&
                    addr_port(&other.addr) == addr_port(&place->addr))
                        return true;
        }
        return false;
}

/* A key is one line of text, and a name has no character that means something elsewhere. */
static bool is_clean(struct str text, bool is_name)
{
        for (size_t i = 0; i < text.len; i++) {
                char c = text.ptr[i];
                bool is_word = (c >= 'a' && c <= 'z') || char_is_digit(c) || c == '_' || c == '-' ||
                               c == '.';
                if (is_name ? !is_word : (unsigned char)c < ' ' || c == 0x7f)
                        return false;
        }
        return true;
}

static enum err put_key(const struct bind_request *request, struct text *key)
{
        text_put(key, request->address);
        if (request->name.len > 0) {
                text_char(key, '\t');
                text_put(key, request->name);
        }
        if (!is_clean(request->address, false) || !is_clean(request->name, true))
                return ERR_syntax;
        return key->is_cut ? ERR_limit : ERR_ok;
}

static int open_sockets(const struct binder *binder, struct door *door, const struct place *place,
                        const struct bind_request *request)
{
        uint32_t room = (uint32_t)u64_min(room_for(binder, door), MESSAGE_FDS_MAX);
        if (room == 0)
                return EMFILE;
        uint32_t count = (uint32_t)u64_max(u64_min(request->count, room), 1);
        return door_open(door, place, count, request->mode);
}

/* The door of that name and place, with as many sockets as were asked for. */
static int open_one(struct binder *binder, const struct place *place, struct str key,
                    const struct bind_request *request, struct door **ret_door)
{
        struct door *door = find(binder, key);
        if (door == NULL)
                door = find_given(binder, place);
        if (door != NULL) {
                *ret_door = door;
                return door->is_given ? 0 : open_sockets(binder, door, place, request);
        }
        if (!has_port(binder, place) && place_is_taken(place))
                return EADDRINUSE;
        door = binder_add(binder);
        if (door == NULL)
                return EMFILE;
        memcpy(door->key, key.ptr, key.len);
        int error = open_sockets(binder, door, place, request);
        if (error != 0)
                drop(binder, door);
        *ret_door = door;
        return error;
}

int binder_bind(struct binder *binder, const struct bind_request *request, uint32_t owner,
                struct door **ret_door, struct text *why)
{
        char memory[LINK_ADDRESS_MAX - 1];
        struct text key = text_over(memory, sizeof memory);
        struct place place;
        struct door *door = NULL;
        CHECK(owner < BINDER_OWNERS_MAX);
        if (put_key(request, &key) != ERR_ok || place_read(request->address, &place) != ERR_ok) {
                text_put(why, S("this is no address that can be listened on"));
                return EINVAL;
        }
        int error = open_one(binder, &place, text_str(&key), request, &door);
        if (error != 0) {
                place_explain(&place, error, why);
                return error;
        }
        door->wanted_by |= 1u << owner;
        *ret_door = door;
        return 0;
}

int binder_listen(struct binder *binder, uint32_t owner, struct text *why)
{
        for (uint32_t i = 0; i < binder->count; i++) {
                struct door *door = &binder->doors[i];
                if (!(door->wanted_by & 1u << owner))
                        continue;
                while (door->listening < door->count) {
                        if (listen(door->fds[door->listening], BINDER_BACKLOG) < 0) {
                                int error = errno;
                                text_format(why, "cannot listen on %s: %s", door->real,
                                            strerror(error));
                                return error;
                        }
                        door->listening++;
                }
        }
        return 0;
}

void binder_release(struct binder *binder, struct str key, uint32_t owner)
{
        struct door *door = find(binder, key);
        if (door != NULL)
                door->wanted_by &= ~(1u << owner);
}

void binder_release_all(struct binder *binder, uint32_t owner)
{
        for (uint32_t i = 0; i < binder->count; i++)
                binder->doors[i].wanted_by &= ~(1u << owner);
}

void binder_prune(struct binder *binder)
{
        for (uint32_t i = binder->count; i-- > 0;) {
                if (binder->doors[i].wanted_by == 0 && !binder->doors[i].is_given)
                        drop(binder, &binder->doors[i]);
        }
}

void binder_close_tcp(struct binder *binder)
{
        for (uint32_t i = binder->count; i-- > 0;) {
                if (!binder->doors[i].is_unix)
                        drop(binder, &binder->doors[i]);
        }
}

void binder_close(struct binder *binder)
{
        while (binder->count > 0)
                drop(binder, &binder->doors[binder->count - 1]);
}
