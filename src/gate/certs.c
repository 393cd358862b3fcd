/* certs.c -- the certificates of a listener into what it shows. Each pair is looked at by itself,
 * so that all that is wrong is said at once; what is only about to go wrong is a warning. A pair
 * that is not valid yet or any more is refused where it is new, for then the one before is better;
 * a gate that starts, or has it in use, goes on: the rest of its callers can do nothing for it. */
#include "gate/compile_int.h"
#include "net/tls.h"
#include "wire/date.h"

enum { SET_MAX = 64 << 20, SOON_DAYS = 30 };

/* One listener in the making. */
struct work {
        struct compile *compile;
        const struct conf_listener *listener;
        struct arena arena; /* goes with the set */
        struct tls_pair *pairs;
        size_t count;
        bool is_bad;
};

static const struct json *cert_node(const struct conf_tls *tls)
{
        return json_get(tls->node, S("cert"));
}

static struct str day_of(struct work *work, int64_t seconds)
{
        enum { DAY_LENGTH = 10 };
        struct text text = text_grow(work->compile->in->arena, DATE_RFC3339_LENGTH);
        date_write_rfc3339(seconds * 1000, &text);
        return str_first(text_str(&text), DAY_LENGTH);
}

static struct str first_name(const struct cert *cert)
{
        return cert->names_count > 0 ? cert->names[0] : S("no name");
}

static bool set_has(const struct tls_set *set, const struct cert *cert)
{
        for (size_t i = 0; set != NULL && i < tls_set_count(set); i++) {
                if (memcmp(tls_set_cert(set, i)->fingerprint.bytes, cert->fingerprint.bytes,
                           DIGEST_SIZE) == 0)
                        return true;
        }
        return false;
}

/* True when the configuration in force has it, or there is none yet and the gate is to start. */
static bool is_in_use(const struct work *work, const struct cert *cert)
{
        const struct gate *gate = work->compile->in->gate;
        if (gate == NULL || gate->current == NULL)
                return gate != NULL;
        for (uint32_t i = 0; i < gate->current->listener_count; i++) {
                if (set_has(gate->current->listeners[i].tls, cert))
                        return true;
        }
        return false;
}

static void check_time(struct work *work, const struct conf_tls *tls, const struct cert *cert)
{
        struct faults *faults = work->compile->in->faults;
        int64_t now = (int64_t)(work->compile->in->wall / SECOND);
        bool is_over = now >= cert->until, is_early = now < cert->from;
        struct fault *fault;
        if (now == 0 || (!is_over && !is_early && cert->until - now > SOON_DAYS * DAY / SECOND))
                return;
        struct str day = day_of(work, is_early ? cert->from : cert->until);
        if (!is_over && !is_early) {
                fault = fault_add(faults, FAULT_W206, cert_node(tls),
                                  "the certificate for `" STR_FMT "` expires on " STR_FMT,
                                  STR_ARG(first_name(cert)), STR_ARG(day));
                fault->label = fault_text(faults, "in %d days",
                                          (int)((cert->until - now) / (DAY / SECOND)));
                return;
        }
        bool is_new = !is_in_use(work, cert);
        fault = fault_add(faults, is_new ? FAULT_E215 : FAULT_W206, cert_node(tls),
                          "the certificate for `" STR_FMT "` %s " STR_FMT,
                          STR_ARG(first_name(cert)),
                          is_early ? "is not valid before" : "expired on", STR_ARG(day));
        fault->label = S("no caller will accept it");
        work->is_bad = work->is_bad || is_new;
}

/* True, with a complaint, when the listener has it already. */
static bool is_twice(struct work *work, const struct conf_tls *tls, const struct cert *cert)
{
        struct faults *faults = work->compile->in->faults;
        for (size_t i = 0; i < work->count; i++) {
                if (memcmp(work->pairs[i].cert->fingerprint.bytes, cert->fingerprint.bytes,
                           DIGEST_SIZE) != 0)
                        continue;
                struct fault *fault = fault_add(faults, FAULT_E214, cert_node(tls),
                                                "listener `" STR_FMT "` has a certificate twice",
                                                STR_ARG(work->listener->name));
                fault->also = place_of(faults->sources, cert_node(&work->listener->tls[i]));
                return true;
        }
        return false;
}

static void read_pair(struct work *work, const struct conf_tls *tls)
{
        struct faults *faults = work->compile->in->faults;
        struct cert *cert;
        enum cert_fault wrong = cert_read(tls->cert_pem, tls->key_pem, &work->arena, &cert);
        if (wrong != CERT_GOOD) {
                bool is_key = wrong != CERT_NO_CERT && wrong != CERT_BAD_CHAIN;
                const struct json *node = is_key ? json_get(tls->node, S("key")) : cert_node(tls);
                struct fault *fault = fault_add(
                        faults, FAULT_E214, node, "the %s of listener `" STR_FMT "` cannot be used",
                        is_key ? "key" : "certificate", STR_ARG(work->listener->name));
                fault->label = str_of(cert_fault_text(wrong));
                work->is_bad = true;
                return;
        }
        if (is_twice(work, tls, cert)) {
                work->is_bad = true;
                return;
        }
        check_time(work, tls, cert);
        work->pairs[work->count++] = (struct tls_pair){
                .cert = cert, .least = tls->min == CONF_TLS_1_3 ? TLS_1_3 : TLS_1_2};
}

static struct str lower(struct work *work, struct str s)
{
        char *at = arena_alloc(work->compile->in->arena, s.len + 1);
        for (size_t i = 0; i < s.len; i++)
                at[i] = char_lower(s.ptr[i]);
        return str_from(at, s.len);
}

/* `*.example.com` is for the same, and nothing else: it stands for every name of one label more. */
static bool is_covered(const struct work *work, struct str host)
{
        bool is_wild = str_starts(host, S("*."));
        for (size_t i = 0; i < work->count; i++) {
                const struct cert *cert = work->pairs[i].cert;
                if (!is_wild && cert_fits(cert, host))
                        return true;
                for (size_t k = 0; k < cert->names_count && is_wild; k++) {
                        if (str_eq(cert->names[k], host))
                                return true;
                }
        }
        return false;
}

static bool is_behind(const struct conf_channel *channel, const struct conf_listener *listener)
{
        for (size_t i = 0; i < channel->listener.count; i++) {
                if (str_eq(channel->listener.at[i], listener->name))
                        return true;
        }
        return channel->listener.count == 0;
}

static void check_hosts(struct work *work)
{
        const struct config *config = work->compile->in->config;
        struct faults *faults = work->compile->in->faults;
        for (size_t i = 0; i < config->channels_count; i++) {
                const struct conf_channel *channel = &config->channels[i];
                for (size_t k = 0; k < channel->hosts.count; k++) {
                        struct str host = lower(work, channel->hosts.at[k]);
                        if (!is_behind(channel, work->listener) || is_covered(work, host))
                                continue;
                        struct fault *fault = fault_add(
                                faults, FAULT_W207, channel->hosts.nodes[k],
                                "no certificate of listener `" STR_FMT "` is for `" STR_FMT "`",
                                STR_ARG(work->listener->name), STR_ARG(host));
                        fault->label = S("its callers will not trust who answers");
                }
        }
}

const struct cert *snapshot_cert(const struct snapshot *snapshot, unsigned at,
                                 const struct listener_rules **ret_listener)
{
        for (uint32_t i = 0; snapshot != NULL && i < snapshot->listener_count; i++) {
                const struct listener_rules *rules = &snapshot->listeners[i];
                unsigned count = rules->tls == NULL ? 0 : (unsigned)tls_set_count(rules->tls);
                *ret_listener = rules;
                if (at < count)
                        return tls_set_cert(rules->tls, at);
                at -= count;
        }
        return NULL;
}

static void give(void *arg)
{
        tls_set_give(arg);
}

static struct tls_set *make(struct work *work)
{
        const struct compile_input *in = work->compile->in;
        size_t bad = 0;
        const struct tls_terms terms = {
                .name = arena_str(&work->arena, work->listener->name),
                .alpn = S("\x02h2\x08http/1.1"),
                .tickets = in->gate == NULL ? NULL : in->gate->tickets,
                .pairs = work->pairs,
                .pairs_count = work->count,
        };
        struct tls_set *set = work->is_bad ? NULL : tls_set_make(&work->arena, &terms, &bad);
        if (set != NULL) {
                arena_defer(in->arena, give, set);
                return set;
        }
        if (!work->is_bad)
                fault_add(in->faults, FAULT_E214, cert_node(&work->listener->tls[bad]),
                          "the certificate of listener `" STR_FMT "` cannot be used",
                          STR_ARG(work->listener->name))
                        ->label = S("OpenSSL does not serve with it");
        arena_fini(&work->arena);
        return NULL;
}

struct tls_set *compile_tls(struct compile *compile, const struct conf_listener *listener)
{
        struct work work = {.compile = compile, .listener = listener};
        if (listener->tls_count == 0)
                return NULL;
        arena_init(&work.arena, NULL, SET_MAX);
        work.pairs = arena_array(&work.arena, struct tls_pair, listener->tls_count);
        for (size_t i = 0; i < listener->tls_count; i++)
                read_pair(&work, &listener->tls[i]);
        if (!work.is_bad)
                check_hosts(&work);
        return make(&work);
}
