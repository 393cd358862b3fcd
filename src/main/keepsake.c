/* keepsake.c -- {"format":1,"hash":…,"path":…,"environment":…,"texts":[{"name":…,"text":…}]}. Read
 * back, the texts take the place of the files of their names; what they refer to (variables,
 * secrets) is read anew. A file that was torn or edited does not give the document of its hash, and
 * is not used. */
#include "main/keepsake.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "wire/digest.h"
#include "wire/json.h"

enum { KEEPSAKE_MAX = 512 << 20, PATHS_MAX = 4096 };

/* By what systemd says or by custom; not by the configuration, which may be what cannot be read. */
struct str keepsake_folder(struct arena *arena)
{
        const char *folder = getenv("STATE_DIRECTORY");
        const char *home = getenv("HOME");
        if (folder != NULL && folder[0] == '/')
                return arena_format(arena, "%s", folder);
        folder = getenv("XDG_STATE_HOME");
        if (folder != NULL && folder[0] == '/')
                return arena_format(arena, "%s/gatehouse", folder);
        if (geteuid() == 0 || home == NULL)
                return S("/var/lib/gatehouse");
        return arena_format(arena, "%s/.local/state/gatehouse", home);
}

/* One file for each path that a configuration is read from. */
static struct str kept_place(struct str folder, struct str path, struct arena *arena)
{
        struct digest digest = digest_sha256(path);
        struct text text = text_grow(arena, 4096);
        text_put(&text, folder);
        text_put(&text, S("/last-good-"));
        digest_write(&digest, 8, &text);
        text_put(&text, S(".json"));
        return text_str(&text);
}

static void put_texts(struct json_build *build, const struct sources *sources)
{
        json_put_key(build, S("texts"));
        json_begin(build, JSON_ARRAY);
        for (uint16_t i = 1; i < sources->count; i++) {
                json_begin(build, JSON_OBJECT);
                json_put_member(build, S("name"), sources->at[i].name);
                json_put_member(build, S("text"), sources->at[i].text);
                json_end(build);
        }
        json_end(build);
}

void keepsake_put(const struct bundle *bundle, struct str environment, struct arena *arena,
                  struct text *out)
{
        struct json_build build;
        json_build_init(&build, arena, 16);
        json_begin(&build, JSON_OBJECT);
        json_put_key(&build, S("format"));
        json_put_i64(&build, 1);
        json_put_member(&build, S("hash"), bundle->load.hash);
        json_put_member(&build, S("path"), bundle->load.path);
        json_put_member(&build, S("environment"), environment);
        put_texts(&build, &bundle->load.sources);
        json_end(&build);
        json_write(json_build_done(&build), JSON_COMPACT, arena, out);
}

void keepsake_write(struct str folder, const struct bundle *bundle, struct str environment)
{
        static bool has_complained;
        struct arena arena;
        arena_init(&arena, NULL, KEEPSAKE_MAX);
        struct text text = text_grow(&arena, KEEPSAKE_MAX);
        struct str place = kept_place(folder, bundle->load.path, &arena);
        keepsake_put(bundle, environment, &arena, &text);
        enum err err = file_write(place, text_str(&text));
        if (err != ERR_ok && !has_complained)
                fprintf(stderr,
                        "gate: the configuration cannot be kept as " STR_FMT
                        ": %s; `gate doctor` knows what helps\n",
                        STR_ARG(place), err_text(err));
        has_complained = err != ERR_ok;
        arena_fini(&arena);
}

/* ---- reading back ---- */

/* The outside, with the kept texts in the place of files. */
struct kept {
        const struct json *texts;
        struct arena *arena;
};

static const struct json *kept_text(const struct kept *kept, struct str path)
{
        json_each (item, kept->texts) {
                if (str_eq(json_str(json_get(item, S("name")), kept->arena), path))
                        return json_get(item, S("text"));
        }
        return NULL;
}

static enum err kept_read(void *arg, struct str path, size_t max, struct arena *arena,
                          struct file *ret_file)
{
        const struct kept *kept = arg;
        const struct json *text = kept_text(kept, path);
        if (text == NULL)
                return world_real.read(world_real.arg, path, max, arena, ret_file);
        *ret_file = (struct file){.path = path, .text = arena_str(arena, json_str(text, arena))};
        ret_file->stamp.size = ret_file->text.len;
        return ERR_ok;
}

static enum err kept_list(void *arg, struct str pattern, struct arena *arena,
                          struct str **ret_paths, size_t *ret_count)
{
        const struct kept *kept = arg;
        struct str *paths = arena_array(arena, struct str, PATHS_MAX);
        const char *shape = arena_cstr(arena, pattern);
        size_t count = 0;
        json_each (item, kept->texts) {
                struct str name = json_str(json_get(item, S("name")), kept->arena);
                if (count < PATHS_MAX && fnmatch(shape, arena_cstr(arena, name), FNM_PATHNAME) == 0)
                        paths[count++] = name;
        }
        *ret_paths = paths;
        *ret_count = count;
        return ERR_ok;
}

static enum err kept_stamp(void *arg, struct str path, struct file_stamp *ret_stamp)
{
        const struct kept *kept = arg;
        const struct json *text = kept_text(kept, path);
        if (text == NULL)
                return world_real.stamp(world_real.arg, path, ret_stamp);
        *ret_stamp = (struct file_stamp){.size = text->len};
        return ERR_ok;
}

static struct bundle *read_kept(struct arena *arena, const struct json *root,
                                const struct policies *policies, const struct proofs *proofs)
{
        struct kept kept = {json_get(root, S("texts")), arena};
        struct world world = {kept_read, kept_list, kept_stamp, world_real.env, &kept};
        struct load_request request = {
                .path = json_str(json_get(root, S("path")), arena),
                .environment = json_str(json_get(root, S("environment")), arena),
                .world = &world,
        };
        struct bundle *bundle = bundle_read(&request, policies, proofs);
        bundle->load.world = &world_real;
        return bundle;
}

static const struct json *root_of(struct str text, struct arena *arena)
{
        struct json_trouble trouble;
        const struct json_limits limits = {.size_max = KEEPSAKE_MAX};
        const struct json *root = NULL;
        if (json_read(text, &limits, arena, &root, &trouble) != ERR_ok ||
            !json_is(json_get(root, S("texts")), JSON_ARRAY))
                return NULL;
        return root;
}

struct bundle *keepsake_take(struct str text, const struct policies *policies,
                             const struct proofs *proofs)
{
        struct arena arena;
        arena_init(&arena, NULL, SIZE_MAX / 2);
        const struct json *root = root_of(text, &arena);
        struct bundle *bundle = root == NULL ? NULL : read_kept(&arena, root, policies, proofs);
        arena_fini(&arena);
        return bundle;
}

struct bundle *keepsake_read(struct str folder, struct str path, const struct policies *policies,
                             const struct proofs *proofs)
{
        struct arena arena;
        struct file file;
        const struct json *root = NULL;
        struct bundle *bundle = NULL;
        arena_init(&arena, NULL, SIZE_MAX / 2);
        if (file_read(kept_place(folder, path, &arena), KEEPSAKE_MAX, &arena, &file) == ERR_ok)
                root = root_of(file.text, &arena);
        if (root != NULL)
                bundle = read_kept(&arena, root, policies, proofs);
        if (bundle != NULL &&
            (!bundle_is_good(bundle) ||
             !str_eq(bundle->load.hash, json_str(json_get(root, S("hash")), &arena)))) {
                bundle_free(bundle);
                bundle = NULL;
        }
        arena_fini(&arena);
        return bundle;
}
