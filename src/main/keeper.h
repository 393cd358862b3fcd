/* keeper.h -- the parent of all processes of a gate. It binds addresses, holds the memory of the
 * live cells, starts data processes and starts another when one dies. It reads nothing from the
 * network and parses no configuration: all it hears are signals and the short messages of
 * main/message.h. One thread, no allocation; while it lives, the door is open. */
#pragma once

#include "main/binder.h"
#include "main/data.h"

struct keeper_options {
        struct data_start start; /* link and the keeper's own lines are not used */
        struct str document;     /* configuration as text (`gate proxy`, `gate demo`); or empty */
        uint64_t ready_ms;       /* how long a data process may take to get ready; 0: 60 s */
        uint64_t stall_ms;       /* how long its steward may be silent; 0: 30 s */
        int argc;                /* as main got them: shown again by the next binary */
        char **argv;
        /* Once, when it serves for the first time; NULL: nobody asks. */
        void (*served)(const struct binder *binder);
};

/* First thing in main: if this process was started by a keeper (as data process, as its heir in an
 * upgrade, or to try whether it could be one), does that, sets the exit code and returns true. */
bool keeper_reenter(int argc, char **argv, data_run_fn *run, int *ret_code);

/* Runs a gate until it was told to stop; returns the exit code. What is to be said was said. */
int keeper_run(const struct keeper_options *options);

/* Runs the data process in this one, for debugging: no restart, no upgrade. */
int keeper_skip(const struct keeper_options *options, data_run_fn *run);
