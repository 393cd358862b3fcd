/* config.c -- every key of the configuration, declared once. A key that is designed but not built
 * yet stands here too, as RESERVED: it is refused with its name known, and suggested against. */
#include "config/config.h"

#undef CONF
#define CONF struct conf_limits
static const struct setting limits_settings[] = {
        {SHARE(memory), .least = PERCENT, .preset = 50 * PERCENT,
         .text = "Share of the machine's memory that traffic may take."},
        {INTEGER(buckets), .least = 1000, .most = 100000000, .preset = 1000000, .unit = "buckets",
         .text = "Callers whose limits are counted at the same time, in memory that outlives the "
                 "process."},
        {INTEGER(connections), .least = 1, .most = 10000000, .word = "auto",
         .text = "Connections of callers at the same time; `auto` is as many as the system has "
                 "file "
                 "descriptors for.",
         .example = "20000"},
        {INTEGER(connections_per_ip), .least = 1, .most = 1000000, .word = "off",
         .text = "Connections at the same time from one address.", .example = "100"},
        {SIZE(target), .least = 256, .most = 64 * KIB, .preset = 8 * KIB,
         .text = "Longest target of a request (414)."},
        {SIZE(field), .least = 256, .most = 64 * KIB, .preset = 8 * KIB,
         .text = "Longest header field (431)."},
        {SIZE(header), .least = KIB, .most = 120 * KIB, .preset = 32 * KIB,
         .text = "All header fields of a message together (431)."},
        {INTEGER(fields), .least = 16, .most = 1024, .preset = 128, .unit = "fields",
         .text = "Number of header fields of a message (431)."},
        {DURATION(header_time), .least = 100 * MILLISECOND, .most = 5 * MINUTE,
         .preset = 10 * SECOND,
         .text = "From the first byte of a request's head to its last (408)."},
        {DURATION(idle), .least = 100 * MILLISECOND, .most = DAY, .preset = 60 * SECOND,
         .text = "How long a connection may rest between requests, and a body between bytes."},
        {BYTE_RATE(body_rate), .least = 1, .most = GIB, .preset = 240,
         .text = "Slowest body of a request, on average, after its first `idle`."},
        {SIZE(chunk_extensions), .least = 1, .most = 64 * KIB, .preset = 4 * KIB,
         .text = "Chunk extensions of one body together (400)."},
        {INTEGER(streams), .least = 1, .most = 1000, .preset = 100, .unit = "streams",
         .text = "Requests of one HTTP/2 connection at the same time."},
        {INTEGER(resets), .least = 10, .most = 1000000, .preset = 100, .unit = "resets",
         .text = "Streams of one HTTP/2 connection that end in vain within 30 s, whoever breaks "
                 "them off; then it is closed."},
        {INTEGER(glitches), .least = 10, .most = 1000000, .preset = 100, .unit = "glitches",
         .text = "Frames of no use on one HTTP/2 connection within 30 s; then it is closed."},
        {RESERVED("inspect")},
        {DURATION(linger), .least = MILLISECOND, .most = 30 * SECOND, .preset = 2 * SECOND,
         .text = "How long an answered connection is read on, so that the answer arrives."},
        {0}};
static const struct shape shape_conf_limits = {"limits",
                                               "What traffic may use at most. Each has a metric.",
                                               limits_settings, sizeof(struct conf_limits), NULL};

/* The first ones are there once for the whole gate. */
enum { LIMITS_OF_ALL = 2 };
static const struct shape shape_conf_listener_limits = {
        "listener_limits", "Limits of one listener; what is not written is the top's.",
        limits_settings + LIMITS_OF_ALL, sizeof(struct conf_limits), NULL};

#undef CONF
#define CONF struct conf_tls
static const struct setting tls_settings[] = {
        {SELF_NODE(node)},
        {TEXT(cert), .required = true, .most = 64 * KIB, .example = "./tls/api.pem",
         .text = "File with the certificate and, behind it, those that prove it, in PEM; read "
                 "anew on a reload, and whenever it changes."},
        {TEXT(key), .required = true, .most = 64 * KIB, .example = "\"${cred:api-key}\"",
         .text = "File with its private key in PEM, or the PEM itself through a reference."},
        {CHOICE(min, "1.2", "1.3"), .text = "Oldest version of TLS that callers may speak."},
        {RESERVED("acme")},
        {0}};
static const struct shape shape_conf_tls = {
        "tls",
        "A certificate. With several, callers get the one for the name that they ask for: its own, "
        "then the wildcard's, else the first one written. Two with the same names, one of an RSA "
        "key and one of a curve, serve together.",
        tls_settings, sizeof(struct conf_tls), NULL};

#undef CONF
#define CONF struct conf_listener
static const struct setting listener_settings[] = {
        {SELF_NAME(name)},
        {SELF_NODE(node)},
        {ADDRESS(address), .required = true, .example = "\"localhost:8080\"",
         .text = "Where to listen; `:8080` is every address, `localhost` is 127.0.0.1 and ::1."},
        {CIDRS(trusted_proxies), .most = 1000, .example = "[10.0.0.0/8]",
         .text = "Networks of proxies in front, whose word on the caller's address counts."},
        {SETTING_(limits, object, struct conf_limits), .shape = &shape_conf_listener_limits,
         .text = "Limits of this listener; the rest is the top's."},
        {RESERVED("socket")},
        {LIST(tls, conf_tls), .most = CONFIG_CERTS_MAX,
         .example = "{ cert: ./tls/api.pem, key: ./tls/api.key }",
         .text = "Callers speak TLS; its certificate, or a list of them."},
        {FLAG(h2c),
         .text = "HTTP/2 without TLS, too: the first bytes of a connection say which HTTP it is."},
        {RESERVED("http3")},
        {CHOICE(proxy_protocol, "off", "optional", "required"),
         .text = "Whether connections begin with a PROXY header (version 1 or 2) that says whose "
                 "they are; only those of `trusted_proxies` may."},
        {CHOICE(redirect, "off", "https"),
         .text = "Answer every request with the same place under https (308): at port 443, or at "
                 "that of the listener which has `tls`."},
        {RESERVED("tcp")},
        {RESERVED("sni")},
        {0}};
static const struct shape shape_conf_listener = {"listener", "An address where callers arrive.",
                                                 listener_settings, sizeof(struct conf_listener),
                                                 "address"};

#undef CONF
#define CONF struct conf_channel
static const struct setting channel_settings[] = {
        {SELF_NAME(name)},
        {SELF_NODE(node)},
        {TEXTS(listener), .format = FORMAT_name, .example = "public",
         .text = "Where its callers arrive; all listeners when none is named."},
        {TEXTS(hosts), .format = FORMAT_host, .most = 1000,
         .example = "[api.example.com, \"*.example.org\"]",
         .text = "The names it answers to; any name when none is written."},
        {BLOCK(policies), .text = "Policies of everything in this channel."},
        {BLOCK(enforce), .text = "A floor: APIs and routes may only tighten it."},
        {RESERVED("portal")},
        {0}};
static const struct shape shape_conf_channel = {
        "channel", "A door for one audience, with its own names and rules.", channel_settings,
        sizeof(struct conf_channel), NULL};

#undef CONF
#define CONF struct conf_match
static const struct setting match_settings[] = {
        {TEXTS(methods), .format = FORMAT_method, .most = 32, .example = "[GET, HEAD]",
         .text = "One of these methods; any when none is written."},
        {TEXT(path), .format = FORMAT_path, .most = 4096, .example = "/orders/{id}",
         .text = "Path below the API's; `{id}` is one segment, `{rest*}` the tail."},
        {PAIRS(headers), .format = FORMAT_token, .most = 16, .example = "{ X-Version: \"2\" }",
         .text = "Header fields with these values; `*` is any value."},
        {PAIRS(query), .format = FORMAT_line, .most = 16, .example = "{ mode: fast }",
         .text = "Query parameters with these values; `*` is any value."},
        {0}};
static const struct shape shape_conf_match = {"match", "What a request must be for a route.",
                                              match_settings, sizeof(struct conf_match), NULL};

#undef CONF
#define CONF struct conf_route
static const struct setting route_settings[] = {
        {SELF_NAME(name)},
        {SELF_NODE(node)},
        {OBJECT(match, conf_match), .text = "Conditions besides the key, or instead of it."},
        {TEXT(upstream), .most = 2048, .example = "orders",
         .text = "Where its requests go, when not where the API's go: a name or a URL."},
        {THE_REST(policies)},
        {0}};
static const struct shape shape_conf_route = {
        "route",
        "Some requests of an API: what they match, and policies. Its name is `METHOD /path`, "
        "`/path` "
        "for any method, or a word with `match`. Of all that match a request one answers, whatever "
        "the order of writing: the host named exactly, then `*.example.com` (the longest), then "
        "any; "
        "the API with the longest path; segment by segment a literal before `{id}` before "
        "`{rest*}`; a named method before any; more conditions before fewer, and values before "
        "`*`; the first by name. A "
        "path whose best route does not offer the method is 405, and no weaker one is asked. `GET` "
        "stands for `HEAD`, too; a slash at the end makes no difference.",
        route_settings, sizeof(struct conf_route), NULL};

#undef CONF
#define CONF struct conf_api
static const struct setting api_settings[] = {
        {SELF_NAME(name)},
        {SELF_NODE(node)},
        {TEXT(title), .format = FORMAT_line, .most = 200, .text = "What people call it."},
        {TEXT(owner), .format = FORMAT_line, .most = 200, .example = "team-orders",
         .text = "Who answers for it."},
        {RESERVED("lifecycle")},
        {TEXT(path), .format = FORMAT_path, .most = 4096, .example = "/orders",
         .text = "Path that its requests begin with; `/` and its name when none is written. What "
                 "follows is appended to the URL of the upstream."},
        {TEXTS(channels), .format = FORMAT_name, .most = 1000, .example = "[partner, customer]",
         .text = "Channels that offer it; needed as soon as there are channels."},
        {TEXT(upstream), .most = 2048, .example = "http://localhost:9000",
         .text = "Where its requests go: the name of an upstream, or a URL."},
        {FLAG(path_strict), .preset = true,
         .text = "Refuse a path that a looser reader would take for one that is protected "
                 "otherwise."},
        {MAP(routes, conf_route), .format = FORMAT_route, .most = 100000,
         .example = "{ GET /orders: {} }",
         .text = "What it offers; everything below its path when none is written."},
        {BLOCK(policies), .text = "Policies of the whole API."},
        {RESERVED("openapi")},
        {RESERVED("overlay")},
        {RESERVED("operations")},
        {RESERVED("versioning")},
        {RESERVED("versions")},
        {RESERVED("mcp")},
        {RESERVED("sdk")},
        {0}};
static const struct shape shape_conf_api = {"api", "What is offered under one path.", api_settings,
                                            sizeof(struct conf_api), NULL};

#undef CONF
#define CONF struct conf_target
static const struct setting target_settings[] = {
        {SELF_NODE(node)},
        {URL(url), .required = true, .example = "http://orders:8080", .text = "Where it listens."},
        {INTEGER(weight), .least = 0, .most = 256, .preset = 1,
         .text = "Its share of the requests, among the weights of all; 0 gets none."},
        {RESERVED("h2c")},
        {0}};
static const struct shape shape_conf_target = {"target", "One server of an upstream.",
                                               target_settings, sizeof(struct conf_target), "url"};

#undef CONF
#define CONF struct conf_pool
static const struct setting pool_settings[] = {
        {DURATION(idle), .least = MILLISECOND, .most = HOUR, .preset = 4 * SECOND,
         .text = "How long an unused connection is kept."},
        {DURATION(age), .least = SECOND, .most = DAY, .preset = 10 * MINUTE,
         .text = "How old a connection may get."},
        {INTEGER(max), .least = 1, .most = 65535, .preset = 1024, .unit = "connections",
         .text = "Connections to one target, of each worker."},
        {0}};
static const struct shape shape_conf_pool = {"pool", "Connections to targets that are kept.",
                                             pool_settings, sizeof(struct conf_pool), NULL};

#undef CONF
#define CONF struct conf_eject
static const struct setting eject_settings[] = {
        {INTEGER(failures), .least = 1, .most = 1000, .preset = 5, .word = "off",
         .text = "Failures in a row after which a target gets no requests for a while."},
        {DURATION(time), .least = 100 * MILLISECOND, .most = HOUR, .preset = 30 * SECOND,
         .text = "For how long the first time; doubled each time, to 5 minutes at most."},
        {SHARE(share), .least = PERCENT, .preset = 50 * PERCENT,
         .text = "Share of the targets that may be out at once; never the last one."},
        {0}};
static const struct shape shape_conf_eject = {"eject", "When a failing target is left out.",
                                              eject_settings, sizeof(struct conf_eject),
                                              "failures"};

#undef CONF
#define CONF struct conf_breaker
static const struct setting breaker_settings[] = {
        {SELF_NODE(node)},
        {SHARE(errors), .least = PERCENT, .preset = 50 * PERCENT, .word = "off",
         .text = "Share of the tries that must fail. Written out, answers of 5xx are failures "
                 "too."},
        {DURATION(over), .least = SECOND, .most = 5 * MINUTE, .preset = 10 * SECOND,
         .text = "Within how long."},
        {INTEGER(min_requests), .least = 1, .most = 1000000, .preset = 20,
         .text = "Of at least so many tries."},
        {DURATION(open), .least = 100 * MILLISECOND, .most = HOUR, .preset = 30 * SECOND,
         .text = "For how long nothing is sent then."},
        {0}};
static const struct shape shape_conf_breaker = {
        "circuit_breaker", "When an upstream that mostly fails is not asked at all.",
        breaker_settings, sizeof(struct conf_breaker), "errors"};

#undef CONF
#define CONF struct conf_dns
static const struct setting dns_settings[] = {
        {DURATION(min), .least = 10 * MILLISECOND, .most = HOUR, .preset = SECOND,
         .text = "Shortest time an answer holds."},
        {DURATION(max), .least = SECOND, .most = DAY, .preset = 5 * MINUTE,
         .text = "Longest time an answer holds."},
        {DURATION(stale), .least = 0, .most = 7 * DAY, .preset = HOUR,
         .text = "How long the last good answer serves when nobody answers."},
        {0}};
static const struct shape shape_conf_dns = {"dns", "How names of targets are looked up.",
                                            dns_settings, sizeof(struct conf_dns), NULL};

#undef CONF
#define CONF struct conf_upstream
static const struct setting upstream_settings[] = {
        {SELF_NAME(name)},
        {SELF_NODE(node)},
        {LIST(targets, conf_target), .required = true, .least = 1, .most = 256,
         .example = "[http://orders-1:8080, http://orders-2:8080]", .text = "Its servers."},
        {CHOICE(balance, "round_robin", "least_conn", "random", "hash"),
         .text = "How one is chosen; `random` takes the better of two."},
        {TEXT(hash), .format = FORMAT_hash, .most = 80, .preset_text = "ip", .example = "consumer",
         .text = "What `balance: hash` keeps together: ip, consumer, path or header:NAME."},
        {OBJECT(pool, conf_pool), .text = "Connections that are kept."},
        {OBJECT(eject, conf_eject), .text = "When a failing target is left out; `off`: never."},
        {OBJECT(circuit_breaker, conf_breaker),
         .text = "When none of them is asked; `off`: never."},
        {DURATION(slow_start), .least = SECOND, .most = HOUR, .word = "off",
         .text = "Over how long a new target's share grows."},
        {OBJECT(dns, conf_dns), .text = "How names are looked up."},
        {CHOICE(proxy_protocol, "off", "v1", "v2"),
         .text = "Begin connections with a PROXY header of this version, which says who calls; a "
                 "connection then serves that caller alone."},
        {RESERVED("health")},
        {RESERVED("canary")},
        {RESERVED("tls")},
        {0}};
const struct shape shape_conf_upstream = {"upstream", "A named group of servers.",
                                          upstream_settings, sizeof(struct conf_upstream),
                                          "targets"};

#undef CONF
#define CONF struct conf_consumer
static const struct setting consumer_settings[] = {
        {SELF_NAME(name)},
        {SELF_NODE(node)},
        {TEXT(title), .format = FORMAT_line, .most = 200, .text = "What people call it."},
        {TEXT(channel), .format = FORMAT_name, .example = "partner",
         .text = "The only channel it may use; any when none is written."},
        {TEXT(tier), .format = FORMAT_name, .example = "gold",
         .text = "The tier whose policies hold for it instead of the route's."},
        {TEXTS(contacts), .format = FORMAT_line, .most = 100, .example = "[api@acme.example]",
         .text = "Whom to write to."},
        {TEXTS(api_key), .format = FORMAT_visible, .most = 100, .is_secret = true,
         .example = "\"${env:ACME_KEY}\"",
         .text = "Its keys, 1 to 256 visible characters each. Kept as digests only."},
        {RESERVED("subscriptions")},
        {RESERVED("client_id")},
        {RESERVED("cert")},
        {0}};
static const struct shape shape_conf_consumer = {"consumer", "Somebody who calls, and the proof.",
                                                 consumer_settings, sizeof(struct conf_consumer),
                                                 NULL};

#undef CONF
#define CONF struct conf_tier
static const struct setting tier_settings[] = {
        {SELF_NAME(name)}, {SELF_NODE(node)}, {THE_REST(policies)}, {0}};
static const struct shape shape_conf_tier = {
        "tier", "Policies that hold for its consumers instead of the route's.", tier_settings,
        sizeof(struct conf_tier), NULL};

#undef CONF
#define CONF struct conf_telemetry
static const struct setting telemetry_settings[] = {
        {CHOICE(logs, "auto", "json", "text", "clf", "off"),
         .text = "Form of the access log; `auto` is text on a terminal, else JSON."},
        {TEXT(file), .format = FORMAT_file, .most = 4096, .preset_text = "-",
         .example = "/var/log/gatehouse/access.log",
         .text = "Where it is written; `-` is standard output."},
        {RESERVED("sample")},
        {RESERVED("otlp")},
        {0}};
static const struct shape shape_conf_telemetry = {"telemetry", "What is told about traffic.",
                                                  telemetry_settings, sizeof(struct conf_telemetry),
                                                  NULL};

#undef CONF
#define CONF struct conf_admin
static const struct setting admin_settings[] = {
        {SELF_NODE(node)},
        {ADDRESS(address), .preset_text = "localhost:9901", .word = "off",
         .text = "Where probes, metrics and status are read; nothing can be changed there."},
        {TEXT(socket), .format = FORMAT_file, .most = 100, .example = "/run/gatehouse/admin.sock",
         .text = "The socket for commands that change something, readable by its owner only."},
        {RESERVED("login")},
        {RESERVED("roles")},
        {0}};
static const struct shape shape_conf_admin = {"admin", "Addresses for operators.", admin_settings,
                                              sizeof(struct conf_admin), "address"};

#undef CONF
#define CONF struct config
static const struct setting config_settings[] = {
        {SELF_NODE(node)},
        {INTEGER(version), .least = 1, .most = 1, .preset = 1, .text = "Version of this format."},
        {TEXTS(include), .format = FORMAT_file, .most = 256, .example = "[apis/*.yaml]",
         .text = "Further files, e.g. one for each team; no key may stand in two of them."},
        {INTEGER(workers), .least = 1, .most = 256, .word = "cores",
         .text = "Threads that serve traffic."},
        {TEXT(user), .format = FORMAT_name, .preset_text = "gatehouse",
         .text = "Whom to become when started as root."},
        {RESERVED("state")},
        {TEXT(problems), .format = FORMAT_url, .most = 1024,
         .example = "https://developers.example.com/problems",
         .text = "Address under which the types of problem answers are explained."},
        {DURATION(drain), .least = 0, .most = HOUR, .preset = 30 * SECOND,
         .text = "How long requests may go on after the order to stop."},
        {DURATION(stream_drain), .least = 0, .most = DAY, .preset = 5 * MINUTE,
         .text = "How long streams may go on after an upgrade."},
        {OBJECT(limits, conf_limits), .text = "What traffic may use at most."},
        {OBJECT(admin, conf_admin), .text = "Addresses for operators."},
        {OBJECT(telemetry, conf_telemetry), .text = "What is told about traffic."},
        {MAP(listeners, conf_listener), .format = FORMAT_name, .most = CONFIG_LISTENERS_MAX,
         .text = "Where callers arrive; localhost:8080 when none is written."},
        {MAP(channels, conf_channel), .format = FORMAT_name, .most = 1000,
         .text = "Doors for different audiences; without any, every host is answered everywhere."},
        {BLOCK(policies), .text = "Policies of everything; lower levels may change them."},
        {BLOCK(enforce), .text = "A floor under everything: lower levels may only tighten it."},
        {MAP(upstreams, conf_upstream), .format = FORMAT_name, .most = 100000,
         .text = "Groups of servers that requests are sent to."},
        {MAP(apis, conf_api), .format = FORMAT_name, .most = 100000, .text = "What is offered."},
        {MAP(consumers, conf_consumer), .format = FORMAT_name, .most = 10000000,
         .text = "Who calls."},
        {MAP(tiers, conf_tier), .format = FORMAT_name, .most = 1000,
         .text = "Policies that hold for some consumers instead of the route's."},
        {RESERVED("identity")},
        {RESERVED("house")},
        {RESERVED("redis")},
        {RESERVED("products")},
        {RESERVED("meters")},
        {RESERVED("billing")},
        {RESERVED("portal")},
        {RESERVED("gitops")},
        {RESERVED("ai")},
        {0}};
const struct shape shape_config = {"", "The configuration of Gatehouse.", config_settings,
                                   sizeof(struct config), NULL};

const struct setting config_reserved_policies[] = {
        {RESERVED("authorize")},      {RESERVED("quota")},
        {RESERVED("validate")},       {RESERVED("cache")},
        {RESERVED("idempotency")},    {RESERVED("compress")},
        {RESERVED("mock")},           {RESERVED("maintenance")},
        {RESERVED("meter")},          {RESERVED("transform")},
        {RESERVED("script")},         {RESERVED("tls_min")},
        {RESERVED("aggregate")},      {RESERVED("guard")},
        {RESERVED("graphql")},        {RESERVED("grpc_json")},
        {RESERVED("soap")},           {RESERVED("trace")},
        {RESERVED("upstream_token")}, {0}};

bool upstream_is_url(struct str upstream)
{
        return str_find_str(upstream, S("://")) >= 0;
}

/* A listener's limits that are not written there are the top's. All members are int64_t. */
static void inherit_limits(struct conf_listener *listener, const struct conf_limits *top)
{
        const struct json *written = json_get(listener->node, S("limits"));
        const struct setting *one = limits_settings;
        for (; one->kind != SETTING_end; one++) {
                if (one->kind != SETTING_reserved && json_get(written, str_of(one->name)) == NULL)
                        memcpy((char *)&listener->limits + one->offset,
                               (const char *)top + one->offset, sizeof(int64_t));
        }
}

static void add_listener(struct config *config, struct arena *arena)
{
        config->listeners = arena_new(arena, struct conf_listener);
        config->listeners_count = 1;
        config->listeners->name = S("default");
        config->listeners->address = (struct host_port){S("localhost"), 8080};
}

/* The things of one kind: where they lie, how many, and how large each is. Each begins with its
 * name. */
struct things {
        char *at;
        size_t count, size;
};

static struct things things_of(const struct config *config, enum config_kind kind)
{
        switch (kind) {
        case CONFIG_LISTENER:
                return (struct things){(char *)config->listeners, config->listeners_count,
                                       sizeof *config->listeners};
        case CONFIG_CHANNEL:
                return (struct things){(char *)config->channels, config->channels_count,
                                       sizeof *config->channels};
        case CONFIG_UPSTREAM:
                return (struct things){(char *)config->upstreams, config->upstreams_count,
                                       sizeof *config->upstreams};
        case CONFIG_CONSUMER:
                return (struct things){(char *)config->consumers, config->consumers_count,
                                       sizeof *config->consumers};
        default:
                return (struct things){(char *)config->tiers, config->tiers_count,
                                       sizeof *config->tiers};
        }
}

static_assert(offsetof(struct conf_listener, name) == 0, "found by its name");
static_assert(offsetof(struct conf_channel, name) == 0, "found by its name");
static_assert(offsetof(struct conf_upstream, name) == 0, "found by its name");
static_assert(offsetof(struct conf_consumer, name) == 0, "found by its name");
static_assert(offsetof(struct conf_tier, name) == 0, "found by its name");

static void index_names(struct config *config, struct arena *arena)
{
        for (unsigned kind = 0; kind < countof(config->by_name); kind++) {
                struct things things = things_of(config, (enum config_kind)kind);
                map_init(&config->by_name[kind], arena);
                for (size_t i = 0; i < things.count; i++) {
                        char *thing = things.at + i * things.size;
                        map_put(&config->by_name[kind], *(struct str *)(void *)thing, thing);
                }
        }
}

struct config *config_read(struct reader *reader, const struct json *root)
{
        reader->reserved = config_reserved_policies;
        struct config *config = shape_read(reader, &shape_config, STR_NONE, root);
        const struct json *admin = json_get(json_get(root, S("admin")), S("address"));
        if (admin == NULL)
                admin = json_get(root, S("admin"));
        config->admin.is_off = json_is_str(admin, S("off")) || json_is(admin, JSON_FALSE);
        if (config->listeners_count == 0)
                add_listener(config, reader->arena);
        for (size_t i = 0; i < config->listeners_count; i++)
                inherit_limits(&config->listeners[i], &config->limits);
        for (size_t i = 0; i < config->apis_count; i++) {
                struct conf_api *api = &config->apis[i];
                if (api->path.len == 0)
                        api->path = arena_format(reader->arena, "/" STR_FMT, STR_ARG(api->name));
        }
        index_names(config, reader->arena);
        return config;
}

const void *config_find(const struct config *config, enum config_kind kind, struct str name)
{
        return map_get(&config->by_name[kind], name);
}

size_t config_names(const struct config *config, enum config_kind kind, struct str *ret_names,
                    size_t most)
{
        struct things things = things_of(config, kind);
        size_t count = size_min(things.count, most);
        for (size_t i = 0; i < count; i++)
                ret_names[i] = *(const struct str *)(const void *)(things.at + i * things.size);
        return count;
}

void config_wipe_keys(const struct config *config)
{
        for (size_t i = 0; i < config->consumers_count; i++) {
                const struct texts *keys = &config->consumers[i].api_key;
                for (size_t k = 0; k < keys->count; k++) {
                        if ((keys->nodes[k]->flags & JSON_FILLED) != 0)
                                str_wipe(keys->at[k]);
                }
        }
}
