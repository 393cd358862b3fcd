/* doctor.h -- `gate doctor` from inside: findings about the machine (doctor_machine.c) and about a
 * configuration on it (doctor_config.c). Each looks at one thing, says what it found, and what
 * helps. Nothing is changed. Private to doctor*.c. */
#pragma once

#include "cmd/command.h"
#include "gate/bundle.h"

enum finding_kind { FINDING_good, FINDING_warning, FINDING_bad };

enum { FINDINGS_MAX = 256 };

struct finding {
        enum finding_kind kind;
        const char *name;
        struct str text, help; /* help may be empty */
};

struct doctor {
        struct call *call;
        struct finding findings[FINDINGS_MAX];
        size_t count;
        struct bundle *bundle; /* a configuration without errors; NULL: there is none */
};

/* Adds a finding and returns it, so that `help` can be set. */
struct finding *finding_add(struct doctor *doctor, enum finding_kind kind, const char *name,
                            const char *format, ...) printf_like(4, 5);

/* A small file of the system, without its last line end; empty: it is not there. */
struct str doctor_read(struct doctor *doctor, const char *path);

void look_at_limits(struct doctor *doctor);
void look_at_kernel(struct doctor *doctor);
void look_at_clock(struct doctor *doctor);
void look_at_memory(struct doctor *doctor);
void look_at_processors(struct doctor *doctor);

void look_at_configuration(struct doctor *doctor); /* the first one: it sets the bundle */
void look_at_ports(struct doctor *doctor);
void look_at_files(struct doctor *doctor);
void look_at_services(struct doctor *doctor);
void look_at_gate(struct doctor *doctor);
