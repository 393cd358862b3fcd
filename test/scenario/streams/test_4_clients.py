"""Real peers: python3-websockets on both sides of the gate, and a browser's idea of a WebSocket."""
import asyncio
import contextlib
import http
import os
import shutil
import subprocess
import threading

import pytest

websockets = pytest.importorskip("websockets")


@contextlib.contextmanager
def serving(handler, **options):
    """A server of that library on a thread of its own; yields its port."""
    loop = asyncio.new_event_loop()
    ready, stop = threading.Event(), asyncio.Event()
    port = []

    async def serve():
        async with websockets.serve(handler, "127.0.0.1", 0, **options) as server:
            port.append(server.sockets[0].getsockname()[1])
            ready.set()
            await stop.wait()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    assert ready.wait(5)
    try:
        yield port[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(5)
        loop.close()


async def echo(socket, *_):
    async for message in socket:
        await socket.send(message)


def through(gate, port, policies=None):
    return gate(upstream=f"http://127.0.0.1:{port}", policies=policies or {}, records=False)


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 30))


@pytest.mark.parametrize("compression", [None, "deflate"])
@pytest.mark.parametrize("policies", [{}, {"websocket": {"message": "4MiB"}}],
                         ids=["plain", "counted"])
def test_messages_of_all_sizes_come_back(gate, compression, policies):
    async def talk(port):
        async with websockets.connect(f"ws://127.0.0.1:{port}/x", compression=compression,
                                      max_size=None) as socket:
            for size in (0, 1, 125, 126, 127, 65535, 65536, 65537, 1 << 20, 3 << 20):
                message = os.urandom(size)
                await socket.send(message)
                assert await socket.recv() == message
            await socket.send(["a", "b", "c" * 100000])  # one message in fragments
            assert await socket.recv() == "ab" + "c" * 100000
            await (await socket.ping())
        assert socket.close_code == 1000
    with serving(echo, compression=compression, max_size=None) as port:
        run(talk(through(gate, port, policies).port))


def test_both_speak_at_once(gate):
    async def flood(socket, *_):
        async def speak():
            for n in range(300):
                await socket.send(bytes([n % 256]) * 10000)
        task = asyncio.ensure_future(speak())
        heard = 0
        async for message in socket:
            heard += len(message)
            if heard == 300 * 10000:
                break
        await task

    async def talk(port):
        async with websockets.connect(f"ws://127.0.0.1:{port}/") as socket:
            async def speak():
                for _ in range(300):
                    await socket.send(b"x" * 10000)
            task = asyncio.ensure_future(speak())
            for n in range(300):
                assert await socket.recv() == bytes([n % 256]) * 10000
            await task
            await socket.wait_closed()
    with serving(flood) as port:
        run(talk(through(gate, port).port))


def test_subprotocols_and_codes_are_those_of_the_ends(gate):
    async def refuse(socket, *_):
        await socket.close(4321, "not you")

    async def talk(port):
        async with websockets.connect(f"ws://127.0.0.1:{port}/", subprotocols=["v2", "v1"]) as one:
            assert one.subprotocol == "v1"
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await one.recv()
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4321, "not you")
    with serving(refuse, subprotocols=["v1"]) as port:
        run(talk(through(gate, port).port))


def test_many_are_open_at_once_through_reloads(gate):
    async def talk(g):
        sockets = await asyncio.gather(*(websockets.connect(f"ws://127.0.0.1:{g.port}/{n}")
                                         for n in range(150)))
        for _ in range(3):
            await asyncio.get_running_loop().run_in_executor(None, g.reload)
            await asyncio.gather(*(socket.send("still") for socket in sockets))
            assert await asyncio.gather(*(socket.recv() for socket in sockets)) == ["still"] * 150
        assert g.metrics().value("gatehouse_streams") == 150
        await asyncio.gather(*(socket.close() for socket in sockets))
    with serving(echo) as port:
        run(talk(through(gate, port)))


def test_a_server_that_refuses_is_heard(gate):
    async def no(path, headers):
        return http.HTTPStatus.UNAUTHORIZED, [("X-Why", path)], b"no\n"

    async def talk(port):
        with pytest.raises(websockets.InvalidStatusCode) as refused:
            await websockets.connect(f"ws://127.0.0.1:{port}/private")
        assert refused.value.status_code == 401 and refused.value.headers["X-Why"] == "/private"
    with serving(echo, process_request=no) as port:
        run(talk(through(gate, port).port))


SCRIPT = """
const socket = new WebSocket(process.argv[1]);
socket.binaryType = 'arraybuffer';
socket.onopen = () => socket.send('hello');
socket.onmessage = ({data}) => {
  if (data === 'hello') socket.send(new Uint8Array(100000).fill(7));
  else { console.log(data.byteLength, new Uint8Array(data)[99999]); socket.close(4000, 'done'); }
};
socket.onclose = ({code, reason}) => { console.log(code, reason); };
socket.onerror = (error) => { console.log('error', error.message); process.exit(1); };
"""


def test_the_websocket_of_node(gate):
    node = shutil.which("node")
    if node is None or subprocess.run([node, "--experimental-websocket", "-e", "new WebSocket"],
                                      capture_output=True).stderr.find(b"not defined") >= 0:
        pytest.skip("this node has none")
    with serving(echo) as port:
        g = through(gate, port)
        done = subprocess.run([node, "--experimental-websocket", "-e", SCRIPT,
                               f"ws://127.0.0.1:{g.port}/"], capture_output=True, text=True,
                              timeout=30)
    assert done.stdout.split("\n")[:2] == ["100000 7", "4000 done"], done
