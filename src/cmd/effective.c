/* effective.c -- what the reader's presets cannot say, because it follows from other values. */
#include "cmd/effective.h"

struct maker {
        struct json_build build;
        const struct json *limits; /* the top's */
};

static void put_preset_key(struct maker *maker, struct str key)
{
        json_build_from(&maker->build, NULL);
        maker->build.from.flags = JSON_PRESET;
        json_put_key(&maker->build, key);
}

static void begin_copy(struct maker *maker, const struct json *object)
{
        json_build_from(&maker->build, object);
        json_begin(&maker->build, JSON_OBJECT);
}

static void copy_key(struct maker *maker, const struct json *value)
{
        json_build_from(&maker->build, json_key(value));
        json_put_key(&maker->build, json_key_str(value));
}

static void copy_member(struct maker *maker, const struct json *value)
{
        copy_key(maker, value);
        json_put_copy(&maker->build, value);
}

/* What is not written in a listener's limits is the top's. */
static void put_limits(struct maker *maker, const struct json *limits)
{
        begin_copy(maker, limits);
        json_each (value, limits) {
                const struct json *top = json_get(maker->limits, json_key_str(value));
                bool is_preset = (value->flags & JSON_PRESET) != 0;
                copy_key(maker, value);
                json_put_copy(&maker->build, is_preset && top != NULL ? top : value);
        }
        json_end(&maker->build);
}

static void put_listeners(struct maker *maker, const struct json *listeners)
{
        begin_copy(maker, listeners);
        json_each (listener, listeners) {
                copy_key(maker, listener);
                begin_copy(maker, listener);
                json_each (value, listener) {
                        if (!str_is(json_key_str(value), "limits")) {
                                copy_member(maker, value);
                                continue;
                        }
                        copy_key(maker, value);
                        put_limits(maker, value);
                }
                json_end(&maker->build);
        }
        json_end(&maker->build);
}

/* The listener that is there when none is written. */
static void put_default_listener(struct maker *maker)
{
        put_preset_key(maker, S("listeners"));
        json_begin(&maker->build, JSON_OBJECT);
        json_put_key(&maker->build, S("default"));
        json_begin(&maker->build, JSON_OBJECT);
        json_put_member(&maker->build, S("address"), S("localhost:8080"));
        json_put_key(&maker->build, S("limits"));
        json_put_copy(&maker->build, maker->limits);
        json_end(&maker->build);
        json_end(&maker->build);
}

static void put_apis(struct maker *maker, const struct json *apis, struct arena *arena)
{
        begin_copy(maker, apis);
        json_each (api, apis) {
                copy_key(maker, api);
                begin_copy(maker, api);
                if (json_get(api, S("path")) == NULL) {
                        put_preset_key(maker, S("path"));
                        json_put_text(&maker->build,
                                      arena_format(arena, "/" STR_FMT, STR_ARG(json_key_str(api))));
                }
                json_each (value, api)
                        copy_member(maker, value);
                json_end(&maker->build);
        }
        json_end(&maker->build);
}

const struct json *effective_make(struct bundle *bundle)
{
        const struct json *filled = shape_fill(&bundle->reader, &shape_config, bundle->load.root);
        struct maker maker = {.limits = json_get(filled, S("limits"))};
        bool has_listeners = false;
        json_build_init(&maker.build, &bundle->arena, filled->span + 256);
        begin_copy(&maker, filled);
        json_each (value, filled) {
                struct str key = json_key_str(value);
                bool is_listeners = str_is(key, "listeners") && value->len > 0;
                if (is_listeners || str_is(key, "apis"))
                        copy_key(&maker, value);
                if (is_listeners)
                        put_listeners(&maker, value);
                else if (str_is(key, "apis"))
                        put_apis(&maker, value, &bundle->arena);
                else if (!str_is(key, "listeners") && !str_is(key, "include"))
                        copy_member(&maker, value);
                has_listeners |= is_listeners;
        }
        if (!has_listeners)
                put_default_listener(&maker);
        json_end(&maker.build);
        return json_build_done(&maker.build);
}
