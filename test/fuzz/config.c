/* config.c -- a whole configuration: loaded, joined, patched, resolved, read, checked, shown. The
 * input is up to four files with a NUL between: gateway.yaml, apis/a.yaml, environments/e.yaml and
 * a secret; variables are the secret too. Nothing of the secret may be shown. */
#include "config/check.h"
#include "config/load.h"

#include "fuzz.h"

enum { FILES = 4 };

static const char *const paths[FILES] = {"gateway.yaml", "apis/a.yaml", "environments/e.yaml",
                                         "secret"};

struct box {
        struct str texts[FILES];
};

static enum err box_read(void *arg, struct str path, size_t max, struct arena *arena,
                         struct file *ret_file)
{
        struct box *box = arg;
        for (size_t i = 0; i < FILES; i++) {
                if (!str_is(path, paths[i]) || box->texts[i].len > max)
                        continue;
                *ret_file = (struct file){.path = path, .text = arena_str(arena, box->texts[i])};
                return ERR_ok;
        }
        return ERR_missing;
}

static enum err box_list(void *arg, struct str pattern, struct arena *arena, struct str **ret_paths,
                         size_t *ret_count)
{
        (void)arg;
        *ret_paths = arena_array(arena, struct str, 1);
        **ret_paths = str_of(paths[1]);
        *ret_count = str_starts(pattern, S("apis/"));
        return ERR_ok;
}

static enum err box_stamp(void *arg, struct str path, struct file_stamp *ret_stamp)
{
        (void)arg;
        (void)ret_stamp;
        return str_is(path, paths[2]) ? ERR_ok : ERR_missing;
}

static bool box_env(void *arg, const char *name, struct str *ret_value)
{
        struct box *box = arg;
        *ret_value = box->texts[3];
        return name[0] == 'S';
}

struct limit {
        struct rate rate;
        int64_t burst, mode;
        struct cidrs except;
};
#undef CONF
#define CONF struct limit
static const struct setting limit_settings[] = {{RATE(rate), .required = true, .least = 1},
                                                {INTEGER(burst), .word = "off", .most = 1000},
                                                {CHOICE(mode, "local", "strict", "off")},
                                                {CIDRS(except), .most = 4},
                                                {0}};
static const struct shape limit = {"rate_limit", "x", limit_settings, sizeof(struct limit), "rate"};

struct auth {
        struct texts any;
        struct pairs set;
        uint64_t on;
        int64_t part;
};
#undef CONF
#define CONF struct auth
static const struct setting auth_settings[] = {{TEXTS(any)},
                                               {PAIRS(set), .format = FORMAT_token},
                                               {SET(on, "connect", "503")},
                                               {SHARE(part), .preset = PERCENT},
                                               {0}};
static const struct shape auth = {"auth", "x", auth_settings, sizeof(struct auth), "any"};

static const struct shape *const policies[] = {&auth, &limit};

/* Long and odd enough not to stand there by chance, and to be no number, address or word; and in no
 * other file. */
static bool is_telling(const struct box *box)
{
        struct str secret = box->texts[3];
        bool is_odd = secret.len >= 12 && secret.ptr[0] == 'Q' && secret.ptr[5] == ' ';
        for (size_t i = 0; i < secret.len; i++)
                is_odd = is_odd && secret.ptr[i] >= ' ' && secret.ptr[i] <= '~';
        for (size_t i = 0; i < 3; i++)
                is_odd = is_odd && str_find_str(box->texts[i], secret) < 0;
        return is_odd;
}

static void show(struct load *load, struct reader *reader, struct str secret, bool is_secret)
{
        struct text out = text_grow(reader->arena, 1 << 26);
        faults_write(&load->faults, true, &out);
        faults_write_json(&load->faults, &out);
        faults_write_github(&load->faults, &out);
        if (load->root != NULL && load->faults.errors == 0) {
                const struct json *filled = shape_fill(reader, &shape_config, load->root);
                json_write(filled, JSON_PRETTY, reader->arena, &out);
        }
        CHECK(!out.is_cut);
        if (is_secret)
                CHECK(str_find_str(text_str(&out), secret) < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct arena arena;
        struct box box = {0};
        struct load load;
        struct str rest = fuzz_input(data, size);
        const struct world world = {box_read, box_list, box_stamp, box_env, &box};
        if (size > 16384)
                return 0;
        arena_init(&arena, NULL, 1 << 28);
        for (size_t i = 0; i < FILES && rest.ptr != NULL; i++)
                box.texts[i] = i + 1 < FILES ? str_cut(&rest, '\0') : rest;
        struct load_request request = {.path = S("gateway.yaml"), .world = &world};
        if (box.texts[2].len > 0)
                request.environment = S("e");
        load_run(&load, &request, &arena);
        struct reader reader = {.arena = &arena,
                                .faults = &load.faults,
                                .policies = policies,
                                .policies_count = countof(policies)};
        if (load.root != NULL) {
                struct config *config = config_read(&reader, load.root);
                if (load.faults.errors == 0)
                        config_check(&reader, config);
        }
        faults_sort(&load.faults);
        show(&load, &reader, box.texts[3], is_telling(&box));
        CHECK(load.faults.errors + load.faults.warnings >= load.faults.count);
        arena_fini(&arena);
        return 0;
}
