/* world.h -- files and environment made of memory, and a few policies, for the tests of loading and
 * checking. A run loads, reads and checks as the compiler does. Test programs only. */
#pragma once

#include <fnmatch.h>

#include "config/check.h"
#include "config/load.h"

#include "../unit.h"

enum { WORLD_MAX = 32 };

struct fake {
        struct str path, text; /* of a variable: its name, its value */
};

struct fakes {
        struct fake files[WORLD_MAX], env[WORLD_MAX];
        size_t file_count, env_count;
};

static inline const struct fake *fake_find(const struct fake *fakes, size_t count, struct str path)
{
        for (size_t i = 0; i < count; i++) {
                if (str_eq(fakes[i].path, path))
                        return &fakes[i];
        }
        return NULL;
}

static inline enum err fake_stamp(void *arg, struct str path, struct file_stamp *ret_stamp)
{
        struct fakes *fakes = arg;
        const struct fake *found = fake_find(fakes->files, fakes->file_count, path);
        if (found == NULL)
                return ERR_missing;
        *ret_stamp = (struct file_stamp){1, found->text.len, 1};
        return ERR_ok;
}

static inline enum err fake_read(void *arg, struct str path, size_t max, struct arena *arena,
                                 struct file *ret_file)
{
        struct fakes *fakes = arg;
        const struct fake *found = fake_find(fakes->files, fakes->file_count, path);
        if (found == NULL)
                return ERR_missing;
        if (found->text.len > max)
                return ERR_limit;
        *ret_file = (struct file){path, arena_str(arena, found->text), {1, found->text.len, 1}};
        return ERR_ok;
}

static inline enum err fake_list(void *arg, struct str pattern, struct arena *arena,
                                 struct str **ret_paths, size_t *ret_count)
{
        struct fakes *fakes = arg;
        *ret_paths = arena_array(arena, struct str, WORLD_MAX);
        *ret_count = 0;
        for (size_t i = 0; i < fakes->file_count; i++) {
                if (fnmatch(arena_cstr(arena, pattern), arena_cstr(arena, fakes->files[i].path),
                            0) == 0)
                        (*ret_paths)[(*ret_count)++] = fakes->files[i].path;
        }
        return ERR_ok;
}

static inline bool fake_env(void *arg, const char *name, struct str *ret_value)
{
        struct fakes *fakes = arg;
        const struct fake *found = fake_find(fakes->env, fakes->env_count, str_of(name));
        if (found != NULL)
                *ret_value = found->text;
        return found != NULL;
}

struct fake_auth {
        struct texts any;
};
#undef CONF
#define CONF struct fake_auth
static const struct setting fake_auth_settings[] = {
        {TEXTS(any), .format = FORMAT_line, .text = "x"}, {0}};
static const struct shape fake_auth = {"auth", "x", fake_auth_settings, sizeof(struct fake_auth),
                                       "any"};

struct fake_limit {
        struct rate rate;
};
#undef CONF
#define CONF struct fake_limit
static const struct setting fake_limit_settings[] = {
        {RATE(rate), .required = true, .least = 1, .text = "x"}, {0}};
static const struct shape fake_limit = {"rate_limit", "x", fake_limit_settings,
                                        sizeof(struct fake_limit), "rate"};

struct fake_headers {
        struct pairs set;
};
#undef CONF
#define CONF struct fake_headers
static const struct setting fake_headers_settings[] = {
        {PAIRS(set), .format = FORMAT_token, .text = "x"}, {0}};
static const struct shape fake_headers = {"headers", "x", fake_headers_settings,
                                          sizeof(struct fake_headers), NULL};

struct fake_redirect {
        struct str to;
};
#undef CONF
#define CONF struct fake_redirect
static const struct setting fake_redirect_settings[] = {{TEXT(to), .text = "x"}, {0}};
static const struct shape fake_redirect = {"redirect", "x", fake_redirect_settings,
                                           sizeof(struct fake_redirect), "to"};

static const struct shape *const fake_policies[] = {&fake_auth, &fake_limit, &fake_headers,
                                                    &fake_redirect};

struct run {
        struct arena arena;
        struct fakes fakes;
        struct world world;
        struct load load;
        struct reader reader;
        struct config *config; /* NULL when nothing was loaded */
};

static inline void run_begin(struct run *run)
{
        memset(run, 0, sizeof *run);
        arena_init(&run->arena, NULL, 256 << 20);
        run->world = (struct world){fake_read, fake_list, fake_stamp, fake_env, &run->fakes};
}

static inline void run_end(struct run *run)
{
        arena_fini(&run->arena);
}

static inline void run_file(struct run *run, const char *path, const char *text)
{
        assert_true(run->fakes.file_count < WORLD_MAX);
        run->fakes.files[run->fakes.file_count++] = (struct fake){str_of(path), str_of(text)};
}

static inline void run_env(struct run *run, const char *name, const char *value)
{
        assert_true(run->fakes.env_count < WORLD_MAX);
        run->fakes.env[run->fakes.env_count++] = (struct fake){str_of(name), str_of(value)};
}

/* Loads gateway.yaml, reads and checks it. */
static inline void run_go(struct run *run, const char *environment)
{
        struct load_request request = {.path = S("gateway.yaml"),
                                       .environment = str_of(environment),
                                       .world = &run->world};
        load_run(&run->load, &request, &run->arena);
        run->reader = (struct reader){.arena = &run->arena,
                                      .faults = &run->load.faults,
                                      .policies = fake_policies,
                                      .policies_count = countof(fake_policies)};
        if (run->load.root == NULL)
                return;
        run->config = config_read(&run->reader, run->load.root);
        if (run->load.faults.errors == 0)
                config_check(&run->reader, run->config);
        faults_sort(&run->load.faults);
}

/* The complaints as people see them. */
static inline struct str run_talk(struct run *run)
{
        struct text out = text_grow(&run->arena, 1 << 20);
        faults_write(&run->load.faults, false, &out);
        return text_str(&out);
}

static inline void run_good(struct run *run)
{
        run_go(run, NULL);
        if (run->load.faults.count > 0)
                print_error(STR_FMT "\n", STR_ARG(run_talk(run)));
        assert_int_equal(run->load.faults.count, 0);
}

/* The i-th complaint is this code at this line and column of that file. */
static inline bool run_says(struct run *run, uint32_t i, enum fault_code code, const char *where)
{
        const struct faults *faults = &run->load.faults;
        if (i >= faults->count || faults->at[i].code != code)
                return false;
        struct line_column at = place_lines(&run->load.sources, faults->at[i].place);
        struct str place = arena_format(
                &run->arena, STR_FMT ":%u:%u",
                STR_ARG(run->load.sources.at[faults->at[i].place.source].name), at.line, at.column);
        return str_is(place, where);
}

#define assert_says(run, i, code, where)                                                           \
        do {                                                                                       \
                if (!run_says(run, i, code, where))                                                \
                        print_error("expected %s at %s:\n" STR_FMT "\n", fault_code_name(code),    \
                                    where, STR_ARG(run_talk(run)));                                \
                assert_true(run_says(run, i, code, where));                                        \
        } while (0)
