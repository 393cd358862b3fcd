/* load.c -- the order of loading: root file, includes, environment, references, hash. */
#include "config/config.h"
#include "config/load_int.h"
#include "wire/digest.h"
#include "wire/yaml.h"

struct str load_path(const struct load *load, struct str path)
{
        if (str_starts(path, S("/")))
                return path;
        if (str_starts(path, S("./")))
                path = str_skip(path, 2);
        return arena_format(load->arena, STR_FMT STR_FMT, STR_ARG(load->dir), STR_ARG(path));
}

static void remember(struct load *load, struct str path, struct file_stamp stamp)
{
        if (load->files_count == load->files_cap) {
                size_t cap = load->files_cap == 0 ? 16 : load->files_cap * 2;
                struct load_file *bigger = arena_array(load->arena, struct load_file, cap);
                if (load->files_count > 0)
                        memcpy(bigger, load->files, load->files_count * sizeof *bigger);
                load->files = bigger;
                load->files_cap = cap;
        }
        load->files[load->files_count++] = (struct load_file){path, stamp};
}

enum err load_read(struct load *load, struct str path, size_t max, struct file *ret_file)
{
        struct file file = {.path = path};
        enum err err = load->world->read(load->world->arg, path, max, load->arena, &file);
        remember(load, path, err == ERR_ok ? file.stamp : (struct file_stamp){0});
        if (err == ERR_ok)
                *ret_file = file;
        return err;
}

static void fault_trouble(struct load *load, uint16_t source, const struct json_trouble *trouble)
{
        static const enum fault_code codes[] = {[TROUBLE_syntax] = FAULT_E101,
                                                [TROUBLE_twice] = FAULT_E102,
                                                [TROUBLE_alias] = FAULT_E103,
                                                [TROUBLE_limit] = FAULT_E114};
        struct place place = {source, trouble->at, trouble->len};
        struct fault *fault = fault_add_at(&load->faults, codes[trouble->kind], place, "%s",
                                           trouble->what);
        fault->help = str_of(trouble->help);
        if (trouble->kind == TROUBLE_twice) {
                fault->label = S("again here");
                fault->also = (struct place){source, trouble->also_at, trouble->also_len};
                fault->also_label = S("first here");
        }
}

/* Reads a text that is one of our documents. NULL after a complaint. */
static const struct json *parse(struct load *load, struct str name, struct str text)
{
        struct json_trouble trouble;
        const struct json *root = NULL;
        if (str_starts(text, S("\xef\xbb\xbf")))
                text = str_skip(text, 3);
        uint16_t source = sources_add(&load->sources, name, text);
        const struct json_limits limits = {
                .size_max = LOAD_FILE_MAX, .nodes_max = LOAD_NODES_MAX, .source = source};
        load->documents++;
        enum err err = str_ends(name, S(".json"))
                               ? json_read(text, &limits, load->arena, &root, &trouble)
                               : yaml_read(text, &limits, load->arena, &root, &trouble);
        if (err != ERR_ok) {
                fault_trouble(load, source, &trouble);
                return NULL;
        }
        if (root->kind != JSON_OBJECT && root->kind != JSON_NULL) {
                struct fault *fault = fault_add(&load->faults, FAULT_E105, root,
                                                "the document must be a block of keys");
                fault->help = S("a gateway of three lines: apis: { orders: { upstream: "
                                "\"http://localhost:9000\" } }");
                return NULL;
        }
        return root;
}

/* Reads a file of configuration. `by` is who asked for it; NULL: the command line. */
static const struct json *read_document(struct load *load, struct str path, const struct json *by)
{
        struct file file;
        enum err err = load_read(load, path, LOAD_FILE_MAX, &file);
        if (err == ERR_ok)
                return parse(load, path, file.text);
        struct fault *fault = fault_add(&load->faults, FAULT_E120, by, "cannot read `" STR_FMT "`",
                                        STR_ARG(path));
        fault->label = err == ERR_syntax ? S("it is no regular file") : str_of(err_text(err));
        return NULL;
}

/* Complains of `include` in a file that may not include. */
static void refuse_include(struct load *load, const struct json *root)
{
        const struct json *include = json_get(root, S("include"));
        if (include == NULL)
                return;
        struct fault *fault = fault_add(&load->faults, FAULT_E118, json_key(include),
                                        "`include` stands in the root file only");
        fault->help = S("move the pattern there");
}

struct documents {
        struct load_document *at;
        size_t count;
};

/* One pattern of include. The root file itself is passed over where it fits. */
static void include_pattern(struct load *load, const struct json *node, struct documents *documents)
{
        struct str pattern = load_path(load, json_str(node, load->arena)), *paths = NULL;
        size_t count = 0;
        load->patterns[load->patterns_count++] = pattern;
        enum err err = load->world->list(load->world->arg, pattern, load->arena, &paths, &count);
        if (err != ERR_ok || count > LOAD_FILES_MAX - documents->count) {
                fault_add(&load->faults, FAULT_E114, node, "`" STR_FMT "` fits too many files",
                          STR_ARG(pattern));
                return;
        }
        if (count == 0) {
                struct fault *fault = fault_add(&load->faults, FAULT_W121, node,
                                                "`" STR_FMT "` fits no file", STR_ARG(pattern));
                fault->label = S("nothing is included here");
        }
        for (size_t i = 0; i < count; i++) {
                if (str_eq(paths[i], load->path))
                        continue;
                const struct json *root = read_document(load, paths[i], node);
                refuse_include(load, root);
                if (root != NULL && root->kind == JSON_OBJECT)
                        documents->at[documents->count++] = (struct load_document){root, paths[i]};
        }
}

static const struct json *include_all(struct load *load, const struct json *root)
{
        enum { PATTERNS_MAX = 256 };
        struct documents documents = {
                .at = arena_array(load->arena, struct load_document, LOAD_FILES_MAX + 1)};
        const struct json *include = json_get(root, S("include"));
        documents.at[documents.count++] = (struct load_document){root, load->path};
        load->patterns = arena_array(load->arena, struct str, PATTERNS_MAX);
        if (json_is(include, JSON_STRING))
                include_pattern(load, include, &documents);
        json_each (item, include) {
                if (item->kind == JSON_STRING && include->kind == JSON_ARRAY &&
                    load->patterns_count < PATTERNS_MAX)
                        include_pattern(load, item, &documents);
        }
        return documents.count == 1 ? root : load_join(load, documents.at, documents.count);
}

/* The patch of the environment, over what there is. */
static const struct json *patch(struct load *load, const struct json *root, struct str environment)
{
        static const char *const ends[] = {"yaml", "yml", "json"};
        struct str path = STR_NONE;
        struct file_stamp stamp;
        if (!format_fits(FORMAT_name, environment)) {
                fault_add(&load->faults, FAULT_E107, NULL, "`" STR_FMT "` is no environment",
                          STR_ARG(environment))
                        ->label = str_of(format_text(FORMAT_name));
                return root;
        }
        for (size_t i = 0; i < countof(ends) && path.ptr == NULL; i++) {
                struct str name = arena_format(load->arena, "environments/" STR_FMT ".%s",
                                               STR_ARG(environment), ends[i]);
                struct str full = load_path(load, name);
                if (load->world->stamp(load->world->arg, full, &stamp) == ERR_ok)
                        path = full;
                else
                        remember(load, full, (struct file_stamp){0});
        }
        if (path.ptr == NULL) {
                fault_add(&load->faults, FAULT_E120, NULL,
                          "there is no `" STR_FMT "environments/" STR_FMT ".yaml`",
                          STR_ARG(load->dir), STR_ARG(environment));
                return root;
        }
        const struct json *over = read_document(load, path, NULL);
        refuse_include(load, over);
        return json_is(over, JSON_OBJECT) ? json_merge(root, over, load->arena) : root;
}

static struct str hash_of(struct load *load)
{
        char memory[2 * DIGEST_SIZE];
        struct text canonical = text_grow(load->arena, SIZE_MAX),
                    hash = text_over(memory, sizeof memory);
        json_write(load->root, JSON_CANONICAL, load->arena, &canonical);
        struct digest digest = digest_sha256(text_str(&canonical));
        digest_write(&digest, DIGEST_SIZE, &hash);
        return arena_str(load->arena, text_str(&hash));
}

static void set_dir(struct load *load)
{
        size_t len = load->path.len;
        while (len > 0 && load->path.ptr[len - 1] != '/')
                len--;
        load->dir = str_first(load->path, len);
}

/* An empty document is an empty block: of a patch, say. */
static const struct json *as_object(struct load *load, const struct json *root)
{
        if (root == NULL || root->kind == JSON_OBJECT)
                return root;
        struct json *object = arena_new(load->arena, struct json);
        *object = *root;
        object->kind = JSON_OBJECT;
        object->len = 0;
        return object;
}

/* A file that was cut off while it was written must not end a gateway that runs. */
static void refuse_nothing(struct load *load)
{
        struct place place = {.source = SOURCE_NONE + 1, .len = 1}; /* the first that was read */
        struct fault *fault = fault_add_at(&load->faults, FAULT_E116, place, "the file is empty");
        fault->label = S("no gateway is meant by that");
        fault->help = S("one that serves nothing is written `apis: {}`");
}

bool load_run(struct load *load, const struct load_request *request, struct arena *arena)
{
        *load = (struct load){
                .arena = arena, .world = request->world, .path = arena_str(arena, request->path)};
        sources_init(&load->sources, arena);
        faults_init(&load->faults, arena, &load->sources);
        set_dir(load);
        const struct json *root = request->text.ptr != NULL
                                          ? parse(load, load->path, arena_str(arena, request->text))
                                          : read_document(load, load->path, NULL);
        load->is_missing = root == NULL && load->documents == 0;
        if (json_is(root, JSON_NULL))
                refuse_nothing(load);
        root = as_object(load, root);
        if (root != NULL)
                root = include_all(load, root);
        if (root != NULL && request->environment.len > 0)
                root = patch(load, root, request->environment);
        if (root != NULL) {
                load->root = load_resolve(load, as_object(load, root));
                load->hash = hash_of(load);
        }
        if (arena->is_failed)
                fault_add(&load->faults, FAULT_E114, NULL,
                          "the configuration takes too much memory");
        return load->faults.errors == 0;
}

static bool stamp_differs(const struct load *load, const struct load_file *file)
{
        struct file_stamp now = {0};
        if (load->world->stamp(load->world->arg, file->path, &now) != ERR_ok)
                now = (struct file_stamp){0};
        return now.changed_ns != file->stamp.changed_ns || now.size != file->stamp.size ||
               now.inode != file->stamp.inode;
}

static bool was_read(const struct load *load, struct str path)
{
        for (size_t i = 0; i < load->files_count; i++) {
                if (str_eq(load->files[i].path, path))
                        return true;
        }
        return false;
}

bool load_certs_are_stale(const struct load *load)
{
        for (size_t i = load->certs; load->certs > 0 && i < load->files_count; i++) {
                struct file_stamp now;
                enum err err = load->world->stamp(load->world->arg, load->files[i].path, &now);
                if ((err == ERR_ok || err == ERR_missing) && stamp_differs(load, &load->files[i]))
                        return true;
        }
        return false;
}

bool load_is_stale(const struct load *load, struct arena *scratch)
{
        for (size_t i = 0; i < load->files_count; i++) {
                if (stamp_differs(load, &load->files[i]))
                        return true;
        }
        for (size_t i = 0; i < load->patterns_count; i++) {
                struct str *paths = NULL;
                size_t count = 0;
                enum err err = load->world->list(load->world->arg, load->patterns[i], scratch,
                                                 &paths, &count);
                for (size_t j = 0; err == ERR_ok && j < count; j++) {
                        if (!was_read(load, paths[j]))
                                return true;
                }
        }
        return false;
}

struct str load_discover(const struct world *world, struct str given, struct arena *arena)
{
        struct str home,
                candidates[3] = {S("gateway.yaml"), STR_NONE, S("/etc/gatehouse/gateway.yaml")};
        struct file_stamp stamp;
        if (given.len > 0)
                return arena_str(arena, given);
        if (world->env(world->arg, "GATE_CONFIG", &home) && home.len > 0)
                return arena_str(arena, home);
        if (world->env(world->arg, "XDG_CONFIG_HOME", &home) && home.len > 0)
                candidates[1] = arena_format(arena, STR_FMT "/gatehouse/gateway.yaml",
                                             STR_ARG(home));
        else if (world->env(world->arg, "HOME", &home) && home.len > 0)
                candidates[1] = arena_format(arena, STR_FMT "/.config/gatehouse/gateway.yaml",
                                             STR_ARG(home));
        for (size_t i = 0; i < countof(candidates); i++) {
                if (candidates[i].len > 0 &&
                    world->stamp(world->arg, candidates[i], &stamp) == ERR_ok)
                        return candidates[i];
        }
        return STR_NONE;
}
