/* keeper_local.h -- the keeper's work done by the data process itself (--no-keeper, for debugging):
 * the same sockets and cells, signals from a descriptor on the steward's loop. Nobody restarts it.
 */
#pragma once

#include "io/notify.h"
#include "main/binder.h"
#include "main/cells.h"

struct local {
        struct binder binder;
        struct cells cells;
        struct notify notify;
        int signals;
        unsigned stops; /* how often it was told to stop */
};

must_use enum err local_open(struct local *local);
must_use enum err local_bind(struct keeper_link *link, const struct bind_request *request,
                             struct bound *ret_bound, struct text *why);
must_use enum err local_ready(struct local *local);
must_use enum err local_cells(struct local *local, uint64_t size, uint64_t layout, int *ret_fd,
                              uint64_t *ret_size);

/* What signals say becomes due in the link. */
void local_take_signals(struct keeper_link *link);
void local_beat(const struct local *local);
