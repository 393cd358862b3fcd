/* api_key.c -- an API key in X-API-Key or as bearer token. Keys are found by a keyed hash and
 * compared by their HMAC in the roster, in the same time whether they exist or not; the key itself
 * is nowhere kept. */
#include "gate/policy.h"
#include "identity/list.h"

struct conf {
        struct str header;
        bool bearer;
        enum name name; /* of header */
};

static void prepare(const struct prepare *prepare, void *c)
{
        struct conf *conf = c;
        (void)prepare;
        conf->name = name_find(conf->header);
}

/* The token of `Authorization: Bearer …`; STR_NONE when it is another scheme. */
static struct str bearer_token(const struct fields *fields)
{
        struct str value = fields_value(fields, NAME_authorization);
        struct str scheme = str_cut(&value, ' ');
        if (value.ptr == NULL || !str_eq_nocase(scheme, S("Bearer")))
                return STR_NONE;
        return str_trim(value);
}

static struct str header_key(struct exchange *ex, const struct conf *conf)
{
        const struct field *field = fields_find_as(ex_request_fields(ex), conf->name, conf->header);
        return field == NULL ? STR_NONE : field->value;
}

static enum proof_answer conclude(struct exchange *ex, struct str key)
{
        switch (ex_find_key(ex, key)) {
        case KEY_KNOWN:
                ex_caller(ex)->identity = S("api_key");
                return PROOF_KNOWN;
        case KEY_EXPIRED:
                ex_note(ex, "the key has expired");
                return PROOF_BAD;
        case KEY_BLOCKED:
                ex_note(ex, "the consumer is blocked");
                return PROOF_BARRED;
        case KEY_UNKNOWN:
                break;
        }
        ex_note(ex, "the key is unknown");
        return PROOF_BAD;
}

/* Beside the header, a bearer token is for the service behind, unless it is one of our keys, too:
 * then nobody can say which of the two was meant. */
static bool is_other_key(struct exchange *ex, struct str token)
{
        struct caller before = *ex_caller(ex);
        bool is_key = ex_find_key(ex, token) != KEY_UNKNOWN;
        *ex_caller(ex) = before;
        return is_key;
}

static enum proof_answer try(struct exchange *ex, const void *c, void *state)
{
        const struct conf *conf = c;
        struct str key = header_key(ex, conf);
        struct str token = conf->bearer ? bearer_token(ex_request_fields(ex)) : STR_NONE;
        (void)state;
        if (key.ptr == NULL && token.ptr == NULL)
                return PROOF_ABSENT;
        if (key.ptr == NULL)
                return conclude(ex, token);
        if (token.ptr != NULL && !str_eq_secret(key, token) && is_other_key(ex, token))
                return PROOF_TWICE;
        return conclude(ex, key);
}

static void hide(struct exchange *ex, const void *c)
{
        const struct conf *conf = c;
        struct fields *fields = ex_request_fields(ex);
        struct str key = header_key(ex, conf);
        struct str token = conf->bearer ? bearer_token(fields) : STR_NONE;
        bool is_ours = key.ptr == NULL || str_eq_secret(key, token);
        if (token.ptr != NULL && is_ours)
                fields_remove_known(fields, NAME_authorization);
        if (key.ptr != NULL)
                fields_remove_as(fields, conf->name, conf->header);
}

static const struct setting settings[] = {
        {TEXT(header), .least = 1, .most = 64, .preset_text = "X-API-Key",
         .text = "Header field that holds the key."},
        {FLAG(bearer), .preset = true, .text = "Whether `Authorization: Bearer` may hold it, too."},
        {0}};

static const struct shape shape = {
        .name = "api_key",
        .text = "A secret text that the caller sends with each request.",
        .settings = settings,
        .size = sizeof(struct conf),
};

const struct proof proof_api_key = {
        .shape = &shape,
        .challenge = "ApiKey realm=\"gate\", header=\"X-API-Key\"",
        .prepare = prepare,
        .try = try,
        .hide = hide,
};
