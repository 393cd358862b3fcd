/* configuration.c -- the configuration of a running gate: the first one, every later one, and the
 * last good one. A bad file never replaces a good one; it says why, in the log, in the status and
 * to whoever asked. */
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/check.h"
#include "gate/series.h"
#include "main/configuration.h"
#include "main/desk.h"
#include "main/openings.h"
#include "main/sight.h"
#include "record/count.h"

enum { FAULTS_TEXT_MAX = 4 << 20 };

static struct str faults_json(struct bundle *bundle)
{
        struct text text = text_grow(&bundle->arena, FAULTS_TEXT_MAX);
        faults_write_json(&bundle->load.faults, &text);
        return text_str(&text);
}

static struct str faults_text(struct bundle *bundle)
{
        struct text text = text_grow(&bundle->arena, FAULTS_TEXT_MAX);
        faults_sort(&bundle->load.faults);
        faults_write(&bundle->load.faults, false, &text);
        return text_str(&text);
}

static void say_faults(struct bundle *bundle)
{
        struct str text;
        if (bundle->load.faults.errors + bundle->load.faults.warnings == 0)
                return;
        text = faults_text(bundle);
        fwrite(text.ptr, 1, text.len, stderr);
}

static uint64_t wall_now(const struct steward *steward)
{
        return loop_wall(steward->loop);
}

/* Keeps a copy, cut at what there is room for. */
static void keep_text(struct reload *reload, struct str text)
{
        reload->text = str_from(reload->memory, size_min(text.len, sizeof reload->memory));
        if (reload->text.len > 0)
                memcpy(reload->memory, text.ptr, reload->text.len);
}

static struct bundle *read_bundle(struct steward *steward)
{
        const struct data_start *start = steward->start;
        struct load_request request = {
                .path = str_of(start->configuration),
                .environment = str_of(start->environment),
                .world = &world_real,
        };
        struct arena arena;
        struct file document = {0};
        arena_init(&arena, NULL, LOAD_FILE_MAX);
        if (start->document_fd >= 0 &&
            file_read_fd(start->document_fd, LOAD_FILE_MAX, &arena, &document) == ERR_ok)
                request.text = document.text;
        else if (request.path.len == 0)
                request.path = load_discover(&world_real, STR_NONE, &arena);
        struct bundle *bundle = bundle_read(&request, &policy_list, &proof_list);
        arena_fini(&arena);
        return bundle;
}

/* Remembers what was read and is not used, so that it is not tried again before it changes. */
static void remember(struct steward *steward, struct bundle *bundle)
{
        if (steward->reload.passed_over != NULL)
                bundle_free(steward->reload.passed_over);
        steward->reload.passed_over = bundle;
}

/* The one that was kept serves instead. */
static void pass_over(struct steward *steward, struct bundle *bundle)
{
        struct reload *reload = &steward->reload;
        struct str why = bundle_is_good(bundle)
                                 ? S("whoever served with this configuration kept crashing\n")
                                 : faults_text(bundle);
        reload->is_good = false;
        reload->bad++;
        reload->wall = wall_now(steward);
        keep_text(reload, why);
        fprintf(stderr, "gate: going on with the last good configuration\n");
        remember(steward, bundle);
}

struct bundle *configuration_first(struct steward *steward, int *ret_code)
{
        const struct data_start *start = steward->start;
        struct bundle *bundle = read_bundle(steward), *kept = NULL;
        bool is_good = bundle_is_good(bundle);
        if (!is_good)
                say_faults(bundle); /* else once it is compiled, with what is found then */
        if (is_good && !start->last_good)
                return bundle;
        *ret_code = bundle->load.is_missing ? EX_NOINPUT : EX_CONFIG;
        /* Only a gate that served before may go on with what it had. */
        if (start->generation > 1 || start->last_good)
                kept = keepsake_read(steward->folder, bundle->load.path, &policy_list, &proof_list);
        bool is_other = kept != NULL && !(is_good && str_eq(kept->load.hash, bundle->load.hash));
        if (is_other)
                pass_over(steward, bundle);
        else if (kept != NULL)
                bundle_free(kept);
        if (is_other || is_good)
                return is_other ? kept : bundle;
        bundle_free(bundle);
        return NULL;
}

struct snapshot *configuration_compile(struct steward *steward, struct bundle *bundle,
                                       int *ret_code)
{
        struct snapshot *snapshot = bundle_compile(bundle, &steward->gate);
        say_faults(bundle);
        if (snapshot != NULL)
                return snapshot;
        bundle_free(bundle);
        *ret_code = EX_CONFIG;
        return NULL;
}

static void keep(struct steward *steward)
{
        steward->reload.good_at = 0;
        if (steward->start->document_fd < 0)
                keepsake_write(steward->folder, steward->snapshot->bundle,
                               str_of(steward->start->environment));
}

static void put_to_the_test(struct steward *steward)
{
        steward->reload.good_at = loop_now(steward->loop) + GOOD_MS * 1000000ull;
}

void configuration_serves(struct steward *steward)
{
        if (steward->reload.passed_over != NULL)
                return; /* it is what was kept */
        if (steward->start->generation > 1)
                put_to_the_test(steward);
        else
                keep(steward);
}

void configuration_prove(struct steward *steward)
{
        if (steward->reload.good_at != 0 && loop_now(steward->loop) >= steward->reload.good_at)
                keep(steward);
}

bool configuration_is_stale(struct steward *steward)
{
        struct arena scratch;
        const struct bundle *last = steward->reload.passed_over != NULL
                                            ? steward->reload.passed_over
                                            : steward->snapshot->bundle;
        if (!steward->start->watching)
                return load_certs_are_stale(&last->load);
        arena_init(&scratch, NULL, LOAD_FILE_MAX);
        bool is_stale = load_is_stale(&last->load, &scratch);
        arena_fini(&scratch);
        return is_stale;
}

/* ---- publishing ---- */

void configuration_publish(struct steward *steward, struct snapshot *snapshot)
{
        live_hold(steward->gate.live, snapshot->upstreams, snapshot->upstream_count);
        series_hold_all(steward->gate.counts, snapshot);
        enum err err = compile_roster(snapshot->config, steward->gate.roster, &steward->secret);
        if (err != ERR_ok)
                fprintf(stderr, "gate: consumers: %s\n", err_text(err));
        config_wipe_keys(snapshot->config);
        config_wipe_tls(snapshot->config);
        steward->snapshot = steward->gate.current = snapshot;
        steward->published = wall_now(steward);
        snapshot->number = pin_publish(steward->gate.board, snapshot);
        if (steward->is_ready)
                openings_enter(steward);
}

static void reload_failed(struct steward *steward, struct str text, struct str faults)
{
        struct reload *reload = &steward->reload;
        reload->is_good = false;
        reload->bad++;
        reload->wall = wall_now(steward);
        keep_text(reload, text);
        fprintf(stderr, "gate: the configuration was not changed:\n" STR_FMT, STR_ARG(text));
        keeper_link_reload_failed(steward->link, reload->text);
        desk_tell(steward, text, faults);
}

static void reload_told(struct steward *steward, struct str text, struct str faults)
{
        const struct config *config = steward->snapshot->config;
        struct reload *reload = &steward->reload;
        reload->is_good = true;
        reload->good++;
        reload->wall = wall_now(steward);
        keep_text(reload, STR_NONE);
        keeper_link_reloaded(steward->link, (uint64_t)config->drain / 1000000,
                             (uint64_t)config->stream_drain / 1000000);
        desk_tell(steward, text, faults);
}

/* What of the configuration a running gate cannot take is told to whoever asked for it. */
static void reload_done(struct steward *steward)
{
        const struct config *config = steward->snapshot->config;
        struct arena arena;
        struct faults faults;
        arena_init(&arena, NULL, LOAD_FILE_MAX);
        faults_init(&faults, &arena, &steward->snapshot->bundle->load.sources);
        if (steward->start->workers > 0) /* the command line says it */
                steward->reload.taken.workers = config->workers;
        config_start_check(&steward->reload.taken, config, &faults);
        struct text text = text_grow(&arena, FAULTS_TEXT_MAX);
        struct text json = text_grow(&arena, FAULTS_TEXT_MAX);
        faults_write(&faults, false, &text);
        faults_write_json(&faults, &json);
        if (text.len > 0)
                fwrite(text.at, 1, text.len, stderr);
        reload_told(steward, text_str(&text), text_str(&json));
        arena_fini(&arena);
}

/* True when all that is wrong is that only root may read something: then a fresh process, which
 * still is root, reads everything, and takes over when it can. */
static bool ask_for_fresh(struct steward *steward, const struct bundle *bundle)
{
        const struct load *load = &bundle->load;
        if (!steward->was_root || load->denied == 0 || load->denied != load->faults.errors)
                return false;
        struct str text = S("what only root may read is read by a fresh process, which takes "
                            "over\n");
        fprintf(stderr, "gate: " STR_FMT, STR_ARG(text));
        reload_told(steward, text, S("[]"));
        keeper_link_request(steward->link, REQUEST_RENEW);
        return true;
}

static bool is_same(const struct bundle *bundle, const struct snapshot *snapshot)
{
        return str_eq(bundle->load.hash, snapshot->hash) &&
               str_eq(bundle->config->tls_hash, snapshot->config->tls_hash);
}

void configuration_reload(struct steward *steward)
{
        struct bundle *bundle = read_bundle(steward);
        struct snapshot *snapshot;
        steward->reload.is_due = false;
        /* The same document again is nothing new, but it was asked for and is good. */
        if (bundle_is_good(bundle) && is_same(bundle, steward->snapshot)) {
                remember(steward, NULL);
                bundle_free(bundle);
                reload_done(steward);
                return;
        }
        snapshot = bundle_compile(bundle, &steward->gate);
        if (snapshot == NULL && ask_for_fresh(steward, bundle)) {
                remember(steward, bundle);
                return;
        }
        if (snapshot == NULL) {
                reload_failed(steward, faults_text(bundle), faults_json(bundle));
                remember(steward, bundle);
                return;
        }
        if (openings_bind(steward, snapshot->config) != 0) {
                reload_failed(steward, S("an address could not be bound\n"), S("[]"));
                openings_bind(steward, steward->snapshot->config);
                remember(steward, bundle);
                return;
        }
        say_faults(bundle);
        configuration_publish(steward, snapshot);
        sight_change(steward, snapshot->config);
        remember(steward, NULL);
        put_to_the_test(steward);
        reload_done(steward);
}
