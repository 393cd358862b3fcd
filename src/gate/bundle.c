/* bundle.c -- reading, checking, compiling in this order; each only when the one before found no
 * error. */
#include "gate/bundle.h"

#include "config/check.h"

struct bundle *bundle_read(const struct load_request *request, const struct policies *policies,
                           const struct proofs *proofs)
{
        struct arena arena;
        arena_init(&arena, NULL, SIZE_MAX / 2);
        struct bundle *bundle = arena_new(&arena, struct bundle);
        bundle->arena = arena;
        bundle->policies = policies;
        bundle->proofs = proofs;
        bool is_read = load_run(&bundle->load, request, &bundle->arena);
        bundle->reader = (struct reader){
                .arena = &bundle->arena,
                .faults = &bundle->load.faults,
                .policies = policies->shapes,
                .policies_count = policies->count,
        };
        if (bundle->load.root == NULL)
                return bundle;
        bundle->config = config_read(&bundle->reader, bundle->load.root);
        if (is_read && bundle_is_good(bundle))
                config_load_tls(&bundle->load, bundle->config);
        if (is_read && bundle_is_good(bundle))
                config_check(&bundle->reader, bundle->config);
        return bundle;
}

struct snapshot *bundle_compile(struct bundle *bundle, const struct gate *gate)
{
        struct compile_input input = {
                .arena = &bundle->arena,
                .config = bundle->config,
                .sources = &bundle->load.sources,
                .faults = &bundle->load.faults,
                .policies = bundle->policies,
                .proofs = bundle->proofs,
                .gate = gate,
                .hash = bundle->load.hash,
                .wall = load_wall(&bundle->load),
        };
        struct snapshot *snapshot = bundle_is_good(bundle) ? compile(&input) : NULL;
        if (snapshot != NULL)
                snapshot->bundle = bundle;
        return snapshot;
}

void snapshot_free(struct snapshot *snapshot)
{
        bundle_free(snapshot->bundle);
}

void bundle_free(struct bundle *bundle)
{
        struct arena arena = bundle->arena;
        arena_fini(&arena);
}
