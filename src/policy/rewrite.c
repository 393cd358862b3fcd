/* rewrite.c -- sends a request on under another path or query. What comes out is normalised again;
 * a path that climbs out of where the API leads is refused, so no rewrite opens what a route
 * protects. */
#include "gate/policy.h"
#include "policy/list.h"

struct conf {
        struct str path, query;
};

static void prepare(const struct prepare *prepare, void *c)
{
        const struct conf *conf = c;
        if (conf->path.ptr == NULL && conf->query.ptr == NULL)
                fault_add(prepare->faults, FAULT_E211, prepare->node,
                          "a rewrite needs a path or a query");
        else if (conf->path.len > 0 && conf->path.ptr[0] != '/' && conf->path.ptr[0] != '{')
                fault_add(prepare->faults, FAULT_E211, prepare->node,
                          "the path must begin with / or {path}");
}

static enum verdict on_request(struct exchange *ex, const void *c, void *state)
{
        const struct conf *conf = c;
        (void)state;
        if (conf->path.len > 0) {
                struct str path = ex_fill_target(ex, conf->path, true);
                if (!ex_set_path(ex, path))
                        return ex_deny(ex, REASON_bad_request, "%s", "");
                ex_note(ex, "path " STR_FMT, STR_ARG(path));
        }
        if (conf->query.ptr != NULL) {
                struct str query = ex_fill_query(ex, conf->query);
                if (str_starts(query, S("?")))
                        query = str_skip(query, 1);
                ex_set_query(ex, query.len == 0 ? STR_NONE : query);
        }
        return VERDICT_PASS;
}

static const struct setting settings[] = {
        {TEXT(path), .most = 2000, .example = "/v2{path}",
         .text = "The path below the upstream's URL: may hold {path} (what follows the API's path) "
                 "and the "
                 "parameters of the route."},
        {TEXT(query), .most = 2000, .example = "source=gate",
         .text = "The query in place of the caller's; empty removes it."},
        {0}};

const struct shape shape_rewrite = {
        .name = "rewrite",
        .text = "Send the request on under another path or query.",
        .settings = settings,
        .size = sizeof(struct conf),
        .shorthand = "path",
};

const struct policy policy_rewrite = {
        .shape = &shape_rewrite,
        .stage = STAGE_SHAPE,
        .prepare = prepare,
        .on_request = on_request,
        .examples = (const struct example[]){{"A prefix is put in front", "rewrite: \"/v2{path}\"",
                                              "GET /things?a=b HTTP/1.1", .status = 200,
                                              .has = "X-Got-Target: /v2/things?a=b"},
                                             {"The query is replaced", "rewrite: { query: c=d }",
                                              "GET /things?a=b HTTP/1.1", .status = 200,
                                              .has = "X-Got-Target: /things?c=d"},
                                             {0}},
};
