/* compile.c -- things of the configuration into things of a snapshot: listeners, upstreams,
 * channels, APIs, routes. Faults are collected, never the first one alone; positions are those of
 * the document. */
#include "gate/compile.h"

#include "base/check.h"
#include "gate/compile_int.h"
#include "roster/key.h"
#include "roster/roster.h"

enum { SNAPSHOT_MAX = 1 << 30, BACK_HEADER_MAX = 64 * 1024, BACK_FIELDS_MAX = 256 };

/* ---- listeners ---- */

static struct http_limits limits_of(const struct conf_limits *conf)
{
        return (struct http_limits){
                .h1 = {(uint32_t)conf->target, (uint32_t)conf->field, (uint32_t)conf->header,
                       (uint16_t)conf->fields},
                .header_ns = (uint64_t)conf->header_time,
                .idle_ns = (uint64_t)conf->idle,
                .linger_ns = (uint64_t)conf->linger,
                .stall_ns = (uint64_t)conf->idle,
                .body_rate = (uint32_t)conf->body_rate,
                .chunk_extensions = (uint32_t)conf->chunk_extensions,
                .h2 = {.streams = (uint32_t)conf->streams,
                       .resets = (uint32_t)conf->resets,
                       .glitches = (uint32_t)conf->glitches},
                .connections = conf->connections > 0 ? (uint32_t)conf->connections : UINT32_MAX,
                .connections_per_ip = conf->connections_per_ip > 0
                                              ? (uint32_t)conf->connections_per_ip
                                              : UINT32_MAX,
        };
}

/* Where https is to be had: at its own port, or else where the first listener has it. */
static uint16_t https_port(const struct config *config)
{
        enum { HTTPS = 443 };
        uint16_t port = 0;
        for (size_t i = 0; i < config->listeners_count; i++) {
                const struct conf_listener *conf = &config->listeners[i];
                if (conf->tls_count > 0 && (port == 0 || conf->address.port == HTTPS))
                        port = (uint16_t)conf->address.port;
        }
        return port == 0 ? HTTPS : port;
}

static void add_listeners(struct compile *compile)
{
        const struct config *config = compile->in->config;
        struct snapshot *snapshot = compile->snapshot;
        struct arena *arena = compile->in->arena;
        snapshot->listener_count = (uint32_t)config->listeners_count;
        snapshot->listeners = arena_array(arena, struct listener_rules, config->listeners_count);
        for (size_t i = 0; i < config->listeners_count; i++) {
                const struct conf_listener *conf = &config->listeners[i];
                snapshot->listeners[i] = (struct listener_rules){
                        .name = conf->name,
                        .address = conf->address,
                        .trusted_proxies = conf->trusted_proxies,
                        .introduction = (enum introduction)conf->proxy_protocol,
                        .is_both = conf->h2c,
                        .limits = limits_of(&conf->limits),
                        .node = conf->node,
                        .tls = compile_tls(compile, conf),
                        .redirect_port = conf->redirect == CONF_REDIRECT_OFF ? 0
                                                                             : https_port(config),
                };
        }
        snapshot->back_limits = limits_of(&config->limits);
        snapshot->back_limits.h1.header = BACK_HEADER_MAX;
        snapshot->back_limits.h1.fields = BACK_FIELDS_MAX;
}

/* ---- upstreams ---- */

struct str compile_authority(struct arena *arena, const struct url *url)
{
        bool is_v6 = str_find(url->host, ':') >= 0;
        struct text text = text_grow(arena, 512);
        if (is_v6)
                text_char(&text, '[');
        text_put(&text, url->host);
        if (is_v6)
                text_char(&text, ']');
        if (url->port != (str_is(url->scheme, "https") ? 443 : 80))
                text_format(&text, ":%d", (int)url->port);
        return text_str(&text);
}

static void fill_target(struct compile *compile, const struct url *url, const struct json *node,
                        struct upstream_target *target)
{
        struct arena *arena = compile->in->arena;
        struct str path = url->path;
        if (str_is(url->scheme, "https"))
                fault_add(compile->in->faults, FAULT_E106, node,
                          "https to upstreams is not in this version");
        while (str_ends(path, S("/")))
                path.len--;
        *target = (struct upstream_target){
                .url = arena_format(arena, STR_FMT "://" STR_FMT STR_FMT, STR_ARG(url->scheme),
                                    STR_ARG(compile_authority(arena, url)), STR_ARG(path)),
                .host = url->host,
                .authority = compile_authority(arena, url),
                .path = path,
                .port = (uint16_t)url->port,
                .weight = 1,
        };
}

static struct upstream *upstream_add(struct compile *compile, struct str name)
{
        struct snapshot *snapshot = compile->snapshot;
        struct upstream *upstream = arena_new(compile->in->arena, struct upstream);
        if (snapshot->upstream_count == compile->upstream_cap) {
                size_t cap = compile->upstream_cap == 0 ? 16 : compile->upstream_cap * 2;
                struct upstream **list = arena_array(compile->in->arena, struct upstream *, cap);
                if (snapshot->upstream_count > 0)
                        memcpy(list, snapshot->upstreams, snapshot->upstream_count * sizeof *list);
                snapshot->upstreams = list;
                compile->upstream_cap = cap;
        }
        upstream->name = name;
        upstream->id = snapshot->upstream_count;
        snapshot->upstreams[snapshot->upstream_count++] = upstream;
        map_put(&compile->upstreams, name, upstream);
        return upstream;
}

static void settle_upstream(const struct conf_upstream *conf, struct upstream *upstream)
{
        struct str header = conf->hash;
        upstream->balance = (enum balance_kind)conf->balance;
        if (str_is(conf->hash, "consumer"))
                upstream->hash_by = HASH_BY_CONSUMER;
        else if (str_is(conf->hash, "path"))
                upstream->hash_by = HASH_BY_PATH;
        else if (str_starts(conf->hash, S("header:")))
                upstream->hash_by = HASH_BY_HEADER;
        if (upstream->hash_by == HASH_BY_HEADER)
                upstream->hash_header = str_skip(header, 7);
        upstream->eject = (struct eject_rule){
                .failures = (uint32_t)conf->eject.failures,
                .share_percent = (uint32_t)(conf->eject.share / PERCENT),
                .time_ns = (uint64_t)conf->eject.time,
                .time_max_ns = u64_max((uint64_t)conf->eject.time, 5 * MINUTE),
                .return_ns = 10 * SECOND,
        };
        upstream->breaker = (struct breaker_rule){
                .percent = (uint32_t)(conf->circuit_breaker.errors / PERCENT),
                .least = (uint32_t)conf->circuit_breaker.min_requests,
                .probes = 3,
                .over_ns = (uint64_t)conf->circuit_breaker.over,
                .open_ns = (uint64_t)conf->circuit_breaker.open,
        };
        upstream->breaker_counts_5xx = conf->circuit_breaker.node != NULL;
        upstream->slow_start_ns = (uint64_t)conf->slow_start;
        upstream->pool_idle_ns = (uint64_t)conf->pool.idle;
        upstream->pool_age_ns = (uint64_t)conf->pool.age;
        upstream->pool_max = (uint32_t)conf->pool.max;
        upstream->speaks = (enum proxy_version)conf->proxy_protocol;
        upstream->dns_min_ns = (uint64_t)conf->dns.min;
        upstream->dns_max_ns = (uint64_t)conf->dns.max;
        upstream->dns_stale_ns = (uint64_t)conf->dns.stale;
}

static struct upstream *upstream_of_conf(struct compile *compile, const struct conf_upstream *conf)
{
        struct upstream *upstream = upstream_add(compile, conf->name);
        struct upstream_target *targets = arena_array(compile->in->arena, struct upstream_target,
                                                      conf->targets_count);
        for (size_t i = 0; i < conf->targets_count; i++) {
                fill_target(compile, &conf->targets[i].url, conf->targets[i].node, &targets[i]);
                targets[i].weight = (uint32_t)conf->targets[i].weight;
        }
        upstream->targets = targets;
        upstream->target_count = (uint32_t)conf->targets_count;
        settle_upstream(conf, upstream);
        return upstream;
}

/* What an upstream is like of which only the URL is known. */
static const struct conf_upstream *presets(struct compile *compile)
{
        struct reader reader = {.arena = compile->in->arena, .faults = compile->in->faults};
        struct json_build build;
        if (compile->upstream_presets != NULL)
                return compile->upstream_presets;
        json_build_init(&build, &compile->scratch, 4);
        json_begin(&build, JSON_OBJECT);
        json_put_member(&build, S("targets"), S("http://localhost"));
        json_end(&build);
        compile->upstream_presets = shape_read(&reader, &shape_conf_upstream, S(""),
                                               json_build_done(&build));
        return compile->upstream_presets;
}

struct upstream *compile_upstream_of_url(struct compile *compile, struct str name,
                                         const struct url *url, const struct json *node)
{
        struct upstream *upstream = upstream_add(compile, name);
        struct upstream_target *target = arena_new(compile->in->arena, struct upstream_target);
        fill_target(compile, url, node, target);
        upstream->targets = target;
        upstream->target_count = 1;
        settle_upstream(presets(compile), upstream);
        return upstream;
}

struct upstream *compile_upstream(struct compile *compile, struct str name, const struct json *node)
{
        struct upstream *upstream = map_get(&compile->upstreams, name);
        struct url url;
        if (upstream != NULL)
                return upstream;
        const struct conf_upstream *conf = config_find(compile->in->config, CONFIG_UPSTREAM, name);
        if (conf != NULL)
                return upstream_of_conf(compile, conf);
        if (upstream_is_url(name) && url_read(name, &url) == ERR_ok)
                return compile_upstream_of_url(compile, name, &url, node);
        return NULL;
}

/* ---- what policies ask the compiler for ---- */

struct limit_keys prepare_limit(const struct prepare *prepare)
{
        struct limit_keys keys = {0};
        if (prepare->gate == NULL)
                return keys;
        keys.identity = prepare->identity;
        keys.known = bucket_limit(&prepare->gate->known, prepare->identity);
        keys.strangers = bucket_limit(&prepare->gate->strangers, prepare->identity);
        return keys;
}

/* ---- the whole ---- */

struct snapshot *compile(const struct compile_input *input)
{
        struct compile compile = {.in = input};
        arena_init(&compile.scratch, NULL, SNAPSHOT_MAX);
        compile.snapshot = arena_new(input->arena, struct snapshot);
        struct snapshot *snapshot = compile.snapshot;
        snapshot->hash = input->hash;
        snapshot->policies = input->policies;
        snapshot->config = input->config;
        snapshot->sources = input->sources;
        snapshot->problems = input->config->problems;
        map_init(&compile.upstreams, &compile.scratch);
        map_init(&compile.asks, &compile.scratch);
        map_init(&compile.askings, &compile.scratch);
        add_listeners(&compile);
        chain_begin(&compile);
        compile_doors(&compile);
        weigh_end(&compile);
        asks_check(&compile);
        arena_fini(&compile.scratch);
        if (input->faults->errors > 0)
                return NULL;
        CHECK(snapshot->routes != NULL);
        snapshot->needs_loose = route_needs_loose(snapshot->routes);
        return snapshot;
}

/* ---- consumers ---- */

/* What cannot be put is not there; the rest is. */
static enum err put_consumer(const struct conf_consumer *conf, struct roster *roster,
                             const struct seal_secret *secret)
{
        struct consumer consumer = {
                .name = conf->name,
                .tier = conf->tier,
                .channel = conf->channel,
                .origin = ROSTER_FILE,
        };
        enum err err = roster_put_consumer(roster, &consumer);
        for (size_t i = 0; i < conf->api_key.count; i++) {
                char display[KEY_DISPLAY_MAX + 1];
                char id[16];
                struct text shown = text_over(display, sizeof display);
                struct text number = text_over(id, sizeof id);
                struct roster_key key = {
                        .seal = seal_make(secret, conf->api_key.at[i]),
                        .consumer = conf->name,
                        .origin = ROSTER_FILE,
                };
                key_display(conf->api_key.at[i], &shown);
                text_hex(&number, key.seal.tag.lo, sizeof id);
                key.id = text_str(&number);
                key.display = text_str(&shown);
                enum err one = roster_put_key(roster, &key);
                err = err == ERR_ok ? one : err;
        }
        return err;
}

enum err compile_roster(const struct config *config, struct roster *roster,
                        const struct seal_secret *secret)
{
        enum err err = ERR_ok;
        roster_mark(roster, ROSTER_FILE);
        for (size_t i = 0; i < config->consumers_count; i++) {
                enum err one = put_consumer(&config->consumers[i], roster, secret);
                err = err == ERR_ok ? one : err;
        }
        /* Whatever happened: who is not there any more is not let in any more. */
        roster_sweep(roster, ROSTER_FILE);
        roster_collect(roster);
        return err;
}
