/* websocket.c -- which protocols callers may switch to, and for how long. WebSocket may be spoken
 * where nothing is said; any other protocol only where it is named, because nothing that the
 * gateway promises of requests holds for what it cannot read. */
#include "gate/policy.h"
#include "policy/list.h"

struct conf {
        bool allow;
        int64_t idle, life, message; /* the last two: 0 is off */
        bool has_idle;               /* of a floor: it is written there */
};

static void prepare(const struct prepare *prepare, void *c)
{
        struct conf *conf = c;
        conf->has_idle = !prepare->is_floor || written(prepare->node, "idle", "allow") != NULL;
}

static bool is_wider(int64_t value, int64_t bound)
{
        return bound != 0 && (value == 0 || value > bound);
}

static void weigh(struct weighing *weighing, const void *f, const void *c)
{
        const struct conf *floor = f, *conf = c;
        const struct json *allow = written(weighing->node, "allow", "allow");
        const struct json *idle = written(weighing->node, "idle", "allow");
        const struct json *life = written(weighing->node, "life", "allow");
        const struct json *message = written(weighing->node, "message", "allow");
        if (allow != NULL && conf->allow && !floor->allow)
                weigh_idle(weighing, allow);
        if (idle != NULL && floor->has_idle && conf->idle > floor->idle)
                weigh_idle(weighing, idle);
        if (life != NULL && is_wider(conf->life, floor->life))
                weigh_idle(weighing, life);
        if (message != NULL && is_wider(conf->message, floor->message))
                weigh_idle(weighing, message);
}

static void settle(const void *c, bool is_floor, struct terms *terms)
{
        const struct conf *conf = c;
        if (!is_floor) {
                terms->has_websocket = conf->allow;
                terms->stream_idle_ns = conf->idle;
                terms->stream_life_ns = conf->life;
                terms->message_max = conf->message;
                return;
        }
        terms->has_websocket = terms->has_websocket && conf->allow;
        if (conf->has_idle && conf->idle < terms->stream_idle_ns)
                terms->stream_idle_ns = conf->idle;
        if (is_wider(terms->stream_life_ns, conf->life))
                terms->stream_life_ns = conf->life;
        if (is_wider(terms->message_max, conf->message))
                terms->message_max = conf->message;
}

static const struct setting settings[] = {
        {FLAG(allow), .preset = true, .text = "Whether callers may switch to WebSocket."},
        {DURATION(idle), .least = 100 * MILLISECOND, .most = 7 * DAY, .preset = 5 * MINUTE,
         .text = "How long nothing may be said in either direction; then both are told that it is "
                 "over (1001). Holds for other protocols of `upgrade`, too."},
        {DURATION(life), .least = 100 * MILLISECOND, .most = 365 * DAY, .word = "off",
         .text = "How old one may become, of other protocols, too; `timeout.total` does not hold "
                 "for them."},
        {SIZE(message), .least = 1, .most = GIB, .word = "off", .example = "1MiB",
         .text = "Largest message, in either direction, as it comes: compressed where the two ends "
                 "compress (1009)."},
        {0}};

const struct shape shape_websocket = {
        .name = "websocket",
        .text = "Whether WebSocket may be spoken, how long a connection may rest and live, and how "
                "large a message may be.",
        .settings = settings,
        .size = sizeof(struct conf),
        .shorthand = "allow",
};

#define HANDSHAKE                                                                                  \
        "GET / HTTP/1.1\nConnection: Upgrade\nUpgrade: websocket\n"                                \
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Version: "

const struct policy policy_websocket = {
        .shape = &shape_websocket,
        .stage = STAGE_TERMS,
        .is_always = true,
        .prepare = prepare,
        .weigh = weigh,
        .settle = settle,
        .examples =
                (const struct example[]){
                        {"A request to switch goes to the service, which may answer otherwise",
                         "websocket: true", HANDSHAKE "13", .status = 200},
                        {"It is refused where it is off", "websocket: off", HANDSHAKE "13",
                         .status = 403},
                        {"Another version is not spoken", "websocket: { message: 64KiB }",
                         HANDSHAKE "12", .status = 426, .has = "Sec-WebSocket-Version: 13"},
                        {"Requests that do not want to switch are as ever", "websocket: off",
                         "GET / HTTP/1.1", .status = 200},
                        {0}},
};

/* ---- other protocols ---- */

struct upgrade {
        struct texts names;
};

static void prepare_upgrade(const struct prepare *prepare, void *c)
{
        const struct upgrade *conf = c;
        for (size_t i = 0; i < conf->names.count; i++) {
                struct str name = conf->names.at[i];
                bool is_http = str_eq_nocase(name, S("h2c")) || str_eq_nocase(name, S("h2")) ||
                               str_eq_nocase(str_first(name, 5), S("HTTP/"));
                bool is_websocket = str_eq_nocase(name, S("websocket"));
                if (!is_http && !is_websocket)
                        continue;
                struct fault *fault = fault_add(prepare->faults, FAULT_E211, conf->names.nodes[i],
                                                "`" STR_FMT "` cannot be switched to blindly",
                                                STR_ARG(name));
                fault->help = is_http ? S("requests in it would pass no policy; remove it")
                                      : S("it has settings of its own: `websocket: true`");
        }
}

static void settle_upgrade(const void *c, bool is_floor, struct terms *terms)
{
        const struct upgrade *conf = c;
        if (is_floor)
                terms->upgrades_floor = &conf->names;
        else
                terms->upgrades = conf == NULL ? NULL : &conf->names;
}

#undef CONF
#define CONF struct upgrade
static const struct setting upgrade_settings[] = {
        {TEXTS(names), .required = true, .least = 1, .most = 16, .format = FORMAT_token,
         .example = "[tcp-tunnel]",
         .text = "Names as they stand in the field Upgrade. After the switch nothing of what is "
                 "said is looked at."},
        {0}};

const struct shape shape_upgrade = {
        .name = "upgrade",
        .text = "Further protocols that callers may switch to; a request for any other is served "
                "as "
                "if it had not asked.",
        .settings = upgrade_settings,
        .size = sizeof(struct upgrade),
        .shorthand = "names",
};

const struct policy policy_upgrade = {
        .shape = &shape_upgrade,
        .stage = STAGE_TERMS,
        .prepare = prepare_upgrade,
        .settle = settle_upgrade,
        .examples =
                (const struct example[]){
                        {"A protocol that is not named is not switched to", "upgrade: other",
                         "GET / HTTP/1.1\nConnection: Upgrade\nUpgrade: foo", .status = 200,
                         .lacks = "X-Got-Upgrade"},
                        {"The service may answer without switching", "upgrade: [foo]",
                         "GET / HTTP/1.1\nConnection: Upgrade\nUpgrade: foo", .status = 200},
                        {0}},
};
