/* topic.h -- what there is to know beside commands, one page each: the configuration, policies,
 * complaints, reasons, metrics, the access log. A page is help (`gate help policies`), a page of
 * the manual (gate-policies(7)) and a file of doc/ref at once. */
#pragma once

#include "cmd/sheet.h"

struct topic {
        const char *name; /* "policies"; doc/ref/policies.md */
        const char *page; /* "gate-policies" */
        unsigned section; /* of the manual */
        const char *line; /* what it is, in a few words */
        void (*write)(struct sheet *sheet);
};

extern const struct topic topics[]; /* ends with name NULL */

/* Writes what there is on a word: a topic, a complaint "E104", a policy, a reason. False: nothing.
 */
bool topic_write(struct str word, struct sheet *sheet);

void topic_write_page(const struct topic *topic, struct sheet *sheet);
void topic_write_list(struct sheet *sheet);

/* The word that was probably meant; empty when none is near. */
struct str topic_nearest(struct str word);
