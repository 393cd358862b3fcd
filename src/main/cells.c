/* cells.c -- memfds by layout. */
#include "main/cells.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

void cells_init(struct cells *cells)
{
        *cells = (struct cells){0};
        for (size_t i = 0; i < CELLS_KEPT; i++)
                cells->memory[i].fd = -1;
}

void cells_close(struct cells *cells)
{
        for (size_t i = 0; i < CELLS_KEPT; i++) {
                if (cells->memory[i].fd >= 0)
                        close(cells->memory[i].fd);
        }
        cells_init(cells);
}

/* The one of that layout, else an empty place, else the one asked for longest ago. */
static struct cells_memory *find(struct cells *cells, uint64_t layout)
{
        struct cells_memory *oldest = &cells->memory[0];
        for (size_t i = 0; i < CELLS_KEPT; i++) {
                struct cells_memory *memory = &cells->memory[i];
                if (memory->fd >= 0 && memory->layout == layout)
                        return memory;
                if (memory->asked < oldest->asked)
                        oldest = memory;
        }
        return oldest;
}

static enum err begin(struct cells_memory *memory, uint64_t layout)
{
        int fd = memfd_create("gate-cells", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (fd < 0)
                return err_from_errno(errno);
        if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) < 0) {
                close(fd);
                return err_from_errno(errno);
        }
        if (memory->fd >= 0)
                close(memory->fd);
        *memory = (struct cells_memory){.fd = fd, .layout = layout};
        return ERR_ok;
}

enum err cells_hold(struct cells *cells, uint64_t size, uint64_t layout,
                    const struct cells_memory **ret_memory)
{
        struct cells_memory *memory = find(cells, layout);
        if (size == 0 || size > CELLS_SIZE_MAX)
                return ERR_range;
        if (memory->fd < 0 || memory->layout != layout) {
                enum err err = begin(memory, layout);
                if (err != ERR_ok)
                        return err;
        }
        if (memory->size < size) {
                if (ftruncate(memory->fd, (off_t)size) < 0)
                        return err_from_errno(errno);
                memory->size = size;
        }
        memory->asked = ++cells->asks;
        *ret_memory = memory;
        return ERR_ok;
}
