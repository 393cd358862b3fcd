/* route_layout.c -- from the tree of templates to the table: routes are put in their order of
 * precedence and checked for conflicts, the worst walk of each API is bounded, and the tree is laid
 * out into the table's one array, parents before children. */
#include <stdlib.h>

#include "base/check.h"
#include "gate/route_build_int.h"

/* ---- what an item compiles to ---- */

static void compile_methods(struct route_build *build, struct route_item *item)
{
        for (unsigned i = 0; i < item->spec.method_count; i++) {
                struct str method = item->spec.methods[i];
                if (!name_is_token(method)) {
                        route_complain_item(build, item, ROUTE_FAULT_METHOD, method);
                        return;
                }
                unsigned bit = 0;
                while (bit < build->method_count && !str_eq(build->methods[bit], method))
                        bit++;
                if (bit == ROUTE_METHODS_MAX) {
                        route_complain_item(build, item, ROUTE_FAULT_MANY_METHODS, method);
                        return;
                }
                if (bit == build->method_count)
                        build->methods[build->method_count++] = method;
                item->methods |= (uint64_t)1 << bit;
        }
}

static int compare_conditions(const void *a, const void *b)
{
        const struct route_compiled *left = a, *right = b;
        if (left->is_query != right->is_query)
                return left->is_query ? 1 : -1;
        if (left->is_query ? str_eq(left->name, right->name) : name_eq(left->name, right->name))
                return str_compare(left->value, right->value);
        return str_compare(left->name, right->name);
}

static void compile_conditions(struct route_build *build, struct route_item *item)
{
        unsigned count = item->spec.condition_count;
        if (count > ROUTE_CONDITIONS_MAX) {
                route_complain_item(build, item, ROUTE_FAULT_DEEP, item->spec.path);
                item->spec.condition_count = 0;
                return;
        }
        if (count == 0)
                return;
        item->conditions = arena_array(build->arena, struct route_compiled, count);
        for (unsigned i = 0; i < count; i++) {
                const struct route_condition *from = &item->spec.conditions[i];
                if (!from->is_query && !name_is_token(from->name))
                        route_complain_item(build, item, ROUTE_FAULT_CONDITION, from->name);
                item->conditions[i] = (struct route_compiled){
                        .name = from->name,
                        .value = from->value,
                        .id = from->is_query ? NAME_other : name_find(from->name),
                        .is_query = from->is_query,
                        .is_any = str_is(from->value, "*"),
                };
        }
        qsort(item->conditions, count, sizeof item->conditions[0], compare_conditions);
}

/* ---- order and conflicts ---- */

static int compare_before(const void *a, const void *b)
{
        const struct route_item *left = *(struct route_item *const *)a,
                                *right = *(struct route_item *const *)b;
        if (left->api != right->api)
                return left->api->index < right->api->index ? -1 : 1;
        int by_path = str_compare(left->spec.path, right->spec.path);
        return by_path != 0 ? by_path : str_compare(left->spec.name, right->spec.name);
}

static unsigned count_values(const struct route_item *item)
{
        unsigned count = 0;
        for (unsigned i = 0; i < item->spec.condition_count; i++)
                count += !item->conditions[i].is_any;
        return count;
}

/* By template, then by precedence (route.h). */
static int compare_after(const void *a, const void *b)
{
        const struct route_item *left = *(struct route_item *const *)a,
                                *right = *(struct route_item *const *)b;
        if (left->place != right->place)
                return left->place < right->place ? -1 : 1;
        if (left->is_rest != right->is_rest)
                return left->is_rest ? 1 : -1;
        if ((left->methods == 0) != (right->methods == 0))
                return left->methods == 0 ? 1 : -1;
        if (left->spec.condition_count != right->spec.condition_count)
                return left->spec.condition_count > right->spec.condition_count ? -1 : 1;
        unsigned left_values = count_values(left), right_values = count_values(right);
        if (left_values != right_values)
                return left_values > right_values ? -1 : 1;
        return str_compare(left->spec.name, right->spec.name);
}

static bool same_template(const struct route_item *a, const struct route_item *b)
{
        return a->place == b->place && a->is_rest == b->is_rest;
}

static bool is_conflict(const struct route_item *a, const struct route_item *b)
{
        if (a->spec.condition_count != b->spec.condition_count)
                return false;
        if (a->methods != b->methods && (a->methods & b->methods) == 0)
                return false;
        for (unsigned i = 0; i < a->spec.condition_count; i++) {
                if (a->conditions[i].is_query != b->conditions[i].is_query ||
                    compare_conditions(&a->conditions[i], &b->conditions[i]) != 0)
                        return false;
        }
        return true;
}

static void check_group(struct route_build *build, struct route_item *const *items, size_t count)
{
        if (count > ROUTE_SAME_MAX) {
                route_complain_item(build, items[ROUTE_SAME_MAX], ROUTE_FAULT_MANY_SAME,
                                    items[ROUTE_SAME_MAX]->spec.path);
                return;
        }
        for (size_t i = 0; i < count; i++) {
                for (size_t j = i + 1; j < count; j++) {
                        const struct route_spec *a = &items[i]->spec, *b = &items[j]->spec;
                        if (!is_conflict(items[i], items[j]))
                                continue;
                        struct route_fault fault = {ROUTE_FAULT_CONFLICT,
                                                    a->path,
                                                    a->name,
                                                    b->name,
                                                    a->value,
                                                    b->value};
                        route_complain(build, fault);
                }
        }
}

/* ---- entries ---- */

static struct str whole_path(struct route_build *build, const struct route_item *item)
{
        struct str above = item->api->path, below = item->spec.path;
        if (above.len > 0 && above.ptr[above.len - 1] == '/')
                above.len--;
        if (above.len == 0)
                return below;
        if (below.len <= 1)
                return above;
        return arena_format(build->arena, STR_FMT STR_FMT, STR_ARG(above), STR_ARG(below));
}

static struct route_entry entry_of(struct route_build *build, const struct route_item *item)
{
        struct str path = whole_path(build, item);
        return (struct route_entry){.value = item->spec.value,
                                    .name = item->spec.name.ptr,
                                    .name_len = (uint32_t)item->spec.name.len,
                                    .path = path.ptr,
                                    .path_len = (uint32_t)path.len,
                                    .param_names = item->param_names,
                                    .param_count = item->param_count,
                                    .conditions = item->conditions,
                                    .condition_count = item->spec.condition_count,
                                    .methods = item->methods};
}

/* Entries in order of template and precedence; the places learn where theirs begin. */
static void make_entries(struct route_build *build, struct route_item **items)
{
        struct route_table *table = build->table;
        uint32_t count = build->item_count;
        table->entries = arena_array(build->arena, struct route_entry, count);
        table->bytes += count * sizeof table->entries[0];
        for (uint32_t from = 0, to; from < count; from = to) {
                struct route_place *place = &build->places[items[from]->place];
                *(items[from]->is_rest ? &place->rest : &place->leaf) = from + 1;
                for (to = from; to < count && same_template(items[from], items[to]); to++)
                        table->entries[to] = entry_of(build, items[to]);
                table->entries[to - 1].is_last = true;
                if (!build->is_loose)
                        check_group(build, items + from, to - from);
        }
}

/* All items in an order that the order of adding has no part in; what they say beside the path. */
static struct route_item **compile_items(struct route_build *build)
{
        struct route_item **items = arena_array(build->scratch, struct route_item *,
                                                build->item_count);
        uint32_t count = 0;
        for (struct route_item *item = build->items; item != NULL; item = item->next)
                items[count++] = item;
        if (count > 0)
                qsort(items, count, sizeof items[0], compare_before);
        for (uint32_t i = 0; i < count; i++) {
                compile_methods(build, items[i]);
                compile_conditions(build, items[i]);
        }
        return items;
}

/* The tree of all templates, and the entries in the order of its places. */
static void grow_tree(struct route_build *build, struct route_item **items)
{
        struct route_table *table = build->table;
        route_tree_begin(build);
        route_compile_apis(build);
        if (build->item_count > 0)
                qsort(items, build->item_count, sizeof items[0], compare_before);
        for (uint32_t i = 0; i < build->item_count; i++)
                route_compile_template(build, items[i]);
        if (build->is_failed)
                return;
        if (build->item_count > 0)
                qsort(items, build->item_count, sizeof items[0], compare_after);
        make_entries(build, items);
        table->count = build->item_count;
        table->methods = arena_array(build->arena, struct str, build->method_count);
        memcpy(table->methods, build->methods, build->method_count * sizeof build->methods[0]);
        table->method_count = build->method_count;
}

/* ---- the worst walk ---- */

static uint32_t add_visits(uint32_t a, uint32_t b)
{
        return a > UINT32_MAX - b ? UINT32_MAX : a + b;
}

/* How many places a look-up may try below each place: this one, the {id} child's, and those of one
 * literal child. Children have larger numbers than their parents. */
static void bound_walks(struct route_build *build)
{
        for (uint32_t i = build->place_count; i-- > 0;) {
                struct route_place *place = &build->places[i];
                place->visits = add_visits(place->visits_below, 1);
                if (place->param != ROUTE_NONE)
                        place->visits = add_visits(place->visits,
                                                   build->places[place->param].visits);
                if (!place->is_literal)
                        continue;
                struct route_place *parent = &build->places[place->parent];
                if (place->visits > parent->visits_below)
                        parent->visits_below = place->visits;
        }
        for (const struct route_api *api = build->apis; api != NULL; api = api->next) {
                if (build->places[api->root].visits <= ROUTE_VISITS_MAX)
                        continue;
                route_complain(build, (struct route_fault){.kind = ROUTE_FAULT_WIDE,
                                                           .text = api->path,
                                                           .first_name = api->name,
                                                           .first = api->value});
        }
}

/* ---- layout ---- */

static void fill_node(struct route_build *build, const struct route_place *place,
                      struct route_node *node)
{
        node->leaf = place->leaf;
        node->rest = place->rest;
        node->api = place->api;
        node->has_literals = place->has_literals;
        if (!place->is_literal)
                return;
        node->len = (uint8_t)place->text.len;
        if (node->len <= ROUTE_TEXT_INLINE) {
                memcpy(node->text, place->text.ptr, node->len);
        } else {
                struct str copy = arena_str(build->arena, place->text);
                memcpy(node->text, &copy.ptr, sizeof copy.ptr);
        }
}

/* A free place for the literal, by its hash. */
static uint32_t literal_slot(struct route_table *table, uint32_t parent, struct str text)
{
        uint64_t hash = route_hash(table, parent, text), at = route_place(hash, table->places);
        while (table->nodes[at].tag != 0)
                at = at + 1 == table->places ? 0 : at + 1;
        table->nodes[at].tag = route_tag(hash);
        table->nodes[at].parent = parent;
        return (uint32_t)at;
}

static void *take_nodes(struct route_build *build, size_t count)
{
        char *memory = arena_zero(build->arena, count + 1, sizeof(struct route_node));
        size_t off = (uintptr_t)memory % CACHE_LINE;
        build->table->bytes += (count + 1) * sizeof(struct route_node);
        return off == 0 ? memory : memory + (CACHE_LINE - off);
}

static void lay_out(struct route_build *build)
{
        struct route_table *table = build->table;
        uint32_t literals = 0, others = 0;
        for (uint32_t i = 0; i < build->place_count; i++)
                literals += build->places[i].is_literal;
        table->places = (uint64_t)literals + literals / 2 + 2;
        table->nodes = take_nodes(build, table->places + build->place_count - literals);
        for (uint32_t i = 0; i < build->place_count; i++) {
                struct route_place *place = &build->places[i];
                place->slot = place->is_literal
                                      ? literal_slot(table, build->places[place->parent].slot,
                                                     place->text)
                                      : (uint32_t)table->places + others++;
                struct route_node *node = &table->nodes[place->slot];
                fill_node(build, place, node);
                if (place->parent != ROUTE_NONE && !place->is_literal)
                        table->nodes[build->places[place->parent].slot].param = place->slot;
        }
        for (uint32_t i = 0; i < build->channel_count; i++)
                table->channels[i].root = build->places[table->channels[i].root].slot;
        for (uint32_t i = 0; i < build->api_count; i++)
                table->apis[i].root = build->places[table->apis[i].root].slot;
}

static void make_table(struct route_build *build, struct route_item **items)
{
        grow_tree(build, items);
        bound_walks(build);
        if (!build->is_failed)
                lay_out(build);
        build->table->bytes += sizeof *build->table;
}

struct route_table *route_build_end(struct route_build *build)
{
        struct route_table *table = build->table;
        table->key = build->key;
        route_compile_hosts(build);
        route_add_implied(build);
        struct route_item **items = compile_items(build);
        make_table(build, items);
        if (build->needs_loose && !build->is_failed) {
                build->is_loose = true;
                build->table = arena_new(build->arena, struct route_table);
                build->table->key = build->key;
                make_table(build, items);
                table->loose = build->table;
                table->bytes += build->table->bytes;
        }
        return build->is_failed ? NULL : table;
}
