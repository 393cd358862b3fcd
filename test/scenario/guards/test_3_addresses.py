"""Section J of the security catalogue, row 217: one address in all its spellings, and lists of
them."""
import pytest
import rig

TRUSTED = {"main": {"trusted_proxies": ["127.0.0.0/8"]}}


@pytest.fixture(scope="module")
def walls(gates, servers):
    """One API for each list, behind a proxy that is believed."""
    server = servers()
    lists = {"ten": ["10.0.0.0/8"], "one": ["10.0.0.1/32"], "six": ["2001:db8::/32"],
             "all4": ["0.0.0.0/0"], "all6": ["::/0"], "upper": ["128.0.0.0/1"],
             "mapped": ["::ffff:10.0.0.0/104"], "host6": ["2001:db8::1"]}
    apis = {f"{kind}-{name}": {"upstream": server.url, "policies": {f"ip_{kind}": networks}}
            for name, networks in lists.items() for kind in ("deny", "allow")}
    return rig.Door(gates, server, apis={"a": {"path": "/", "upstream": server.url}, **apis},
                    listeners=TRUSTED)


ADDRESSES = [  # list, address, whether it is on it
    ("ten", "10.0.0.1", 1), ("ten", "10.255.255.255", 1), ("ten", "11.0.0.0", 0),
    ("ten", "9.255.255.255", 0), ("ten", "::ffff:10.0.0.1", 1), ("ten", "::ffff:0a00:0001", 1),
    ("ten", "0:0:0:0:0:ffff:10.0.0.1", 1), ("ten", "0:0:0:0:0:FFFF:A00:1", 1),
    ("ten", "::10.0.0.1", 0), ("ten", "64:ff9b::10.0.0.1", 0), ("ten", "[::ffff:10.0.0.1]:80", 1),
    ("one", "10.0.0.1", 1), ("one", "10.0.0.2", 0), ("one", "10.0.0.0", 0),
    ("one", "::ffff:10.0.0.1", 1), ("six", "2001:db8::1", 1), ("six", "2001:DB8:0:0::1", 1),
    ("six", "2001:0db8:0000:0000:0000:0000:0000:0001", 1), ("six", "2001:db9::", 0),
    ("six", "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", 0), ("all4", "1.2.3.4", 1),
    ("all4", "255.255.255.255", 1), ("all4", "::ffff:1.2.3.4", 1), ("all4", "2001:db8::1", 0),
    ("all6", "2001:db8::1", 1), ("all6", "::1", 1), ("upper", "128.0.0.0", 1),
    ("upper", "127.255.255.255", 0), ("mapped", "10.1.2.3", 1), ("mapped", "11.1.2.3", 0),
    ("host6", "2001:db8::1", 1), ("host6", "2001:db8::2", 0)]


@pytest.mark.parametrize("name, address, is_in", ADDRESSES, ids=lambda v: f"J217-{v}")
def test_an_address_is_the_same_in_each_spelling(walls, name, address, is_in):
    fields = {"X-Forwarded-For": address}
    deny = walls.gate.get(f"/deny-{name}/x", fields)
    allow = walls.gate.get(f"/allow-{name}/x", fields)
    assert (deny.status, allow.status) == ((403, 200) if is_in else (200, 403))
    assert (deny if is_in else allow).code == "address-denied"


@pytest.mark.parametrize("address", ["fe80::1%eth0", "10.0.0.1%1", "010.0.0.1", "10.1", "167772161",
                                     "0xa.0.0.1", "10.0.0.1/32", "10.0.0.1 evil", "10.0.0.256",
                                     "::ffff:10.0.0.256", "1:2:3:4:5:6:7:8:9", ":::", "[10.0.0.1"],
                         ids=lambda a: f"J217-{a}")
def test_what_is_no_address_is_not_guessed_at(walls, address):
    """The caller is then the last hop that is believed: here the proxy itself."""
    assert walls.gate.get("/deny-ten/x", {"X-Forwarded-For": address}).status == 200
    answer = walls.gate.get("/allow-ten/x", {"X-Forwarded-For": address})
    assert answer.status == 403
    assert walls.gate.record(answer).address == "127.0.0.1"


TYPOS = ["10.0.0.0/33", "10.0.0.0/-1", "10.0.0.1/8", "10.0.0/8", "10.0.0.0/8 ", "10.0.0.0/ 8",
         "10.0.0.0/08", "10.0.0.0/255.0.0.0", "010.0.0.0/8", "2001:db8::/129", "2001:db8::1/32",
         "fe80::1%eth0", "10.0.0.0-10.0.0.9", "10.*", "localhost", "a.test", "", "/8", "::/0/0",
         "10.0.0.0/8,11.0.0.0/8", "::ffff:10.0.0.0/8", 10, None]


@pytest.mark.parametrize("network", TYPOS, ids=lambda n: f"J217-{n}")
@pytest.mark.parametrize("where", ["ip_deny", "ip_allow", "trusted_proxies"])
def test_a_network_with_a_slip_is_refused_at_load(refusing, where, network):
    main = {"address": "127.0.0.1:1"}
    policies = {}
    if where == "trusted_proxies":
        main[where] = ["127.0.0.1", network]
    else:
        policies[where] = ["127.0.0.1", network]
    refusing({"listeners": {"main": main},
              "apis": {"a": {"upstream": "http://b", "policies": policies}}})
