"""The lives of a daemon that is killed again and again under load, and what its log must hold after all of them.

Told from outside are: how much is on the disk (`steno_audit_flushed_seq`), heads (`audit checkpoint`), and the files
as they stand between two lives. All of it is held against the log in the end.
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

from steno.audit.content_store.references import tellings
from steno.audit.record import segment_name
from steno.audit.verification.files import verify
from steno.audit.verification.trust import KnownHead, Trust, parse_head
from steno.simulate.server import Provider, provider
from tests.crash import crash_points
from tests.crash.stories import NOW, SEED, Streams
from tests.processes import Running, running, steno, wait_for

NAMED: Final = "call"
"""The source whose streams are all of one conversation, so that its words go into one file for all lives."""
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
    """How a life ends."""

    how: str
    """`at` a point; or from outside, after a while: under `load`, in its `start`, after a `hangup`, in the `drain`."""
    point: str = ""


class Daemon(Running):
    """One that may be killed in the middle of a line of its operational log, and is asked often."""

    def lines(self) -> list[dict[str, object]]:
        """Return what it has logged in whole lines."""
        lines = self._log.read_text().split("\n")
        return [json.loads(line) for line in lines[:-1] if line.startswith("{")]

    @cached_property
    def port(self) -> int:
        """Where its HTTP face listens, once it says so."""
        return super().port

    def serves(self) -> bool:
        """Tell whether it has said that it serves."""
        return "port" in self.__dict__ or any(line["event"] == "started" for line in self.lines())


class Life:
    """A daemon that runs, and what it tells."""

    def __init__(self, daemon: Daemon, folder: Path, last_seq: int) -> None:
        self.daemon = daemon
        self.flushed = 0
        """The last record that it said to be on the disk."""
        self.opened = b""
        """The first record that it wrote."""
        self._first = folder / segment_name(last_seq + 1)

    def look(self) -> bool:
        """Note what it tells now; return whether it lives."""
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
        """Yield the heads that its operational log tells."""
        for line in self.daemon.lines():
            if line["event"] == "audit checkpoint":
                yield parse_head(str(line["head"]))


class Lives:
    """All lives that wrote one log."""

    def __init__(self, config: Path, folder: Path, rng: Random) -> None:
        self.kills = 0
        self.recovered_bytes = 0
        self.seen: dict[int, bytes] = {}
        """The records that stood in the files between two lives: number to hash, which tells all before it too."""
        self.flushed = 0
        self.heads: dict[int, KnownHead] = {}
        self.starts: list[tuple[int, int]] = []
        """Of each start: the torn bytes that it found, and those that it told."""
        self._config = config
        self._folder = folder
        self._rng = rng

    def live(self, death: Death) -> None:
        """Start the daemon and let it die; hold what it left against what it told."""
        ends = {"load": self._load, "start": self._start, "hangup": self._hangup, "drain": self._drain}
        with self._life(death.point) as life:
            ends.get(death.how, self._wait)(life)
            while life.look():
                if death.how != "at":
                    life.daemon.process.kill()
            if life.daemon.process.returncode == -signal.SIGKILL:
                self.kills += 1
            else:
                assert (death.how, life.daemon.process.returncode) == ("drain", 0)

    def last(self) -> None:
        """Let the daemon live once more, and end in order."""
        with self._life() as life:
            self._under_load(life)
            assert life.daemon.stop() == 0
            life.look()

    @contextmanager
    def _life(self, point: str = "") -> Iterator[Life]:
        before, torn = max(self.seen, default=0), torn_bytes(self._folder)
        with running(self._config, limit=crash_points.STATEMENTS, STENO_DIES=point) as started:
            life = Life(Daemon(started.process, started._log), self._folder, before)
            yield life
        if life.opened:
            record = json.loads(life.opened)
            assert record["fact"] == "log.opened"
            self.recovered_bytes += torn
            self.starts.append((torn, record["body"]["recovered_bytes"]))
        self.heads |= {head.seq: head for head in life.heads()}
        self._see()
        assert max(self.seen, default=0) >= life.flushed
        self.flushed = max(self.flushed, life.flushed)

    def _see(self) -> None:
        """Note which records are there; none that was there before is another one now."""
        for seq, line in whole_lines(self._folder):
            hashed = bytes.fromhex(json.loads(line)["hash"])
            assert self.seen.setdefault(seq, hashed) == hashed, f"record {seq} was written twice"

    # How they end ---------------------------------------------------------------------------------------

    def _wait(self, life: Life) -> None:
        wait_for(lambda: not life.look())

    def _under_load(self, life: Life) -> None:
        first = max(self.seen, default=0)
        wait_for(lambda: not life.look() or life.flushed > first + LOADED)
        assert life.daemon.process.poll() is None

    def _load(self, life: Life) -> None:
        self._under_load(life)
        self._pass(life, 0.5)

    def _start(self, life: Life) -> None:
        time.sleep(self._rng.uniform(0.2, 1.0))

    def _hangup(self, life: Life) -> None:
        self._under_load(life)
        life.daemon.process.send_signal(signal.SIGHUP)
        self._pass(life, 0.05)

    def _drain(self, life: Life) -> None:
        self._under_load(life)
        life.daemon.process.send_signal(signal.SIGTERM)
        time.sleep(self._rng.uniform(0.0, 0.1))

    def _pass(self, life: Life, most: float) -> None:
        """Let some time pass, and look meanwhile."""
        until = time.monotonic() + self._rng.uniform(0.0, most)
        while time.monotonic() < until:
            life.look()


# What the files hold --------------------------------------------------------------------------------------------


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("audit-*.jsonl"))


def whole_lines(folder: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the records that are whole, each with its number."""
    for path in segments(folder):
        for match in WHOLE.finditer(path.read_bytes()):
            yield int(match[1]), match[0]


def torn_bytes(folder: Path) -> int:
    """Return how much there is of records that are not whole, and that no start has told yet."""
    held = [path.read_bytes() for path in segments(folder)]
    torn = [len(each) - each.rfind(b"\n") - 1 for each in held]
    if held[1:] and b"\n" in held[-1] and torn[-2]:  # the last start told it, and was killed before it cut it off
        assert json.loads(held[-1].splitlines()[0])["body"]["recovered_bytes"] >= torn.pop(-2)
    return sum(torn)


# What the log holds in the end ----------------------------------------------------------------------------------


class Found(NamedTuple):
    """What is told of the lives of one log."""

    kills: int
    records: int
    segments: int
    recovered_bytes: int
    heads: int
    streams: int
    texts: int


def prove(lives: Lives, folder: Path, *, words: bool, retires: bool) -> Found:
    """Hold the log against all that was told of it."""
    records = [json.loads(line) for _, line in whole_lines(folder)]
    first, last = records[0]["seq"], records[-1]["seq"]
    heads = tuple(head for seq, head in lives.heads.items() if seq >= first - 1)
    report = verify([folder], evidence=Trust(heads=heads))
    command = steno("verify", folder, *(["--words"] if words else []))

    assert (report.ok, report.fault, report.heads_unchecked) == (True, None, ())
    assert command.returncode == 0, command.stdout
    assert [record["seq"] for record in records] == list(range(first, last + 1))
    assert (first > 1) == retires
    assert last >= lives.flushed
    assert all(lives.seen.get(seq, head.hash) == head.hash for seq, head in lives.heads.items())
    assert [told for _, told in lives.starts] == [torn for torn, _ in lives.starts]
    assert once(records)
    return Found(
        kills=lives.kills,
        records=last,
        segments=report.segments,
        recovered_bytes=lives.recovered_bytes,
        heads=len(report.heads),
        streams=check_streams(records, retired=retires),
        texts=check_words(records, folder) if words else 0,
    )


def once(records: list[dict[str, Any]]) -> bool:
    """Tell whether no event's fact stands there twice."""
    facts = [
        (record["stream"], record["event_id"], record["fact"], json.dumps(record["body"]))
        for record in records
        if record["event_id"]
    ]
    return len(set(facts)) == len(facts)


def check_streams(records: list[dict[str, Any]], *, retired: bool) -> int:
    """Hold each stream against what the provider told it; return how many there were.

    Where old segments went, a stream whose beginning went with them is left out.
    """
    streams: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in records:
        if record["stream"]:
            streams[record["stream"]].append(record)
    told = {source: Streams(source, path) for source, path in SOURCES.items() if source != NAMED}
    checked = 0
    for name, held in streams.items():
        source = name.split("/")[0]
        if source in told and (not retired or held[0]["fact"] == "stream.opened"):
            told[source].check(held)
            checked += 1
    return checked


def check_words(records: list[dict[str, Any]], folder: Path) -> int:
    """Hold each text that a record names against its file; return how many there were."""

    @cache
    def proofs(name: str) -> frozenset[str]:
        header, *lines = (folder / "words" / name).read_bytes().split(b"\n")[:-1]  # the last line may be torn
        key = bytes.fromhex(json.loads(header)["key"])
        texts = [json.loads(line)["text"] for line in lines]
        return frozenset(hmac.digest(key, text.encode(), "sha256").hex() for text in texts)

    named = [told for record in records for told in tellings(record["body"]) if "file" in told]
    assert all(told["hmac"] in proofs(told["file"]) for told in named)
    return len(named)


# The play -------------------------------------------------------------------------------------------------------


@contextmanager
def load() -> Iterator[Provider]:
    """Run the simulated provider in a thread: as many conversations as are asked for, as quick as they can be."""
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
