"""How long streams rest and live, how large messages are, and how they end: always with a word to
both sides, where there is a place for it."""
import signal
import threading
import time

import pytest
import rig
from rig import ws


def started(gate, server, websocket=True, **options):
    s = server(manual=True)
    return s, gate(upstream=s, policies={"websocket": websocket}, **options)


def reason_of(g, pair, within=8.0):
    return g.wait_logs(lambda all_: [r for r in all_ if r.id == pair.id], within)[0].reason


def both_told(pair, code):
    assert ws.read_close(pair.caller.reader) == code
    assert ws.read_close(pair.server.reader) == code
    pair.server.close()
    assert pair.caller.read_all() == b""


def test_who_says_nothing_is_told_that_it_is_over(gate, server):
    s, g = started(gate, server, {"idle": "1s"})
    pair = ws.Pair(g, s)
    last, begin = time.monotonic(), time.monotonic()
    while (now := time.monotonic()) < begin + 1.6:
        if now > last + 0.8:  # the machine did something else for too long: once more
            pair, last, begin = ws.Pair(g, s), now, now
        last = time.monotonic()
        pair.caller.send(ws.frame(ws.PING, b"still here"))
        if time.monotonic() < last + 0.8:
            assert ws.read(pair.server.reader) == (ws.PING, b"still here")
        time.sleep(0.1)
    both_told(pair, 1001)
    assert reason_of(g, pair) == "stream-idle"


def chat(caller):
    """Says something all the time, as long as anybody listens."""
    while caller.try_send(ws.frame(ws.PING)):
        time.sleep(0.02)


def test_no_stream_outlives_its_life(gate, server):
    s, g = started(gate, server, {"life": "1500ms"})
    pair = ws.Pair(g, s)
    pair.works()
    said = threading.Thread(target=chat, args=(pair.caller,))
    said.start()
    for reader in (pair.caller.reader, pair.server.reader):
        while (frame := ws.read(reader))[0] == ws.PING:
            pass
        assert frame == (ws.CLOSE, b"\x03\xe9")
    pair.server.close()
    said.join()
    assert reason_of(g, pair) == "stream-life"


def test_a_life_is_not_a_timeout(gate, server):
    s = server(manual=True)
    g = gate(upstream=s, policies={"timeout": {"total": "300ms", "idle": "200ms"}})
    pair = ws.Pair(g, s)
    time.sleep(0.6)
    pair.works()
    pair.part()


def test_who_does_not_part_is_parted(gate, server):
    s, g = started(gate, server, {"life": "200ms"})
    pair = ws.Pair(g, s)
    assert ws.read_close(pair.server.reader) == 1001
    assert pair.server.wait_end(within=15) is not None
    assert reason_of(g, pair, 15) in ("stream-life",)


def test_a_close_frame_waits_for_the_frame_in_hand(gate, server):
    s, g = started(gate, server, {"life": "2s"})
    pair = ws.Pair(g, s)
    up, down = ws.frame(1, b"x" * 1000), ws.frame(1, b"y" * 1000, None)
    pair.caller.send(up[:500])
    pair.server.send(down[:3])
    time.sleep(2.5)
    pair.caller.send(up[500:] + ws.frame(1, b"too late"))
    assert ws.read(pair.server.reader) == (1, b"x" * 1000)
    assert ws.read_close(pair.server.reader) == 1001
    pair.server.send(down[3:] + ws.frame(1, b"too late", None))
    assert ws.read(pair.caller.reader) == (1, b"y" * 1000)
    assert ws.read_close(pair.caller.reader) == 1001
    pair.server.close()
    assert pair.caller.read_all() == b""
    assert reason_of(g, pair) == "stream-life"


@pytest.mark.parametrize("who", ["caller", "server"])
@pytest.mark.parametrize("how", ["whole", "fragments", "announced"])
def test_K229_a_message_that_is_too_large_is_refused(gate, server, who, how):
    s, g = started(gate, server, {"message": "100B"})
    pair = ws.Pair(g, s)
    one, other = (pair.caller, pair.server) if who == "caller" else (pair.server, pair.caller)
    mask = ws.MASK if who == "caller" else None
    one.send(ws.frame(1, b"a" * 100, mask))
    assert ws.read(other.reader) == (1, b"a" * 100)
    if how == "whole":
        one.send(ws.frame(1, b"ok", mask) + ws.frame(1, b"b" * 101, mask))
        assert ws.read(other.reader) == (1, b"ok")
    elif how == "fragments":
        one.send(ws.frame(1, b"b" * 60, mask, fin=False))
        assert ws.read(other.reader) == (1, b"b" * 60)
        one.send(ws.frame(9, b"between", mask))
        assert ws.read(other.reader) == (9, b"between")
        one.send(ws.frame(0, b"b" * 41, mask))
    else:
        one.send(ws.frame(2, b"", mask, length=1 << 62))
    both_told(pair, 1009)
    assert reason_of(g, pair) == "message-too-large"


WRONG = {"unmasked": ws.frame(1, b"x", None), "opcode": ws.frame(3),
         "long-ping": ws.frame(9, b"x" * 126),
         "cut-ping": ws.frame(9, fin=False), "rest-of-nothing": ws.frame(0),
         "2^63": ws.frame(2, length=1 << 63)}


@pytest.mark.parametrize("name", WRONG)
def test_F139_what_is_no_frame_passes_only_where_nobody_counts(gate, server, name):
    s, g = started(gate, server)
    pair = ws.Pair(g, s)
    pair.caller.send(WRONG[name])
    assert pair.server.reader.take(len(WRONG[name])) == WRONG[name]
    pair.caller.send(b"anything")
    assert pair.server.reader.take(8) == b"anything"
    pair.hears(b"still")
    pair.caller.close()
    s, g = started(gate, server, {"message": "1MiB"})
    pair = ws.Pair(g, s)
    pair.caller.send(ws.frame(1, b"good") + WRONG[name])
    assert ws.read(pair.server.reader) == (1, b"good")
    both_told(pair, 1002)
    assert reason_of(g, pair) == "message-invalid"


def test_bits_and_codes_that_are_the_ends_business_pass(gate, server):
    s, g = started(gate, server, {"message": "1MiB"})
    pair = ws.Pair(g, s)
    for data in (ws.frame(1, b"z", bits=0x40), ws.frame(1, b"\xff\xfe"), ws.close(1005)):
        pair.caller.send(data)
        assert pair.server.reader.take(len(data)) == data


def test_D339_a_drain_tells_both_sides_before_its_end(gate, server):
    s = server(manual=True)
    g = gate({"drain": "6s", "apis": {"a": {"path": "/", "upstream": s.url}}})
    pairs = [ws.Pair(g, s) for _ in range(5)]
    g.connections.clear()
    begin = time.monotonic()
    g.signal(signal.SIGTERM)
    time.sleep(0.5)
    for pair in pairs:
        pair.works()  # they go on for most of the time
    for pair in pairs:
        pair.server.socket.settimeout(10)
        both_told(pair, 1001)
    assert time.monotonic() - begin > 4
    assert g.wait_exit() == 0
    assert {r.reason for r in g.logs()} == {"draining"}


def test_G309_a_reload_does_not_cut_streams(gate, server):
    s = server(manual=True)
    apis = {"a": {"path": "/", "upstream": s.url}}
    g = gate({"apis": apis})
    pair = ws.Pair(g, s)
    for _ in range(3):
        g.reload({"apis": {**apis, "b": {"upstream": s.url}}})
        g.reload({"apis": apis})
        pair.works()
    g.reload({"apis": {"other": {"upstream": s.url}}})  # its route is gone
    pair.works()
    pair.part()


def test_an_upgrade_lets_streams_go_on(gate, server):
    s = server(manual=True)
    g = gate({"stream_drain": "12s", "drain": "1s",
              "apis": {"a": {"path": "/", "upstream": s.url}}})
    pair = ws.Pair(g, s)
    assert g.command("upgrade").returncode == 0
    time.sleep(1.5)  # longer than the drain
    pair.works()
    other = ws.Pair(g, s)
    other.works()
    other.part()
    pair.server.socket.settimeout(15)
    pair.caller.socket.settimeout(15)
    both_told(pair, 1001)
