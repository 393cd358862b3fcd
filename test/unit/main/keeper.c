/* keeper.c -- the keeper's memory on its way to the next, and what it makes of data processes that
 * say anything at all. */
#include "../unit.h"
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/rand.h"
#include "io/fdpass.h"
#include "main/keeper_int.h"

static struct keeper keeper, heir;

static void clear(struct keeper *which)
{
        memset(which, 0, sizeof *which);
        binder_init(&which->binder);
        cells_init(&which->cells);
        which->start.document_fd = which->notify.fd = which->upgrade.image.fd = -1;
        for (size_t i = 0; i < CHILDREN_MAX; i++)
                which->children[i].fd = -1;
}

static int begin(void **state)
{
        (void)state;
        clear(&keeper);
        clear(&heir);
        return 0;
}

static struct child *add_child(int pair[2])
{
        struct child *child = &keeper.children[2];
        assert_int_equal(fdpass_pair(pair), ERR_ok);
        *child = (struct child){.state = CHILD_SERVING, .pid = getpid(), .fd = pair[0]};
        return child;
}

static void fill(int pair[2])
{
        char memory[BINDER_WHY_MAX];
        struct text why = text_over(memory, sizeof memory);
        const struct cells_memory *cells;
        struct door *door;
        struct bind_request request = {.address = S("127.0.0.1:0"), .name = S("x"), .count = 3};
        struct child *child = add_child(pair);
        child->generation = 7;
        child->due = UINT64_MAX;
        child->drain_ms = 1234;
        assert_int_equal(binder_bind(&keeper.binder, &request, 2, &door, &why), 0);
        assert_int_equal(binder_listen(&keeper.binder, 2, &why), 0);
        assert_int_equal(cells_hold(&keeper.cells, 4096, 9, &cells), ERR_ok);
        assert_int_equal(document_keep(S("text"), &keeper.start.document_fd), ERR_ok);
        memcpy(keeper.start.configuration, "/a b", 5);
        memcpy(keeper.image.path, "/usr/bin/gate with space", 25);
        keeper.generation = 7;
        keeper.ready_ms = 111;
        keeper.stall_ms = 222;
}

static void drop(int pair[2])
{
        binder_close(&keeper.binder);
        cells_close(&keeper.cells);
        if (keeper.start.document_fd >= 0)
                close(keeper.start.document_fd);
        close(pair[0]);
        close(pair[1]);
}

static void what_a_keeper_leaves_is_what_its_heir_has(void **state)
{
        (void)state;
        int pair[2], fd;
        fill(pair);
        assert_int_equal(heritage_write(&keeper, &fd), ERR_ok);
        assert_int_equal(heritage_read(&heir, fd), ERR_ok);
        assert_int_equal(heir.binder.count, 1);
        assert_memory_equal(heir.binder.doors[0].fds, keeper.binder.doors[0].fds, 3 * sizeof(int));
        assert_string_equal(heir.binder.doors[0].key, "127.0.0.1:0\tx");
        assert_string_equal(heir.binder.doors[0].real, keeper.binder.doors[0].real);
        assert_int_equal(heir.binder.doors[0].listening, 3);
        assert_int_equal(heir.binder.doors[0].wanted_by, 1u << 2);
        assert_int_equal(heir.cells.memory[0].fd, keeper.cells.memory[0].fd);
        assert_int_equal(heir.cells.memory[0].layout, 9);
        assert_memory_equal(&heir.children[2], &keeper.children[2], sizeof(struct child));
        assert_int_equal(heir.children[0].state, CHILD_NONE);
        assert_string_equal(heir.start.configuration, "/a b");
        assert_string_equal(heir.image.path, "/usr/bin/gate with space");
        assert_int_equal(heir.start.document_fd, keeper.start.document_fd);
        assert_int_equal(heir.ready_ms, 111);
        assert_int_equal(heir.stall_ms, 222);
        assert_int_equal(heir.generation, 7);
        close(fd);
        drop(pair);
}

/* The heritage with one byte changed, or cut, or a line twice. */
static int spoil(const char *text, size_t len, size_t round)
{
        static char other[65536];
        size_t at = rand_below(len);
        FILE *file = tmpfile();
        assert_true(len < sizeof other);
        memcpy(other, text, len);
        if (round % 3 == 0)
                len = at;
        else
                other[at] = (char)("0 \n9-x"[rand_below(6)]);
        assert_int_equal(fwrite(other, 1, len, file), len);
        fflush(file);
        int fd = dup(fileno(file));
        fclose(file);
        return fd;
}

static void a_spoilt_heritage_is_refused_or_harmless(void **state)
{
        (void)state;
        static char text[65536];
        int pair[2], fd;
        unsigned refused = 0;
        fill(pair);
        assert_int_equal(heritage_write(&keeper, &fd), ERR_ok);
        ssize_t len = pread(fd, text, sizeof text, 0);
        assert_true(len > 100);
        close(fd);
        for (size_t round = 0; round < 3000; round++) {
                fd = spoil(text, (size_t)len, round);
                clear(&heir);
                refused += heritage_read(&heir, fd) != ERR_ok;
                close(fd);
        }
        assert_true(refused > 1000);
        drop(pair);
}

static void a_heritage_of_another_kind_of_keeper_is_refused(void **state)
{
        (void)state;
        FILE *file = tmpfile();
        fputs("gatehouse-keeper 2\nend\n", file);
        fflush(file);
        assert_int_equal(heritage_read(&heir, fileno(file)), ERR_version);
        fclose(file);
        assert_int_not_equal(heritage_read(&heir, 0), ERR_ok);
}

/* Something between sense and nonsense. */
static void say_something(int fd)
{
        static const struct str texts[] = {
                {"127.0.0.1:0", 11},
                {"127.0.0.1:0\ta", 13},
                {"[::1]:0\tb", 9},
                {"unix:/dev/null", 14},
                {"unix:/proc/x/y", 14},
                {"1.2.3.4:1", 9},
                {"127.0.0.1:0\ta\0b", 15},
                {" ", 1},
                {"", 0},
                {"unix:/etc/hostname", 18},
                {"\xff\xfe\n\0\x01", 5},
        };
        static struct message message;
        static const uint64_t numbers[] = {0, 1, 2, 7, 4096, UINT32_MAX, UINT64_MAX, 1ull << 63};
        static const uint16_t kinds[] = {
                MESSAGE_BIND,     MESSAGE_RELEASE,       MESSAGE_CELLS,
                MESSAGE_READY,    MESSAGE_ALIVE,         MESSAGE_STATUS,
                MESSAGE_RELOADED, MESSAGE_RELOAD_FAILED, MESSAGE_DRAINED,
        };
        message_init(&message, (enum message_kind)kinds[rand_below(countof(kinds))]);
        message.head.serial = (uint32_t)rand_u64();
        message.head.count = (uint32_t)numbers[rand_below(countof(numbers))];
        message.head.a = numbers[rand_below(countof(numbers))];
        message.head.b = numbers[rand_below(3)];
        if (message.head.kind == MESSAGE_CELLS)
                message.head.a = u64_min(message.head.a, 8192);
        message_set_text(&message, texts[rand_below(countof(texts))]);
        assert_int_equal(message_send(fd, &message), ERR_ok);
}

static void whatever_a_data_process_says_the_keeper_stays_within_its_limits(void **state)
{
        (void)state;
        static struct message answer;
        int pair[2];
        struct child *child = add_child(pair);
        keeper.binder.sockets_max = 64;
        for (int round = 0; round < 20000; round++) {
                child->state = round % 2 == 0 ? CHILD_SERVING : CHILD_DRAINING;
                say_something(pair[1]);
                keeper_hear(&keeper, child);
                assert_int_equal(child->fd, pair[0]);
                while (message_take(pair[1], &answer) == ERR_ok)
                        message_close(&answer);
                uint32_t sockets = 0;
                for (uint32_t i = 0; i < keeper.binder.count; i++)
                        sockets += keeper.binder.doors[i].count;
                assert_true(sockets <= 64);
                assert_true(child->drain_ms <= 24 * 3600 * 1000);
        }
        drop(pair);
}

static void a_status_cannot_tell_systemd_anything_else(void **state)
{
        (void)state;
        int pair[2];
        char got[400];
        struct child *child = add_child(pair);
        static struct message message;
        char path[] = "/tmp/notify-XXXXXX";
        int fd = mkstemp(path);
        close(fd);
        unlink(path);
        setenv("NOTIFY_SOCKET", path, 1);
        int ear = socket(AF_UNIX, SOCK_DGRAM, 0);
        struct sockaddr_un at = {.sun_family = AF_UNIX};
        memcpy(at.sun_path, path, sizeof path);
        assert_int_equal(bind(ear, (const struct sockaddr *)&at, sizeof at), 0);
        notify_open(&keeper.notify);
        message_init(&message, MESSAGE_STATUS);
        message_set_text(&message, S("fine\nMAINPID=1\nSTOPPING=1"));
        assert_int_equal(message_send(pair[1], &message), ERR_ok);
        keeper_hear(&keeper, child);
        ssize_t len = recv(ear, got, sizeof got, 0);
        assert_str(str_from(got, (size_t)len), "STATUS=fine MAINPID=1 STOPPING=1");
        notify_close(&keeper.notify);
        close(ear);
        unlink(path);
        unsetenv("NOTIFY_SOCKET");
        drop(pair);
}

static unsigned told(int fd, enum message_kind kind)
{
        static struct message message;
        unsigned count = 0;
        while (message_take(fd, &message) == ERR_ok)
                count += message.head.kind == kind;
        return count;
}

/* A storm of signals finds it busy: that is no reason to replace it. */
static void commands_wait_for_who_does_not_read_and_are_told_once(void **state)
{
        (void)state;
        int pair[2];
        struct child *child = add_child(pair);
        for (int i = 0; i < 2000; i++) {
                child_command(&keeper, child, MESSAGE_RELOAD);
                child_command(&keeper, child, MESSAGE_REOPEN);
        }
        assert_int_equal(child->state, CHILD_SERVING);
        assert_int_equal(told(pair[1], MESSAGE_RELOAD), 1); /* the first */
        child_catch_up(&keeper, child, true);
        assert_int_equal(child->owed, 0);
        assert_int_equal(told(pair[1], MESSAGE_RELOAD), 1); /* all others */
        child_command(&keeper, child, MESSAGE_REOPEN);
        assert_int_equal(told(pair[1], MESSAGE_REOPEN), 1);
        child_command(&keeper, child, MESSAGE_RELOAD);
        child_command(&keeper, child, MESSAGE_REOPEN);
        child_catch_up(&keeper, child, false); /* there is no later */
        assert_int_equal(told(pair[1], MESSAGE_REOPEN), 1);
        drop(pair);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(what_a_keeper_leaves_is_what_its_heir_has, begin),
                cmocka_unit_test_setup(a_spoilt_heritage_is_refused_or_harmless, begin),
                cmocka_unit_test_setup(a_heritage_of_another_kind_of_keeper_is_refused, begin),
                cmocka_unit_test_setup(
                        whatever_a_data_process_says_the_keeper_stays_within_its_limits, begin),
                cmocka_unit_test_setup(a_status_cannot_tell_systemd_anything_else, begin),
                cmocka_unit_test_setup(commands_wait_for_who_does_not_read_and_are_told_once,
                                       begin),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
