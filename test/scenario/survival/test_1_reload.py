"""Reloads under traffic: nobody notices, nothing grows."""
import os

import pytest
import rig

from .conftest import Desk, data, eventually, rss

# By hand: SOAK=1000 ./dev scenario survival -- -k reloads -s
RELOADS = int(os.environ.get("SOAK", "100"))
FIRST = 20  # until then pools and buffers grow to their size


def configuration(g, number):
    """Another one each time: names, limits, policies and targets come and go."""
    url = g.options["upstream"].url
    apis = {f"n{(number + i) % 7}": {"path": f"/n{(number + i) % 7}", "upstream": url,
                                     "policies": {"rate_limit": f"{1000 + number}/min"}}
            for i in range(number % 5)}
    return {"apis": apis, "upstreams": {"u": {"targets": [{"url": url}] * (1 + number % 3)}}}


@pytest.mark.tsan
@pytest.mark.timeout(60 + RELOADS)
def test_reloads_under_traffic_fail_nobody_and_leave_nothing(door):
    g = door()
    before, desk, sizes = data(g), Desk(g), []
    with rig.Traffic(g, kept=4, fresh=2, uploads=1, downloads=1) as traffic:
        for number in range(RELOADS):
            g.write(configuration(g, number))
            status, body = desk.ask("POST", "/reload")
            assert status == 200, body
            if number >= FIRST:
                sizes.append(rss(before))
        traffic.goes_on()
    desk.close()
    assert traffic.failures == [] and traffic.crossed == 0
    assert data(g) == before
    eventually(lambda: g.metrics().value("gatehouse_snapshots_alive") == 1)
    tenth = max(1, len(sizes) // 10)
    first, last = sorted(sizes[:tenth])[tenth // 2], sorted(sizes[-tenth:])[tenth // 2]
    print(f"\n{RELOADS} reloads, {traffic.count} answers {traffic.answers}, "
          f"RSS {first} → {last} KiB ({100 * (last - first) / first:+.1f} %)")
    if not g.is_sanitized:
        assert last < first * 1.05 or last - first < 1024, (first, last)


def test_bad_files_and_good_ones_in_turn_fail_nobody(door):
    g = door()
    desk = Desk(g)
    with rig.Traffic(g, kept=2, fresh=2, downloads=1) as traffic:
        for number in range(20):
            if number % 2:
                g.write(f"apis: [ {number}")
            else:
                g.write({})
            assert desk.ask("POST", "/reload")[0] == (422 if number % 2 else 200)
        traffic.goes_on()
    desk.close()
    assert traffic.failures == []
