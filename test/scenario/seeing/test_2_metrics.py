"""Metrics: what happened is what is counted, under names that are bounded."""
import re
import threading
import time

import pytest
import rig

DURATION = "http_server_request_duration_seconds_count"


def test_requests_are_counted_by_route_method_and_status(gate, server):
    s = server(lambda request: rig.http1.response(
        500 if b"fail" in request.target.encode() else 200, b"12345"))
    g = gate(apis={"orders": {"upstream": s.url, "routes": {"/{id}": {}, "GET /x/{rest*}": {}}}})
    for _ in range(3):
        g.get("/orders/1")
    g.post("/orders/2", b"abc")
    g.get("/orders/fail")
    g.get("/orders/x/1/2")
    g.get("/nothing")
    m = g.metrics()
    route = {"gatehouse_api": "orders", "http_route": "/orders/{id}"}
    assert m.value(DURATION) == 7
    assert m.value(DURATION, **route, http_request_method="GET",
                   http_response_status_code="200") == 3
    assert m.value(DURATION, **route, http_request_method="POST") == 1
    assert m.value(DURATION, **route, http_response_status_code="500") == 1
    assert m.value(DURATION, http_route="/orders/x/{rest*}") == 1
    assert m.value(DURATION, error_type="not-found", http_response_status_code="404") == 1
    assert m.value("gatehouse_requests_total", gatehouse_api="orders",
                   gatehouse_reason="done") == 6
    assert m.value("gatehouse_request_body_bytes_total", gatehouse_api="orders") == 3
    assert m.value("gatehouse_response_body_bytes_total", gatehouse_api="orders") == 30
    assert m.value("http_client_request_duration_seconds_count") == 6
    assert m.value("gatehouse_upstream_tries_total") == 6
    assert m.value("gatehouse_upstream_retries_total") == 0
    assert m.value("gatehouse_upstream_healthy") == 1


def test_histograms_add_up(gate, server):
    g = gate(upstream=server(), workers=2)
    for _ in range(20):
        g.get("/")
    m = g.metrics()
    name = "http_server_request_duration_seconds"
    counts = [value for labels, value in m[f"{name}_bucket"]]
    assert counts == sorted(counts) and counts[-1] == 20
    assert m[f"{name}_bucket"][-1][0]["le"] == "+Inf"
    assert 0 < m.value(f"{name}_sum") < 20


def test_paths_hosts_and_methods_of_callers_make_no_series(gate, server):
    g = gate(upstream=server())
    g.get("/")
    before = g.ask("/metrics").text.count("\n")
    with g.raw() as connection:
        for i in range(500):
            connection.request("GET", f"/{i}/{i * i}", host=f"h{i}.test")
            connection.request(f"M{i % 50}", f"/{i}")
    after = g.ask("/metrics").text.count("\n")
    assert after - before < 60
    assert g.metrics().value(DURATION) == 1001


def test_numbers_outlive_a_reload(gate, server, desk):
    s = server()
    g = gate(apis={"kept": {"upstream": s.url}, "gone": {"upstream": s.url}})
    g.get("/kept/1")
    g.get("/gone/1")
    g.options["apis"] = {"kept": {"upstream": s.url}, "new": {"upstream": s.url}}
    g.write({})
    assert desk(g).ask("POST", "/reload")[0] == 200
    g.get("/kept/2")
    g.get("/new/1")
    m = g.metrics()
    assert m.value(DURATION, gatehouse_api="kept") == 2
    assert m.value(DURATION, gatehouse_api="new") == 1
    assert m.value("gatehouse_config_reloads_total", result="success") >= 1
    assert m.value("gatehouse_config_last_reload_successful") == 1
    assert m.value("gatehouse_snapshots_alive") <= 2


def test_failures_of_upstreams_have_their_reason(gate, server):
    s = server()
    s.stop()
    g = gate(upstream=s.url, policies={"retry": {"attempts": 3}})
    assert g.get("/").status == 502
    m = g.metrics()
    assert m.value(DURATION, error_type="upstream-refused", http_response_status_code="502") == 1
    assert m.value("http_client_request_duration_seconds_count",
                   error_type="upstream-refused") == 1
    assert m.value("gatehouse_upstream_tries_total") == 3
    assert m.value("gatehouse_upstream_retries_total") == 2


def test_refusals_by_a_limit_are_counted(gate, server):
    g = gate(upstream=server(), policies={"rate_limit": "2/min per ip"})
    assert [g.get("/").status for _ in range(4)] == [200, 200, 429, 429]
    m = g.metrics()
    assert m.value("gatehouse_rate_limited_total", gatehouse_api="a") == 2
    assert m.value("gatehouse_limit_cells", table="strangers") > 0
    assert m.value("gatehouse_limit_cells_made_total", table="strangers") == 1


def test_the_gate_tells_of_itself(gate, server):
    g = gate(upstream=server())
    with g.raw() as connection:
        connection.request("GET", "/")
        g.wait_metric(1, "gatehouse_connections", state="idle")
        m = g.metrics()
        assert m.value("gatehouse_connections", state="active") == 0
    assert m.value("gatehouse_workers") == 1
    assert m.value("process_resident_memory_bytes") > 1e6
    assert m.value("process_open_fds") > 5
    assert m.value("process_cpu_seconds_total") > 0
    assert m.value("process_start_time_seconds") > 1.6e9
    assert m.value("gatehouse_build_info") == 1
    assert m.value("gatehouse_config_hash_info") == 1
    assert m.value("gatehouse_memory_pages_bytes", state="limit") > 1e6


def test_openmetrics_is_spoken_where_it_is_asked_for(gate, server):
    g = gate(upstream=server())
    g.get("/")
    with rig.Raw(g.admin) as connection:
        answer = connection.request(
            "GET", "/metrics", {"Accept": "application/openmetrics-text; version=1.0.0"},
            host="localhost")
    assert answer.header("content-type").startswith("application/openmetrics-text; version=1.0.0")
    assert answer.text.endswith("# EOF\n")
    assert re.search(r"^# TYPE gatehouse_requests counter$", answer.text, re.M)


@pytest.mark.tsan
def test_scrapes_during_traffic_and_reloads_are_whole(gate, server, desk):
    s = server()
    g = gate(apis={"kept": {"upstream": s.url}}, workers=2)
    stop, failures = threading.Event(), []

    def call():
        while not stop.is_set():
            with g.raw() as connection:
                for i in range(20):
                    answer = connection.request("GET", f"/kept/{i}")
                    if answer.status != 200:
                        failures.append(answer.status)

    threads = [threading.Thread(target=call) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        d, seen = desk(g), 0
        for i in range(30):
            g.options["apis"] = {"kept": {"upstream": s.url}, f"n{i % 3}": {"upstream": s.url}}
            g.write({})
            assert d.ask("POST", "/reload")[0] == 200
            m = g.metrics()  # strict: no family and no sample twice
            samples = [(name, tuple(sorted(labels.items())))
                       for name, all_ in m.items() for labels, _ in all_]
            assert len(samples) == len(set(samples))
            now = m.value(DURATION, gatehouse_api="kept")
            assert now >= seen
            seen = now
            g.status()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failures and seen > 0
    deadline = time.monotonic() + 5
    while g.metrics().value("gatehouse_snapshots_alive") > 1:
        assert time.monotonic() < deadline, "old snapshots stay"
        time.sleep(0.05)
    assert g.metrics().value("gatehouse_metric_series", kind="api") == 2
