"""Real clients notice nothing: curl, Python's own and Node's, through the gate."""
import http.client
import json
import shutil
import subprocess
import urllib.error
import urllib.request

import pytest
import rig

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


@pytest.mark.skipif(not shutil.which("node"), reason="no node here")
def test_node_fetches(echoing):
    script = f"""
      const all = await Promise.all([...Array(20).keys()].map(async n => {{
        const options = {{ method: 'POST', body: 'x'.repeat(n * 1000) }};
        const r = await fetch('{echoing.url}/' + n, options);
        return (await r.text()).length === n * 1000;
      }}));
      console.log(all.every(x => x));
    """
    run = subprocess.run(["node", "--input-type=module", "-e", script], capture_output=True,
                         text=True, timeout=30)
    assert run.stdout.strip() == "true", run.stderr
