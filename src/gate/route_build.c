/* route_build.c -- collects what a table of routes is made of, and grows the tree of templates in
 * scratch memory. Everything is sorted before it grows, so that the order of adding leaves no
 * trace. What becomes of the tree: route_layout.c. */
#include <stdlib.h>

#include "base/check.h"
#include "base/map.h"
#include "base/rand.h"
#include "gate/route_build_int.h"
#include "wire/target.h"

void route_complain(struct route_build *build, struct route_fault fault)
{
        build->is_failed = true;
        if (build->fault != NULL)
                build->fault(build->fault_arg, &fault);
}

void route_complain_item(struct route_build *build, const struct route_item *item,
                         enum route_fault_kind kind, struct str text)
{
        route_complain(build, (struct route_fault){.kind = kind,
                                                   .text = text,
                                                   .first_name = item->spec.name,
                                                   .first = item->spec.value});
}

/* ---- collecting ---- */

struct route_build *route_build_begin(struct arena *arena, struct arena *scratch,
                                      unsigned listeners, route_fault_fn *fault, void *fault_arg)
{
        CHECK(listeners > 0 && listeners <= ROUTE_LISTENERS_MAX);
        struct route_build *build = arena_new(scratch, struct route_build);
        build->arena = arena;
        build->scratch = scratch;
        build->fault = fault;
        build->fault_arg = fault_arg;
        build->methods[ROUTE_GET] = S("GET");
        build->methods[ROUTE_HEAD] = S("HEAD");
        build->method_count = 2;
        rand_bytes(&build->key, sizeof build->key);
        build->table = arena_new(arena, struct route_table);
        build->table->listeners = listeners;
        build->table->any_host = arena_array(arena, uint32_t, listeners);
        return build;
}

struct route_channel *route_add_channel(struct route_build *build, struct str name, void *value)
{
        struct route_channel *channel = arena_new(build->scratch, struct route_channel);
        *channel = (struct route_channel){name, value, build->channel_count++, build->channels};
        build->channels = channel;
        return channel;
}

void route_add_host(struct route_build *build, unsigned listener, struct str host,
                    struct route_channel *channel)
{
        CHECK(listener < build->table->listeners);
        struct route_host_item *item = arena_new(build->scratch, struct route_host_item);
        *item = (struct route_host_item){host, listener, channel, build->hosts};
        build->hosts = item;
        build->host_count++;
}

struct route_api *route_add_api(struct route_build *build, struct route_channel *channel,
                                struct str name, struct str path, void *value)
{
        struct route_api *api = arena_new(build->scratch, struct route_api);
        *api = (struct route_api){.name = name,
                                  .path = path,
                                  .value = value,
                                  .channel = channel,
                                  .next = build->apis,
                                  .index = build->api_count++};
        build->apis = api;
        return api;
}

static struct route_item *item_add(struct route_build *build, struct route_api *api,
                                   const struct route_spec *spec)
{
        struct route_item *item = arena_new(build->scratch, struct route_item);
        item->api = api;
        item->spec = *spec;
        item->next = build->items;
        build->items = item;
        build->item_count++;
        return item;
}

void route_add(struct route_build *build, struct route_api *api, const struct route_spec *spec)
{
        api->has_routes = true;
        item_add(build, api, spec);
}

/* ---- hosts ---- */

static bool is_host(struct str host)
{
        if (host.len == 0 || host.len > 253 || host.ptr[0] == '.')
                return false;
        for (size_t i = 0; i < host.len; i++) {
                char c = host.ptr[i];
                if (c <= ' ' || c >= 0x7f || c == '*' || c == '/' || (c >= 'A' && c <= 'Z'))
                        return false;
        }
        return true;
}

static void host_taken(struct route_build *build, struct str text, const struct route_channel *a,
                       const struct route_channel *b)
{
        bool in_order = str_compare(a->name, b->name) <= 0;
        const struct route_channel *first = in_order ? a : b, *second = in_order ? b : a;
        route_complain(build, (struct route_fault){ROUTE_FAULT_HOST_TAKEN, text, first->name,
                                                   second->name, first->value, second->value});
}

static void host_put(struct route_build *build, struct str name, uint32_t where,
                     const struct route_host_item *item, struct route_channel *const *channels)
{
        struct route_table *table = build->table;
        uint64_t hash = route_host_hash(table, where, name);
        uint64_t place = route_place(hash, table->host_places);
        while (table->hosts[place].channel != 0) {
                struct route_host *entry = &table->hosts[place];
                if (entry->where == where && str_eq(entry->name, name)) {
                        if (entry->channel != item->channel->index + 1)
                                host_taken(build, item->text, channels[entry->channel - 1],
                                           item->channel);
                        return;
                }
                place = place + 1 == table->host_places ? 0 : place + 1;
        }
        table->hosts[place] = (struct route_host){hash, name, item->channel->index + 1, where};
}

static void compile_host(struct route_build *build, const struct route_host_item *item,
                         struct route_channel *const *channels)
{
        struct route_table *table = build->table;
        struct str name = item->text;
        if (name.len == 0 || str_is(name, "*")) {
                uint32_t *any = &table->any_host[item->listener];
                if (*any != 0 && *any != item->channel->index + 1)
                        host_taken(build, item->text, channels[*any - 1], item->channel);
                *any = item->channel->index + 1;
                return;
        }
        bool is_wild = str_starts(name, S("*."));
        name = is_wild ? str_skip(name, 2) : name;
        if (!is_host(name)) {
                route_complain(build, (struct route_fault){.kind = ROUTE_FAULT_HOST,
                                                           .text = item->text,
                                                           .first_name = item->channel->name,
                                                           .first = item->channel->value});
                return;
        }
        unsigned labels = 1;
        for (size_t i = 0; i < name.len; i++)
                labels += name.ptr[i] == '.';
        if (is_wild && labels > table->labels_max)
                table->labels_max = labels;
        host_put(build, name, (uint32_t)item->listener << 1 | is_wild, item, channels);
}

void route_compile_hosts(struct route_build *build)
{
        struct route_table *table = build->table;
        struct route_channel **channels = arena_array(build->scratch, struct route_channel *,
                                                      build->channel_count);
        for (struct route_channel *channel = build->channels; channel != NULL;
             channel = channel->next)
                channels[channel->index] = channel;
        table->host_places = (uint64_t)build->host_count * 2 + 1;
        table->hosts = arena_array(build->arena, struct route_host, table->host_places);
        table->bytes += table->host_places * sizeof table->hosts[0];
        for (const struct route_host_item *item = build->hosts; item != NULL; item = item->next)
                compile_host(build, item, channels);
}

/* ---- the tree ---- */

static uint32_t place_new(struct route_build *build, uint32_t parent)
{
        if (build->place_count == build->place_cap) {
                uint32_t cap = build->place_cap == 0 ? 256 : build->place_cap * 2;
                struct route_place *places = arena_array(build->scratch, struct route_place, cap);
                if (build->place_count > 0)
                        memcpy(places, build->places, build->place_count * sizeof *places);
                build->places = places;
                build->place_cap = cap;
        }
        build->places[build->place_count] = (struct route_place){
                .parent = parent,
                .param = ROUTE_NONE,
                .depth = parent == ROUTE_NONE ? 0 : (uint16_t)(build->places[parent].depth + 1)};
        return build->place_count++;
}

static uint64_t slot_hash(const struct route_build *build, uint32_t parent, struct str text)
{
        struct hash_key key = {build->key.k0 ^ parent, build->key.k1};
        return hash_siphash13(&key, text.ptr, text.len);
}

static void slots_grow(struct route_build *build)
{
        build->slot_cap = build->slot_cap == 0 ? 1024 : build->slot_cap * 2;
        build->slots = arena_array(build->scratch, uint32_t, build->slot_cap);
        for (uint32_t i = 0; i < build->place_count; i++) {
                const struct route_place *place = &build->places[i];
                if (!place->is_literal)
                        continue;
                uint64_t at = slot_hash(build, place->parent, place->text) & (build->slot_cap - 1);
                while (build->slots[at] != 0)
                        at = (at + 1) & (build->slot_cap - 1);
                build->slots[at] = i + 1;
        }
}

void route_tree_begin(struct route_build *build)
{
        build->place_count = 0;
        build->slot_cap = 0;
}

/* Only a loose reading, which may split segments, comes here: what is deeper is left away. */
static bool is_bottom(const struct route_build *build, uint32_t parent)
{
        return build->places[parent].depth >= ROUTE_SEGMENTS_MAX;
}

/* The child of parent by that literal, made if it is not there. */
static uint32_t literal_child(struct route_build *build, uint32_t parent, struct str text)
{
        if (is_bottom(build, parent))
                return parent;
        if (build->place_count >= build->slot_cap / 2)
                slots_grow(build);
        uint64_t at = slot_hash(build, parent, text) & (build->slot_cap - 1);
        for (; build->slots[at] != 0; at = (at + 1) & (build->slot_cap - 1)) {
                const struct route_place *place = &build->places[build->slots[at] - 1];
                if (place->parent == parent && str_eq(place->text, text))
                        return build->slots[at] - 1;
        }
        uint32_t made = place_new(build, parent);
        build->slots[at] = made + 1;
        build->places[made].text = text;
        build->places[made].is_literal = true;
        build->places[parent].has_literals = true;
        return made;
}

static uint32_t param_child(struct route_build *build, uint32_t parent)
{
        if (is_bottom(build, parent))
                return parent;
        if (build->places[parent].param == ROUTE_NONE) {
                uint32_t made = place_new(build, parent);
                build->places[parent].param = made;
        }
        return build->places[parent].param;
}

/* ---- templates ---- */

enum segment { SEGMENT_LITERAL, SEGMENT_PARAM, SEGMENT_REST, SEGMENT_BAD };

/* The text with every byte that no path may hold as it is (UTF-8, as people write it) escaped. */
static struct str escape_high(struct arena *arena, struct str text)
{
        size_t size;
        if (mul_overflows(text.len, 3, &size) || add_overflows(size, 1, &size))
                return STR_NONE;
        struct text out = text_over(arena_alloc(arena, size), size);
        text_char(&out, '/');
        for (size_t i = 0; i < text.len; i++) {
                uint8_t byte = (uint8_t)text.ptr[i];
                if (byte < 0x80) {
                        text_char(&out, (char)byte);
                } else {
                        text_char(&out, '%');
                        text_hex(&out, byte, 2);
                }
        }
        return text_str(&out);
}

static bool is_plain(struct str text)
{
        for (size_t i = 0; i < text.len; i++) {
                char c = text.ptr[i];
                if (!char_is_digit(c) && (char_lower(c) < 'a' || char_lower(c) > 'z') && c != '-' &&
                    c != '_')
                        return false;
        }
        return text.len > 0;
}

/* A literal as requests will have it: normalised as their paths are. */
static bool normal_literal(struct route_build *build, struct str *text)
{
        struct str normal;
        if (is_plain(*text))
                return true;
        if (text->len > ROUTE_LITERAL_MAX)
                return false;
        enum target_fault fault = path_normalise(escape_high(build->arena, *text), build->arena,
                                                 &normal);
        if (fault != TARGET_OK && fault != TARGET_ESCAPED_SLASH)
                return false;
        *text = str_skip(normal, 1);
        return text->len > 0 && str_find(*text, '/') < 0;
}

/* The place one literal further on; in the loose tree as the loosest reader takes it, which may be
 * several segments or none. */
static uint32_t add_literal(struct route_build *build, uint32_t place, struct str text)
{
        bool is_lower = is_plain(text);
        for (size_t i = 0; i < text.len && is_lower; i++)
                is_lower = text.ptr[i] == char_lower(text.ptr[i]);
        if (is_lower)
                return literal_child(build, place, text);
        struct str raw = arena_format(build->arena, "/" STR_FMT, STR_ARG(text));
        struct str loose = path_loose(raw, build->arena);
        build->needs_loose |= !str_eq(raw, loose);
        if (!build->is_loose)
                return literal_child(build, place, text);
        for (loose = str_skip(loose, 1); loose.ptr != NULL;) {
                struct str segment = str_cut(&loose, '/');
                if (segment.len > 0)
                        place = literal_child(build, place, segment);
        }
        return place;
}

/* What a segment of a template is; *text becomes the literal or the parameter's name. */
static enum segment read_segment(struct route_build *build, struct str *text)
{
        if (str_find(*text, '{') < 0 && str_find(*text, '}') < 0)
                return normal_literal(build, text) ? SEGMENT_LITERAL : SEGMENT_BAD;
        if (text->len < 3 || text->ptr[0] != '{' || text->ptr[text->len - 1] != '}')
                return SEGMENT_BAD;
        *text = (struct str){text->ptr + 1, text->len - 2};
        enum segment kind = SEGMENT_PARAM;
        if (text->ptr[text->len - 1] == '*') {
                kind = SEGMENT_REST;
                text->len--;
        }
        return is_plain(*text) ? kind : SEGMENT_BAD;
}

/* The path without its first slash and without one at the end; false when there is no first. */
static bool open_path(struct str path, struct str *ret_rest)
{
        if (path.len == 0 || path.ptr[0] != '/')
                return false;
        path = str_skip(path, 1);
        if (path.len > 1 && path.ptr[path.len - 1] == '/')
                path.len--;
        *ret_rest = path.len > 0 ? path : STR_NONE;
        return true;
}

struct names {
        struct str at[ROUTE_PARAMS_MAX];
        unsigned count;
};

static bool names_add(struct names *names, struct str name)
{
        for (unsigned i = 0; i < names->count; i++) {
                if (str_eq(names->at[i], name))
                        return false;
        }
        names->at[names->count++] = name;
        return true;
}

/* Grows the tree by the item's template. */
static enum route_fault_kind grow_template(struct route_build *build, struct route_item *item,
                                           struct str rest, struct names *names)
{
        unsigned segments = item->api->segments;
        item->place = item->api->root;
        item->is_rest = false;
        while (rest.ptr != NULL) {
                struct str text = str_cut(&rest, '/');
                enum segment kind = read_segment(build, &text);
                if (kind == SEGMENT_BAD || item->is_rest)
                        return ROUTE_FAULT_TEMPLATE;
                if (++segments > ROUTE_SEGMENTS_MAX || text.len > ROUTE_LITERAL_MAX ||
                    (kind != SEGMENT_LITERAL && names->count == ROUTE_PARAMS_MAX))
                        return ROUTE_FAULT_DEEP;
                if (kind != SEGMENT_LITERAL && !names_add(names, text))
                        return ROUTE_FAULT_TEMPLATE;
                if (kind == SEGMENT_LITERAL)
                        item->place = add_literal(build, item->place, text);
                else if (kind == SEGMENT_PARAM)
                        item->place = param_child(build, item->place);
                else
                        item->is_rest = true;
        }
        return ROUTE_FAULT_CONFLICT; /* none of this one's */
}

void route_compile_template(struct route_build *build, struct route_item *item)
{
        struct names names = {.count = 0};
        struct str rest;
        enum route_fault_kind fault = ROUTE_FAULT_TEMPLATE;
        if (open_path(item->spec.path, &rest))
                fault = grow_template(build, item, rest, &names);
        if (fault != ROUTE_FAULT_CONFLICT)
                route_complain_item(build, item, fault, item->spec.path);
        if (build->is_loose)
                return;
        struct str *kept = arena_array(build->arena, struct str, names.count);
        memcpy(kept, names.at, names.count * sizeof kept[0]);
        item->param_names = kept;
        item->param_count = (uint8_t)names.count;
}

static void compile_api(struct route_build *build, struct route_api *api, uint32_t *roots,
                        struct route_api **by_place)
{
        struct str rest;
        enum route_fault_kind fault = ROUTE_FAULT_PATH;
        uint32_t place = roots[api->channel->index];
        api->root = place_new(build, ROUTE_NONE);
        api->segments = 0;
        if (!open_path(api->path, &rest))
                goto fail;
        while (rest.ptr != NULL) {
                struct str text = str_cut(&rest, '/');
                if (read_segment(build, &text) != SEGMENT_LITERAL)
                        goto fail;
                fault = ROUTE_FAULT_DEEP;
                if (++api->segments > ROUTE_SEGMENTS_MAX || text.len > ROUTE_LITERAL_MAX)
                        goto fail;
                fault = ROUTE_FAULT_PATH;
                place = add_literal(build, place, text);
        }
        if (build->places[place].api != 0 && build->is_loose)
                return;
        if (build->places[place].api != 0) {
                const struct route_api *other = by_place[build->places[place].api - 1];
                route_complain(build,
                               (struct route_fault){ROUTE_FAULT_API_TAKEN, api->path, other->name,
                                                    api->name, other->value, api->value});
                return;
        }
        build->places[place].api = api->index + 1;
        by_place[api->index] = api;
        return;
fail:
        route_complain(build, (struct route_fault){.kind = fault,
                                                   .text = api->path,
                                                   .first_name = api->name,
                                                   .first = api->value});
}

static int compare_apis(const void *a, const void *b)
{
        const struct route_api *left = *(struct route_api *const *)a,
                               *right = *(struct route_api *const *)b;
        int by_channel = str_compare(left->channel->name, right->channel->name);
        int by_path = str_compare(left->path, right->path);
        return by_channel != 0 ? by_channel
               : by_path != 0  ? by_path
                               : str_compare(left->name, right->name);
}

void route_compile_apis(struct route_build *build)
{
        struct arena *scratch = build->scratch;
        struct route_table *table = build->table;
        table->channels = arena_array(build->arena, struct route_channel_entry,
                                      build->channel_count);
        table->apis = arena_array(build->arena, struct route_api_entry, build->api_count);
        table->bytes += build->channel_count * sizeof table->channels[0] +
                        build->api_count * sizeof table->apis[0];
        uint32_t *roots = arena_array(scratch, uint32_t, build->channel_count);
        for (const struct route_channel *channel = build->channels; channel != NULL;
             channel = channel->next) {
                roots[channel->index] = place_new(build, ROUTE_NONE);
                table->channels[channel->index] = (struct route_channel_entry){
                        channel->value, roots[channel->index]};
        }
        struct route_api **apis = arena_array(scratch, struct route_api *, build->api_count);
        struct route_api **by_place = arena_array(scratch, struct route_api *, build->api_count);
        uint32_t count = 0;
        for (struct route_api *api = build->apis; api != NULL; api = api->next)
                apis[count++] = api;
        if (count > 0)
                qsort(apis, count, sizeof apis[0], compare_apis);
        for (uint32_t i = 0; i < count; i++) {
                compile_api(build, apis[i], roots, by_place);
                table->apis[apis[i]->index] = (struct route_api_entry){
                        apis[i]->value, apis[i]->path, apis[i]->root};
        }
}

void route_add_implied(struct route_build *build)
{
        for (struct route_api *api = build->apis; api != NULL; api = api->next) {
                struct route_spec all = {
                        .name = api->name, .path = S("/{rest*}"), .value = api->value};
                if (!api->has_routes)
                        item_add(build, api, &all);
        }
}
