/* redirect.c -- answers with another place. */
#include "gate/policy.h"
#include "policy/list.h"

extern const struct shape shape_redirect;

struct conf {
        struct str to;
        int64_t status;
};

static void prepare(const struct prepare *prepare, void *c)
{
        const struct conf *conf = c;
        bool is_known = conf->status == 301 || conf->status == 302 || conf->status == 303 ||
                        conf->status == 307 || conf->status == 308;
        if (!is_known)
                fault_add(prepare->faults, FAULT_E211, prepare->node, "%lld is not a redirect",
                          (long long)conf->status)
                        ->help = S("write 301, 302, 303, 307 or 308");
        if (!ex_can_fill_target(conf->to, FILL_URL))
                fault_add(prepare->faults, FAULT_E211,
                          written(prepare->node, "to", shape_redirect.shorthand),
                          "`" STR_FMT "` cannot be made a URL", STR_ARG(conf->to))
                        ->help = S("characters of a URL, and {host}, {path}, {query}, {scheme} or "
                                   "a parameter of the route");
}

static void weigh(struct weighing *weighing, const void *floor, const void *conf)
{
        (void)floor;
        (void)conf;
        weigh_idle(weighing, weighing->node);
}

static enum verdict on_request(struct exchange *ex, const void *c, void *state)
{
        const struct conf *conf = c;
        struct str to = ex_fill_target(ex, conf->to, FILL_URL);
        (void)state;
        if (!value_is_safe(to))
                return ex_deny(ex, REASON_bad_request, "%s", "");
        ex_answer_field(ex, NAME_location, to);
        ex_note(ex, "to " STR_FMT, STR_ARG(to));
        return ex_answer(ex, (uint16_t)conf->status, STR_NONE, STR_NONE);
}

static const struct setting settings[] = {{TEXT(to), .required = true, .least = 1, .most = 2000,
                                           .example = "https://{host}{path}{query}",
                                           .text = "Where to: may hold {scheme}, {host}, {path}, "
                                                   "{query} and the parameters of the route."},
                                          {INTEGER(status), .least = 301, .most = 308,
                                           .preset = 308, .text = "301, 302, 303, 307 or 308."},
                                          {0}};

const struct shape shape_redirect = {
        .name = "redirect",
        .text = "Answer with another place instead of asking the service.",
        .settings = settings,
        .size = sizeof(struct conf),
        .shorthand = "to",
};

const struct policy policy_redirect = {
        .shape = &shape_redirect,
        .stage = STAGE_ANSWER,
        .answers = true,
        .prepare = prepare,
        .weigh = weigh,
        .on_request = on_request,
        .examples =
                (const struct example[]){
                        {"The path and the query are kept",
                         "redirect: \"https://new.example.com{path}{query}\"",
                         "GET /a?b=c HTTP/1.1", .status = 308,
                         .has = "Location: https://new.example.com/a?b=c"},
                        {"What stands in a path cannot add to a query",
                         "redirect: \"/search?for={path}\"", "GET /a&admin=1 HTTP/1.1",
                         .status = 308, .has = "Location: /search?for=/a%26admin%3D1"},
                        {"The status can be chosen", "redirect: { to: /elsewhere, status: 302 }",
                         "GET / HTTP/1.1", .status = 302, .has = "Location: /elsewhere"},
                        {0}},
};
