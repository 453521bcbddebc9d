"""A daemon process that is killed again and again under load, and what its log must hold after all its runs.

Seen from outside are: how much is on the disk (`steno_audit_flushed_seq`), heads (`audit checkpoint`), and the files
between two runs. The log is checked against all of it in the end.
"""

import hmac
import json
import re
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, cached_property
from http.client import HTTPException
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

from anyio.from_thread import start_blocking_portal

from steno.audit.content_store.references import content_fields
from steno.audit.record import segment_name
from steno.audit.verification.files import verify
from steno.audit.verification.trust import KnownHead, Trust, parse_head
from steno.simulate.server import Provider, provider
from tests.crash import crash_points
from tests.crash.stories import NOW, SEED, Streams
from tests.processes import Running, running, steno, wait_for

NAMED: Final = "call"
"""The source whose streams are all of one conversation, so that its content is in one file through all runs."""
SOURCES: Final = {
    "voice-1": "/v1/realtime?for=voice-1",
    "voice-2": "/v1/realtime?for=voice-2",
    "voice-3": "/v1/realtime?for=voice-3",
    "thread-1": "/v1/assistants?for=thread-1",
    "thread-2": "/v1/assistants?for=thread-2",
    NAMED: "/v1/realtime?conversation=call-1",
}
AUDIT: Final = """
    segment_bytes = 65_536
    segment_seconds = 0.5
    checkpoint_records = 100
    checkpoint_seconds = 0.3
"""
LOADED: Final = 60
"""Records on the disk since its start after which a daemon is under load."""
WHOLE: Final = re.compile(rb'\{"seq":(\d+),[^\n]*\n')


class Death(NamedTuple):
    """How a run ends."""

    how: str
    """`at` a point; or from outside, after a while: under `load`, in its `start`, after a `hangup`, in the `drain`."""
    point: str = ""


class Daemon(Running):
    """A daemon that may be killed in the middle of a line of its operational log, and is asked often."""

    def lines(self) -> list[dict[str, object]]:
        """Return what it logged in whole lines."""
        lines = self._log.read_text().split("\n")
        return [json.loads(line) for line in lines[:-1] if line.startswith("{")]

    @cached_property
    def port(self) -> int:
        """Where its HTTP face listens, once it has logged that."""
        return super().port

    def serves(self) -> bool:
        """Return whether it has logged that it serves."""
        return "port" in self.__dict__ or any(line["event"] == "started" for line in self.lines())


class DaemonRun:
    """One run of the daemon, and what it reports."""

    def __init__(self, daemon: Daemon, folder: Path, last_seq: int) -> None:
        self.daemon = daemon
        self.flushed = 0
        """The last record that it reported to be on the disk."""
        self.opened = b""
        """The first record that it wrote."""
        self._first = folder / segment_name(last_seq + 1)

    def look(self) -> bool:
        """Note what it reports now; return whether it runs."""
        if not self.opened and self._first.exists():
            line = self._first.read_bytes().split(b"\n")
            self.opened = line[0] if line[1:] else b""
        if self.daemon.process.poll() is not None:
            return False
        if self.daemon.serves():
            with suppress(OSError, HTTPException):  # it may die just now
                self.flushed = max(self.flushed, int(self.daemon.metric("steno_audit_flushed_seq")))
        return True

    def heads(self) -> Iterator[KnownHead]:
        """Yield the heads in its operational log."""
        for line in self.daemon.lines():
            if line["event"] == "audit checkpoint":
                yield parse_head(str(line["head"]))


class DaemonRuns:
    """All runs that wrote one log."""

    def __init__(self, config: Path, folder: Path, rng: Random) -> None:
        self.kills = 0
        self.recovered_bytes = 0
        self.seen: dict[int, bytes] = {}
        """The records in the files between two runs: number to hash, which covers all before it."""
        self.flushed = 0
        self.heads: dict[int, KnownHead] = {}
        self.starts: list[tuple[int, int]] = []
        """Of each start: the torn bytes that it found, and those that it recorded."""
        self._config = config
        self._folder = folder
        self._rng = rng

    def run(self, death: Death) -> None:
        """Start the daemon and let it die; check what it left against what it reported."""
        ends = {"load": self._load, "start": self._start, "hangup": self._hangup, "drain": self._drain}
        with self._run(death.point) as run:
            ends.get(death.how, self._wait)(run)
            while run.look():
                if death.how != "at":
                    run.daemon.process.kill()
            if run.daemon.process.returncode == -signal.SIGKILL:
                self.kills += 1
            else:
                assert (death.how, run.daemon.process.returncode) == ("drain", 0)

    def run_to_the_end(self) -> None:
        """Start the daemon once more, and let it end in order."""
        with self._run() as run:
            self._under_load(run)
            assert run.daemon.stop() == 0
            run.look()

    @contextmanager
    def _run(self, point: str = "") -> Iterator[DaemonRun]:
        before, torn = max(self.seen, default=0), torn_bytes(self._folder)
        with running(self._config, limit=crash_points.STATEMENTS, STENO_DIES=point) as started:
            run = DaemonRun(Daemon(started.process, started._log), self._folder, before)
            yield run
        if run.opened:
            record = json.loads(run.opened)
            assert record["fact"] == "log.opened"
            self.recovered_bytes += torn
            self.starts.append((torn, record["body"]["recovered_bytes"]))
        self.heads |= {head.seq: head for head in run.heads()}
        self._see()
        assert max(self.seen, default=0) >= run.flushed
        self.flushed = max(self.flushed, run.flushed)

    def _see(self) -> None:
        """Note which records are there. None that was there before has changed."""
        for seq, line in whole_lines(self._folder):
            hashed = bytes.fromhex(json.loads(line)["hash"])
            assert self.seen.setdefault(seq, hashed) == hashed, f"record {seq} was written twice"

    # How they end ---------------------------------------------------------------------------------------

    def _wait(self, run: DaemonRun) -> None:
        wait_for(lambda: not run.look())

    def _under_load(self, run: DaemonRun) -> None:
        first = max(self.seen, default=0)
        wait_for(lambda: not run.look() or run.flushed > first + LOADED)
        assert run.daemon.process.poll() is None

    def _load(self, run: DaemonRun) -> None:
        self._under_load(run)
        self._pass(run, 0.5)

    def _start(self, run: DaemonRun) -> None:
        time.sleep(self._rng.uniform(0.2, 1.0))

    def _hangup(self, run: DaemonRun) -> None:
        self._under_load(run)
        run.daemon.process.send_signal(signal.SIGHUP)
        self._pass(run, 0.05)

    def _drain(self, run: DaemonRun) -> None:
        self._under_load(run)
        run.daemon.process.send_signal(signal.SIGTERM)
        time.sleep(self._rng.uniform(0.0, 0.1))

    def _pass(self, run: DaemonRun, most: float) -> None:
        """Let some time pass, and look meanwhile."""
        until = time.monotonic() + self._rng.uniform(0.0, most)
        while time.monotonic() < until:
            run.look()


# What the files hold --------------------------------------------------------------------------------------------


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("audit-*.jsonl"))


def whole_lines(folder: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the records that are whole, each with its number."""
    for path in segments(folder):
        for match in WHOLE.finditer(path.read_bytes()):
            yield int(match[1]), match[0]


def torn_bytes(folder: Path) -> int:
    """Return how many bytes of unfinished records there are that no start has recorded yet."""
    held = [path.read_bytes() for path in segments(folder)]
    torn = [len(each) - each.rfind(b"\n") - 1 for each in held]
    if held[1:] and b"\n" in held[-1] and torn[-2]:  # the last start recorded it, and was killed before it cut it off
        assert json.loads(held[-1].splitlines()[0])["body"]["recovered_bytes"] >= torn.pop(-2)
    return sum(torn)


# What the log holds in the end ----------------------------------------------------------------------------------


class Found(NamedTuple):
    """What is printed about the runs of one log."""

    kills: int
    records: int
    segments: int
    recovered_bytes: int
    heads: int
    streams: int
    texts: int


def prove(runs: DaemonRuns, folder: Path, *, content: bool, retires: bool) -> Found:
    """Check the log against all that was reported about it."""
    records = [json.loads(line) for _, line in whole_lines(folder)]
    first, last = records[0]["seq"], records[-1]["seq"]
    heads = tuple(head for seq, head in runs.heads.items() if seq >= first - 1)
    report = verify([folder], trust=Trust(heads=heads))
    command = steno("verify", folder, *(["--words"] if content else []))

    assert (report.ok, report.fault, report.heads_unchecked) == (True, None, ())
    assert command.returncode == 0, command.stdout
    assert [record["seq"] for record in records] == list(range(first, last + 1))
    assert (first > 1) == retires
    assert last >= runs.flushed
    assert all(runs.seen.get(seq, head.hash) == head.hash for seq, head in runs.heads.items())
    assert [recorded for _, recorded in runs.starts] == [torn for torn, _ in runs.starts]
    assert once(records)
    return Found(
        kills=runs.kills,
        records=last,
        segments=report.segments,
        recovered_bytes=runs.recovered_bytes,
        heads=len(report.heads),
        streams=check_streams(records, retired=retires),
        texts=check_content(records, folder) if content else 0,
    )


def once(records: list[dict[str, Any]]) -> bool:
    """Return whether no fact of an event is there twice."""
    facts = [
        (record["stream"], record["event_id"], record["fact"], json.dumps(record["body"]))
        for record in records
        if record["event_id"]
    ]
    return len(set(facts)) == len(facts)


def check_streams(records: list[dict[str, Any]], *, retired: bool) -> int:
    """Compare each stream with what the provider sent; return how many there were.

    Where old segments were retired, a stream whose beginning went with them is left out.
    """
    streams: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in records:
        if record["stream"]:
            streams[record["stream"]].append(record)
    expected = {source: Streams(source, path) for source, path in SOURCES.items() if source != NAMED}
    checked = 0
    for name, held in streams.items():
        source = name.split("/")[0]
        if source in expected and (not retired or held[0]["fact"] == "stream.opened"):
            expected[source].check(held)
            checked += 1
    return checked


def check_content(records: list[dict[str, Any]], folder: Path) -> int:
    """Check each text that a record refers to against its file; return how many there were."""

    @cache
    def proofs(name: str) -> frozenset[str]:
        header, *lines = (folder / "words" / name).read_bytes().split(b"\n")[:-1]  # the last line may be torn
        key = bytes.fromhex(json.loads(header)["key"])
        texts = [json.loads(line)["text"] for line in lines]
        return frozenset(hmac.digest(key, text.encode(), "sha256").hex() for text in texts)

    fields = [field for record in records for field in content_fields(record["body"]) if "file" in field]
    assert all(field["hmac"] in proofs(field["file"]) for field in fields)
    return len(fields)


# The load -------------------------------------------------------------------------------------------------------


@contextmanager
def load() -> Iterator[Provider]:
    """Run the simulated provider in a thread: as many conversations as are asked for, as fast as possible."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(provider(seed=SEED, speed=0, now=lambda: NOW)) as simulated,
    ):
        yield simulated


def configure(folder: Path, url: Callable[[str], str], audit: str) -> Path:
    """Write a configuration that reads all `SOURCES`."""
    config = folder / "steno.toml"
    sources = [
        f'[[sources]]\nname = "{name}"\nkind = "connect"\nurl = "{url(path)}"\nbackoff_seconds = 0.02\n'
        "backoff_max_seconds = 0.05"
        for name, path in SOURCES.items()
    ]
    head = f'[http]\nlisten = "127.0.0.1:0"\n[audit]\ndirectory = "{folder}/audit"'
    config.write_text("\n".join([head, AUDIT, audit, *sources]))
    return config
