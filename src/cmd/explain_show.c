/* explain_show.c -- what a played request met, for people and as JSON. */
#include "cmd/explain_int.h"
#include "cmd/levels.h"
#include "cmd/show.h"

enum { OUT_MAX = 8 << 20, NAME_WIDTH = 12, TEXT_WIDTH = 46, SHOWN_MAX = 60, HASH_SHOWN = 12 };

/* How a policy of the chain did. */
enum outcome {
        OUTCOME_PASS,
        OUTCOME_STOP,
        OUTCOME_ANSWER,
        OUTCOME_UNREACHED,
        OUTCOME_OFF,
        OUTCOME_TERMS, /* no step: it holds for how the request is served */
};

struct row {
        enum outcome outcome;
        struct str name, text, place;
        bool is_floor;
        struct str was, was_place; /* was empty: nothing */
};

static struct str place_text(const struct explained *explained, const struct json *node)
{
        struct text text = text_grow(&explained->call->arena, 4096);
        place_write(explained->snapshot->sources, node, &text);
        return text_str(&text);
}

/* Where a thing of a map is written: its key. */
static struct str thing_place(const struct explained *explained, const struct json *node)
{
        return place_text(explained, node == NULL ? NULL : json_key(node));
}

static bool may_be_shown(const struct json *node)
{
        for (uint32_t i = 0; i < node->span; i++) {
                if ((node[i].flags & (JSON_SECRET | JSON_FILLED)) != 0)
                        return false;
        }
        return true;
}

/* What holds when only the name of a policy is known. */
static struct str preset_text(const struct explained *explained, const struct policy *policy)
{
        struct text text = text_grow(&explained->call->arena, 4096);
        const struct shape *shape = policy->shape;
        if (shape->shorthand == NULL ||
            !setting_write_preset(shape_find(shape, str_of(shape->shorthand)),
                                  &explained->call->arena, &text))
                return S("preset");
        return text_str(&text);
}

/* A value as it was written, short, without secrets. */
static struct str value_text(const struct explained *explained, const struct policy *policy,
                             const struct json *node)
{
        struct bundle *bundle = explained->snapshot->bundle;
        struct text text = text_grow(&explained->call->arena, SHOWN_MAX);
        if (node == NULL)
                return preset_text(explained, policy);
        if (node->kind >= JSON_ARRAY && may_be_shown(node))
                json_write(node, JSON_COMPACT, &explained->call->arena, &text);
        if (text.len == 0)
                return fault_quote(&bundle->load.faults, node);
        return text.is_cut ? arena_format(&explained->call->arena, STR_FMT "…",
                                          STR_ARG(text_str(&text)))
                           : text_str(&text);
}

static void fill_was(const struct explained *explained, const struct policy *policy,
                     const struct block_item *before, struct row *row)
{
        if (before == NULL)
                return;
        row->was = value_text(explained, policy, before->node);
        row->was_place = place_text(explained, before->node);
}

static enum outcome outcome_of(const struct played *played, uint16_t at)
{
        if (at >= played->asked)
                return OUTCOME_UNREACHED;
        if (!played->is_stopped || at + 1 < played->asked)
                return OUTCOME_PASS;
        return played->status >= 400 ? OUTCOME_STOP : OUTCOME_ANSWER;
}

/* The step that held: the tier's, where the caller's tier fills the slot. */
static const struct chain_step *held(const struct played *played, uint16_t at)
{
        const struct chain_step *step = &played->route->chain.at[at];
        if (played->tier == NULL || !step->takes_tier || played->tier->slots[step->index] == NULL)
                return step;
        return played->tier->slots[step->index];
}

static struct row row_of(const struct explained *explained, const struct levels *levels,
                         uint16_t at)
{
        const struct played *played = explained->played;
        const struct chain_step *step = held(played, at);
        const struct block_item *before = NULL;
        struct row row = {
                .outcome = outcome_of(played, at),
                .name = str_of(step->policy->shape->name),
                .place = place_text(explained, step->node),
                .is_floor = step->is_floor,
        };
        if (row.outcome != OUTCOME_UNREACHED && at < PLAYED_STEPS)
                row.text = played->notes[at];
        if (row.outcome == OUTCOME_STOP && played->detail.len > 0)
                row.text = played->detail;
        else if (row.outcome == OUTCOME_STOP && row.text.len == 0)
                row.text = reason_text(played->reason);
        if (row.text.len == 0)
                row.text = value_text(explained, step->policy, step->node);
        if (!step->is_floor)
                levels_last(levels, step->index, &before);
        fill_was(explained, step->policy, before, &row);
        return row;
}

/* A policy that is no step of the chain: settled beforehand, or `off` here. */
static bool other_row(const struct explained *explained, const struct levels *levels, size_t index,
                      struct row *ret_row)
{
        const struct policy *policy = explained->snapshot->policies->at[index];
        const struct block_item *before, *last = levels_last(levels, index, &before);
        bool is_terms = policy->stage == STAGE_TERMS;
        if (last == NULL || (last->conf != NULL && !is_terms))
                return false;
        *ret_row = (struct row){
                .outcome = last->conf == NULL ? OUTCOME_OFF : OUTCOME_TERMS,
                .name = str_of(policy->shape->name),
                .text = last->conf == NULL ? S("off") : value_text(explained, policy, last->node),
                .place = place_text(explained, last->node),
        };
        fill_was(explained, policy, before, ret_row);
        return true;
}

/* Rows of the chain, then of the other policies. */
static size_t rows_of(const struct explained *explained, struct row *rows, size_t most)
{
        const struct route *route = explained->played->route;
        const struct snapshot *snapshot = explained->snapshot;
        struct levels levels = levels_of(snapshot->config, route);
        size_t count = 0;
        for (uint16_t i = 0; i < route->chain.count && count < most; i++) {
                if (held(explained->played, i)->conf != NULL)
                        rows[count++] = row_of(explained, &levels, i);
        }
        for (size_t i = 0; i < snapshot->policies->count && count < most; i++)
                count += other_row(explained, &levels, i, &rows[count]);
        return count;
}

/* ---- for people ---- */

static size_t width_of(struct str s)
{
        size_t count = 0;
        for (size_t i = 0; i < s.len; i++)
                count += (s.ptr[i] & 0xc0) != 0x80;
        return count;
}

static void put_padded(struct text *out, struct str s, size_t width)
{
        text_put(out, s);
        for (size_t i = width_of(s); i < width; i++)
                text_char(out, ' ');
}

/* Text that came from the request or a file, on one line and harmless to a terminal. */
static struct str plain(const struct explained *explained, struct str s)
{
        struct text out = text_grow(&explained->call->arena, 64 << 10);
        for (size_t i = 0; i < s.len;) {
                size_t len = str_utf8(s, i);
                bool is_control = len == 0 || (unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f ||
                                  (len == 2 && (unsigned char)s.ptr[i] == 0xc2 &&
                                   (unsigned char)s.ptr[i + 1] < 0xa0);
                text_put(&out, is_control ? S("?") : str_from(s.ptr + i, len));
                i += len == 0 ? 1 : len;
        }
        return text_str(&out);
}

static void put_line(const struct explained *explained, struct text *out, const char *mark,
                     const struct row *row)
{
        struct str text = plain(explained, row->text);
        text_format(out, " %s ", mark);
        put_padded(out, row->name, NAME_WIDTH);
        text_char(out, ' ');
        put_padded(out, text, TEXT_WIDTH);
        put_padded(out, row->is_floor ? S(" enforced ") : S(" "), 11);
        text_put(out, plain(explained, row->place));
        while (out->len > 0 && out->at[out->len - 1] == ' ')
                out->len--;
        if (row->was.len > 0)
                text_format(out, "  (was " STR_FMT ", " STR_FMT ")",
                            STR_ARG(plain(explained, row->was)),
                            STR_ARG(plain(explained, row->was_place)));
        text_char(out, '\n');
}

static const char *mark_of(const struct explained *explained, enum outcome outcome)
{
        bool is_colored = explained->call->colors_out;
        switch (outcome) {
        case OUTCOME_PASS:
                return is_colored ? "\x1b[32m✓\x1b[0m" : "✓";
        case OUTCOME_STOP:
                return is_colored ? "\x1b[31m✗\x1b[0m" : "✗";
        case OUTCOME_ANSWER:
                return is_colored ? "\x1b[32m←\x1b[0m" : "←";
        case OUTCOME_TERMS:
                return "·";
        case OUTCOME_UNREACHED:
        case OUTCOME_OFF:
                break;
        }
        return "–";
}

static void put_way(const struct explained *explained, struct text *out, const char *name,
                    struct str text, struct str place)
{
        struct row row = {.name = str_of(name), .text = text, .place = place};
        put_line(explained, out, "·", &row);
}

static struct str address_text(struct arena *arena, const struct listener_rules *rules)
{
        return arena_format(arena, STR_FMT " " STR_FMT ":%u", STR_ARG(rules->name),
                            STR_ARG(rules->address.host), (unsigned)rules->address.port);
}

/* Where the request would go: "GET http://orders-1:8080/v1/things". */
static struct str sent_text(const struct explained *explained)
{
        const struct played *played = explained->played;
        struct str rest = played->sent, line = str_cut(&rest, '\n');
        struct str method = str_cut(&line, ' '), target = str_cut(&line, ' ');
        struct str base = played->target;
        size_t slashes = 0, end = 0;
        for (; end < base.len; end++) {
                slashes += base.ptr[end] == '/';
                if (slashes == 3)
                        break;
        }
        return arena_format(&explained->call->arena, STR_FMT " " STR_FMT STR_FMT, STR_ARG(method),
                            STR_ARG(str_first(base, end)), STR_ARG(target));
}

/* " (or another of 3)" */
static struct str others_text(const struct explained *explained)
{
        const struct route *route = explained->played->route;
        const struct conf_upstream *conf = config_find(explained->snapshot->config, CONFIG_UPSTREAM,
                                                       route->upstream->name);
        if (conf == NULL || conf->targets_count < 2)
                return S("");
        return arena_format(&explained->call->arena, " (or another of %zu)", conf->targets_count);
}

/* Where the upstream is written: its own block, or where a URL stands in its place. */
static struct str upstream_place(const struct explained *explained)
{
        const struct route *route = explained->played->route;
        const struct conf_upstream *conf = config_find(explained->snapshot->config, CONFIG_UPSTREAM,
                                                       route->upstream->name);
        const struct json *node = json_get(route->node, S("upstream"));
        if (node == NULL)
                node = json_get(route->api->node, S("upstream"));
        return conf != NULL ? thing_place(explained, conf->node) : place_text(explained, node);
}

/* What a running gate says of the same route. */
static void put_live(const struct explained *explained, struct text *out)
{
        struct arena *arena = &explained->call->arena;
        struct text text = text_grow(arena, 1024);
        struct live_facts facts;
        explain_live_facts(explained->live, explained->snapshot, explained->played->route, &facts);
        put_way(explained, out, "live",
                facts.is_same ? S("this configuration is in force")
                              : arena_format(arena, "ANOTHER configuration is in force: " STR_FMT,
                                             STR_ARG(str_first(facts.hash, HASH_SHOWN))),
                explained->live->gateway.place.text);
        text_format(&text, "%llu requests, ", (unsigned long long)facts.requests);
        show_milli(&text, facts.milli_per_second);
        text_format(&text, "/s, %llu limited; %u of %u servers healthy%s",
                    (unsigned long long)facts.limited, facts.healthy, facts.targets,
                    facts.is_open ? ", CIRCUIT OPEN" : "");
        put_way(explained, out, "", text_str(&text), STR_NONE);
}

static void put_route(const struct explained *explained, struct text *out)
{
        enum { ROWS_MAX = PLAYED_STEPS + 64 };
        const struct played *played = explained->played;
        const struct route *route = played->route;
        struct arena *arena = &explained->call->arena;
        struct row *rows = arena_array(arena, struct row, ROWS_MAX);
        size_t count = rows_of(explained, rows, ROWS_MAX);
        put_way(explained, out, "channel", route->channel->name,
                thing_place(explained, route->channel->node));
        put_way(explained, out, "api",
                route->node == route->api->node
                        ? route->api->name
                        : arena_format(arena, STR_FMT " → " STR_FMT, STR_ARG(route->api->name),
                                       STR_ARG(route->name)),
                thing_place(explained, route->node));
        for (size_t i = 0; i < count; i++) {
                if (rows[i].outcome == OUTCOME_UNREACHED)
                        rows[i].text = S("not reached");
                put_line(explained, out, mark_of(explained, rows[i].outcome), &rows[i]);
        }
        if (played->sent.len > 0)
                put_way(explained, out, "upstream",
                        arena_format(arena, STR_FMT STR_FMT, STR_ARG(sent_text(explained)),
                                     STR_ARG(others_text(explained))),
                        upstream_place(explained));
        if (explained->live != NULL)
                put_live(explained, out);
}

static void put_answer(const struct explained *explained, struct text *out)
{
        const struct played *played = explained->played;
        struct str type = head_field(played->head, S("Content-Type"));
        if (played->status == 0) {
                text_put(out, S(" → no answer"));
        } else if (!played->is_own) {
                text_put(out, S(" → what the upstream answers"));
        } else {
                text_format(out, " → %u", played->status);
                if (type.len > 0)
                        text_format(out, " " STR_FMT, STR_ARG(plain(explained, type)));
                struct str allow = head_field(played->head, S("Allow"));
                if (allow.len > 0)
                        text_format(out, "  Allow: " STR_FMT, STR_ARG(allow));
        }
        if (played->reason > REASON_done) {
                text_format(out, "  " STR_FMT, STR_ARG(reason_token(played->reason)));
                struct str detail = played->detail.len > 0 ? played->detail
                                                           : reason_text(played->reason);
                text_format(out, ": " STR_FMT, STR_ARG(plain(explained, detail)));
        }
        if (played->sent.len == 0)
                text_put(out, S("  (upstream not called)"));
        text_char(out, '\n');
}

/* Lines of a head, each behind a mark. */
/* The line without what only the two ends are to know. */
static struct str told(const struct explained *explained, struct str line)
{
        ptrdiff_t colon = str_find(line, ':');
        if (colon <= 0 ||
            (name_flags(name_find(str_first(line, (size_t)colon))) & NAME_SECRET) == 0)
                return plain(explained, line);
        return arena_format(&explained->call->arena, STR_FMT ": •••",
                            STR_ARG(str_first(line, (size_t)colon)));
}

static void put_head(const struct explained *explained, struct text *out, const char *mark,
                     struct str head)
{
        while (head.len > 0) {
                struct str line = str_cut(&head, '\n');
                if (str_ends(line, S("\r")))
                        line.len--;
                if (line.len > 0)
                        text_format(out, "   %s " STR_FMT "\n", mark,
                                    STR_ARG(told(explained, line)));
        }
}

void explain_show(const struct explained *explained)
{
        struct call *call = explained->call;
        const struct played *played = explained->played;
        const struct listener_rules *rules = &explained->snapshot->listeners[explained->listener];
        struct text out = text_grow(&call->arena, OUT_MAX);
        put_way(explained, &out, "listener", address_text(&call->arena, rules),
                thing_place(explained, rules->node));
        if (played->route != NULL)
                put_route(explained, &out);
        put_answer(explained, &out);
        if (played->questions > 0)
                text_put(&out, S(" ! what policies ask elsewhere was not sent; it is taken as "
                                 "answered with 200\n"));
        if (call->is_verbose) {
                put_head(explained, &out, ">", played->sent);
                if (played->is_own)
                        put_head(explained, &out, "<", played->head);
        }
        call_put(call, text_str(&out));
}

/* ---- as JSON ---- */

static void put_member(struct json_build *build, const char *key, struct str value)
{
        if (value.len > 0)
                json_put_member(build, str_of(key), value);
}

static void put_object(struct json_build *build, const char *key, struct str name, struct str place)
{
        json_put_key(build, str_of(key));
        json_begin(build, JSON_OBJECT);
        put_member(build, "name", name);
        put_member(build, "place", place);
        json_end(build);
}

static struct str outcome_word(enum outcome outcome)
{
        static const char *const words[] = {
                [OUTCOME_PASS] = "pass",     [OUTCOME_STOP] = "stop",
                [OUTCOME_ANSWER] = "answer", [OUTCOME_UNREACHED] = "not-reached",
                [OUTCOME_OFF] = "off",       [OUTCOME_TERMS] = "holds",
        };
        return str_of(words[outcome]);
}

static void put_policies(const struct explained *explained, struct json_build *build)
{
        enum { ROWS_MAX = PLAYED_STEPS + 64 };
        struct row *rows = arena_array(&explained->call->arena, struct row, ROWS_MAX);
        size_t count = rows_of(explained, rows, ROWS_MAX);
        json_put_key(build, S("policies"));
        json_begin(build, JSON_ARRAY);
        for (size_t i = 0; i < count; i++) {
                json_begin(build, JSON_OBJECT);
                put_member(build, "name", rows[i].name);
                json_put_member(build, S("outcome"), outcome_word(rows[i].outcome));
                put_member(build, "note", rows[i].text);
                put_member(build, "place", rows[i].place);
                json_put_key(build, S("enforced"));
                json_put_bool(build, rows[i].is_floor);
                if (rows[i].was.len > 0) {
                        json_put_key(build, S("was"));
                        json_begin(build, JSON_OBJECT);
                        put_member(build, "value", rows[i].was);
                        put_member(build, "place", rows[i].was_place);
                        json_end(build);
                }
                json_end(build);
        }
        json_end(build);
}

static void put_number(struct json_build *build, struct str key, uint64_t number)
{
        json_put_key(build, key);
        json_put_i64(build, (int64_t)number);
}

static void put_live_json(const struct explained *explained, struct json_build *build)
{
        struct live_facts facts;
        explain_live_facts(explained->live, explained->snapshot, explained->played->route, &facts);
        json_put_key(build, S("live"));
        json_begin(build, JSON_OBJECT);
        put_member(build, "gateway", explained->live->gateway.place.text);
        put_member(build, "version", facts.version);
        put_member(build, "hash", facts.hash);
        json_put_key(build, S("same"));
        json_put_bool(build, facts.is_same);
        put_number(build, S("requests"), facts.requests);
        put_number(build, S("rate_limited"), facts.limited);
        put_number(build, S("targets"), facts.targets);
        put_number(build, S("healthy"), facts.healthy);
        json_put_key(build, S("circuit_open"));
        json_put_bool(build, facts.is_open);
        json_end(build);
}

static void put_answer_json(const struct explained *explained, struct json_build *build)
{
        const struct played *played = explained->played;
        json_put_key(build, S("answer"));
        json_begin(build, JSON_OBJECT);
        json_put_member(build, S("from"), played->is_own ? S("gateway") : S("upstream"));
        if (played->is_own && played->status != 0) {
                json_put_key(build, S("status"));
                json_put_i64(build, played->status);
        }
        if (played->reason > REASON_done)
                put_member(build, "reason", reason_token(played->reason));
        put_member(build, "detail", played->detail);
        json_end(build);
}

void explain_show_json(const struct explained *explained)
{
        struct call *call = explained->call;
        const struct played *played = explained->played;
        const struct listener_rules *rules = &explained->snapshot->listeners[explained->listener];
        const struct route *route = played->route;
        struct text out = text_grow(&call->arena, OUT_MAX);
        struct json_build build;
        json_build_init(&build, &call->arena, 256);
        json_begin(&build, JSON_OBJECT);
        json_put_key(&build, S("version"));
        json_put_i64(&build, 1);
        put_member(&build, "method", explained->method);
        put_member(&build, "url", explained->url);
        put_object(&build, "listener", rules->name, thing_place(explained, rules->node));
        if (route != NULL) {
                put_object(&build, "channel", route->channel->name,
                           thing_place(explained, route->channel->node));
                put_object(&build, "api", route->api->name,
                           thing_place(explained, route->api->node));
                put_object(&build, "route", route->name, thing_place(explained, route->node));
                put_member(&build, "consumer", played->consumer);
                put_policies(explained, &build);
                if (explained->live != NULL)
                        put_live_json(explained, &build);
        }
        json_put_key(&build, S("upstream"));
        if (played->sent.len > 0)
                json_put_text(&build, sent_text(explained));
        else
                json_put_null(&build);
        put_answer_json(explained, &build);
        json_end(&build);
        json_write(json_build_done(&build), JSON_PRETTY, &call->arena, &out);
        call_put(call, text_str(&out));
        call_put(call, S("\n"));
}
