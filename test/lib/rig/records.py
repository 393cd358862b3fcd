"""records.py -- the gate's own account: access log lines and metrics, parsed."""
import json
import re

SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)(?: \S+)?$')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"(?:,|$)')


class Record(dict):
    """One line of the access log. Attributes are found by the last part of their name: .reason,
    .api, .consumer, .tries, .status, .route, .request_id …"""

    SHORT = {"status": "http.response.status_code", "method": "http.request.method",
             "route": "http.route", "duration": "http.server.request.duration",
             "path": "url.path", "host": "server.address", "address": "client.address",
             "port": "client.port"}

    @property
    def id(self):
        """Its request id; None for what was refused before it became a request."""
        return self.get("attributes", self).get("request_id")

    def __getattr__(self, name):
        attributes = self.get("attributes", self)
        for key in (self.SHORT.get(name), f"gatehouse.{name}", name):
            if key in attributes:
                return attributes[key]
        if name in self:
            return self[name]
        raise AttributeError(f"no {name} in {sorted(attributes)}")


def parse_log(text):
    """Access records of the log; other lines must still be JSON objects."""
    records = []
    for line in text.split("\n")[:-1]:  # what follows the last newline is not written whole yet
        document = json.loads(line)
        attributes = document.get("attributes", document)
        if "gatehouse.reason" in attributes or "http.request.method" in attributes:
            records.append(Record(document))
    return records


class Metrics(dict):
    """name -> list of (labels, value)."""

    def value(self, name, **labels):
        """Sum of the samples of that name which bear these labels; 0 when there is none."""
        return sum(value for have, value in self.get(name, ())
                   if all(have.get(k) == v for k, v in labels.items()))


def parse_metrics(text):
    """Prometheus' text format, read strictly."""
    metrics, types = Metrics(), {}
    for line in text.split("\n"):
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in types, f"two TYPE lines for {name}"
            types[name] = kind
        if not line or line.startswith("#"):
            continue
        match = SAMPLE.match(line)
        assert match, f"not a sample: {line!r}"
        labels = dict(LABEL.findall(match.group(2) or ""))
        metrics.setdefault(match.group(1), []).append((labels, float(match.group(3))))
    return metrics
