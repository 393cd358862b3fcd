/* config.h -- the configuration as structs, one per kind of thing in the document, each declared
 * once in config.c: that is its parser, its JSON Schema and its page of the manual. It says what
 * was written and checks each value for itself; what the values mean together is check.h, and what
 * is made of them compile.h. Immutable once read; lives in the arena it was read into. */
#pragma once

#include "base/map.h"
#include "schema/setting.h"

/* Every queue, list and string that traffic can grow. Those of a listener are complete: what is not
 * written there is the top's. */
struct conf_limits {
        int64_t connections;        /* 0: as many as there are file descriptors for */
        int64_t connections_per_ip; /* 0: off */
        int64_t memory;             /* parts per million of the machine's */
        int64_t target, field, header;
        int64_t fields;
        int64_t header_time, idle;
        int64_t body_rate;
        int64_t chunk_extensions;
        int64_t linger;
        int64_t streams, resets, glitches;
        int64_t buckets;
};

enum conf_introduction {
        CONF_INTRODUCTION_OFF,
        CONF_INTRODUCTION_OPTIONAL,
        CONF_INTRODUCTION_REQUIRED,
};

enum conf_redirect { CONF_REDIRECT_OFF, CONF_REDIRECT_HTTPS };

enum conf_tls_min { CONF_TLS_1_2, CONF_TLS_1_3 };

/* A certificate of a listener. */
struct conf_tls {
        const struct json *node;
        struct str cert, key;         /* a path, or the PEM itself */
        int64_t min;                  /* of enum conf_tls_min */
        struct str cert_pem, key_pem; /* config_load_tls; empty: they could not be read */
};

struct conf_listener {
        struct str name;
        const struct json *node;
        struct host_port address;
        struct cidrs trusted_proxies;
        int64_t proxy_protocol; /* of enum conf_introduction */
        bool h2c;
        struct conf_limits limits;
        struct conf_tls *tls;
        size_t tls_count; /* 0: callers do not speak TLS */
        int64_t redirect; /* of enum conf_redirect */
};

struct conf_channel {
        struct str name;
        const struct json *node;
        struct texts listener; /* none: all */
        struct texts hosts;    /* none: any */
        struct block policies, enforce;
};

struct conf_match {
        struct texts methods;
        struct str path;
        struct pairs headers, query;
};

/* "METHOD /path", "/path" or a name with `match`; beside those, policies. */
struct conf_route {
        struct str name;
        const struct json *node;
        struct conf_match match;
        struct str upstream;
        struct block policies;
};

struct conf_api {
        struct str name;
        const struct json *node;
        struct str title, owner;
        struct str path; /* never empty: /NAME when none is written */
        struct texts channels;
        struct str upstream; /* a name or a URL; empty: none */
        bool path_strict;
        struct conf_route *routes;
        size_t routes_count;
        struct block policies;
};

struct conf_target {
        const struct json *node;
        struct url url;
        int64_t weight;
};

struct conf_pool {
        int64_t idle, age;
        int64_t max;
};

struct conf_eject {
        int64_t failures; /* 0: off */
        int64_t time;
        int64_t share;
};

struct conf_breaker {
        const struct json *node; /* NULL: not written, so 5xx answers are no errors */
        int64_t errors;          /* parts per million of tries; 0: off */
        int64_t over;
        int64_t min_requests;
        int64_t open;
};

struct conf_dns {
        int64_t min, max, stale;
};

enum { CONFIG_LISTENERS_MAX = 64, CONFIG_CERTS_MAX = 1000 };

enum conf_balance {
        CONF_BALANCE_ROUND_ROBIN,
        CONF_BALANCE_LEAST_CONN,
        CONF_BALANCE_RANDOM,
        CONF_BALANCE_HASH,
};

struct conf_upstream {
        struct str name;
        const struct json *node;
        struct conf_target *targets;
        size_t targets_count;
        int64_t balance; /* of enum conf_balance */
        struct str hash; /* ip, consumer, path, header:NAME */
        struct conf_pool pool;
        struct conf_eject eject;
        struct conf_breaker circuit_breaker;
        int64_t slow_start;     /* 0: off */
        int64_t proxy_protocol; /* 0: off; 1, 2: that version */
        struct conf_dns dns;
};

struct conf_consumer {
        struct str name;
        const struct json *node;
        struct str title, channel, tier;
        struct texts contacts;
        struct texts api_key;
};

/* What a consumer of this tier gets instead of the route's own. */
struct conf_tier {
        struct str name;
        const struct json *node;
        struct block policies;
};

enum conf_logs { CONF_LOGS_AUTO, CONF_LOGS_JSON, CONF_LOGS_TEXT, CONF_LOGS_CLF, CONF_LOGS_OFF };

struct conf_telemetry {
        int64_t logs;    /* of enum conf_logs; AUTO: text on a terminal, else JSON */
        struct str file; /* "-": standard output */
};

struct conf_admin {
        const struct json *node; /* NULL: not written */
        struct host_port address;
        bool is_off;
        struct str socket; /* empty: in $RUNTIME_DIRECTORY or $XDG_RUNTIME_DIR */
};

enum config_kind {
        CONFIG_LISTENER,
        CONFIG_CHANNEL,
        CONFIG_UPSTREAM,
        CONFIG_CONSUMER,
        CONFIG_TIER,
        CONFIG_KINDS
};

/* tidy: long, because these are the keys at the top of the document. */
struct config {
        const struct json *node;
        int64_t version, workers; /* workers 0: as many as cores */
        struct texts include;
        struct str user, problems;
        int64_t drain, stream_drain;
        struct conf_limits limits;
        struct conf_admin admin;
        struct conf_telemetry telemetry;
        struct conf_listener *listeners; /* at least one */
        size_t listeners_count;
        struct conf_channel *channels;
        size_t channels_count;
        struct conf_api *apis;
        size_t apis_count;
        struct conf_upstream *upstreams;
        size_t upstreams_count;
        struct conf_consumer *consumers;
        size_t consumers_count;
        struct conf_tier *tiers;
        size_t tiers_count;
        struct block policies, enforce;
        struct map by_name[CONFIG_KINDS];
        struct str tls_hash; /* of all certificates and keys, hexadecimal; config_load_tls */
};

extern const struct shape shape_config, shape_conf_upstream;

/* Policies that are designed but not built; one that stands in the table of policies is built. */
extern const struct setting config_reserved_policies[];

/* Reads a whole document. The reader's table of policies must be set; its reserved ones are set
 * here. Always returns a struct, to be used only when there were no errors. */
struct config *config_read(struct reader *reader, const struct json *root);

/* Reads the certificates and keys that listeners name, which are files beside the document; faults
 * where one cannot be read. */
struct load;
void config_load_tls(struct load *load, struct config *config);

/* Overwrites the keys of listeners: to be called once OpenSSL has them. */
void config_wipe_tls(const struct config *config);

/* The thing of that kind and name, NULL when there is none. */
const void *config_find(const struct config *config, enum config_kind kind, struct str name);

/* Names of all things of that kind, for suggestions. */
size_t config_names(const struct config *config, enum config_kind kind, struct str *ret_names,
                    size_t most);

/* Overwrites the keys of consumers that came from elsewhere: to be called when the roster, which
 * needs only their digests, has them. What is written in the file stays there. */
void config_wipe_keys(const struct config *config);

/* True when `upstream:` holds a URL instead of a name. */
bool upstream_is_url(struct str upstream);
