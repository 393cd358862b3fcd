/* route.c -- looking a request up in a compiled table: host, then the API's path, then a walk
 * through the templates of that API, depth first and best first. The walk goes back where a better
 * segment led nowhere; how often it can is limited when the table is built. */
#include "gate/route.h"

#include "base/check.h"
#include "gate/route_int.h"
#include "wire/target.h"

static const uint32_t NO_NODE = UINT32_MAX;

/* ---- children ---- */

uint64_t route_hash(const struct route_table *table, uint32_t parent, struct str text)
{
        struct hash_key key = {table->key.k0 ^ parent, table->key.k1};
        return hash_siphash13(&key, text.ptr, text.len);
}

/* The literal child with that text, NO_NODE if there is none. */
static uint32_t child_of(const struct route_table *table, uint32_t parent, struct str text)
{
        if (text.len > ROUTE_LITERAL_MAX)
                return NO_NODE;
        uint64_t hash = route_hash(table, parent, text);
        uint32_t tag = route_tag(hash);
        uint64_t place = route_place(hash, table->places);
        for (;; place = place + 1 == table->places ? 0 : place + 1) {
                const struct route_node *node = &table->nodes[place];
                if (node->tag == 0)
                        return NO_NODE;
                if (node->tag == tag && node->parent == parent &&
                    str_eq(route_node_text(node), text))
                        return (uint32_t)place;
        }
}

/* ---- hosts ---- */

uint64_t route_host_hash(const struct route_table *table, uint32_t where, struct str host)
{
        struct hash_key key = {table->key.k0 ^ where, ~table->key.k1};
        return hash_siphash13(&key, host.ptr, host.len);
}

/* 1 + the channel, 0 when the host is not there. */
static uint32_t host_get(const struct route_table *table, uint32_t where, struct str host)
{
        uint64_t hash = route_host_hash(table, where, host);
        uint64_t place = route_place(hash, table->host_places);
        for (;; place = place + 1 == table->host_places ? 0 : place + 1) {
                const struct route_host *entry = &table->hosts[place];
                if (entry->channel == 0)
                        return 0;
                if (entry->hash == hash && entry->where == where && str_eq(entry->name, host))
                        return entry->channel;
        }
}

static unsigned labels_of(struct str host)
{
        unsigned count = 1;
        for (size_t i = 0; i < host.len; i++)
                count += host.ptr[i] == '.';
        return count;
}

static uint32_t find_channel(const struct route_table *table, unsigned listener, struct str host)
{
        uint32_t channel = table->host_places > 1 ? host_get(table, listener << 1, host) : 0;
        if (channel != 0 || table->labels_max == 0)
                return channel != 0 ? channel : table->any_host[listener];
        unsigned labels = labels_of(host);
        for (ptrdiff_t dot; (dot = str_find(host, '.')) >= 0;) {
                host = str_skip(host, (size_t)dot + 1);
                if (--labels > table->labels_max)
                        continue;
                channel = host_get(table, listener << 1 | 1, host);
                if (channel != 0)
                        return channel;
        }
        return table->any_host[listener];
}

/* ---- methods ---- */

int route_method_bit(const struct route_table *table, struct str method)
{
        for (unsigned i = 0; i < table->method_count; i++) {
                if (str_eq(table->methods[i], method))
                        return (int)i;
        }
        return -1;
}

void route_put_allow(const struct route_table *table, const struct route_result *result,
                     struct text *text)
{
        uint64_t methods = result->methods;
        if (methods & 1u << ROUTE_GET)
                methods |= 1u << ROUTE_HEAD;
        const char *separator = "";
        for (unsigned i = 0; i < table->method_count; i++) {
                if ((methods >> i & 1) == 0)
                        continue;
                text_put(text, str_of(separator));
                text_put(text, table->methods[i]);
                separator = ", ";
        }
}

/* ---- conditions ---- */

/* True when some line of the field has that value, or a member that is it: what one reader takes
 * for the first and another for the last member is seen either way (security.md row 73). */
static bool header_holds(const struct route_compiled *condition, const struct fields *fields)
{
        if (fields == NULL)
                return false;
        fields_each (field, fields) {
                if (condition->id != NAME_other ? field->id != condition->id
                                                : !name_eq(field->name, condition->name))
                        continue;
                if (condition->is_any || str_eq(field->value, condition->value))
                        return true;
                for (struct str rest = field->value; rest.ptr != NULL;) {
                        if (str_eq(list_cut(&rest), condition->value))
                                return true;
                }
        }
        return false;
}

/* True when the escaped text means `wanted`; bad escapes mean nothing. */
static bool means(struct str escaped, struct str wanted)
{
        size_t at = 0;
        for (size_t i = 0; i < escaped.len; i++, at++) {
                char c = escaped.ptr[i];
                if (c == '+') {
                        c = ' ';
                } else if (c == '%') {
                        if (escaped.len - i < 3)
                                return false;
                        int high = char_hex(escaped.ptr[i + 1]), low = char_hex(escaped.ptr[i + 2]);
                        if (high < 0 || low < 0)
                                return false;
                        c = (char)(high << 4 | low);
                        i += 2;
                }
                if (at >= wanted.len || wanted.ptr[at] != c)
                        return false;
        }
        return at == wanted.len;
}

static bool query_holds(const struct route_compiled *condition, struct str query)
{
        struct str name, value;
        bool is_there = false;
        while (query_next(&query, &name, &value)) {
                if (!means(name, condition->name))
                        continue;
                if (!condition->is_any && !means(value, condition->value))
                        return false;
                is_there = true;
        }
        return is_there;
}

static bool conditions_hold(const struct route_entry *entry, const struct route_ask *ask)
{
        for (unsigned i = 0; i < entry->condition_count; i++) {
                const struct route_compiled *condition = &entry->conditions[i];
                if (condition->is_query ? !query_holds(condition, ask->query)
                                        : !header_holds(condition, ask->fields))
                        return false;
        }
        return true;
}

/* ---- the walk ---- */

enum stage { STAGE_LITERAL, STAGE_PARAM, STAGE_REST };

struct step {
        uint32_t node;
        uint32_t at; /* how much of the path led here; a '/' or the end */
        uint8_t stage;
        uint8_t params; /* captured on the way here */
};

struct walk {
        const struct route_table *table;
        const struct route_ask *ask;
        struct route_result *result;
        int method; /* bit */
        unsigned depth;
        struct step steps[ROUTE_SEGMENTS_MAX + 1];
};

/* True when nothing but perhaps a slash is left of the path. */
static bool is_end(struct str path, size_t at)
{
        return at + 1 >= path.len;
}

static struct str segment_at(struct str path, size_t at)
{
        const char *from = path.ptr + at + 1;
        const char *slash = memchr(from, '/', path.len - at - 1);
        return (struct str){from, slash == NULL ? path.len - at - 1 : (size_t)(slash - from)};
}

static void take_entry(struct walk *walk, const struct route_entry *entry)
{
        struct route_result *result = walk->result;
        result->kind = ROUTE_FOUND;
        result->value = entry->value;
        result->name = (struct str){entry->name, entry->name_len};
        result->path = (struct str){entry->path, entry->path_len};
        result->param_names = entry->param_names;
        result->param_count = entry->param_count;
}

/* Decides among the routes of one template, which stand in order of precedence. False when the
 * conditions of none hold: then a weaker template may be asked. */
static bool decide(struct walk *walk, uint32_t first)
{
        const struct route_entry *begin = &walk->table->entries[first - 1], *get = NULL,
                                 *any = NULL;
        uint64_t allowed = 0;
        for (const struct route_entry *entry = begin;; entry++) {
                if (conditions_hold(entry, walk->ask)) {
                        if (walk->method >= 0 && entry->methods >> walk->method & 1) {
                                take_entry(walk, entry);
                                return true;
                        }
                        if (get == NULL && entry->methods >> ROUTE_GET & 1)
                                get = entry;
                        if (any == NULL && entry->methods == 0)
                                any = entry;
                        allowed |= entry->methods;
                }
                if (entry->is_last)
                        break;
        }
        if (walk->method == ROUTE_HEAD && get != NULL)
                any = get;
        if (any == NULL && allowed == 0)
                return false;
        if (any != NULL) {
                take_entry(walk, any);
        } else {
                walk->result->kind = ROUTE_NO_METHOD;
                walk->result->methods = allowed;
        }
        return true;
}

static void descend(struct walk *walk, uint32_t node, struct str segment, unsigned params)
{
        CHECK(walk->depth < ROUTE_SEGMENTS_MAX);
        const struct step *from = &walk->steps[walk->depth];
        walk->steps[++walk->depth] = (struct step){.node = node,
                                                   .at = from->at + 1 + (uint32_t)segment.len,
                                                   .params = (uint8_t)params};
}

/* Goes one step down from the node in hand, or decides at it. False: it has nothing (more) to
 * offer. */
static bool try_next(struct walk *walk, bool *ret_decided)
{
        const struct route_table *table = walk->table;
        struct step *step = &walk->steps[walk->depth];
        const struct route_node *node = &table->nodes[step->node];
        struct str path = walk->ask->path;
        *ret_decided = false;
        if (is_end(path, step->at)) {
                *ret_decided = (node->leaf != 0 && decide(walk, node->leaf));
                step->stage = STAGE_REST;
        }
        struct str segment = is_end(path, step->at) ? STR_NONE : segment_at(path, step->at);
        if (step->stage == STAGE_LITERAL && node->has_literals) {
                uint32_t child = child_of(table, step->node, segment);
                step->stage = STAGE_PARAM;
                if (child != NO_NODE) {
                        descend(walk, child, segment, step->params);
                        return true;
                }
        }
        if (step->stage <= STAGE_PARAM && node->param != 0 && segment.len > 0) {
                step->stage = STAGE_REST;
                walk->result->params[step->params] = segment;
                descend(walk, node->param, segment, step->params + 1u);
                return true;
        }
        if (!*ret_decided && node->rest != 0) {
                walk->result->params[step->params] = is_end(path, step->at)
                                                             ? STR_NONE
                                                             : str_skip(path, step->at + 1);
                *ret_decided = decide(walk, node->rest);
        }
        return *ret_decided;
}

/* Walks the templates of the API, best first. */
static void walk_templates(struct walk *walk, uint32_t root, size_t at)
{
        walk->depth = 0;
        walk->steps[0] = (struct step){.node = root, .at = (uint32_t)at};
        for (;;) {
                bool is_decided;
                if (try_next(walk, &is_decided)) {
                        if (is_decided)
                                return;
                } else if (walk->depth-- == 0) {
                        return;
                }
        }
}

/* 1 + the API with the longest path that the request's begins with, 0 for none; *ret_at is where
 * its path ends. */
static uint32_t find_api(const struct route_table *table, uint32_t root,
                         const struct route_ask *ask, size_t *ret_at)
{
        uint32_t api = table->nodes[root].api;
        size_t at = 0;
        *ret_at = 0;
        while (!is_end(ask->path, at) && table->nodes[root].has_literals) {
                struct str segment = segment_at(ask->path, at);
                root = child_of(table, root, segment);
                if (root == NO_NODE)
                        break;
                at += 1 + segment.len;
                if (table->nodes[root].api != 0) {
                        api = table->nodes[root].api;
                        *ret_at = at;
                }
        }
        return api;
}

enum route_kind route_find(const struct route_table *table, const struct route_ask *ask,
                           struct route_result *ret_result)
{
        struct route_result *result = ret_result;
        size_t at;
        CHECK(ask->listener < table->listeners);
        result->kind = ROUTE_NO_HOST;
        result->channel = result->api = result->value = NULL;
        result->name = result->path = STR_NONE;
        result->methods = 0;
        result->param_names = NULL;
        result->param_count = 0;
        uint32_t channel = find_channel(table, ask->listener, ask->host);
        if (channel == 0)
                return result->kind;
        result->channel = table->channels[channel - 1].value;
        result->kind = ROUTE_NO_PATH;
        if (ask->path.len == 0 || ask->path.len >= UINT32_MAX || ask->path.ptr[0] != '/')
                return result->kind;
        if (ask->is_loose && table->loose != NULL)
                table = table->loose;
        uint32_t api = find_api(table, table->channels[channel - 1].root, ask, &at);
        if (api == 0)
                return result->kind;
        struct walk walk;
        walk.table = table;
        walk.ask = ask;
        walk.result = result;
        walk.method = route_method_bit(table, ask->method);
        result->api = table->apis[api - 1].value;
        result->path = table->apis[api - 1].path;
        walk_templates(&walk, table->apis[api - 1].root, at);
        return result->kind;
}

struct str route_param(const struct route_result *result, struct str name)
{
        for (unsigned i = 0; i < result->param_count; i++) {
                if (str_eq(result->param_names[i], name))
                        return result->params[i];
        }
        return STR_NONE;
}

bool route_needs_loose(const struct route_table *table)
{
        return table->loose != NULL;
}

size_t route_count(const struct route_table *table)
{
        return table->count;
}

size_t route_bytes(const struct route_table *table)
{
        return table->bytes;
}
