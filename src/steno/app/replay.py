"""`steno replay`: recordings through the very pipeline of the daemon, file after file.

Time is the recordings' own. What is written depends on them and the configuration alone: the same files give
the same bytes.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Final

from msgspec import Struct

from steno.app.files import METRICS_MODE, STATE_MODE, StateWriter, output
from steno.app.tables import Row, row_of, sum_of
from steno.audit.content_store.files import ContentFiles
from steno.audit.setup import bodies_of, open_log
from steno.audit.sink import AuditSink
from steno.audit.writing.log import AuditLog
from steno.audit.writing.queue import Pending
from steno.config import Config
from steno.core.billing.prices import PriceTable
from steno.core.conversation import Conversation
from steno.core.frame import Frame
from steno.core.stream import Stream
from steno.core.vocabulary import tells_expiry
from steno.errors import DataError, UnavailableError
from steno.metrics.exposition import replay_text
from steno.metrics.sink import Metrics
from steno.pipeline import Pipeline, Sink
from steno.sources.recording import Close, conversation_of, parse

SOURCE = "replay"
STANDARD_INPUT = Path("-")
DEFAULTS: Final = {"limits": {"kept_objects": 10_000_000}}
"""What holds where the configuration does not say otherwise: a recording ends, so that all of it can be kept."""
FLUSH_BYTES: Final = 1024 * 1024
"""Records that are written together: enough that waiting for the disk costs little a record."""
SHOWN_ROWS = 200
"""Conversations in the table for people; all of them are in the state."""


class Outputs(Struct, frozen=True):
    """What replay writes; nothing where none is named."""

    state: Path | None = None
    metrics: Path | None = None
    audit: Path | None = None


class Summary(Struct, frozen=True):
    """What replay saw."""

    rows: tuple[Row, ...]
    """A row a conversation, in the order in which they were first seen; at most `SHOWN_ROWS`."""
    total: Row
    frames: int
    unknown: dict[str, int]
    malformed: dict[str, int]
    rejected: dict[str, int]
    """Events that were out of place: reason to count."""


Progress = Callable[[int], None]


def replay(
    files: Sequence[Path], config: Config, outputs: Outputs, prices: PriceTable, stdin: IO[bytes], progress: Progress
) -> Summary:
    """Feed `files` in order, each a stream, and write `outputs`.

    Args:
        files: recordings, a frame a line; `-` is standard input.
        config: limits and policies; sources and addresses are not used.
        outputs: what is written.
        prices: what usage is priced by.
        stdin: where standard input is read from.
        progress: is told how many bytes were read since the last time.

    Raises:
        DataError: a file cannot be read.
        UnavailableError: an output cannot be written.
    """
    with ExitStack() as stack:
        run = _Replay(config, outputs, prices, stack)
        for file, name in zip(files, stream_names(files), strict=True):
            run.feed(name, _lines(file, stdin, progress))
        return run.finish(outputs)


def stream_names(files: Iterable[Path]) -> list[str]:
    """Return a stream's name for each file: without folder and suffix, numbered where it is repeated."""
    seen: Counter[str] = Counter()
    names = []
    for file in files:
        name = f"{SOURCE}/{file.stem}"
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return names


def _lines(file: Path, stdin: IO[bytes], progress: Progress) -> Iterable[bytes]:
    try:
        with ExitStack() as stack:
            source = stdin if file == STANDARD_INPUT else stack.enter_context(file.open("rb"))
            for line in source:
                progress(len(line))
                if stripped := line.strip():
                    yield stripped
    except OSError as error:
        raise DataError(f"cannot read {file}: {error.strerror}") from error


class _Log:
    """The audit log of a replay: written as it comes, words before the records that name them."""

    def __init__(self, log: AuditLog, files: ContentFiles) -> None:
        self._log = log
        self._files = files

    def submit(self, fact: bytes | Pending) -> None:
        """Add one record. Raises UnavailableError where the disk does not take it."""
        with self._writable():
            self._log.append(fact if isinstance(fact, bytes) else fact.entry())
            if self._log.unflushed_bytes >= FLUSH_BYTES:
                self._files.flush()
                self._log.flush()

    def close(self) -> None:
        """Put all on the disk, and end the log in order. Raises UnavailableError as `submit` does."""
        with self._writable():
            self._files.flush()
            self._log.close(None)

    def leave(self) -> None:
        """Let the log be written as far as it came, but no record of words that could not be."""
        try:
            self._files.flush()
        except OSError:
            self._log.release()

    @contextmanager
    def _writable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._log.release()
            raise UnavailableError(f"cannot write the audit log in {self._log.directory}: {error.strerror}") from error


class _Replay:
    """The pipeline of one replay, and what it writes to."""

    def __init__(self, config: Config, outputs: Outputs, prices: PriceTable, stack: ExitStack) -> None:
        self._metrics = Metrics(config.limits.label_values)
        self._log: _Log | None = None
        sinks: list[Sink] = [self._metrics]
        if outputs.audit is not None:
            files = ContentFiles(outputs.audit)
            bodies = bodies_of(config.audit, files)
            self._log = _Log(stack.enter_context(open_log(outputs.audit, config, None)), files)
            stack.callback(self._log.leave)
            sinks.append(AuditSink(self._log, bodies, config.audit.record_bytes))
        self._state = None
        if outputs.state is not None:
            self._state = StateWriter(stack.enter_context(output(outputs.state, STATE_MODE)))
        self._rows: list[tuple[int, Row]] = []
        self._frames = 0
        self._unknown: Counter[str] = Counter()
        self._malformed: Counter[str] = Counter()
        self._pipeline = Pipeline(config.limits, sinks, self._closed, self._ended, prices)

    def _closed(self, state: Conversation) -> None:
        self._rows.append((state.number, row_of(state)))
        if self._state:
            self._state.closed(state)

    def _ended(self, stream: Stream) -> None:
        self._count(stream)
        if self._state:
            self._state.ended(stream)

    def feed(self, name: str, lines: Iterable[bytes]) -> None:
        """Feed a recording. What follows a close in one file is another stream."""
        stream: Stream | None = None
        parts = 0
        for line in lines:
            told = parse(line)
            if stream is None:
                parts += 1
                part = name if parts == 1 else f"{name}#{parts}"
                stream = self._pipeline.stream_opened(part, SOURCE, told.at, conversation_of(line))
            if isinstance(told, Frame):
                self._pipeline.feed(stream, told)
            else:
                self._close(stream, told)
                stream = None

    def _close(self, stream: Stream, close: Close) -> None:
        self._pipeline.stream_closed(
            stream, close.at, close.code, shutdown=close.local, expired=tells_expiry(close.reason), gap=close.gap
        )

    def finish(self, outputs: Outputs) -> Summary:
        """Write what is written at the end, and return what was seen. The end of a file closes nothing."""
        still_open = sorted(self._pipeline.registry.conversations.values(), key=lambda state: state.number)
        streams = list(self._pipeline.streams.values())
        if self._state:
            self._state.finish(still_open, streams)
        if outputs.metrics is not None:
            with output(outputs.metrics, METRICS_MODE) as file:
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
        )
