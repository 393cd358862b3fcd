/* heritage.c -- what one keeper leaves to the next: lines of text in a memfd, with the numbers of
 * the descriptors that come along. Lines of a name that the reader does not know are passed over;
 * the first line's number changes when a reader could go wrong by that. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "main/keeper_int.h"

enum { LINE_SIZE = 4096, HERITAGE_MAX = 1 << 20 };

static const struct str title = {"gatehouse-keeper 1", 18};

/* Writing. */

struct pen {
        int fd;
        bool has_failed;
        struct text line;
        char memory[LINE_SIZE];
};

static void begin(struct pen *pen, const char *name)
{
        pen->line = text_over(pen->memory, sizeof pen->memory);
        text_put(&pen->line, str_of(name));
}

static void put(struct pen *pen, uint64_t number)
{
        text_char(&pen->line, ' ');
        text_u64(&pen->line, number);
}

static void end(struct pen *pen)
{
        text_char(&pen->line, '\n');
        if (pen->line.is_cut ||
            write(pen->fd, pen->memory, pen->line.len) != (ssize_t)pen->line.len)
                pen->has_failed = true;
}

static void put_line(struct pen *pen, const char *name, struct str text)
{
        begin(pen, name);
        text_char(&pen->line, ' ');
        text_put(&pen->line, text);
        end(pen);
}

static void put_number(struct pen *pen, const char *name, uint64_t number)
{
        begin(pen, name);
        put(pen, number);
        end(pen);
}

static void write_doors(struct pen *pen, const struct binder *binder)
{
        for (uint32_t i = 0; i < binder->count; i++) {
                const struct door *door = &binder->doors[i];
                begin(pen, "door");
                put(pen, door->is_unix);
                put(pen, door->is_given);
                put(pen, door->listening);
                put(pen, door->wanted_by);
                put(pen, door->device);
                put(pen, door->inode);
                end(pen);
                put_line(pen, "key", str_of(door->key));
                put_line(pen, "real", str_of(door->real));
                begin(pen, "sockets");
                for (uint32_t k = 0; k < door->count; k++)
                        put(pen, (uint64_t)door->fds[k]);
                end(pen);
        }
}

static void write_children(struct pen *pen, const struct keeper *keeper)
{
        for (size_t i = 0; i < CHILDREN_MAX; i++) {
                const struct child *child = &keeper->children[i];
                if (child->state == CHILD_NONE)
                        continue;
                begin(pen, "child");
                put(pen, i);
                put(pen, (uint64_t)child->state);
                put(pen, (uint64_t)child->pid);
                put(pen, child->fd < 0 ? 0 : (uint64_t)child->fd);
                put(pen, child->is_dismissed);
                put(pen, child->generation);
                put(pen, child->began);
                put(pen, child->ready);
                put(pen, child->due);
                put(pen, child->drain_ms);
                put(pen, child->stream_drain_ms);
                end(pen);
        }
}

static void write_start(struct pen *pen, const struct keeper *keeper)
{
        char memory[DATA_START_MAX];
        struct text text = text_over(memory, sizeof memory);
        CHECK(start_encode(&keeper->start, &text) == ERR_ok);
        struct str rest = text_str(&text);
        while (rest.len > 0) /* its pairs end with NUL, which no line has */
                put_line(pen, "start", str_cut(&rest, '\0'));
        if (keeper->start.document_fd >= 0)
                put_number(pen, "document", (uint64_t)keeper->start.document_fd);
}

enum err heritage_write(const struct keeper *keeper, int *ret_fd)
{
        struct pen pen = {.fd = memfd_create("gate-heritage", MFD_CLOEXEC)};
        if (pen.fd < 0)
                return ERR_io;
        begin(&pen, title.ptr);
        end(&pen);
        write_start(&pen, keeper);
        put_line(&pen, "path", str_of(keeper->image.path));
        put_number(&pen, "ready_ms", keeper->ready_ms);
        put_number(&pen, "stall_ms", keeper->stall_ms);
        put_number(&pen, "generation", keeper->generation);
        put_number(&pen, "changed", keeper->changed);
        write_doors(&pen, &keeper->binder);
        for (size_t i = 0; i < CELLS_KEPT; i++) {
                const struct cells_memory *memory = &keeper->cells.memory[i];
                if (memory->fd < 0)
                        continue;
                begin(&pen, "cells");
                put(&pen, (uint64_t)memory->fd);
                put(&pen, memory->size);
                put(&pen, memory->layout);
                end(&pen);
        }
        write_children(&pen, keeper);
        begin(&pen, "end");
        end(&pen);
        if (pen.has_failed) {
                close(pen.fd);
                return ERR_io;
        }
        *ret_fd = pen.fd;
        return ERR_ok;
}

/* Reading. */

struct reader {
        struct keeper *keeper;
        struct door *door; /* the one that lines are about */
        struct text start;
        char start_memory[DATA_START_MAX];
        bool is_bad, is_over;
};

static uint64_t number(struct reader *reader, struct str *line)
{
        uint64_t value = 0;
        if (line->ptr == NULL || str_to_u64(str_cut(line, ' '), &value) != ERR_ok)
                reader->is_bad = true;
        return value;
}

/* A descriptor that came along, of that kind. */
static int descriptor(struct reader *reader, struct str *line, mode_t kind)
{
        struct stat info;
        uint64_t fd = number(reader, line);
        if (fd > INT32_MAX || fstat((int)fd, &info) < 0 || (info.st_mode & S_IFMT) != kind) {
                reader->is_bad = true;
                return -1;
        }
        return (int)fd;
}

static void copy(struct reader *reader, char *to, size_t size, struct str text)
{
        if (text.len >= size) {
                reader->is_bad = true;
                return;
        }
        memcpy(to, text.ptr, text.len);
        to[text.len] = '\0';
}

static void read_door(struct reader *reader, struct str line)
{
        struct door *door = reader->door = binder_add(&reader->keeper->binder);
        if (door == NULL) {
                reader->is_bad = true;
                return;
        }
        door->is_unix = number(reader, &line) != 0;
        door->is_given = number(reader, &line) != 0;
        door->listening = (uint32_t)number(reader, &line);
        door->wanted_by = (uint32_t)number(reader, &line);
        door->device = (dev_t)number(reader, &line);
        door->inode = (ino_t)number(reader, &line);
}

static void read_sockets(struct reader *reader, struct door *door, struct str line)
{
        while (line.ptr != NULL && !reader->is_bad) {
                if (door->count == MESSAGE_FDS_MAX)
                        reader->is_bad = true;
                else
                        door->fds[door->count++] = descriptor(reader, &line, S_IFSOCK);
        }
        if (door->listening > door->count)
                reader->is_bad = true;
}

static void read_cells(struct reader *reader, struct str line)
{
        struct cells *cells = &reader->keeper->cells;
        if (cells->asks == CELLS_KEPT) {
                reader->is_bad = true;
                return;
        }
        struct cells_memory *memory = &cells->memory[cells->asks++];
        memory->fd = descriptor(reader, &line, S_IFREG);
        memory->size = number(reader, &line);
        memory->layout = number(reader, &line);
        memory->asked = cells->asks;
}

static void read_child(struct reader *reader, struct str line)
{
        uint64_t index = number(reader, &line), state = number(reader, &line);
        if (index >= CHILDREN_MAX || state > CHILD_DYING) {
                reader->is_bad = true;
                return;
        }
        struct child *child = &reader->keeper->children[index];
        child->state = (enum child_state)state;
        child->pid = (pid_t)number(reader, &line);
        child->fd = -1;
        if (!str_starts(line, S("0 ")))
                child->fd = descriptor(reader, &line, S_IFSOCK);
        else
                number(reader, &line);
        child->is_dismissed = number(reader, &line) != 0;
        child->generation = number(reader, &line);
        child->began = number(reader, &line);
        child->ready = number(reader, &line);
        child->due = number(reader, &line);
        child->drain_ms = number(reader, &line);
        child->stream_drain_ms = number(reader, &line);
        reader->is_bad = reader->is_bad || child->pid <= 1;
}

static void read_number(struct reader *reader, struct str name, struct str line)
{
        struct keeper *keeper = reader->keeper;
        if (str_is(name, "ready_ms"))
                keeper->ready_ms = number(reader, &line);
        else if (str_is(name, "stall_ms"))
                keeper->stall_ms = number(reader, &line);
        else if (str_is(name, "generation"))
                keeper->generation = number(reader, &line);
        else if (str_is(name, "changed"))
                keeper->changed = number(reader, &line);
        else if (str_is(name, "document"))
                keeper->start.document_fd = descriptor(reader, &line, S_IFREG);
}

static void read_line(struct reader *reader, struct str line)
{
        struct keeper *keeper = reader->keeper;
        struct str name = str_cut(&line, ' ');
        if (str_is(name, "start")) {
                text_put(&reader->start, line);
                text_char(&reader->start, '\0');
        } else if (str_is(name, "path")) {
                copy(reader, keeper->image.path, sizeof keeper->image.path, line);
        } else if (str_is(name, "door")) {
                read_door(reader, line);
        } else if (str_is(name, "key") && reader->door != NULL) {
                copy(reader, reader->door->key, sizeof reader->door->key, line);
        } else if (str_is(name, "real") && reader->door != NULL) {
                copy(reader, reader->door->real, sizeof reader->door->real, line);
        } else if (str_is(name, "sockets") && reader->door != NULL) {
                read_sockets(reader, reader->door, line);
        } else if (str_is(name, "cells")) {
                read_cells(reader, line);
        } else if (str_is(name, "child")) {
                read_child(reader, line);
        } else if (str_is(name, "end")) {
                reader->is_over = true;
        } else {
                read_number(reader, name, line);
        }
}

static enum err read_all(struct keeper *keeper, struct str rest)
{
        struct reader reader = {.keeper = keeper};
        struct data_start start;
        reader.start = text_over(reader.start_memory, sizeof reader.start_memory);
        if (!str_eq(str_cut(&rest, '\n'), title))
                return ERR_version;
        while (rest.ptr != NULL && !reader.is_bad && !reader.is_over)
                read_line(&reader, str_cut(&rest, '\n'));
        if (reader.is_bad || !reader.is_over || reader.start.is_cut ||
            start_decode(text_str(&reader.start), &start) != ERR_ok)
                return ERR_syntax;
        start.document_fd = keeper->start.document_fd;
        keeper->start = start;
        return ERR_ok;
}

enum err heritage_read(struct keeper *keeper, int fd)
{
        struct stat info;
        keeper->start.document_fd = -1;
        if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode) || info.st_size <= 0 ||
            info.st_size > HERITAGE_MAX)
                return ERR_syntax;
        size_t size = (size_t)info.st_size;
        char *text = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (text == MAP_FAILED)
                return ERR_memory;
        enum err err = read_all(keeper, str_from(text, size));
        munmap(text, size);
        return err;
}

static void pass(int fd, bool is_passed)
{
        if (fd >= 0)
                fcntl(fd, F_SETFD, is_passed ? 0 : FD_CLOEXEC);
}

void heritage_pass(const struct keeper *keeper, bool is_passed)
{
        for (uint32_t i = 0; i < keeper->binder.count; i++) {
                for (uint32_t k = 0; k < keeper->binder.doors[i].count; k++)
                        pass(keeper->binder.doors[i].fds[k], is_passed);
        }
        for (size_t i = 0; i < CELLS_KEPT; i++)
                pass(keeper->cells.memory[i].fd, is_passed);
        for (size_t i = 0; i < CHILDREN_MAX; i++) {
                if (keeper->children[i].state != CHILD_NONE)
                        pass(keeper->children[i].fd, is_passed);
        }
        pass(keeper->start.document_fd, is_passed);
}
