/* mail.h -- many writers, one reader: how other threads speak to a loop. A piece of mail is owned
 * by the loop from mail_post until its `open` is called there. */
#pragma once

#include <stdatomic.h>

#include "base/base.h"

struct mail {
        struct mail *next;
        void (*open)(struct mail *mail);
};

/* A lock-free stack that the reader takes whole and turns round. */
struct mailbox {
        _Atomic(struct mail *) newest;
};

/* True when the box was empty before: the reader must be woken. */
static inline bool mailbox_put(struct mailbox *box, struct mail *mail)
{
        struct mail *newest = atomic_load_explicit(&box->newest, memory_order_relaxed);
        do {
                mail->next = newest;
        } while (!atomic_compare_exchange_weak_explicit(
                &box->newest, &newest, mail, memory_order_release, memory_order_relaxed));
        return newest == NULL;
}

/* All mail, oldest first; NULL when there is none. */
static inline struct mail *mailbox_take(struct mailbox *box)
{
        if (atomic_load_explicit(&box->newest, memory_order_relaxed) == NULL)
                return NULL;
        struct mail *mail = atomic_exchange_explicit(&box->newest, NULL, memory_order_acquire);
        struct mail *oldest = NULL;
        while (mail != NULL) {
                struct mail *next = mail->next;
                mail->next = oldest;
                oldest = mail;
                mail = next;
        }
        return oldest;
}
