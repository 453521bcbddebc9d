"""Where in an audit log the records of each conversation are, built in one pass and continued while the log grows. I/O.

Theory of operation
-------------------

A log may be far larger than memory, so neither records nor their places are kept. Segments are cut into blocks of whole
lines, about `BLOCK_BYTES` each. Of a conversation the index has its tally, and the numbers of the blocks in which it
has records: a few, since its records lie together in time. To show it, these blocks are read again, and the lines that
name it are taken. A record that stands in the log keeps its place; one that was retired since is missing, and counted.

A fact of a stream names no conversation. It belongs to the conversations that the stream carries, as in `recent`.

A segment that is being written is read up to its last whole line, and on from there at the next `refresh`. One that is
shorter than what was read of it is another one: the log is read from its beginning. Nothing is ever written, and no
lock is taken: the writer is not to be disturbed.
"""

import threading
from array import array
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec
from msgspec import Raw, Struct

from steno.audit.directory import named_segments, segment_names
from steno.audit.record import LINE_BYTES, OPENED
from steno.core.facts import Content, ConversationOpened, Fact, Origin, StreamClosed, StreamResumed
from steno.errors import DataError
from steno.limits import ARCHIVE_CONVERSATIONS, ARCHIVE_RECORDS, RECENT_STREAM_CONVERSATIONS, RECENT_STREAMS
from steno.regular_files import is_folder, open_regular
from steno.timestamps import Micros, parse_timestamp
from steno.view.tally import HANDLERS, Tally
from steno.view.timeline import MALFORMED, Record

BLOCK_BYTES: Final = 256 * 1024
"""How much is read again for one record: some hundred records, in a millisecond."""

Progress = Callable[[int], None]


class _Line(Struct, frozen=True, gc=False):
    """A line of a log, its body not read."""

    seq: int
    at: str | None
    fact: str
    conversation: str | None
    stream: str | None
    body: Raw


class Block(Struct, frozen=True, gc=False):
    """A piece of whole lines of a segment."""

    segment: int
    start: int
    end: int


class Indexed:
    """One conversation: its tally, and where its records are."""

    __slots__ = ("blocks", "first_seq", "stream", "tally")

    def __init__(self, tally: Tally, first_seq: int) -> None:
        """Begin with record `first_seq`. Of one before it that has the same key, nothing is known any more."""
        self.tally = tally
        self.first_seq = first_seq
        self.blocks = array("I")
        """Numbers of blocks, each once, in order."""
        self.stream: str | None = None


class LogStand(Struct, frozen=True):
    """How far a log was read."""

    segments: int
    bytes: int
    total_bytes: int
    """What there was to read when it was looked at last."""
    records: int
    last_seq: int | None
    last_at: str | None
    """The time of the newest record that has one."""
    unreadable: int
    """Lines that are no records: `steno verify` says what is wrong."""
    conversations_left_out: int
    """Conversations that were pushed out of the table, since it has a limit."""


class LogIndex:
    """The conversations of a log."""

    def __init__(self, paths: Sequence[Path]) -> None:
        """Read the log at `paths`: a folder, or segments. Nothing is read before `refresh`.

        Raises DataError where there is no log.
        """
        self._folder = paths[0] if len(paths) == 1 and is_folder(paths[0]) else None
        self._paths = [] if self._folder else paths
        self._total = 0
        self._lock = threading.Lock()
        self._begin()
        if not self._segments():
            raise DataError(
                f"{paths[0]} holds no audit log: there is no file named audit-<number>.jsonl in it; "
                "give the folder that audit.directory names"
            )

    def _begin(self) -> None:
        """Know nothing of the log."""
        self._read: dict[str, int] = {}
        """Name of a segment to how far it was read."""
        self._numbers: list[Path] = []
        self._number_of: dict[str, int] = {}
        self._blocks: list[Block] = []
        self._all: OrderedDict[str, Indexed] = OrderedDict()
        self._streams: dict[str, deque[Indexed]] = {}
        self._former: OrderedDict[str, deque[Indexed]] = OrderedDict()
        self._records = 0
        self._last_seq: int | None = None
        self._last_at: str | None = None
        self._unreadable = 0
        self._left_out = 0
        self._opened = 0
        self.content_policy = "none"
        """What the newest segment says is kept of content."""

    @property
    def folder(self) -> Path | None:
        """The folder of the log; None where segments were named."""
        return self._folder

    # Read -----------------------------------------------------------------------------------------------

    def refresh(self, progress: Progress = lambda _: None) -> bool:
        """Read what has been added; return whether there was anything. `progress` takes numbers of bytes.

        Raises DataError where the log cannot be read.
        """
        with self._lock:
            before = self._records
            try:
                found = self._segments()
                sizes = [(path, path.stat().st_size) for path in found]
                self._total = sum(size for _, size in sizes)
                if any(size < self._read.get(path.name, 0) for path, size in sizes):
                    self._begin()  # another log stands in its place, or it was cut: what was read there is not true
                    before = -1
                for path, size in sizes:
                    if size > self._read.get(path.name, 0):
                        self._read_segment(path, progress)
            except FileNotFoundError:  # it was retired just now
                pass
            except OSError as error:
                raise DataError(f"cannot read {error.filename}: {error.strerror}") from error
            return self._records != before

    def _segments(self) -> list[Path]:
        if self._folder is None:
            return named_segments(self._paths)
        try:
            return [self._folder / name for name in segment_names(self._folder)]
        except OSError as error:
            raise DataError(f"cannot read {self._folder}: {error.strerror}") from error

    def _read_segment(self, path: Path, progress: Progress) -> None:
        number = self._number_of.get(path.name)
        if number is None:
            number = self._number_of[path.name] = len(self._numbers)
            self._numbers.append(path)
        with open_regular(path, follow=self._folder is None) as file:
            file.seek(self._read.get(path.name, 0))
            for start, lines in _blocks(file):
                block = len(self._blocks)
                for line in lines.splitlines():
                    self._take(line, block)
                self._blocks.append(Block(number, start, start + len(lines)))
                self._read[path.name] = start + len(lines)
                progress(len(lines))

    def _take(self, line: bytes, block: int) -> None:
        try:
            record = _LINES.decode(line)
        except (msgspec.DecodeError, RecursionError):
            self._unreadable += 1
            return
        self._records += 1
        self._last_seq = record.seq
        if record.at is not None and _time(record.at) is not None:
            self._last_at = record.at
        if record.fact == OPENED:
            self._open_segment(record.body)
        elif record.conversation is not None:
            self._of_conversation(record.conversation, record, block)
        elif record.stream is not None:
            self._of_stream(record.stream, record, block)

    def _open_segment(self, body: Raw) -> None:
        try:
            self.content_policy = msgspec.json.decode(body, type=_Opened).content_policy
        except msgspec.DecodeError:
            self._unreadable += 1

    def _of_conversation(self, key: str, record: _Line, block: int) -> None:
        indexed = self._all.get(key)
        if indexed is None or (record.fact == ConversationOpened.tag and indexed.tally.closed is not None):
            self._opened += 1
            indexed = self._all[key] = Indexed(Tally(key, key.partition("/")[0], "", self._opened), record.seq)
            if len(self._all) > ARCHIVE_CONVERSATIONS:
                self._all.popitem(last=False)
                self._left_out += 1
        else:
            self._all.move_to_end(key)
        if record.stream is not None and record.stream != indexed.stream:
            indexed.stream = record.stream
            carried = self._streams.setdefault(record.stream, deque(maxlen=RECENT_STREAM_CONVERSATIONS))
            if indexed not in carried:
                carried.append(indexed)
        self._add(indexed, record, block)

    def _of_stream(self, stream: str, record: _Line, block: int) -> None:
        fact = _fact(record)
        if isinstance(fact, StreamResumed):
            for indexed in self._former.pop(fact.former, ()):
                if indexed.tally.closed is None:
                    self._add(indexed, record, block)
            return
        carried = self._streams.get(stream)
        if carried is None:
            return
        if isinstance(fact, StreamClosed):
            del self._streams[stream]
            self._former[stream] = carried
            if len(self._former) > RECENT_STREAMS:
                self._former.popitem(last=False)
        elif len(carried) > 1:
            return
        for indexed in carried:
            self._add(indexed, record, block)

    def _add(self, indexed: Indexed, record: _Line, block: int) -> None:
        fact = _fact(record)
        at = None if record.at is None else _time(record.at)
        tally = indexed.tally
        try:
            if fact is not None:
                tally.add(Origin(at=at, source=tally.source, stream=record.stream), fact)
            else:
                tally.records += 1
                tally.last_at = at or tally.last_at
        except MALFORMED:  # a price that is no number, for instance
            self._unreadable += 1
        if not indexed.blocks or indexed.blocks[-1] != block:
            indexed.blocks.append(block)

    # Asked ----------------------------------------------------------------------------------------------

    def stand(self) -> LogStand:
        """Return how far the log was read. For any thread."""
        return LogStand(
            segments=len(self._numbers),
            bytes=sum(list(self._read.values())),
            total_bytes=self._total,
            records=self._records,
            last_seq=self._last_seq,
            last_at=self._last_at,
            unreadable=self._unreadable,
            conversations_left_out=self._left_out,
        )

    def conversations(self) -> list[Indexed]:
        """Return all conversations. For any thread."""
        return list(self._all.values())

    def find(self, key: str) -> Indexed | None:
        """Return the conversation that has this key."""
        return self._all.get(key)

    def records(self, indexed: Indexed) -> list[Record]:
        """Return the newest records of a conversation and its streams, `ARCHIVE_RECORDS` at most.

        Those that cannot be read any more are left out.
        """
        key, found = indexed.tally.key, deque[Record](maxlen=ARCHIVE_RECORDS)
        streams: set[str] = set()
        for number in list(indexed.blocks):
            for line in self._lines(number, key, streams):
                record = _record(line)
                if record is None or record.seq < indexed.first_seq:
                    continue
                if record.conversation == key:
                    streams |= {record.stream} if record.stream else set()
                elif not _is_of_streams(record, streams):
                    continue
                found.append(Record(record.at, record.fact, record.body, record.stream, record.event_id))
        return list(found)

    def _lines(self, number: int, key: str, streams: set[str]) -> Iterator[bytes]:
        """Yield the lines of a block that may be of a conversation or of its streams."""
        block = self._blocks[number] if number < len(self._blocks) else None
        if block is None:  # it is being read
            return
        try:
            with open_regular(self._numbers[block.segment], follow=self._folder is None) as file:
                file.seek(block.start)
                lines = file.read(block.end - block.start)
        except (OSError, LookupError):  # it is gone, or another log stands in its place
            return
        wanted = b'"conversation":%b,' % msgspec.json.encode(key)
        for line in lines.splitlines():
            if wanted in line or (b'"conversation":null,"stream":"' in line and streams):
                yield line


class _Opened(Struct, frozen=True):
    content_policy: str


class _Whole(Struct, frozen=True):
    seq: int
    at: str | None
    fact: str
    conversation: str | None
    stream: str | None
    event_id: str | None
    body: dict[str, Any]


def _record(line: bytes) -> _Whole | None:
    try:
        return msgspec.json.decode(line, type=_Whole)
    except (msgspec.DecodeError, RecursionError):
        return None


def _is_of_streams(record: _Whole, streams: set[str]) -> bool:
    """Return whether a record without a conversation is of one of these streams, or resumes one."""
    if record.conversation is not None or record.fact == "stream.opened":
        return False
    return record.stream in streams or (record.fact == "stream.resumed" and record.body.get("former") in streams)


def _blocks(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield the rest of a segment in blocks of whole lines, and where each begins. A line without an end is left."""
    start, rest = file.tell(), b""
    while piece := file.read(BLOCK_BYTES):
        lines, newline, rest = (rest + piece).rpartition(b"\n")
        if newline:
            yield start, lines + newline
            start += len(lines) + 1
        elif len(rest) > LINE_BYTES:
            raise DataError(f"{file.name}: a line is longer than any record; `steno verify` shows what is wrong")


_LINES: Final = msgspec.json.Decoder(_Line)
_ADDED_UP: Final[tuple[type[Fact], ...]] = (*HANDLERS, StreamResumed)
_KINDS: Final[dict[str, msgspec.json.Decoder[Any]]] = {
    kind.tag: msgspec.json.Decoder(kind, dec_hook=lambda _, value: _content(value)) for kind in _ADDED_UP
}
"""Decoders of the facts that a tally adds up, and of those that are about streams."""


def _content(value: Any) -> Content:
    return Content(str(value.get("kind")), "") if isinstance(value, dict) else Content("", "")


def _fact(record: _Line) -> Fact | None:
    decoder = _KINDS.get(record.fact)
    try:
        return None if decoder is None else decoder.decode(record.body)
    except (msgspec.DecodeError, RecursionError):  # it was cut, since it was too long
        return None


def _time(at: str) -> Micros | None:
    try:
        return parse_timestamp(at)
    except ValueError:
        return None
