"""Runs a client against the simulated provider: on the direct way, tapped, or through a proxy. All are real processes.

    direct    client - recorder - provider
    tapped    the same, and the client pushes what it sees to steno
    proxied   client - recorder - steno - recorder - provider

Where a client speaks TLS, so do all the others. It speaks to steno itself then, and records what it sees by itself.
"""

import os
import ssl
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from tests.clients.recorder import Recorder, recording
from tests.clients.wire import Traffic, logged, streams
from tests.processes import Running, running, steno, wait_for
from tests.sources.certificates import Authority

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
TAPS: Final = {"PYTHONPATH": str(ROOT / "clients/python/src"), "STENO_TAP_JS": str(ROOT / "clients/js/src/index.js")}
"""Where the clients find the taps."""
CLIENT_SECONDS: Final = 90.0
SPEED: Final = 4.0
"""Of the provider: pauses that are short, and long enough for `response.cancel` to come before the first word."""

_CLOSE: Final = b'{"dir":"close","code":1000,"reason":""}'

State = list[dict[str, Any]]


class Client(Struct, frozen=True):
    """An unchanged client."""

    name: str
    command: Sequence[str | Path]
    environment: dict[str, str] = {}
    """Variables besides those that say where the provider is."""
    tls: bool = False
    """Whether it speaks TLS, and writes what it sees to STENO_CLIENT_LOG."""


class Outcome(Struct, frozen=True):
    """What a run leaves."""

    client: Traffic
    """At the client's end."""
    provider: Traffic
    """At the provider's end; on the direct way, the same."""
    state: State
    """Of steno; on the direct way, of a replay of what the client saw."""
    recorded: list[dict[str, Any]]
    """The lines that steno recorded."""


class Certificate(Struct, frozen=True):
    """A certificate for 127.0.0.1, and the authority that vouches for it."""

    file: Path
    key: Path
    authority: Path

    def shown(self) -> ssl.SSLContext:
        """Return what serves TLS by it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.file, self.key)
        return context

    def trusted(self) -> ssl.SSLContext:
        """Return what trusts it, and nothing else."""
        return ssl.create_default_context(cafile=str(self.authority))


class Place:
    """A folder for one run of a client."""

    def __init__(self, client: Client, folder: Path) -> None:
        """Make it."""
        folder.mkdir(parents=True)
        self.client = client
        self.folder = folder
        self.certificate = _certificate(folder) if client.tls else None
        self._log = folder / "client.log"

    @contextmanager
    def provider(self) -> Iterator[Recorder]:
        """Run the provider, and a recorder before it."""
        command: list[str | Path] = [sys.executable, "-m", "tests.clients.provider", str(SPEED)]
        shown = trust = None
        if self.certificate:
            command += [self.certificate.file, self.certificate.key]
            shown, trust = self.certificate.shown(), self.certificate.trusted()
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                with recording(Recorder(int(process.stdout.readline()), shown=shown, trust=trust)) as recorder:
                    yield recorder
            finally:
                process.stdin.close()

    @contextmanager
    def steno(self, source: str) -> Iterator[tuple[Running, int]]:
        """Run the daemon with one source that listens. Yields it and the port of the source."""
        config = self.folder / "steno.toml"
        config.write_text(
            f'[http]\nlisten = "127.0.0.1:0"\n[audit]\ndirectory = "{self.folder}/audit"\n'
            f'[[sources]]\nname = "under-test"\nlisten = "127.0.0.1:0"\n{source}\n'
        )
        outputs = ("--state", self.folder / "state.jsonl", "--record", self.folder / "recorded")
        with running(config, *outputs) as daemon:
            listening = wait_for(lambda: next((line for line in daemon.lines() if line["event"] == "listening"), None))
            yield daemon, int(str(listening["port"]))

    def proxy(self, port: int) -> str:
        """Return the configuration of a source that stands before a port."""
        if self.certificate is None:
            return f'kind = "proxy"\nupstream = "http://127.0.0.1:{port}"'
        file, key, authority = self.certificate.file, self.certificate.key, self.certificate.authority
        return (
            f'kind = "proxy"\nupstream = "https://127.0.0.1:{port}"\nca_file = "{authority}"\n'
            f'tls = {{ certificate = "{file}", key = "{key}" }}'
        )

    def run(self, port: int, **more: str) -> None:
        """Let the client have its conversation at a port."""
        secure = "s" if self.certificate else ""
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "OPENAI_API_KEY": "sk-of-the-application",
            "OPENAI_BASE_URL": f"http{secure}://127.0.0.1:{port}/v1",
            "STENO_CLIENT_WS": f"ws{secure}://127.0.0.1:{port}/v1",
            "STENO_CLIENT_LOG": str(self._log),
            **({"NODE_EXTRA_CA_CERTS": str(self.certificate.authority)} if self.certificate else {}),
            **self.client.environment,
            **more,
        }
        done = subprocess.run(
            self.client.command, env=environ, capture_output=True, text=True, timeout=CLIENT_SECONDS, check=False
        )
        assert done.returncode == 0, f"{self.client.name} failed:\n{done.stdout}\n{done.stderr}"

    def seen(self, near: Recorder | None) -> Traffic:
        """Return what there was at the client's end: recorded by `near`, or where there is none by itself."""
        return near.traffic() if near else logged(self._log.read_bytes().splitlines())

    def outcome(self, client: Traffic, provider: Traffic) -> Outcome:
        """Return what the daemon has left, with what passed."""
        recorded = [
            msgspec.json.decode(line)
            for file in sorted((self.folder / "recorded").iterdir())
            for line in file.read_bytes().splitlines()
        ]
        return Outcome(client, provider, _state(self.folder / "state.jsonl"), recorded)


def direct(client: Client, folder: Path) -> Outcome:
    """Run a client on the direct way."""
    place = Place(client, folder)
    with place.provider() as recorder:
        place.run(recorder.port)
        carried = recorder.traffic()
    return Outcome(carried, carried, replayed(carried, folder), [])


def proxied(client: Client, folder: Path) -> Outcome:
    """Run a client through a proxy."""
    place = Place(client, folder)
    with ExitStack() as stack:
        far = stack.enter_context(place.provider())
        daemon, port = stack.enter_context(place.steno(place.proxy(far.port)))
        near = None if client.tls else stack.enter_context(recording(Recorder(port)))
        place.run(near.port if near else port)
        _stop(daemon)
        return place.outcome(place.seen(near), far.traffic())


def tapped(client: Client, folder: Path) -> Outcome:
    """Run a client on the direct way, with the tap in it."""
    place = Place(client, folder)
    with place.provider() as recorder, place.steno('kind = "listen"') as (daemon, port):
        place.run(recorder.port, STENO_TAP_URL=f"ws://127.0.0.1:{port}", **TAPS)
        _stop(daemon)
        pushed = Traffic(recorder.traffic().calls, [])  # a tap sees frames alone
        return place.outcome(pushed, pushed)


def replayed(carried: Traffic, folder: Path) -> State:
    """Return the state of a replay of what was carried."""
    files = []
    for n, stream in enumerate(streams(carried)):
        files.append(folder / f"{n:03}.jsonl")
        reply = b'"reply":true,' if stream.ended else b""
        lines = [b'{"dir":"%b",%b"data":%b}' % (way.encode(), reply, data) for way, data in stream.frames]
        files[-1].write_bytes(b"\n".join([*lines, _CLOSE] if stream.ended else lines))
    done = steno("replay", *files, "--state", folder / "replayed.jsonl")
    assert done.returncode == 0, done.stderr
    return _state(folder / "replayed.jsonl")


def _stop(daemon: Running) -> None:
    assert daemon.stop() == 0
    warnings = [line for line in daemon.lines() if line["level"] not in {"debug", "info"}]
    assert warnings == []


def _state(file: Path) -> State:
    return [msgspec.json.decode(line) for line in file.read_bytes().splitlines()]


def _certificate(folder: Path) -> Certificate:
    authority = Authority(folder)
    file, key = authority.issue()
    return Certificate(file, key, authority.certificate)
