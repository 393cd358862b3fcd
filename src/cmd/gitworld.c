/* gitworld.c -- git asked for files. */
#include "cmd/gitworld.h"

#include <fnmatch.h>

#include "cmd/child.h"

enum { LIST_MAX = 64 << 20 };

static enum err git(struct gitworld *gitworld, const char *verb, const char *first,
                    const char *second, struct str *ret_out)
{
        struct arena *arena = gitworld->arena;
        const char *dir = gitworld->dir.len == 0 ? "." : arena_cstr(arena, gitworld->dir);
        const char *argv[] = {"git", "-C", dir, verb, first, second, NULL};
        return child_run(argv, LIST_MAX, arena, ret_out);
}

static bool is_beside(const struct gitworld *gitworld, struct str path)
{
        return str_starts(path, gitworld->dir) && (gitworld->dir.len > 0 || path.ptr[0] != '/');
}

/* "REF:./path below the folder" */
static const char *object_of(struct gitworld *gitworld, struct str path)
{
        return arena_cstr(gitworld->arena,
                          arena_format(gitworld->arena, STR_FMT ":./" STR_FMT,
                                       STR_ARG(gitworld->ref),
                                       STR_ARG(str_skip(path, gitworld->dir.len))));
}

static enum err git_read(void *arg, struct str path, size_t max, struct arena *arena,
                         struct file *ret_file)
{
        struct gitworld *gitworld = arg;
        struct str text;
        if (!is_beside(gitworld, path) ||
            git(gitworld, "show", object_of(gitworld, path), NULL, &text) != ERR_ok)
                return file_read(path, max, arena, ret_file);
        if (text.len > max)
                return ERR_limit;
        *ret_file = (struct file){.path = path, .text = text};
        return ERR_ok;
}

static enum err git_list(void *arg, struct str pattern, struct arena *arena, struct str **ret_paths,
                         size_t *ret_count)
{
        struct gitworld *gitworld = arg;
        struct str names;
        size_t count = 0;
        if (!is_beside(gitworld, pattern))
                return file_list(pattern, LOAD_FILES_MAX, arena, ret_paths, ret_count);
        const char *ref = arena_cstr(arena, gitworld->ref);
        const char *below = arena_cstr(arena, str_skip(pattern, gitworld->dir.len));
        const char *dir = gitworld->dir.len == 0 ? "." : arena_cstr(arena, gitworld->dir);
        const char *argv[] = {"git", "-C", dir, "ls-tree", "-r", "--name-only", ref, NULL};
        enum err err = child_run(argv, LIST_MAX, arena, &names);
        struct str *paths = arena_array(arena, struct str, LOAD_FILES_MAX);
        while (err == ERR_ok && names.len > 0) {
                struct str name = str_cut(&names, '\n');
                if (fnmatch(below, arena_cstr(arena, name), FNM_PATHNAME | FNM_PERIOD) != 0)
                        continue;
                if (count == LOAD_FILES_MAX)
                        return ERR_limit;
                paths[count++] = arena_format(arena, STR_FMT STR_FMT, STR_ARG(gitworld->dir),
                                              STR_ARG(name));
        }
        *ret_paths = paths;
        *ret_count = count;
        return err;
}

static enum err git_stamp(void *arg, struct str path, struct file_stamp *ret_stamp)
{
        struct gitworld *gitworld = arg;
        struct str out;
        if (!is_beside(gitworld, path))
                return file_stamp(path, ret_stamp);
        *ret_stamp = (struct file_stamp){.inode = 1};
        return git(gitworld, "cat-file", "-e", object_of(gitworld, path), &out);
}

static bool git_env(void *arg, const char *name, struct str *ret_value)
{
        (void)arg;
        return world_real.env(world_real.arg, name, ret_value);
}

enum err gitworld_open(struct gitworld *gitworld, struct str ref, struct str path,
                       struct arena *arena)
{
        struct file_stamp stamp;
        size_t len = path.len;
        while (len > 0 && path.ptr[len - 1] != '/')
                len--;
        *gitworld = (struct gitworld){
                .world = {git_read, git_list, git_stamp, git_env, gitworld},
                .arena = arena,
                .ref = ref,
                .dir = str_first(path, len),
        };
        /* A name that begins with a dash would be a flag of git. */
        if (ref.len == 0 || str_starts(ref, S("-")) || str_find(ref, ':') >= 0)
                return ERR_missing;
        return git_stamp(gitworld, path, &stamp) == ERR_ok ? ERR_ok : ERR_missing;
}
