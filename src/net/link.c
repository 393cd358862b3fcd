/* link.c -- what all kinds of links share. */
#include "net/link.h"

void link_deliver(struct link *link, struct loop *loop, struct slice bytes)
{
        size_t used = link->above->data(link, bytes);
        while (used < bytes.len) {
                bytes.ptr += used;
                bytes.len -= used;
                loop_run_ready(loop);
                used = link->above->data(link, bytes);
                if (used == 0)
                        return;
        }
}
