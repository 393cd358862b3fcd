/* rewrite.c -- sends a request on under another path or query. What comes out is normalised again;
 * a path that climbs out of where the API leads is refused, so no rewrite opens what a route
 * protects. */
#include "gate/policy.h"
#include "policy/list.h"

struct conf {
        struct str path, query;
        bool has_query; /* it is written; with nothing in `query` it is taken away */
};

static void fault_template(const struct prepare *prepare, const struct json *at,
                           struct str template)
{
        fault_add(prepare->faults, FAULT_E211, at, "`" STR_FMT "` cannot be made a target",
                  STR_ARG(template))
                ->help = S("characters of a URL, and {path} or a parameter of the route; {query} "
                           "in `query`");
}

static void prepare(const struct prepare *prepare, void *c)
{
        struct conf *conf = c;
        const struct json *path = written(prepare->node, "path", "path");
        const struct json *query = written(prepare->node, "query", "path");
        bool has_start = str_starts(conf->path, S("/")) || str_starts(conf->path, S("{path}"));
        conf->has_query = query != NULL;
        if (conf->path.ptr == NULL && !conf->has_query)
                fault_add(prepare->faults, FAULT_E211, prepare->node,
                          "a rewrite needs a path or a query");
        else if (conf->path.ptr != NULL && !has_start)
                fault_add(prepare->faults, FAULT_E211, path,
                          "the path must begin with / or {path}");
        else if (!ex_can_fill_target(conf->path, FILL_PATH))
                fault_template(prepare, path, conf->path);
        if (!ex_can_fill_target(conf->query, FILL_QUERY))
                fault_template(prepare, query, conf->query);
}

/* A floor without {path} leaves nothing of what a path below it says. */
static void weigh(struct weighing *weighing, const void *f, const void *c)
{
        const struct conf *floor = f, *conf = c;
        bool keeps_path = floor->path.ptr == NULL || str_find_str(floor->path, S("{path}")) >= 0;
        if (conf->path.ptr != NULL && !keeps_path)
                weigh_idle(weighing, written(weighing->node, "path", "path"));
}

static enum verdict on_request(struct exchange *ex, const void *c, void *state)
{
        const struct conf *conf = c;
        (void)state;
        /* Both are made of what there was before: {path} is the same in both. */
        struct str path = ex_fill_target(ex, conf->path, FILL_PATH);
        struct str query = ex_fill_target(ex, conf->query, FILL_QUERY);
        if (conf->path.ptr != NULL) {
                if (!ex_set_path(ex, path))
                        return ex_deny(ex, REASON_bad_request, "%s", "");
                ex_note(ex, "path " STR_FMT, STR_ARG(path));
        }
        if (conf->has_query) {
                while (str_starts(query, S("?")) || str_starts(query, S("&")))
                        query = str_skip(query, 1);
                ex_set_query(ex, query.len == 0 ? STR_NONE : query);
        }
        return VERDICT_PASS;
}

static const struct setting settings[] = {
        {TEXT(path), .most = 2000, .example = "/v2{path}",
         .text = "The path below the upstream's URL: may hold {path} (what follows the API's path) "
                 "and the parameters of the route."},
        {TEXT(query), .most = 2000, .word = "off", .example = "source=gate",
         .text = "The query in place of the caller's: may hold {query}, which is the caller's, and "
                 "the parameters of the route; `off` removes it."},
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
        .weigh = weigh,
        .on_request = on_request,
        .examples =
                (const struct example[]){
                        {"A prefix is put in front", "rewrite: \"/v2{path}\"",
                         "GET /things?a=b HTTP/1.1", .status = 200,
                         .has = "X-Got-Target: /v2/things?a=b"},
                        {"The query is replaced", "rewrite: { query: c=d }",
                         "GET /things?a=b HTTP/1.1", .status = 200,
                         .has = "X-Got-Target: /things?c=d"},
                        {"The query is added to", "rewrite: { query: \"{query}&c=d\" }",
                         "GET /things?a=b HTTP/1.1", .status = 200,
                         .has = "X-Got-Target: /things?a=b&c=d"},
                        {"Path and query are made of what was asked for",
                         "rewrite: { path: /find, query: \"for={path}\" }", "GET /things HTTP/1.1",
                         .status = 200, .has = "X-Got-Target: /find?for=/things"},
                        {"The query is removed", "rewrite: { query: off }",
                         "GET /things?a=b HTTP/1.1", .status = 200, .has = "X-Got-Target: /things"},
                        {0}},
};
