/* check_start.c -- what a process takes when it starts: a later configuration that says something
 * else of it is in force but for that, and whoever wrote it must know. */
#include "config/check.h"

void config_start_take(const struct config *config, struct arena *arena,
                       struct config_start *ret_start)
{
        const struct conf_admin *admin = &config->admin;
        *ret_start = (struct config_start){
                .workers = config->workers,
                .memory = config->limits.memory,
                .buckets = config->limits.buckets,
                .user = arena_str(arena, config->user),
                .admin_host = arena_str(arena, admin->is_off ? STR_NONE : admin->address.host),
                .admin_socket = arena_str(arena, admin->socket),
                .admin_port = admin->is_off ? 0 : admin->address.port,
        };
}

static bool is_admin_same(const struct config_start *start, const struct conf_admin *admin)
{
        struct str host = admin->is_off ? STR_NONE : admin->address.host;
        return str_eq(start->admin_socket, admin->socket) && str_eq(start->admin_host, host) &&
               (admin->is_off || start->admin_port == admin->address.port);
}

void config_start_check(const struct config_start *start, const struct config *config,
                        struct faults *faults)
{
        const struct conf_limits *limits = &config->limits;
        const struct json *root = config->node, *limits_node = json_get(root, S("limits"));
        const struct {
                const char *name;
                const struct json *node;
                bool is_same;
        } taken[] = {
                {"workers", json_get(root, S("workers")), start->workers == config->workers},
                {"user", json_get(root, S("user")), str_eq(start->user, config->user)},
                {"admin", json_get(root, S("admin")), is_admin_same(start, &config->admin)},
                {"limits.memory", json_get(limits_node, S("memory")),
                 start->memory == limits->memory},
                {"limits.buckets", json_get(limits_node, S("buckets")),
                 start->buckets == limits->buckets},
        };
        for (size_t i = 0; i < countof(taken); i++) {
                if (!taken[i].is_same)
                        fault_add(faults, FAULT_W205, taken[i].node,
                                  "`%s` stays as it was when the gate was started", taken[i].name)
                                ->help = S("`gate upgrade` takes the new value and loses no "
                                           "connection");
        }
}
