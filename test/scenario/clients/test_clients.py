"""Real clients notice nothing: curl, wrk, Python's and Node's, through the gate."""
import asyncio
import http.client
import json
import re
import subprocess
import urllib.error
import urllib.request

import aiohttp
import pytest
import requests
import rig
import urllib3

LARGE = bytes(range(256)) * 80000  # 20 MB


def echo(request):
    return rig.http1.response(200, bytes(request.body), {"X-Method": request.method})


@pytest.fixture(scope="module")
def echoing(gates, servers):
    return gates(upstream=servers(echo), policies={"body_limit": "off"})


def curl(*arguments, data=None):
    run = subprocess.run(["curl", "-sS", "--max-time", "30", *arguments], input=data,
                         capture_output=True)
    assert run.returncode == 0, run.stderr.decode()
    return run.stdout


def test_curl_uploads_and_downloads(echoing):
    assert curl("-T", "-", f"{echoing.url}/put", data=LARGE) == LARGE
    assert curl("--data-binary", "@-", f"{echoing.url}/post", data=LARGE) == LARGE


def test_curl_waits_for_100_and_gets_it(echoing):
    assert curl("-H", "Expect: 100-continue", "--expect100-timeout", "20", "--data-binary", "@-",
                "-w", "%{time_total}", f"{echoing.url}/e", data=b"abc")[:3] == b"abc"


def test_curl_keeps_one_connection(echoing):
    told = curl("-w", "%{num_connects}\n", f"{echoing.url}/1", f"{echoing.url}/2")
    assert told.split() == [b"1", b"0"]


def test_curl_speaks_http_1_0(echoing):
    assert curl("--http1.0", "-d", "abc", f"{echoing.url}/old") == b"abc"


def test_curl_asks_for_a_head(echoing):
    told = curl("-I", f"{echoing.url}/head").decode()
    assert told.startswith("HTTP/1.1 200") and "x-method: head" in told.lower()


def test_curl_sends_a_form_with_a_file(echoing, tmp_path):
    (tmp_path / "file").write_bytes(LARGE[:300000])
    assert LARGE[:300000] in curl("-F", f"file=@{tmp_path}/file", f"{echoing.url}/form")


def test_python_reuses_a_connection_and_streams(echoing):
    connection = http.client.HTTPConnection("127.0.0.1", echoing.port, timeout=20)
    for number in range(3):
        connection.request("POST", f"/{number}", body=iter([b"one", b"two"] * 50),
                           encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
        assert connection.getresponse().read() == b"onetwo" * 50
    connection.close()


def test_python_reads_a_problem(gate, server):
    g = gate(apis={"orders": {"upstream": server(never=True).url}})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{g.url}/nothing", timeout=10)
    assert caught.value.code == 404
    assert json.load(caught.value)["code"] == "not-found"


def test_requests_keeps_a_session_and_streams_both_ways(echoing):
    with requests.Session() as session:
        for number in range(3):
            assert session.get(f"{echoing.url}/{number}", timeout=20).status_code == 200
        pieces = (LARGE[at:at + 65536] for at in range(0, len(LARGE), 65536))
        with session.put(f"{echoing.url}/up", data=pieces, stream=True, timeout=60) as answer:
            assert b"".join(answer.iter_content(50000)) == LARGE
        answer = session.post(f"{echoing.url}/form", files={"file": LARGE[:300000]}, timeout=20)
        assert LARGE[:300000] in answer.content
        assert session.head(f"{echoing.url}/h", timeout=20).headers["X-Method"] == "HEAD"


def test_urllib3_uses_its_pool(echoing):
    pool = urllib3.HTTPConnectionPool("127.0.0.1", echoing.port, maxsize=1, timeout=20)
    for number in range(10):
        assert pool.request("POST", f"/{number}", body=b"x" * number).data == b"x" * number
    assert pool.num_connections == 1
    pool.close()


def test_aiohttp_asks_much_at_once(echoing):
    async def ask(session, number):
        body = bytes([number]) * number * 3000
        async with session.put(f"{echoing.url}/{number}", data=body) as answer:
            return await answer.read() == body

    async def pieces():
        for at in range(0, 3000000, 100000):
            yield LARGE[at:at + 100000]

    async def all_of_it():
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(60)) as session:
            assert all(await asyncio.gather(*(ask(session, number) for number in range(100))))
            async with session.post(f"{echoing.url}/up", data=pieces()) as answer:
                assert await answer.read() == LARGE[:3000000]
    asyncio.run(all_of_it())


def node(script):
    """What a module prints, as JSON."""
    run = subprocess.run(["node", "--input-type=module", "-e", script], capture_output=True,
                         text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_node_fetches(echoing):
    assert node(f"""
      const all = await Promise.all([...Array(50).keys()].map(async n => {{
        const options = {{ method: 'POST', body: 'x'.repeat(n * 1000) }};
        const r = await fetch('{echoing.url}/' + n, options);
        return (await r.text()).length === n * 1000;
      }}));
      const pieces = new ReadableStream({{
        start(to) {{
          for (let n = 0; n < 100; n++) to.enqueue(new Uint8Array(50000).fill(n));
          to.close();
        }} }});
      const up = await fetch('{echoing.url}/up', {{method: 'PUT', body: pieces, duplex: 'half'}});
      const back = new Uint8Array(await up.arrayBuffer());
      const same = back.every((byte, at) => byte === Math.floor(at / 50000));
      all.push(same && back.length === 5000000);
      console.log(JSON.stringify(all.every(x => x)));
    """)


def test_node_reuses_a_connection_and_waits_for_100(echoing):
    assert node(f"""
      import http from 'node:http';
      const agent = new http.Agent({{keepAlive: true, maxSockets: 1}}), ports = new Set();
      const ask = (options, send) => new Promise((done, fail) => {{
        const request = http.request('{echoing.url}/n', {{agent, ...options}}, answer => {{
          ports.add(request.socket.localPort);
          let length = 0;
          answer.on('data', piece => length += piece.length);
          answer.on('end', () => done(length));
        }});
        request.on('error', fail);
        send(request);
      }});
      const said = [];
      for (let n = 0; n < 5; n++) said.push(await ask({{}}, request => request.end()));
      const put = {{method: 'PUT', headers: {{Expect: '100-continue', 'Content-Length': 2000000}}}};
      said.push(await ask(put, request =>
        request.on('continue', () => request.end(Buffer.alloc(2000000)))));
      said.push(ports.size);
      agent.destroy();
      console.log(JSON.stringify(said));
    """) == [0, 0, 0, 0, 0, 2000000, 1]


def test_wrk_meets_no_error(gates, servers):
    g = gates(upstream=servers(rig.http1.response(200, b"hello")), records=False)
    run = subprocess.run(["wrk", "-t1", "-c20", "-d2s", f"{g.url}/"], text=True,
                         capture_output=True, timeout=30)
    assert run.returncode == 0, run.stderr
    assert int(re.search(r"(\d+) requests in", run.stdout).group(1)) > 100
    assert "Socket errors" not in run.stdout and "Non-2xx" not in run.stdout, run.stdout
