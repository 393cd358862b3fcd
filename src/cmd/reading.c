/* reading.c -- from the command line to a bundle. */
#include "cmd/reading.h"

#include <stdio.h>

#include "identity/list.h"
#include "io/file.h"
#include "policy/list.h"

enum { SHOWN_MAX = 16 << 20 };

struct str reading_path(struct call *call)
{
        struct str path = load_discover(&world_real, call_flag(call, "config"), &call->arena);
        if (path.len == 0)
                call_fail(call, EXIT_missing, "`gate init` writes one; -c FILE names one elsewhere",
                          "there is no configuration: no ./gateway.yaml, none in "
                          "$XDG_CONFIG_HOME/gatehouse or /etc/gatehouse");
        return path;
}

struct bundle *reading_begin(struct call *call, struct str path)
{
        struct str environment = call_flag(call, "env");
        struct load_request request = {.path = path,
                                       .environment = environment.ptr == NULL ? S("") : environment,
                                       .world = &world_real};
        if (str_is(path, "-")) {
                request.path = S("stdin");
                request.text = call_input(call);
        }
        return bundle_read(&request, &policy_list, &proof_list);
}

int reading_code(const struct bundle *bundle)
{
        if (bundle->load.is_missing)
                return EXIT_missing;
        return bundle_is_good(bundle) ? EXIT_done : EXIT_config;
}

int reading_refuse(struct call *call, struct bundle *bundle)
{
        struct text text = text_grow(&call->arena, SHOWN_MAX);
        int code = reading_code(bundle);
        faults_sort(&bundle->load.faults);
        faults_write(&bundle->load.faults, call->colors_err, &text);
        fwrite(text.at, 1, text.len, stderr);
        bundle_free(bundle);
        return code;
}

struct bundle *reading_good(struct call *call, int *ret_code)
{
        struct str path = reading_path(call);
        *ret_code = EXIT_missing;
        if (path.len == 0)
                return NULL;
        struct bundle *bundle = reading_begin(call, path);
        *ret_code = reading_code(bundle);
        if (*ret_code == EXIT_done)
                return bundle;
        reading_refuse(call, bundle);
        return NULL;
}
