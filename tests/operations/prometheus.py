"""A real Prometheus that scrapes two daemons every second: one on the stories of the demo, one on which all is well."""

import json
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import anyio
import trustme

from steno.simulate.server import Provider, provider
from tests.operations.healthy_stories import STORIES, find
from tests.processes import Running, listening_port, running
from tests.rule_files import FILES, FOLDER

SPEED: Final = 6.0
LINES: Final = 4
"""Voice lines of each daemon."""
SCRAPES: Final = 60
"""After so many the stories have had several calls on each line, and the ranges of rates are filled."""
SCRAPES_BEFORE: Final = 5
"""After so many, counters are known at 0, and odd things may happen."""
STARTED_SECONDS: Final = 20.0
"""How long a log is waited for after a port is open: the line comes with it."""
PATIENCE_SECONDS: Final = 300.0


class Prometheus:
    """A running server."""

    def __init__(self, port: int, names: dict[str, str]) -> None:
        self._address = f"http://127.0.0.1:{port}/api/v1"
        self.names = names
        """What an instance is called in a test, by its address."""

    def ask(self, path: str, **parameters: str) -> Any:
        """Return the data of an answer of the API.

        Raises HTTPError, with the server's words, where it refuses: an expression that does not parse.
        """
        url = f"{self._address}/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310  # of this machine
            return json.load(answer)["data"]

    def query(self, expr: str) -> list[dict[str, Any]]:
        """Return the samples of an expression, now."""
        found: list[dict[str, Any]] = self.ask("query", query=expr)["result"]
        return found

    def active(self) -> dict[str, set[str]]:
        """Return the names of alerts that are pending or firing, by instance; without one: `all`."""
        found: dict[str, set[str]] = {name: set() for name in (*self.names.values(), "all")}
        for alert in self.ask("alerts")["alerts"]:
            instance = self.names[alert["labels"]["instance"]] if "instance" in alert["labels"] else "all"
            found[instance].add(alert["labels"]["alertname"])
        return found


@contextmanager
def in_thread(folder: Path) -> Iterator[Provider]:
    """Run the provider in a thread of its own, with TLS, until the block ends."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    own = authority.issue_cert("127.0.0.1")
    own.private_key_and_cert_chain_pem.write_to_path(folder / "own.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.configure_cert(context)
    ready, ends = threading.Event(), threading.Event()
    made: list[Provider] = []

    async def serve() -> None:
        async with provider(speed=SPEED, find=find, tls=context) as simulated:
            made.append(simulated)
            ready.set()
            await anyio.to_thread.run_sync(ends.wait)

    thread = threading.Thread(target=anyio.run, args=(serve,), daemon=True)
    thread.start()
    assert ready.wait(PATIENCE_SECONDS)
    try:
        yield made[0]
    finally:
        ends.set()
        thread.join(PATIENCE_SECONDS)


OTHERS: Final = """
[[sources]]
name = "proxy"
kind = "proxy"
listen = "127.0.0.1:0"
upstream = "{upstream}"

[[sources]]
name = "push"
kind = "listen"
listen = "127.0.0.1:0"
tls = {{ certificate = "{folder}/own.pem", key = "{folder}/own.pem" }}

[[sources]]
name = "calls"
kind = "attach"
url = "{calls}"

[[sources]]
name = "file"
kind = "follow"
path = "{folder}/{name}.jsonl"
"""
"""A source of each further kind."""
ODD: Final = (
    '{"type":"session.created","event_id":"e1","session":{"id":"sess_odd","type":"realtime","model":"gpt-realtime"}}',
    '{"type":"error","event_id":"e2","error":{"type":"server_error","code":"server_error","message":"simulated"}}',
    '{"dir":"gap","frames":3,"reason":"queue_full"}',
    "no JSON",
)
"""What the stories do not have: lines of the file that the demo follows."""


OF_STORIES: Final = {path[1:].replace("/", "-"): path for path in STORIES if not path.endswith("/realtime")}
"""Sources of the other stories, one each."""


def configured(folder: Path, name: str, simulated: Provider) -> Path:
    """Write the configuration of a daemon whose sources are below `/name` of the provider."""
    kinds = {f"line-{n}": f"/{name}/realtime?line={n}" for n in range(LINES)}
    kinds |= {kind: path for kind, path in OF_STORIES.items() if path.startswith(f"/{name}/")}
    sources = [
        f'[[sources]]\nname = "{key}"\nkind = "connect"\nurl = "{simulated.url(path)}"\nca_file = "{folder}/ca.pem"\n'
        for key, path in kinds.items()
    ]
    upstream, calls = simulated.url("").replace("wss", "https", 1), simulated.url("/v1/realtime")
    sources.append(OTHERS.format(upstream=upstream, calls=calls, folder=folder, name=name))
    (folder / f"{name}.jsonl").touch()
    file = folder / f"{name}.toml"
    file.write_text(f'[http]\nlisten = "127.0.0.1:0"\n[audit]\ndirectory = "{folder / name}"\n' + "\n".join(sources))
    return file


@contextmanager
def server(folder: Path, daemons: dict[str, Running], every: str = "1s") -> Iterator[Prometheus]:
    """Run Prometheus as it is shipped, but with a scrape `every` so long, and alerts that do not wait (`for`)."""
    ports = {name: http_port(daemon) for name, daemon in daemons.items()}
    targets = {f"127.0.0.1:{port}": name for name, port in ports.items()}
    for name in (*FILES, "prometheus.yml"):
        text = (FOLDER / name).read_text(encoding="utf-8")
        text = text.replace('["127.0.0.1:9464"]', json.dumps(list(targets))).replace(
            "_interval: 15s", f"_interval: {every}"
        )
        (folder / name).write_text(
            "\n".join("        for: 0s" if line.startswith("        for:") else line for line in text.splitlines())
        )
    command = ["prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen([*command, "--web.listen-address=127.0.0.1:0"], stderr=log, stdout=log)
    try:
        port = port_of(process)
        until(lambda: is_ready(port))
        yield Prometheus(port, targets)
    finally:
        process.kill()
        process.wait()


@contextmanager
def scraped(folder: Path) -> Iterator[Prometheus]:
    """Yield Prometheus once it has scraped both daemons long enough."""
    with ExitStack() as stack:
        simulated = stack.enter_context(in_thread(folder))
        daemons = {name: stack.enter_context(running(configured(folder, name, simulated))) for name in ("demo", "well")}
        prometheus = stack.enter_context(server(folder, daemons))
        until(lambda: scrapes(prometheus) >= SCRAPES_BEFORE)
        (folder / "demo.jsonl").write_text("".join(f"{line}\n" for line in ODD))
        until(lambda: scrapes(prometheus) >= SCRAPES)
        yield prometheus


def http_port(daemon: Running) -> int:
    """Return the port of the HTTP face: its log says it; one whose log cannot be written listens nowhere else."""
    port_of(daemon.process)
    until(lambda: any(line["event"] == "started" for line in daemon.lines()), STARTED_SECONDS)
    said = any(line["event"] == "started" for line in daemon.lines())
    return daemon.port if said else port_of(daemon.process)


def port_of(process: "subprocess.Popen[str] | subprocess.Popen[bytes]") -> int:
    """Return the port that a process listens on, once it does: many start at once here."""
    until(lambda: listening_port(process.pid) is not None)
    port = listening_port(process.pid)
    assert port is not None
    return port


def is_ready(port: int) -> bool:
    """Return whether the server has read its own disk."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=30) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except urllib.error.URLError:
        return False


def scrapes(prometheus: Prometheus) -> float:
    """Return how often the daemon that was scraped least has been."""
    found = prometheus.query("min(sum_over_time(up[10m]))")
    return float(found[0]["value"][1]) if found else 0.0


def until(ask: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    """Ask until it is so, or until so much time has passed: who called looks at what is missing."""
    deadline = time.monotonic() + seconds
    while not ask() and time.monotonic() < deadline:
        time.sleep(0.5)
