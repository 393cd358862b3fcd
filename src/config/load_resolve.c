/* load_resolve.c -- references in values: ${env:X}, ${env:X:-default}, ${file:PATH}, ${cred:X}.
 * What stands in ${ } without a colon is for the time of a request and stays. What came from a file
 * or a credential is a secret from here on. */
#include "config/config.h"
#include "config/load_int.h"

enum { VALUE_MAX = 1 << 20 };

/* One value that is being put together. */
struct resolver {
        struct load *load;
        struct json *node;
        struct text out;
        bool is_filled, is_secret, is_bad;
};

/* "BEFORE `NAME` AFTER". The value stays as it was written, and is not read any further. */
static struct fault *complain(struct resolver *resolver, enum fault_code code, const char *before,
                              struct str name, const char *after)
{
        resolver->is_bad = true;
        return fault_add(&resolver->load->faults, code, resolver->node, "%s`" STR_FMT "`%s", before,
                         STR_ARG(name), after);
}

/* Text without its last end of line; false when it is none that a value could be. */
static bool is_text(struct str *text)
{
        if (str_ends(*text, S("\n")))
                text->len--;
        if (str_ends(*text, S("\r")))
                text->len--;
        for (size_t i = 0; i < text->len;) {
                size_t length = str_utf8(*text, i);
                if (length == 0 || text->ptr[i] == '\0')
                        return false;
                i += length;
        }
        return true;
}

static void put_file(struct resolver *resolver, struct str path, const char *what)
{
        struct file file;
        enum err err = load_read(resolver->load, path, LOAD_SECRET_MAX, &file);
        resolver->is_secret = true;
        resolver->load->denied += err == ERR_denied;
        if (err != ERR_ok) {
                struct fault *fault = complain(resolver, FAULT_E121, what, path, "");
                fault->label = err == ERR_limit    ? S("larger than a secret may be")
                               : err == ERR_syntax ? S("it is no regular file")
                                                   : str_of(err_text(err));
                return;
        }
        if (!is_text(&file.text) || file.text.len == 0) {
                struct fault *fault = complain(resolver, FAULT_E121, what, path, "");
                fault->label = file.text.len == 0 ? S("it is empty") : S("it is no text in UTF-8");
                return;
        }
        text_put(&resolver->out, file.text);
        str_wipe(file.text);
}

static void put_credential(struct resolver *resolver, struct str name)
{
        struct world const *world = resolver->load->world;
        struct arena *arena = resolver->load->arena;
        struct str dir;
        if (name.len == 0 || str_find(name, '/') >= 0 || str_is(name, "..")) {
                complain(resolver, FAULT_E122, "", name, " is no name of a credential");
                return;
        }
        if (!world->env(world->arg, "CREDENTIALS_DIRECTORY", &dir)) {
                struct fault *fault = complain(resolver, FAULT_E121, "there is no credential ",
                                               name, "");
                fault->label = S("CREDENTIALS_DIRECTORY is not set");
                fault->help = S("systemd sets it: LoadCredential= in the unit");
                return;
        }
        put_file(resolver, arena_format(arena, STR_FMT "/" STR_FMT, STR_ARG(dir), STR_ARG(name)),
                 "cannot read the credential ");
}

static bool is_variable(struct str name)
{
        for (size_t i = 0; i < name.len; i++) {
                char c = char_lower(name.ptr[i]);
                bool is_good = (c >= 'a' && c <= 'z') || c == '_' || (i > 0 && char_is_digit(c));
                if (!is_good)
                        return false;
        }
        return name.len > 0;
}

static void put_variable(struct resolver *resolver, struct str what)
{
        const struct world *world = resolver->load->world;
        struct arena *arena = resolver->load->arena;
        ptrdiff_t at = str_find_str(what, S(":-"));
        struct str name = at < 0 ? what : str_first(what, (size_t)at), value;
        if (!is_variable(name)) {
                complain(resolver, FAULT_E122, "", name, " is no name of a variable");
                return;
        }
        bool is_set = world->env(world->arg, arena_cstr(arena, name), &value) && value.len > 0;
        if (is_set && (value.len > LOAD_SECRET_MAX || !is_text(&value))) {
                complain(resolver, FAULT_E121, "the variable ", name, " holds no text");
        } else if (is_set) {
                text_put(&resolver->out, value);
        } else if (at >= 0) {
                text_put(&resolver->out, str_skip(what, (size_t)at + 2));
        } else {
                struct fault *fault = complain(resolver, FAULT_E121, "the variable ", name,
                                               " is not set");
                fault->help = fault_text(&resolver->load->faults,
                                         "export " STR_FMT "=…, or write a default: ${env:" STR_FMT
                                         ":-…}",
                                         STR_ARG(name), STR_ARG(name));
        }
}

/* What stands between "${" and "}". */
static void put_reference(struct resolver *resolver, struct str inside)
{
        struct str rest = inside, scheme = str_cut(&rest, ':');
        if (rest.ptr == NULL) { /* for the time of a request */
                text_put(&resolver->out, S("${"));
                text_put(&resolver->out, inside);
                text_put(&resolver->out, S("}"));
                return;
        }
        resolver->is_filled = true;
        if (str_is(scheme, "env"))
                put_variable(resolver, rest);
        else if (str_is(scheme, "file") && rest.len > 0)
                put_file(resolver, load_path(resolver->load, rest), "cannot read ");
        else if (str_is(scheme, "cred"))
                put_credential(resolver, rest);
        else if (str_is(scheme, "vault"))
                complain(resolver, FAULT_E106, "reference to ", scheme, " is not in this version");
        else
                complain(resolver, FAULT_E122, "there are no references to ", scheme, "")->help = S(
                        "write ${env:NAME}, ${env:NAME:-default}, ${file:PATH} or "
                        "${cred:NAME}");
}

static void resolve(struct load *load, struct json *node)
{
        struct str rest = json_str(node, load->arena);
        struct resolver resolver = {
                .load = load, .node = node, .out = text_grow(load->arena, VALUE_MAX)};
        for (ptrdiff_t at; (at = str_find_str(rest, S("${"))) >= 0;) {
                text_put(&resolver.out, str_first(rest, (size_t)at));
                rest = str_skip(rest, (size_t)at + 2);
                ptrdiff_t end = str_find(rest, '}');
                if (end < 0) {
                        complain(&resolver, FAULT_E122, "`${` is not closed in ", json_raw(node),
                                 "");
                        break;
                }
                put_reference(&resolver, str_first(rest, (size_t)end));
                rest = str_skip(rest, (size_t)end + 1);
        }
        text_put(&resolver.out, rest);
        if (!resolver.is_filled || resolver.is_bad)
                return;
        if (resolver.out.is_cut)
                complain(&resolver, FAULT_E114, "too long is what comes of ",
                         fault_quote(&load->faults, node), "");
        node->ptr = resolver.out.at == NULL ? "" : resolver.out.at;
        node->len = (uint32_t)resolver.out.len;
        node->flags = (uint8_t)((node->flags & ~JSON_ESCAPED) | JSON_FILLED |
                                (resolver.is_secret ? JSON_SECRET : 0));
}

/* Marks every node of a subtree. */
static void skip(bool *skipped, const struct json *root, const struct json *node)
{
        memset(skipped + (node - root), true, node->span);
}

static void skip_reserved(bool *skipped, const struct json *root, const struct shape *shape,
                          const struct json *node);

/* The value of a setting: all of it, or what is reserved inside. */
static void skip_in(bool *skipped, const struct json *root, const struct setting *setting,
                    const struct json *value)
{
        bool is_map = setting->kind == SETTING_map && value->kind == JSON_OBJECT;
        if (setting->kind == SETTING_reserved)
                skip(skipped, root, value);
        else if (setting->shape != NULL && !is_map)
                skip_reserved(skipped, root, setting->shape, value);
        json_each (thing, value) {
                if (is_map && thing->kind == JSON_OBJECT)
                        skip_reserved(skipped, root, setting->shape, thing);
        }
}

/* What is not in this version is refused as such, not for a secret that nobody needs yet. Not
 * deeper than the shapes are. */
static void skip_reserved(bool *skipped, const struct json *root, const struct shape *shape,
                          const struct json *node)
{
        json_each (value, node) {
                const struct setting *setting = NULL;
                if (node->kind == JSON_OBJECT)
                        setting = shape_find(shape, json_key_str(value));
                else if (value->kind == JSON_OBJECT) /* one of a list of such things */
                        skip_reserved(skipped, root, shape, value);
                if (setting != NULL)
                        skip_in(skipped, root, setting, value);
        }
}

const struct json *load_resolve(struct load *load, const struct json *root)
{
        struct json *copy = arena_alloc(load->arena, (size_t)root->span * sizeof *copy);
        memcpy(copy, root, (size_t)root->span * sizeof *copy);
        bool *skipped = arena_array(load->arena, bool, root->span);
        skip_reserved(skipped, root, &shape_config, root);
        for (uint32_t i = 0; i < root->span; i++) {
                json_each (item, &copy[i]) {
                        if (item->kind == JSON_STRING && !skipped[item - copy] &&
                            str_find_str(json_raw(item), S("${")) >= 0)
                                resolve(load, &copy[item - copy]);
                }
        }
        return copy;
}
