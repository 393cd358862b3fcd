/* dns.c -- when to ask and what to believe. A name has one timer: for the next question, and for
 * the end of its last good addresses. An answer is a set, sorted, so that servers that rotate their
 * records change nothing. What fails is asked again after 1 s, then after twice as long each time
 * up to 32 s, spread by a quarter either way, so that many names do not ask in step. */
#include "io/dns.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/rand.h"
#include "io/dns_int.h"

enum { BUCKETS = 256, RETRY_DOUBLINGS = 5, LABEL_MAX = 63 };

#define RETRY_NS 1000000000u

struct dns_name {
        struct list node;    /* of its bucket */
        struct list waiting; /* to be asked about */
        struct list watches;
        struct dns *dns;
        struct timer timer;
        struct dns_rule rule;
        uint64_t ask_at, good_until;
        unsigned failures; /* in a row */
        enum err error;
        bool is_asking, is_settled, is_telling;
        unsigned count;
        struct addr addrs[DNS_ADDRS_MAX];
        size_t len;
        char text[DNS_NAME_MAX + 2];
};

struct dns {
        struct loop *loop;
        struct dns_conf conf;
        struct list buckets[BUCKETS];
        struct list waiting; /* of dns_name: when fewer questions are under way */
        struct task pump;
        unsigned asking, count;
        dns_ask_fn *ask;
        void *ask_arg;
        struct dns_wire *wire;
        struct dns_counts counts;
        char servers[DNS_SERVERS_MAX];
};

static struct str text_of(const struct dns_name *name)
{
        return str_from(name->text, name->len);
}

static void name_maybe_free(struct dns_name *name)
{
        if (!list_is_empty(&name->watches) || name->is_asking || name->is_telling)
                return;
        timer_stop(&name->timer);
        list_remove(&name->node);
        list_remove(&name->waiting);
        name->dns->count--;
        free(name);
}

/* Shows the watch what is known; then it is told, if it has to be. */
static void show(struct dns_watch *watch, const struct dns_name *name)
{
        watch->addrs = name->addrs;
        watch->count = name->count;
        watch->error = name->error;
        watch->is_settled = name->is_settled;
}

static void tell(struct dns_name *name, bool has_changed)
{
        struct list untold;
        struct list *node;
        list_init(&untold);
        list_move(&untold, &name->watches);
        name->is_telling = true;
        while ((node = list_pop(&untold)) != NULL) {
                struct dns_watch *watch = list_entry(node, struct dns_watch, node);
                list_push(&name->watches, node);
                show(watch, name);
                if (has_changed)
                        watch->changed(watch);
        }
        name->is_telling = false;
}

static void set_timer(struct dns_name *name)
{
        uint64_t due = name->is_asking ? TIMER_NEVER : name->ask_at;
        if (name->count > 0)
                due = u64_min(due, name->good_until);
        if (due == TIMER_NEVER)
                timer_clear(&name->timer);
        else
                timer_set(name->dns->loop, &name->timer, due);
}

static void ask(struct dns_name *name)
{
        struct dns *dns = name->dns;
        name->is_asking = true;
        set_timer(name);
        dns->asking++;
        dns->counts.asked++;
        if (dns->ask != NULL) {
                dns->ask(dns->ask_arg, name, text_of(name), name->rule.family);
                return;
        }
        if (dns->wire == NULL)
                dns->wire = dns_wire_make(dns->loop, &dns->conf);
        if (dns->wire != NULL)
                dns_wire_ask(dns->wire, name, text_of(name), name->rule.family);
        else
                dns_give(name, &(const struct dns_answer){.error = ERR_memory});
}

static void pump(struct task *task)
{
        struct dns *dns = container_of(task, struct dns, pump);
        struct list *node;
        while (dns->asking < DNS_ASKING_MAX && (node = list_pop(&dns->waiting)) != NULL)
                ask(list_entry(node, struct dns_name, waiting));
}

static void on_timer(struct timer *timer)
{
        struct dns_name *name = container_of(timer, struct dns_name, timer);
        struct dns *dns = name->dns;
        uint64_t now = loop_now(dns->loop);
        if (name->count > 0 && now >= name->good_until) {
                log_warn("the last good addresses of a name are too old",
                         log_str("name", text_of(name)), log_err(name->error));
                name->count = 0;
                dns->counts.changed++;
                tell(name, true);
        }
        if (!name->is_asking && now >= name->ask_at && list_is_empty(&name->waiting)) {
                list_push(&dns->waiting, &name->waiting);
                loop_ready(dns->loop, &dns->pump);
        } else {
                set_timer(name);
        }
        name_maybe_free(name);
}

/* Sets of addresses. */

static int addr_order(const struct addr *a, const struct addr *b)
{
        return memcmp(a, b, sizeof *a);
}

/* One form for one address; false for what is none of a server: 0.0.0.0 (with which some resolvers
 * answer for what they block, and which would reach this very machine), groups, broadcast. */
static bool canonical(const struct addr *from, struct addr *ret_addr)
{
        uint8_t bytes[16];
        *ret_addr = (struct addr){0};
        addr_bytes(from, bytes);
        bool is_v4 = from->u.any.sa_family == AF_INET ||
                     IN6_IS_ADDR_V4MAPPED(&from->u.v6.sin6_addr);
        if (is_v4) {
                ret_addr->u.v4.sin_family = AF_INET;
                memcpy(&ret_addr->u.v4.sin_addr, bytes + 12, 4);
                return bytes[12] != 0 && bytes[12] < 224;
        }
        ret_addr->u.v6.sin6_family = AF_INET6;
        memcpy(&ret_addr->u.v6.sin6_addr, bytes, 16);
        return !IN6_IS_ADDR_UNSPECIFIED(&ret_addr->u.v6.sin6_addr) && bytes[0] != 0xff;
}

/* Inserts into a sorted set of at most DNS_ADDRS_MAX: of more, the first in order stay. */
static unsigned insert(struct addr *set, unsigned count, const struct addr *addr)
{
        unsigned at = 0;
        while (at < count && addr_order(&set[at], addr) < 0)
                at++;
        if (at == DNS_ADDRS_MAX || (at < count && addr_order(&set[at], addr) == 0))
                return count;
        if (count == DNS_ADDRS_MAX)
                count--;
        memmove(set + at + 1, set + at, (count - at) * sizeof *set);
        set[at] = *addr;
        return count + 1;
}

static unsigned make_set(const struct dns_answer *answer, struct addr *set)
{
        unsigned count = 0;
        for (unsigned i = 0; i < answer->count; i++) {
                struct addr addr;
                if (canonical(&answer->addrs[i], &addr))
                        count = insert(set, count, &addr);
        }
        return count;
}

/* Answers. */

static void failed(struct dns_name *name, enum err err)
{
        struct dns *dns = name->dns;
        uint64_t pause = (uint64_t)RETRY_NS
                         << (name->failures < RETRY_DOUBLINGS ? name->failures : RETRY_DOUBLINGS);
        bool is_news = !name->is_settled;
        if (name->failures++ == 0)
                log_warn("a name cannot be resolved", log_str("name", text_of(name)), log_err(err),
                         log_num("addresses_kept", name->count));
        dns->counts.missing += err == ERR_missing;
        dns->counts.timeouts += err == ERR_timeout;
        dns->counts.failed += err != ERR_missing && err != ERR_timeout;
        name->error = err;
        name->ask_at = loop_now(dns->loop) + pause * 3 / 4 + rand_below(pause / 2);
        name->is_settled = true;
        tell(name, is_news);
}

static void answered(struct dns_name *name, const struct addr *set, unsigned count, uint32_t ttl_s)
{
        struct dns *dns = name->dns;
        const struct dns_rule *rule = &name->rule;
        uint64_t now = loop_now(dns->loop);
        uint64_t ttl = u64_min(u64_max(ttl_s * 1000000000ull, rule->ttl_min_ns), rule->ttl_max_ns);
        bool has_changed = count != name->count ||
                           memcmp(set, name->addrs, count * sizeof *set) != 0;
        if (name->failures > 0)
                log_info("a name is resolved again", log_str("name", text_of(name)),
                         log_num("failures", name->failures));
        dns->counts.answered++;
        dns->counts.changed += has_changed;
        name->failures = 0;
        name->error = ERR_ok;
        name->ask_at = now + ttl + rand_below(ttl / 16 + 1);
        if (add_overflows(now + ttl, rule->stale_ns, &name->good_until))
                name->good_until = TIMER_NEVER;
        memcpy(name->addrs, set, count * sizeof *set);
        name->count = count;
        bool is_news = has_changed || !name->is_settled;
        name->is_settled = true;
        tell(name, is_news);
}

void dns_give(struct dns_name *name, const struct dns_answer *answer)
{
        struct addr set[DNS_ADDRS_MAX];
        struct dns *dns = name->dns;
        enum err err = answer->error;
        unsigned count = err == ERR_ok ? make_set(answer, set) : 0;
        CHECK(name->is_asking);
        name->is_asking = false;
        dns->asking--;
        if (!list_is_empty(&dns->waiting))
                loop_ready(dns->loop, &dns->pump);
        if (list_is_empty(&name->watches)) {
                name_maybe_free(name);
                return;
        }
        if (count > 0)
                answered(name, set, count, answer->ttl);
        else
                failed(name, err == ERR_ok ? ERR_missing : err);
        set_timer(name);
        name_maybe_free(name);
}

/* Names. */

static bool is_label(struct str label)
{
        if (label.len == 0 || label.len > LABEL_MAX)
                return false;
        for (size_t i = 0; i < label.len; i++) {
                char c = char_lower(label.ptr[i]);
                if (!(c >= 'a' && c <= 'z') && !char_is_digit(c) && c != '-' && c != '_')
                        return false;
        }
        return true;
}

/* Letters, digits, hyphens and underscores. A last label of digits would be a mistyped address, or
 * one in a form (octal, hexadecimal, one number) that hides what it is. */
static bool is_name(struct str text)
{
        struct str rest = text, label = STR_NONE;
        bool is_number = true;
        if (str_ends(rest, S(".")))
                rest.len--;
        if (rest.len == 0 || rest.len > DNS_NAME_MAX)
                return false;
        while (rest.ptr != NULL) {
                label = str_cut(&rest, '.');
                if (!is_label(label))
                        return false;
        }
        if (label.len > 1 && label.ptr[0] == '0' && char_lower(label.ptr[1]) == 'x')
                return false;
        for (size_t i = 0; i < label.len; i++)
                is_number &= char_is_digit(label.ptr[i]);
        return !is_number;
}

/* RFC 6761, 6.3: localhost and what is below it never leaves this machine. */
static bool is_localhost(struct str text)
{
        static const struct str suffix = {".localhost", 10};
        if (str_ends(text, S(".")))
                text.len--;
        if (str_eq_nocase(text, S("localhost")))
                return true;
        return text.len > suffix.len && is_name(text) &&
               str_eq_nocase(str_skip(text, text.len - suffix.len), suffix);
}

/* What needs no question. */
static bool set_fixed(struct dns_watch *watch, struct str text, enum dns_family family)
{
        if (is_localhost(text)) {
                if (family != DNS_V6)
                        CHECK(addr_read_ip(S("127.0.0.1"), 0, &watch->fixed[watch->count++]) ==
                              ERR_ok);
                if (family != DNS_V4)
                        CHECK(addr_read_ip(S("::1"), 0, &watch->fixed[watch->count++]) == ERR_ok);
        } else {
                if (text.len > 2 && str_starts(text, S("[")) && str_ends(text, S("]")))
                        text = str_from(text.ptr + 1, text.len - 2);
                if (addr_read_ip(text, 0, &watch->fixed[0]) != ERR_ok)
                        return false;
                watch->count = 1;
        }
        watch->addrs = watch->fixed;
        watch->is_settled = true;
        return true;
}

static bool is_same_rule(const struct dns_rule *a, const struct dns_rule *b)
{
        return a->family == b->family && a->ttl_min_ns == b->ttl_min_ns &&
               a->ttl_max_ns == b->ttl_max_ns && a->stale_ns == b->stale_ns;
}

static struct dns_name *name_get(struct dns *dns, struct str text, const struct dns_rule *rule)
{
        char lower[DNS_NAME_MAX + 2];
        for (size_t i = 0; i < text.len; i++)
                lower[i] = char_lower(text.ptr[i]);
        text.ptr = lower;
        struct list *bucket = &dns->buckets[hash_str(text) % BUCKETS];
        list_each (node, bucket) {
                struct dns_name *name = list_entry(node, struct dns_name, node);
                if (str_eq(text_of(name), text) && is_same_rule(&name->rule, rule))
                        return name;
        }
        struct dns_name *name = calloc(1, sizeof *name);
        if (name == NULL)
                panic("no memory for a name");
        name->dns = dns;
        name->rule = *rule;
        name->len = text.len;
        memcpy(name->text, text.ptr, text.len);
        list_init(&name->waiting);
        list_init(&name->watches);
        timer_init(&name->timer, on_timer);
        timer_set(dns->loop, &name->timer, loop_now(dns->loop));
        list_push(bucket, &name->node);
        dns->count++;
        return name;
}

enum err dns_watch_begin(struct dns *dns, struct dns_watch *watch, struct str text,
                         const struct dns_rule *rule)
{
        watch->name = NULL;
        watch->addrs = NULL;
        watch->count = 0;
        watch->error = ERR_ok;
        watch->is_settled = false;
        list_init(&watch->node);
        if (set_fixed(watch, text, rule->family))
                return ERR_ok;
        if (!is_name(text))
                return ERR_syntax;
        watch->name = name_get(dns, text, rule);
        list_push(&watch->name->watches, &watch->node);
        show(watch, watch->name);
        return ERR_ok;
}

void dns_watch_end(struct dns_watch *watch)
{
        struct dns_name *name = TAKE(watch->name);
        if (name == NULL)
                return;
        list_remove(&watch->node);
        watch->addrs = NULL;
        watch->count = 0;
        name_maybe_free(name);
}

void dns_refresh(struct dns *dns)
{
        for (size_t i = 0; i < BUCKETS; i++) {
                list_each (node, &dns->buckets[i]) {
                        struct dns_name *name = list_entry(node, struct dns_name, node);
                        name->ask_at = loop_now(dns->loop) + rand_below(RETRY_NS);
                        if (!name->is_asking && list_is_empty(&name->waiting))
                                set_timer(name);
                }
        }
}

const struct dns_counts *dns_counts(const struct dns *dns)
{
        return &dns->counts;
}

unsigned dns_name_count(const struct dns *dns)
{
        return dns->count;
}

void dns_set_ask(struct dns *dns, dns_ask_fn *fn, void *arg)
{
        dns->ask = fn;
        dns->ask_arg = arg;
}

struct dns *dns_make(struct loop *loop, const struct dns_conf *conf)
{
        struct dns *dns = calloc(1, sizeof *dns);
        CHECK(dns != NULL && conf->servers.len < sizeof dns->servers);
        dns->loop = loop;
        dns->conf = *conf;
        if (conf->servers.len > 0)
                memcpy(dns->servers, conf->servers.ptr, conf->servers.len);
        dns->conf.servers.ptr = dns->servers;
        for (size_t i = 0; i < BUCKETS; i++)
                list_init(&dns->buckets[i]);
        list_init(&dns->waiting);
        task_init(&dns->pump, pump);
        return dns;
}

void dns_free(struct dns *dns)
{
        if (dns->wire != NULL)
                dns_wire_free(TAKE(dns->wire));
        CHECK(dns->count == 0);
        list_remove(&dns->pump.node);
        free(dns);
}
