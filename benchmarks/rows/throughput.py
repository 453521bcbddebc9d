"""What an event costs, beside what cannot be left out and beside what people would write instead.

Both sides of a row are processes that are measured from their start to their end. Recordings are files of the mix
(`benchmarks/mix.py`); live, a process on loopback sends the same frames. It is faster than what receives.
"""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec

from benchmarks import mix
from benchmarks.figures import Figure, Scale, main, ratios
from benchmarks.processes import FailedError, peer, program, running, steno, whole

FRAMES: Final = 200_000
"""Few of them would measure the start-up."""
SDK_FRAMES: Final = 40_000
"""At the quick scale: the SDK takes a fifth of a millisecond for each."""


class Inputs:
    """What is replayed and what is sent: the same frames, generated once."""

    def __init__(self, folder: Path, frames: int) -> None:
        """Write them into `folder`."""
        self.folder = folder
        self.frames = 0
        self.lines = folder / "mix.jsonl"
        self.payloads = folder / "payloads"
        """A payload a line, and an empty line behind each session."""
        self.realtime = folder / "realtime"
        """The same, of the sessions that the SDK knows."""
        with self.lines.open("wb") as lines, self.payloads.open("wb") as payloads, self.realtime.open("wb") as known:
            for line in mix.lines(frames):
                lines.write(line)
                payload = _payload(line)
                self.frames += bool(payload)
                payloads.write(payload + b"\n")
                if not payload.startswith(b'{"event"'):
                    known.write(payload + b"\n")


def _payload(line: bytes) -> bytes:
    return bytes(msgspec.json.decode(line, type=dict[str, msgspec.Raw]).get("data", b""))


# Replay -------------------------------------------------------------------------------------------------


def replay_rows(inputs: Inputs, scale: Scale) -> Iterator[Figure]:
    """Yield what a replay costs beside decoding alone."""
    beside = {"json_loads": ("json.loads over the same lines", 1.2), "msgspec_decode": ("a msgspec loop", 2.7)}
    for name, (said, bound) in beside.items():
        values, took, bare = ratios(
            lambda: whole(steno("replay", inputs.lines), inputs.folder),
            lambda name=name: whole(program(name, inputs.lines), inputs.folder),  # type: ignore[misc]
            scale.rounds,
        )
        yield Figure("replay", said, values, bound, note=_note(inputs.frames, took, bare))


def _note(frames: int, took: float, bare: float, more: str = "") -> str:
    each = f"{took / frames * 1e6:.1f} us an event / {bare / frames * 1e6:.1f} us; {frames} frames"
    return f"{each}; {more}" if more else each


# Live ---------------------------------------------------------------------------------------------------


class Live:
    """Receivers of the same frames from a sender of their own."""

    def __init__(self, folder: Path, payloads: Path, connections: int = 1, rate: float = 0) -> None:
        """Send `payloads` over some connections, at a rate or, with 0, as fast as they are read."""
        self._folder = folder
        self._sender = program("send", payloads, str(connections), str(rate))
        self._connections = connections
        self._logs = 0

    def steno(self, *, audit: bool = False) -> float:
        """Return the seconds of CPU of the daemon."""
        return self._cpu(lambda port: steno("run", "-c", self._configuration(port, audit=audit)), ends=False)

    def bare(self) -> float:
        """Return those of a loop of the bare library."""
        return self._cpu(lambda port: program("receive", f"ws://127.0.0.1:{port}", str(self._connections)), ends=True)

    def sdk(self, python: Path) -> float:
        """Return those of a loop of the provider's SDK."""
        log = self._folder / "sdk.jsonl"
        return self._cpu(lambda port: [python, *program("sdk_loop", f"ws://127.0.0.1:{port}", log)[1:]], ends=True)

    def received(self) -> int:
        """Let the daemon run once, and return how many events it says that it had."""
        state = self._folder / "state.jsonl"
        self._cpu(lambda port: steno("run", "-c", self._configuration(port, audit=False), "--state", state), ends=False)
        streams = (json.loads(line) for line in state.read_bytes().splitlines())
        return sum(each["events"] for each in streams if each["schema"] == "steno.stream/1")

    def _cpu(self, command: Callable[[str], Sequence[str | Path]], *, ends: bool) -> float:
        """Run a receiver; `ends` says whether it ends with its connections, or wants a signal."""
        with running(self._sender, self._folder, speaks=True) as sender:
            with running(command(sender.heard()), self._folder) as receiver:
                if sender.heard() != "sent":
                    raise FailedError("the sender said something else")
                if ends:
                    sender.tell()
                else:
                    receiver.terminate()
                took = receiver.ended()
            if not ends:
                sender.tell()
            sender.ended()
        return took

    def _configuration(self, port: str, *, audit: bool) -> Path:
        lines = ["[http]", 'listen = "127.0.0.1:0"']
        if audit:
            self._logs += 1
            lines += ["[audit]", f'directory = "{self._folder / f"audit-{self._logs}"}"']
        for number in range(self._connections):
            url = f"ws://127.0.0.1:{port}/{number}"
            lines += ["[[sources]]", f'name = "s{number}"', 'kind = "connect"', f'url = "{url}"']
        path = self._folder / "steno.toml"
        path.write_text("\n".join(lines) + "\n")
        return path


def live_rows(inputs: Inputs, scale: Scale) -> Iterator[Figure]:
    """Yield what live frames cost beside a bare loop that receives them."""
    live = Live(inputs.folder, inputs.payloads)
    if (received := live.received()) != inputs.frames:
        raise FailedError(f"the daemon had {received} events of {inputs.frames}")
    values, took, bare = ratios(live.steno, live.bare, scale.rounds)
    note = _note(inputs.frames, took, bare, "no audit log, as by default")
    yield Figure("live, one connection", "a bare websockets receive loop", values, 1.7, note=note)


def sdk_rows(inputs: Inputs, scale: Scale) -> Iterator[Figure]:
    """Yield how many events a CPU second carries beside a loop of the provider's SDK, both with a log."""
    row = "events a CPU second", "the openai SDK loop with labels().inc() and a JSON line an event"
    python = peer("sdk")
    if python is None:
        yield Figure(*row, (), 6.5, least=True, note="skipped: build/benchmarks/sdk is not there; make bench makes it")
        return
    live = Live(inputs.folder, inputs.realtime)
    values, sdk, ours = ratios(lambda: live.sdk(python), lambda: live.steno(audit=True), scale.rounds)
    frames = sum(line != b"\n" for line in inputs.realtime.open("rb"))
    note = f"{frames / ours:,.0f} / {frames / sdk:,.0f} a second; steno with its audit log"
    yield Figure(*row, values, 6.5, least=True, note=note)


def rows(scale: Scale) -> Iterable[Figure]:
    """Measure all of it."""
    with TemporaryDirectory(prefix="steno-bench-") as folder:
        inputs = Inputs(Path(folder), FRAMES)
        yield from replay_rows(inputs, scale)
        yield from live_rows(inputs, scale)
    with TemporaryDirectory(prefix="steno-bench-") as folder:
        yield from sdk_rows(Inputs(Path(folder), FRAMES if scale.full else SDK_FRAMES), scale)


if __name__ == "__main__":
    sys.exit(main(rows))
