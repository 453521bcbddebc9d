"""`steno replay`: recordings through the same pipeline as the daemon's, file after file.

Time is that of the recordings. What is written depends on them and on the configuration alone: the same files give the
same bytes.
"""

import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from msgspec import Struct

from steno.amounts import amount
from steno.app import garbage
from steno.app.files import METRICS_MODE, STATE_MODE, StateWriter, written
from steno.app.tables import Row, row_of, sum_of
from steno.config import Config
from steno.core.billing.prices import PriceTable
from steno.core.conversation import Conversation
from steno.core.frame import Frame
from steno.core.keys import conversation_key, numbered
from steno.core.stream import Stream
from steno.errors import DataError
from steno.limits import LINE_BYTES
from steno.metrics.labels import SourceLabels
from steno.metrics.sink import Metrics
from steno.pipeline import Pipeline, Sink
from steno.sources.recording import Missed, conversation_of, frames_in, is_reply, parse, read_lines
from steno.sources.stream_end import end_stream

if TYPE_CHECKING:
    from steno.app.replay_log import ReplayLog

SOURCE = "replay"
STANDARD_INPUT = Path("-")
DEFAULTS: Final = {"limits": {"kept_objects": 10_000_000, "memory_bytes": 1 << 50}}
"""Defaults in place of the daemon's: a recording ends, so that all of it can be kept."""
COMPRESSED: Final = {
    b"\x1f\x8b": ("gzip", "zcat"),
    b"\x28\xb5\x2f\xfd": ("zstd", "zstdcat"),
    b"\xfd7zXZ\x00": ("xz", "xzcat"),
    b"BZh": ("bzip2", "bzcat"),
}
"""How a compressed file begins: by what it was compressed, and what shows it."""
SHOWN_ROWS = 200
"""Conversations in the table for people; the state has all of them."""


class Outputs(Struct, frozen=True):
    """The files and the folder that replay writes. None stands for an output that is not asked for."""

    state: Path | None = None
    metrics: Path | None = None
    audit: Path | None = None


class Summary(Struct, frozen=True):
    """What was in the recordings."""

    rows: tuple[Row, ...]
    """A row a conversation, in the order in which they opened; at most `SHOWN_ROWS`."""
    total: Row
    frames: int
    unknown: dict[str, int]
    malformed: dict[str, int]
    rejected: dict[str, int]
    """Events that did not fit the state of their conversation: reason to count."""
    unreadable: tuple[Path, ...] = ()
    """Files in which every line was malformed: they are no recordings. One in steno's own form is one all the same."""


Progress = Callable[[int], None]
"""Is called with the number of bytes that were read since the last call."""


def replay(
    files: Sequence[Path], config: Config, outputs: Outputs, prices: PriceTable, stdin: IO[bytes], progress: Progress
) -> Summary:
    """Feed `files` in order, each a stream, and write `outputs`.

    Args:
        files: recordings, a frame a line; `-` is standard input.
        config: limits and policies; sources and addresses are not used.
        outputs: what is written.
        prices: the price list.
        stdin: standard input.
        progress: is called as the files are read.

    Raises:
        DataError: a file cannot be read or is compressed, or the audit log that is there cannot be continued.
        UnavailableError: an output cannot be written.
        ConfigError: a key or a pattern of the audit log is wrong.
    """
    for file in files:
        _refuse_compressed(file, _begin_of(file))
    with garbage.seldom(), ExitStack() as stack:
        run = _Replay(config, outputs, prices, stack)
        for file in files:
            run.feed(file, _lines(file, stdin, progress, _longest_line(config)))
        return run.finish(outputs)


def refuse_unread(summary: Summary, *, strict: bool) -> None:
    """Raise DataError where every line of a file was malformed, and where any was if `strict`.

    What was asked for is written by then, and shows what was read.
    """
    if summary.unreadable:
        named = ", ".join(map(_shown, summary.unreadable))
        raise DataError(f"every line was malformed: {named}; a recording has a JSON object a line")
    malformed = sum(summary.malformed.values())
    if strict and malformed:
        were = "was" if malformed == 1 else "were"
        raise DataError(f"{amount(malformed, 'line')} {were} malformed: without --strict that is no error")


def _shown(file: Path) -> str:
    return "standard input" if file == STANDARD_INPUT else str(file)


def stream_name(file: Path) -> str:
    """Return the name of the first stream of `file`: without folder and suffix, written as in keys."""
    return conversation_key(SOURCE, file.stem)


def _longest_line(config: Config) -> int:
    """Return how long a line may be: a frame of the longest that a source takes, were each of its bytes escaped."""
    return max(LINE_BYTES, *(8 * source.frame_bytes for source in config.sources), 0)


def _lines(file: Path, stdin: IO[bytes], progress: Progress, longest: int) -> Iterable[list[bytes]]:
    """Yield the lines of a recording, many at a time."""
    try:
        with ExitStack() as stack:
            source = stdin if file == STANDARD_INPUT else stack.enter_context(file.open("rb"))
            for number, lines in enumerate(read_lines(source, longest)):
                if number == 0:
                    _refuse_compressed(file, lines[0])
                progress(sum(map(len, lines)) + len(lines))
                yield lines
    except OSError as error:
        raise DataError(f"cannot read {file}: {error.strerror}") from error


def _begin_of(file: Path) -> bytes:
    """Return the first bytes of a regular file; none of another one, which could be read once alone."""
    with suppress(OSError):  # whoever reads it says so
        if file.is_file():
            with file.open("rb") as opened:
                return opened.read(max(map(len, COMPRESSED)))
    return b""


def _refuse_compressed(file: Path, begin: bytes) -> None:
    """Raise DataError where a file that begins so is compressed: each of its lines would be malformed."""
    for magic, (name, program) in COMPRESSED.items():
        if begin.startswith(magic):
            quoted = "FILE" if file == STANDARD_INPUT else shlex.quote(str(file))
            raise DataError(f"{_shown(file)} is compressed by {name}: {program} {quoted} | steno replay -")


class _Read:
    """What was read of one recording."""

    __slots__ = ("bare", "events", "file", "frames")

    def __init__(self, file: Path) -> None:
        self.file = file
        self.frames = self.events = 0
        self.bare = True
        """Whether its streams begin with lines that are not in the form of a recording."""

    def count(self, stream: Stream) -> None:
        """Count what came on a stream that ended, or that the recording leaves open."""
        self.frames += stream.frames
        self.events += stream.events


def _metrics(config: Config, prices: PriceTable) -> Metrics:
    """Return what counts for `--metrics`."""
    metrics = Metrics(config.limits.label_values, prices, config.limits.series)
    metrics.labels = SourceLabels({each.name: each.labels for each in config.sources if each.name == SOURCE})
    return metrics


class _Replay:
    """The pipeline of one replay, and its outputs."""

    def __init__(self, config: Config, outputs: Outputs, prices: PriceTable, stack: ExitStack) -> None:
        self._metrics = None if outputs.metrics is None else _metrics(config, prices)
        self._log: ReplayLog | None = None
        sinks: list[Sink] = [] if self._metrics is None else [self._metrics]
        if outputs.audit is not None:
            from steno.app.replay_log import opened  # noqa: PLC0415  # a fifth of a start, for those who ask for it

            self._log, sink = opened(outputs.audit, config, stack)
            sinks.append(sink)
        self._state = None
        if outputs.state is not None:
            self._state = StateWriter(stack.enter_context(written(outputs.state, STATE_MODE)))
        self._rows: list[tuple[int, Row]] = []
        self._names: set[str] = set()
        """Names of streams, and keys of conversations that ended."""
        self._numbers: Counter[str] = Counter()
        """The name of a file's first stream to the number of the last one."""
        self._unreadable: list[Path] = []
        self._frames = 0
        self._unknown: Counter[str] = Counter()
        self._malformed: Counter[str] = Counter()
        self._pipeline = Pipeline(config.limits, sinks, self._closed, self._ended, prices)

    def _closed(self, state: Conversation) -> None:
        self._rows.append((state.number, row_of(state)))
        self._names.add(state.key)
        if self._state:
            self._state.closed(state)

    def _ended(self, stream: Stream) -> None:
        self._count(stream)
        if self._state:
            self._state.ended(stream)

    def feed(self, file: Path, blocks: Iterable[list[bytes]]) -> None:
        """Feed the recording `file`, some lines at a time. What follows a close in it is another stream."""
        read = _Read(file)
        stream: Stream | None = None
        for lines in blocks:
            rest = iter(lines)
            while (line := self._events(stream, rest)) is not None:
                if stripped := line.strip():
                    stream = self._parsed(read, stream, stripped)
        if stream is not None:
            self._pipeline.registry.settle(stream)
            read.count(stream)
        if read.bare and read.frames and not read.events:
            self._unreadable.append(file)

    def _events(self, stream: Stream | None, lines: Iterator[bytes]) -> bytes | None:
        """Feed `lines` to `stream` as long as they are cut, not parsed, as nearly all are. Return the next one.

        That there is an event in what was cut out of a line shows that it may be.
        """
        if stream is None:
            return next(lines, None)
        others: list[bytes] = []
        self._pipeline.feed_events(stream, frames_in(lines, stream.first_look, others))
        return others[0] if others else None

    def _parsed(self, read: _Read, stream: Stream | None, line: bytes) -> Stream | None:
        """Feed what `line` says to `stream`, or to a new one where it is None; return the stream that goes on."""
        item = parse(line)
        if stream is None:
            read.bare &= isinstance(item, Frame) and item.payload is line
            name = self._unused(stream_name(read.file))
            stream = self._pipeline.stream_opened(name, SOURCE, item.at, conversation_of(line), reply=is_reply(line))
        if isinstance(item, Frame):
            self._pipeline.feed(stream, item)
        elif isinstance(item, Missed):
            self._pipeline.missed(stream, item.at, item.frames, item.reason)
        else:
            end_stream(self._pipeline, stream, item)
            read.count(stream)
            return None
        return stream

    def _unused(self, name: str) -> str:
        """Return `name` with the next number that neither a stream nor a conversation has; the first one has none."""
        while True:
            self._numbers[name] += 1
            unused = numbered(name, self._numbers[name])
            if unused not in self._names and unused not in self._pipeline.registry.conversations:
                self._names.add(unused)
                return unused

    def finish(self, outputs: Outputs) -> Summary:
        """Write the outputs to their end, and return the summary.

        The end of a file closes no conversation but those that another session followed on their stream.
        """
        still_open = sorted(self._pipeline.registry.conversations.values(), key=lambda state: state.number)
        streams = list(self._pipeline.streams.values())
        if self._state:
            self._state.finish(still_open, streams)
        if outputs.metrics is not None and self._metrics is not None:
            from steno.metrics.exposition import replay_text  # noqa: PLC0415  # it brings an HTTP client along

            with written(outputs.metrics, METRICS_MODE) as file:
                file.write(replay_text(self._pipeline, self._metrics))
        if self._log:
            self._log.close()
        for state in still_open:
            self._rows.append((state.number, row_of(state)))
        for stream in streams:
            self._count(stream)
        return self._summary()

    def _count(self, stream: Stream) -> None:
        self._frames += stream.frames
        self._unknown.update(stream.unknown)
        self._malformed.update(stream.malformed)

    def _summary(self) -> Summary:
        counts = self._pipeline.sources.get(SOURCE)
        rejected = dict(counts.frames_rejected) if counts else {}
        rows = [row for _, row in sorted(self._rows, key=lambda numbered: numbered[0])]
        return Summary(
            rows=tuple(rows[:SHOWN_ROWS]),
            total=sum_of(rows),
            frames=self._frames,
            unknown=dict(self._unknown),
            malformed=dict(self._malformed),
            rejected={reason: count for reason, count in rejected.items() if reason not in self._malformed},
            unreadable=tuple(self._unreadable),
        )
