/* shared.c -- one page of head, then a table of cells for those who proved who they are, then one
 * for strangers. Whoever finds the head empty fills everything; the keeper starts one process at a
 * time. */
#include "main/shared.h"

#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "base/rand.h"
#include "net/ticket.h"

#define SHARED_MAGIC 0x6761746563656c31u /* "gatecel1" */

enum { LAYOUT_VERSION = 1 };

struct shared_head {
        uint64_t magic;
        uint64_t cells;
        uint8_t secret[SEAL_SECRET_SIZE];
        struct ticket_ring tickets;
};

static_assert(sizeof(struct shared_head) <= PAGE_SIZE, "the head has a page of its own");

static size_t round_up(size_t size)
{
        return (size + PAGE_SIZE - 1) & ~(size_t)(PAGE_SIZE - 1);
}

static enum err fill(char *memory, size_t table, uint64_t cells)
{
        struct shared_head *head = (struct shared_head *)(void *)memory;
        enum err err = bucket_init(memory + PAGE_SIZE, table);
        if (err == ERR_ok)
                err = bucket_init(memory + PAGE_SIZE + table, table);
        if (err != ERR_ok)
                return err;
        rand_bytes(head->secret, sizeof head->secret);
        head->cells = cells;
        __atomic_store_n(&head->magic, SHARED_MAGIC, __ATOMIC_RELEASE);
        return ERR_ok;
}

enum err shared_map(struct keeper_link *link, uint64_t cells, struct gate *gate,
                    struct seal_secret *ret_secret)
{
        size_t table = round_up(bucket_size(cells));
        size_t total = PAGE_SIZE + 2 * table;
        uint64_t layout = ((uint64_t)LAYOUT_VERSION << 48) | (cells & 0xffffffffffff);
        uint64_t size;
        int fd;
        enum err err = keeper_link_cells(link, total, layout, &fd, &size);
        if (err != ERR_ok)
                return err;
        char *memory = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        close(fd);
        if (memory == MAP_FAILED)
                return ERR_memory;
        struct shared_head *head = (struct shared_head *)(void *)memory;
        if (__atomic_load_n(&head->magic, __ATOMIC_ACQUIRE) != SHARED_MAGIC)
                err = fill(memory, table, cells);
        if (err == ERR_ok)
                err = bucket_map(memory + PAGE_SIZE, table, &gate->known);
        if (err == ERR_ok)
                err = bucket_map(memory + PAGE_SIZE + table, table, &gate->strangers);
        if (err == ERR_ok)
                seal_secret_init(ret_secret, head->secret);
        gate->tickets = &head->tickets;
        return err;
}
