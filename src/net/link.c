/* link.c -- what all kinds of links share. */
#include "net/link.h"

void link_deliver(struct link *link, struct loop *loop, struct slice bytes)
{
        while (bytes.len > 0) {
                size_t used = link->above->data(link, bytes);
                if (used >= bytes.len)
                        return;
                loop_run_ready(loop);
                bytes.ptr += used;
                bytes.len -= used;
                if (used == 0 && link->above->data(link, bytes) == 0)
                        return;
        }
}
