/* target.c -- targets, paths, hosts and queries: what is normal stays so, and nothing climbs. */
#include "wire/target.h"

#include "fuzz.h"

static void check_path(struct str raw, struct arena *arena)
{
        struct str path, again;
        enum target_fault fault = path_normalise(raw, arena, &path);
        if (fault == TARGET_BAD)
                return;
        enum target_fault second = path_normalise(path, arena, &again);
        CHECK(second != TARGET_BAD && second <= fault && str_eq(path, again));
        CHECK(path.len > 0 && path.ptr[0] == '/');
        CHECK(str_find_str(path, S("//")) < 0 && str_find_str(path, S("/./")) < 0);
        CHECK(str_find_str(path, S("/../")) < 0 && !str_ends(path, S("/..")));
        for (size_t i = 0; i < path.len; i++)
                CHECK(path.ptr[i] > 0x20 && path.ptr[i] < 0x7f && path.ptr[i] != '\\');
        struct str loose = path_loose(path, arena);
        CHECK(loose.len > 0 && loose.ptr[0] == '/' && loose.len <= path.len);
        CHECK(path_may_be_loose(path) || str_eq(loose, path));
        CHECK(str_find_str(loose, S("//")) < 0 && str_find_str(loose, S("/../")) < 0);
        CHECK(str_eq(path_loose(loose, arena), loose));
}

static void check_host(struct str raw, struct arena *arena)
{
        struct str host, again;
        uint16_t port;
        if (host_normalise(raw, 80, arena, &host, &port) != ERR_ok)
                return;
        CHECK(host.len > 0 && port > 0);
        CHECK(host_normalise(host, port, arena, &again, &port) == ERR_ok);
        CHECK(str_eq(host, again));
        for (size_t i = 0; i < host.len; i++)
                CHECK(host.ptr[i] == char_lower(host.ptr[i]) && host.ptr[i] != '/');
}

static void check_query(struct str query, struct arena *arena)
{
        struct str rest = query, name, value, decoded;
        size_t pairs = 0;
        while (query_next(&rest, &name, &value)) {
                pairs++;
                if (percent_decode(value, pairs % 2 == 0, arena, &decoded) == ERR_ok)
                        CHECK(decoded.len <= value.len);
        }
        CHECK(pairs <= query.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct arena arena;
        struct target target;
        if (size > 1024)
                return 0;
        arena_init(&arena, NULL, 1 << 20);
        struct str raw = fuzz_copy(fuzz_input(data, size));
        check_path(raw, &arena);
        check_host(raw, &arena);
        check_query(raw, &arena);
        if (target_read(raw, &arena, &target) != TARGET_BAD) {
                CHECK(target.is_asterisk || target.path.ptr[0] == '/');
                if (!target.is_asterisk)
                        CHECK(target.has_escapes == path_may_be_loose(target.path));
                if (target.query.ptr != NULL)
                        check_query(target.query, &arena);
                if (target.authority.ptr != NULL)
                        check_host(target.authority, &arena);
        }
        fuzz_free(raw);
        arena_fini(&arena);
        return 0;
}
