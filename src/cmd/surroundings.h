/* surroundings.h -- what a folder and this machine say of services that one may want behind a
 * gateway: API descriptions, compose files, ports where somebody listens. Only looks; asks nobody.
 */
#pragma once

#include "base/arena.h"
#include "base/str.h"

enum { SERVICES_MAX = 16, SERVICE_NAME_MAX = 63 };

struct service {
        struct str name;    /* fit for an API */
        struct str origin;  /* why it is thought to be there: "compose.yaml", "port 9000" */
        struct str url;     /* empty: nobody knows where it is */
        struct str openapi; /* its description, relative to the folder; empty: none was found */
};

struct surroundings {
        struct service services[SERVICES_MAX];
        size_t count;
};

/* Looks around in a folder ("." or a path); everything found lies in the arena. */
void surroundings_look(struct str folder, struct arena *arena, struct surroundings *ret_found);
