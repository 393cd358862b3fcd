/* load_world.c -- the files and the environment of this process, for the loader. */
#include <stdlib.h>

#include "config/load.h"
#include "io/driver.h"

static enum err real_read(void *arg, struct str path, size_t max, struct arena *arena,
                          struct file *ret_file)
{
        (void)arg;
        return file_read(path, max, arena, ret_file);
}

static enum err real_list(void *arg, struct str pattern, struct arena *arena,
                          struct str **ret_paths, size_t *ret_count)
{
        (void)arg;
        return file_list(pattern, LOAD_FILES_MAX, arena, ret_paths, ret_count);
}

static enum err real_stamp(void *arg, struct str path, struct file_stamp *ret_stamp)
{
        (void)arg;
        return file_stamp(path, ret_stamp);
}

static bool real_env(void *arg, const char *name, struct str *ret_value)
{
        (void)arg;
        const char *value = getenv(name);
        if (value != NULL)
                *ret_value = str_of(value);
        return value != NULL;
}

static uint64_t real_wall(void *arg)
{
        (void)arg;
        return driver_epoll.wall(NULL);
}

const struct world world_real = {real_read, real_list, real_stamp, real_env, NULL, real_wall};
