/* ip.c -- who may call, by address. The address is the client's, behind trusted proxies; an IPv4
 * address is the same in both its forms. */
#include "gate/policy.h"
#include "policy/list.h"

struct conf {
        struct cidrs networks;
};

/* Where that network is written in the list. */
static const struct json *node_of(const struct json *list, const struct cidr *network)
{
        json_each (item, list) {
                struct cidr cidr;
                if (cidr_read(json_raw(item), &cidr) == ERR_ok && cidr.bits == network->bits &&
                    memcmp(cidr.bytes, network->bytes, sizeof cidr.bytes) == 0)
                        return item;
        }
        return list;
}

/* Networks that have no address in common with the floor's: nobody comes from there. */
static void weigh_allow(struct weighing *weighing, const void *f, const void *c)
{
        const struct conf *floor = f, *conf = c;
        const struct json *list = written(weighing->node, "networks", "networks");
        for (size_t i = 0; i < conf->networks.count; i++) {
                const struct cidr *one = &conf->networks.at[i];
                bool is_met = cidrs_has(&floor->networks, one->bytes);
                for (size_t k = 0; k < floor->networks.count && !is_met; k++)
                        is_met = cidr_has(one, floor->networks.at[k].bytes);
                if (!is_met)
                        weigh_idle(weighing, node_of(list, one));
        }
}

static enum verdict refuse(struct exchange *ex)
{
        return ex_deny(ex, REASON_address_denied, "%s", "");
}

static enum verdict allow_on_request(struct exchange *ex, const void *c, void *state)
{
        const struct conf *conf = c;
        (void)state;
        bool is_in = cidrs_has(&conf->networks, ex_address(ex));
        ex_note(ex, STR_FMT " %s", STR_ARG(ex_address_text(ex)),
                is_in ? "is on the list" : "is not on the list");
        return is_in ? VERDICT_PASS : refuse(ex);
}

static enum verdict deny_on_request(struct exchange *ex, const void *c, void *state)
{
        const struct conf *conf = c;
        (void)state;
        bool is_in = cidrs_has(&conf->networks, ex_address(ex));
        ex_note(ex, STR_FMT " %s", STR_ARG(ex_address_text(ex)),
                is_in ? "is on the list" : "is not on the list");
        return is_in ? refuse(ex) : VERDICT_PASS;
}

static const struct setting settings[] = {{CIDRS(networks), .required = true, .least = 1,
                                           .most = 10000,
                                           .example = "[203.0.113.0/24, \"2001:db8::/32\"]",
                                           .text = "Addresses and networks, IPv4 and IPv6."},
                                          {0}};

const struct shape shape_ip_allow = {
        .name = "ip_allow",
        .text = "Only these addresses may call.",
        .settings = settings,
        .size = sizeof(struct conf),
        .shorthand = "networks",
};

const struct shape shape_ip_deny = {
        .name = "ip_deny",
        .text = "These addresses may not call.",
        .settings = settings,
        .size = sizeof(struct conf),
        .shorthand = "networks",
};

const struct policy policy_ip_allow = {
        .shape = &shape_ip_allow,
        .stage = STAGE_GUARD,
        .weigh = weigh_allow,
        .on_request = allow_on_request,
        .examples =
                (const struct example[]){
                        {"An address of the network passes", "ip_allow: 203.0.113.0/24",
                         "GET / HTTP/1.1", .address = "203.0.113.9", .status = 200},
                        {"An address outside is refused", "ip_allow: 203.0.113.0/24",
                         "GET / HTTP/1.1", .address = "203.0.114.1", .status = 403},
                        {"Several networks, and single addresses",
                         "ip_allow: [203.0.113.0/24, \"2001:db8::/32\", "
                         "192.0.2.7]",
                         "GET / HTTP/1.1", .address = "2001:db8::1", .status = 200},
                        {0}},
};

const struct policy policy_ip_deny = {
        .shape = &shape_ip_deny,
        .stage = STAGE_GUARD,
        .on_request = deny_on_request,
        .examples = (const struct example[]){{"An address of the network is refused",
                                              "ip_deny: 203.0.113.0/24", "GET / HTTP/1.1",
                                              .address = "203.0.113.9", .status = 403},
                                             {"IPv4 written as IPv6 is the same address",
                                              "ip_deny: 203.0.113.0/24", "GET / HTTP/1.1",
                                              .address = "::ffff:203.0.113.9", .status = 403},
                                             {0}},
};
