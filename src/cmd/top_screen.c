/* top_screen.c -- the terminal of `gate top`: taken over, drawn on, read from, and given back
 * however this ends, also when it is stopped for a while. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "cmd/top.h"

enum { FRAME_ARENA_MAX = 256 << 20, INPUT_MAX = 256 };

/* The other screen of the terminal, no cursor, no wrapping of long lines; and back. */
static const char enter_text[] = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J";
static const char leave_text[] = "\x1b[?7h\x1b[?25h\x1b[?1049l";

static struct termios given, ours;
static volatile sig_atomic_t must_draw;

static void write_text(const char *text, size_t len)
{
        while (len > 0) {
                ssize_t n = write(STDOUT_FILENO, text, len);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return;
                text += n;
                len -= (size_t)n;
        }
}

static void enter(void)
{
        tcsetattr(STDIN_FILENO, TCSANOW, &ours);
        write_text(enter_text, sizeof enter_text - 1);
}

static void leave(void)
{
        write_text(leave_text, sizeof leave_text - 1);
        tcsetattr(STDIN_FILENO, TCSANOW, &given);
}

/* ---- signals: only calls that are safe there ---- */

static void on_end(int number)
{
        leave();
        signal(number, SIG_DFL);
        raise(number);
}

static void on_stop(int number)
{
        int error = errno;
        (void)number;
        leave();
        raise(SIGSTOP);
        enter();
        must_draw = 1;
        errno = error;
}

static void on_size(int number)
{
        (void)number;
        must_draw = 1;
}

static void listen_to(int number, void (*fn)(int number))
{
        struct sigaction action = {.sa_handler = fn};
        sigemptyset(&action.sa_mask);
        sigaction(number, &action, NULL);
}

static void take_terminal(void)
{
        tcgetattr(STDIN_FILENO, &given);
        ours = given;
        ours.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        ours.c_cc[VMIN] = 0;
        ours.c_cc[VTIME] = 0;
        listen_to(SIGINT, on_end);
        listen_to(SIGTERM, on_end);
        listen_to(SIGHUP, on_end);
        listen_to(SIGQUIT, on_end);
        listen_to(SIGTSTP, on_stop);
        listen_to(SIGWINCH, on_size);
        enter();
}

/* ---- drawing ---- */

static void put_keys(struct text *out, bool is_colored)
{
        show_color(out, is_colored, SHOW_DIM,
                   S("a apis  c consumers  u upstreams  r routes  e errors  s sort  i invert  "
                     "/ filter  p pause  q quit"));
}

/* Each line replaces what stood there, so that nothing flickers. */
static void put_frame(struct text *out, struct str frame, size_t height)
{
        size_t lines = 0;
        text_put(out, S("\x1b[H"));
        while (frame.len > 0 && lines + 1 < height) {
                text_put(out, str_cut(&frame, '\n'));
                text_put(out, S("\x1b[K\n"));
                lines++;
        }
        text_put(out, S("\x1b[J"));
        text_format(out, "\x1b[%zu;1H", height);
}

static void draw(const struct top *top)
{
        struct winsize size = {.ws_row = 24, .ws_col = 80};
        struct arena arena;
        arena_init(&arena, NULL, FRAME_ARENA_MAX);
        ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
        size_t width = size.ws_col > 0 ? size.ws_col : 80;
        size_t height = size.ws_row > 0 ? size.ws_row : 24;
        struct text out = text_grow(&arena, FRAME_ARENA_MAX / 4);
        put_frame(&out, top_frame(top, &arena, width, height), height);
        put_keys(&out, top->call->colors_out);
        text_put(&out, S("\x1b[K"));
        write_text(out.at, out.len);
        arena_fini(&arena);
}

/* ---- keys ---- */

static void choose(struct top *top, const struct view *view)
{
        top->view = view;
        top->sort = view->sort;
        top->is_upside_down = false;
        top->filter_len = 0;
        top->first = 0;
}

static void type(struct top *top, char c)
{
        if (c == '\n' || c == '\r') {
                top->is_typing = false;
        } else if (c == 0x7f || c == '\b') {
                top->filter_len -= top->filter_len > 0;
        } else if (c == 0x1b) {
                top->is_typing = false;
                top->filter_len = 0;
        } else if (c >= ' ' && c < 0x7f && top->filter_len < sizeof top->filter) {
                top->filter[top->filter_len++] = c;
        }
}

/* False: it is over. *ret_must_look: there is something to ask for. */
static bool press(struct top *top, char c, bool *ret_must_look)
{
        if (top->is_typing) {
                type(top, c);
                return true;
        }
        for (size_t i = 0; i < views_count; i++) {
                if (views[i].key == c) {
                        *ret_must_look = views[i].has_routes && !top->view->has_routes;
                        choose(top, &views[i]);
                        return true;
                }
        }
        if (c == 's')
                top->sort = (top->sort + 1) % (unsigned)view_columns(top->view);
        else if (c == 'i')
                top->is_upside_down = !top->is_upside_down;
        else if (c == 'p')
                top->is_paused = !top->is_paused;
        else if (c == 'j')
                top->first++;
        else if (c == 'k')
                top->first -= top->first > 0;
        else if (c == '/') {
                top->is_typing = true;
                top->filter_len = 0;
        }
        return c != 'q';
}

/* Arrows are j and k; other sequences of the terminal are nothing to us. */
static size_t take_key(struct str in, char *ret_key)
{
        *ret_key = in.ptr[0];
        if (in.ptr[0] != 0x1b || in.len < 3 || (in.ptr[1] != '[' && in.ptr[1] != 'O'))
                return 1;
        size_t len = 2;
        while (len < in.len && !(in.ptr[len] >= '@' && in.ptr[len] <= '~'))
                len++;
        char last = len < in.len ? in.ptr[len] : 0;
        *ret_key = last == 'A' ? 'k' : last == 'B' ? 'j' : 0;
        return size_min(len + 1, in.len);
}

static bool read_keys(struct top *top, bool *ret_must_look)
{
        char bytes[INPUT_MAX];
        ssize_t n = read(STDIN_FILENO, bytes, sizeof bytes);
        if (n < 0)
                return errno == EINTR || errno == EAGAIN;
        if (n == 0)
                return false; /* the terminal is gone */
        struct str in = str_from(bytes, (size_t)n);
        while (in.len > 0) {
                char key;
                in = str_skip(in, take_key(in, &key));
                if (key != 0 && !press(top, key, ret_must_look))
                        return false;
        }
        return true;
}

int top_screen(struct top *top)
{
        bool is_on = true;
        take_terminal();
        uint64_t due = gateway_clock() + top->every_ns;
        draw(top);
        while (is_on) {
                struct pollfd polled = {.fd = STDIN_FILENO, .events = POLLIN};
                uint64_t now = gateway_clock();
                bool must_look = false;
                int wait = due <= now ? 0 : (int)u64_min((due - now) / 1000000 + 1, 60000);
                if (poll(&polled, 1, wait) > 0) {
                        is_on = read_keys(top, &must_look);
                        must_draw = 1;
                }
                if (must_look || gateway_clock() >= due) {
                        if (!top->is_paused || must_look)
                                top_look(top);
                        due = gateway_clock() + top->every_ns;
                        must_draw = 1;
                }
                if (must_draw != 0) {
                        must_draw = 0;
                        draw(top);
                }
        }
        leave();
        return EXIT_done;
}
