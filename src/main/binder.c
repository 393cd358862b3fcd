/* binder.c -- which doors there are, and who wants them. */
#include "main/binder.h"

#include <errno.h>
#include <unistd.h>

#include "base/check.h"
#include "main/binder_int.h"
#include "main/say.h"

void binder_init(struct binder *binder)
{
        binder->count = 0;
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

static enum err put_key(const struct bind_request *request, struct text *key)
{
        text_put(key, request->address);
        if (request->name.len > 0) {
                text_char(key, ' ');
                text_put(key, request->name);
        }
        return key->is_cut ? ERR_limit : ERR_ok;
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
                return door->is_given ? 0 : door_open(door, place, request->count, request->mode);
        }
        if (!has_port(binder, place) && place_is_taken(place))
                return EADDRINUSE;
        door = binder_add(binder);
        if (door == NULL)
                return EMFILE;
        memcpy(door->key, key.ptr, key.len);
        int error = door_open(door, place, request->count, request->mode);
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
                text_put(why, S("this is no address with numbers"));
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
