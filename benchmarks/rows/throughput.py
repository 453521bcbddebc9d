"""What an event costs, beside what cannot be left out and beside what people would write instead.

Both sides of a row are processes that are measured from their start to their end. Recordings are files of the mix
(`benchmarks/mix.py`); live, a process on loopback sends the same frames. It is faster than what receives.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from msgspec.structs import replace

from benchmarks import mix
from benchmarks.check import renamed
from benchmarks.figures import Figure, Scale, main, ratios
from benchmarks.processes import FailedError, Running, expect, peer, program, running, steno, whole
from benchmarks.programs.send import BEGUN_FRAMES
from benchmarks.traffic import RECEIVED
from tools import revisions

FRAMES: Final = 200_000
"""Few of them would measure the start-up."""
RECORDED_FRAMES: Final = 100_000
CONNECTIONS: Final = 600
RATE: Final = 4
"""Events a second of each of them."""
PACED_SECONDS: Final = 6
PACED_FULL_SECONDS: Final = 80
QUICK_ROUNDS: Final = 3
"""At the quick scale: with 200,000 frames a round takes long enough to be even."""
SESSION_FRAMES: Final = 400
"""More than a generated session has in the mean, so that there are enough of them."""


class Recording:
    """A generated recording in a file."""

    def __init__(self, path: Path, lines: Iterable[bytes]) -> None:
        """Write `lines` into `path`."""
        self.path = path
        self.folder = path.parent
        self.frames = 0
        with self.path.open("wb") as file:
            for line in lines:
                file.write(line)
                self.frames += line.startswith(RECEIVED)


# Replay -------------------------------------------------------------------------------------------------


def replay_rows(recording: Recording, scale: Scale) -> Iterator[Figure]:
    """Yield what a replay costs beside decoding alone."""
    beside = {"json_loads": ("json.loads over the same lines", 1.2), "msgspec_decode": ("a msgspec loop", 2.7)}
    for name, (said, bound) in beside.items():
        yield _replay_row("replay", said, bound, name, [recording.path], recording.frames, scale)


def recorded_row(folder: Path, scale: Scale) -> Figure:
    """Return the same for recordings, repeated under other identifiers: what is in no mix is in them."""
    simulated = folder / "simulated"
    simulated.mkdir()
    revisions.write_simulated([revisions.ROOT], simulated)
    contents = [path.read_bytes() for path in (*revisions.golden(revisions.ROOT), *sorted(simulated.rglob("*.jsonl")))]
    paths: list[Path] = []
    frames = 0
    for number, content in enumerate(cycle(contents)):
        paths.append(folder / f"{number}.jsonl")
        paths[-1].write_bytes(renamed(content, number))
        frames += content.count(b"\n")
        if frames >= RECORDED_FRAMES:
            break
    said = "replay of simulated recordings", "json.loads over the same lines"
    return _replay_row(*said, None, "json_loads", paths, frames, scale)


def _replay_row(
    measured: str, against: str, bound: float | None, name: str, paths: list[Path], frames: int, scale: Scale
) -> Figure:
    values, took, bare = ratios(
        lambda: whole(steno("replay", *paths), paths[0].parent),
        lambda: whole(program(name, *paths), paths[0].parent),
        scale.rounds,
    )
    return Figure(measured, against, values, bound, note=_note(frames, took, bare))


def _note(frames: int, took: float, bare: float, more: str = "") -> str:
    each = f"{took / frames * 1e6:.1f} us an event / {bare / frames * 1e6:.1f} us; {frames} frames"
    return f"{each}; {more}" if more else each


# Live ---------------------------------------------------------------------------------------------------


class Live:
    """Receivers of the same frames, each from a sender of its own."""

    def __init__(self, recording: Recording, connections: int = 1, frames: int = 0) -> None:
        """Send all over one connection as fast as they are read; or over many, `frames` each at their rate."""
        self._folder = recording.folder
        self._connections = connections
        self._paced = connections > 1
        self._sender = program("send", recording.path)
        if self._paced:
            self._sender += [str(connections), str(RATE), str(frames)]
        self._logs = 0

    def steno(self, *, audit: bool = False) -> float:
        """Return the seconds of CPU of the daemon."""
        return self._cpu(lambda port: steno("run", "-c", self._configuration(port, audit=audit)), ends=False)

    def bare(self) -> float:
        """Return those of a loop of the bare library."""
        return self._cpu(lambda port: program("receive", _url(port), str(self._connections)), ends=True)

    def sdk(self, python: Path) -> float:
        """Return those of a loop of the provider's SDK."""
        log = self._folder / "sdk.jsonl"
        return self._cpu(lambda port: [python, *program("sdk_loop", _url(port), log)[1:]], ends=True)

    def received(self) -> int:
        """Let the daemon run once, and return how many events it says that it had."""
        state = self._folder / "state.jsonl"
        self._cpu(lambda port: steno("run", "-c", self._configuration(port, audit=False), "--state", state), ends=False)
        streams = (json.loads(line) for line in state.read_bytes().splitlines())
        return sum(each["events"] for each in streams if each["schema"] == "steno.stream/1")

    def _cpu(self, command: Callable[[str], Sequence[str | Path]], *, ends: bool) -> float:
        """Run a receiver, and return the CPU of its whole life; of paced frames, what it took while they came.

        `ends` says whether it ends with its connections, or wants a signal.
        """
        with running(self._sender, self._folder, speaks=True) as sender:
            with running(command(sender.heard()), self._folder) as receiver:
                before = self._begun(sender, receiver) if self._paced else 0.0
                expect(sender, "sent")
                taken = receiver.cpu() - before
                if ends:
                    sender.tell()
                else:
                    receiver.terminate()
                life = receiver.ended()
            if not ends:
                sender.tell()
            sender.ended()
        return taken if self._paced else life

    def _begun(self, sender: Running, receiver: Running) -> float:
        """Let the sender go on where all sessions are in their midst; return the CPU until then."""
        expect(sender, "begun")
        before = receiver.cpu()
        sender.tell()
        return before

    def _configuration(self, port: str, *, audit: bool) -> Path:
        lines = ["[http]", 'listen = "127.0.0.1:0"']
        if audit:
            self._logs += 1
            lines += ["[audit]", f'directory = "{self._folder / f"audit-{self._logs}"}"']
        for number in range(self._connections):
            url = f"{_url(port)}/{number}"
            lines += ["[[sources]]", f'name = "s{number}"', 'kind = "connect"', f'url = "{url}"']
        path = self._folder / "steno.toml"
        path.write_text("\n".join(lines) + "\n")
        return path


def _url(port: str) -> str:
    return f"ws://127.0.0.1:{port}"


def live_rows(recording: Recording, scale: Scale) -> Iterator[Figure]:
    """Yield what the frames of one connection cost beside a bare loop that receives them."""
    live = Live(recording)
    if (received := live.received()) != recording.frames:
        raise FailedError(f"the daemon had {received} events of {recording.frames}")
    values, took, bare = ratios(live.steno, live.bare, scale.rounds)
    note = _note(recording.frames, took, bare, "no audit log, as by default")
    yield Figure("live, one connection", "a bare websockets receive loop", values, 1.7, note=note)


def paced_rows(recording: Recording, scale: Scale, frames: int) -> Iterator[Figure]:
    """Yield what many connections cost that say little each."""
    live = Live(recording, CONNECTIONS, frames)
    values, took, bare = ratios(live.steno, live.bare, scale.rounds)
    said = f"live, {CONNECTIONS} connections of {RATE} events a second each"
    note = _note(CONNECTIONS * frames, took, bare, "no audit log, as by default; from when all are connected")
    yield Figure(said, "the same, bare", values, 1.4, note=note)


def sdk_rows(recording: Recording, scale: Scale) -> Iterator[Figure]:
    """Yield how many events a CPU second carries beside a loop of the provider's SDK, both with a log."""
    row = "events a CPU second", "the openai SDK loop with labels().inc() and a JSON line an event"
    python = peer("sdk")
    if python is None:
        yield Figure(*row, (), 6.5, least=True, note="skipped: build/benchmarks/sdk is not there; make bench makes it")
        return
    live = Live(recording)
    values, sdk, ours = ratios(lambda: live.sdk(python), lambda: live.steno(audit=True), scale.rounds)
    note = f"{recording.frames / ours:,.0f} / {recording.frames / sdk:,.0f} a second; steno with its audit log"
    yield Figure(*row, values, 6.5, least=True, note=note)


def rows(scale: Scale) -> Iterable[Figure]:
    """Measure all of it."""
    if not scale.full:
        scale = replace(scale, rounds=min(scale.rounds, QUICK_ROUNDS))
    with TemporaryDirectory(prefix="steno-bench-") as name:
        folder = Path(name)
        yield from replay_rows(Recording(folder / "mix.jsonl", mix.lines(FRAMES)), scale)
        yield recorded_row(folder, scale)
        session = Recording(folder / "session.jsonl", mix.session_lines(FRAMES))
        yield from live_rows(session, scale)
        yield from sdk_rows(session, scale)
        frames = RATE * (PACED_FULL_SECONDS if scale.full else PACED_SECONDS)
        sessions = mix.begins(mix.lines(CONNECTIONS * (frames + SESSION_FRAMES)), BEGUN_FRAMES + frames)
        yield from paced_rows(Recording(folder / "many.jsonl", sessions), scale, frames)


if __name__ == "__main__":
    main(rows)
