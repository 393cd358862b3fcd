"""gate demo: a gateway that one can try at once, and that leaves nothing behind."""
import json
import os
import signal
import socket
import subprocess
import time

import rig


def test_a_demo_answers_as_it_says(started):
    d = started("demo")
    key = {"X-API-Key": d.key}
    assert d.get("/orders").status == 401
    good = d.get("/orders", key)
    assert good.status == 200 and good.json()["orders"][0]["id"] == 1
    assert d.get("/orders/1", key).json()["id"] == 1
    assert d.get("/orders/77", key).status == 404
    nothing = d.get("/nothing", key)
    assert (nothing.status, nothing.code) == (404, "not-found")
    answers = [d.request("POST", "/orders", key, b'{"item": "tea"}') for _ in range(6)]
    assert [a.status for a in answers] == [201] * 5 + [429]
    assert answers[5].header("retry-after")
    assert len(d.get("/orders", key).json()["orders"]) == 8


def test_what_it_prints_can_be_pasted(started):
    d = started("demo")
    text = d.wait(r"(?s)200 .*Ctrl-C").group(0)
    for status in ("200", "401", "404", "429"):
        assert f"{status}  " in text
    assert text.count(d.key) == 3
    assert f"http://localhost:{d.port}/orders" in text


def test_a_demo_is_there_within_a_second_and_gone_after_ctrl_c(started):
    d = started("demo")
    sanitized = "asan" in os.environ.get("GATE", "") or "tsan" in os.environ.get("GATE", "")
    assert d.seconds < (10 if sanitized else 1.0)
    assert len(d.family()) >= 3  # keeper, data process, service
    assert d.stop(signal.SIGINT) == 0
    deadline = time.monotonic() + 3
    while d.family():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_service_ends_with_a_demo_that_was_killed(started):
    d = started("demo")
    service = int(d.wait(r"service +http://localhost:(\d+)").group(1))
    socket.create_connection(("127.0.0.1", service), timeout=1).close()
    data = [pid for pid in d.family() if pid != d.process.pid]
    os.kill(d.process.pid, signal.SIGKILL)
    d.process.wait()
    deadline = time.monotonic() + 5
    while d.family():
        assert time.monotonic() < deadline, data
        time.sleep(0.01)
    d.process.returncode = 0


def test_two_demos_live_beside_each_other(started):
    one, other = started("demo"), started("demo")
    assert one.port != other.port and one.admin != other.admin
    assert one.get("/orders", {"X-API-Key": one.key}).status == 200
    assert other.get("/orders", {"X-API-Key": other.key}).status == 200
    assert other.get("/orders", {"X-API-Key": one.key}).status == 401


def test_a_demo_beside_a_gate_has_a_socket_of_its_own(started):
    one = started("demo")
    other = started("demo", environment={"XDG_RUNTIME_DIR": str(one.directory)})
    seen = other.wait(r"See: +(\S+) status --gateway (\S+\.sock)")
    assert os.path.exists(seen.group(2))
    run = subprocess.run([seen.group(1), "status", "--json", "--gateway", seen.group(2)],
                         capture_output=True, text=True)
    addresses = [listener["address"] for listener in json.loads(run.stdout)["listeners"]]
    assert f"127.0.0.1:{other.port}" in addresses
    assert json.loads(run.stdout)["config"]["path"] == "gate demo"
    other.stop()
    assert not os.path.exists(seen.group(2))


def test_a_demo_with_traffic_has_requests_of_its_own(started):
    d = started("demo", "--traffic")
    deadline = time.monotonic() + 10
    while '"gatehouse.consumer":"visitor"' not in d.stdout():
        assert time.monotonic() < deadline, d.stdout()
        time.sleep(0.05)


def test_the_service_refuses_what_it_cannot_take(started):
    d = started("demo")
    service = int(d.wait(r"service +http://localhost:(\d+)").group(1))
    def ask(method, target, body=None):
        with rig.Raw(service) as connection:
            return connection.request(method, target, {}, body)
    assert ask("GET", "/healthz").status == 200
    assert ask("POST", "/orders", b"{").status == 400
    assert ask("POST", "/orders", b'{"item": "tea", "quantity": 0}').status == 422
    assert ask("POST", "/orders", b"x" * 20000).status == 413
    assert ask("POST", "/orders", [b"x" * 9000, b"x" * 9000]).status == 413
    assert ask("DELETE", "/orders").status == 405
    made = ask("POST", "/orders", [b'{"item": "t', b'ea"}'])
    assert (made.status, made.header("location")) == (201, "/orders/4")


def test_the_configuration_is_the_example(command):
    shown = command("demo", "--print")
    assert shown.returncode == 0
    example = os.path.join(os.path.dirname(__file__), "../../../examples/quickstart/gateway.yaml")
    with open(example, encoding="utf-8") as file:
        assert shown.stdout == file.read()
    checked = command("check", "--json", example, environment={"QUICKSTART_KEY": "k" * 32})
    assert json.loads(checked.stdout)["problems"] == [], checked.stdout
