"""A real browser on a page of another origin: preflights, problems it can read, large bodies."""
import http.server
import json
import queue
import shutil
import subprocess
import threading

import pytest
import rig

KEY = "a-key-of-the-page-0123456789"
HELD = {"Access-Control-Allow-Origin": "https://not.ours", "X-Total": "3"}
PAGE = """<!doctype html><title>page</title><script type="module">
const gate = '%s', said = {};
const call = (path, options = {}) => fetch(gate + path, {
  ...options, headers: {'X-API-Key': '%s', ...options.headers}});
async function look(name, task) {
  try { said[name] = await task(); } catch (error) { said[name] = String(error.name); }
}
const bytes = new Uint8Array(3000000).map((_, at) => at);
await look('get', async () => {
  const r = await call('/a?b=c');
  return [r.status, r.headers.get('x-total'), r.headers.get('x-hidden'), await r.text()];
});
await look('put', async () => {
  const r = await call('/up', {method: 'PUT', body: bytes});
  const back = new Uint8Array(await r.arrayBuffer());
  return back.length === bytes.length && back.every((byte, at) => byte === bytes[at]);
});
await look('form', async () => {
  const form = new FormData();
  form.append('file', new Blob([bytes]), 'x.bin');
  return (await (await call('/form', {method: 'POST', body: form})).arrayBuffer()).byteLength;
});
await look('many', async () => {
  const all = await Promise.all([...Array(30).keys()].map(n => call('/n/' + n)));
  return all.every(r => r.status === 200);
});
await look('wrong key', async () => {
  const r = await call('/a', {headers: {'X-API-Key': 'wrong'}});
  return [r.status, (await r.json()).code];
});
await look('method', async () => (await call('/a', {method: 'DELETE'})).status);
await look('field', async () => (await call('/a', {headers: {'X-Other': '1'}})).status);
await fetch('/done', {method: 'POST', body: JSON.stringify(said)});
</script>"""


def echo(request):
    return rig.http1.response(200, bytes(request.body), {**HELD, "X-Hidden": "1"})


class Pages(http.server.ThreadingHTTPServer):
    """Serves the page to a browser, and hears what it says when it is done."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/page" else 404)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(self.server.page.encode() if self.path == "/page" else b"")

        def do_POST(self):
            self.server.said.put(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Answer)
        self.said = queue.Queue()
        self.page = ""
        threading.Thread(target=self.serve_forever, daemon=True).start()


@pytest.fixture
def browse(gate, server, tmp_path):
    """What the page says that is open at that host, and the service behind the gate."""
    program = shutil.which("chromium")
    assert program, "no chromium: ./dev test installs it"
    pages, service = Pages(), server(echo)
    g = gate(upstream=service, consumers={"page": {"api_key": KEY}}, policies={
        "auth": "api_key", "body_limit": "10MB",
        "cors": {"origins": [f"http://127.0.0.1:{pages.server_port}"],
                 "methods": ["GET", "PUT", "POST"], "headers": ["X-API-Key"],
                 "expose": ["X-Total"]}})
    pages.page = PAGE % (g.url, KEY)

    def open_at(host):
        process = subprocess.Popen(
            [program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
             "--no-first-run", "--disable-background-networking", "--disable-component-update",
             "--disable-sync", "--remote-debugging-port=0", f"--user-data-dir={tmp_path / host}",
             f"http://{host}:{pages.server_port}/page"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            return json.loads(pages.said.get(timeout=60)), service
        finally:
            process.terminate()
            process.wait(20)
    yield open_at
    pages.shutdown()
    pages.server_close()


def test_a_page_of_the_origin_that_was_named_may_call(browse):
    said, service = browse("127.0.0.1")
    assert said["get"] == [200, "3", None, ""]
    assert said["put"] is True and said["form"] > 3000000 and said["many"] is True
    assert said["wrong key"] == [401, "credentials-invalid"]
    assert said["method"] == said["field"] == "TypeError"  # the preflight does not allow them
    assert {r.method for r in service.requests} == {"GET", "PUT", "POST"}
    assert not any(r.header("X-API-Key") for r in service.requests)


def test_a_page_of_another_origin_may_not(browse):
    said, service = browse("localhost")
    assert set(said.values()) == {"TypeError"} and not service.requests
