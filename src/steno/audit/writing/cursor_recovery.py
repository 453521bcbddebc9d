"""How far senders were when the last writer of a log ended, from the cursors at the end of the log. I/O.

Each segment soon has cursors of all senders again. So no more is read than from the newest segment on that has them
all, and no more than a bound: what is further behind is forgotten. Nothing here is verified: somebody who changed the
log is found by `steno verify`, and a sender then sends too much or too little again.
"""

from collections import OrderedDict
from pathlib import Path
from typing import Final

import msgspec
from msgspec import UNSET, Struct

from steno.audit.directory import bounded_lines, segments
from steno.audit.log_records import Cursor
from steno.audit.record import CURSOR, RECORD
from steno.limits import RESUME_IDS, RESUME_LOG_BYTES
from steno.regular_files import open_regular
from steno.timestamps import Micros, parse_timestamp

RecordKey = tuple[str, str | None, str | None]
"""The fact, conversation (without the number of its session) and event of a record."""

PARTS: Final = 16
"""Processes whose records are known apart. Of more, the oldest are taken as one: a sender has come to none of them."""

_CURSOR: Final = f'"fact":"{CURSOR}"'.encode()
_STATED_AGAIN: Final = b',"of":'
_STREAM: Final = b',"stream":"'
_BEGUN_ANEW: Final = frozenset({"stream.opened", "stream.closed", "conversation.opened"})


class RecoveredWindow(Struct, frozen=True):
    """What a log knows of a sender after its last writer has ended."""

    source: str
    name: str
    """The id that the sender gave itself."""
    stream: str
    """The stream that its messages were fed to last."""
    at: Micros | None
    """When it had news last."""
    frame: int
    """All that its messages up to this one led to is in the log."""
    parts: tuple[tuple[RecordKey, ...], ...] = ()
    """Records of later messages that are in the log, too, in the order of the log: those of each process that was
    killed apart, since a later one may have begun again with messages before those of an earlier one."""


class _Sender:
    """How far a sender is, while the log is read."""

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor
        self.at: Micros | None = None
        self.parts: list[list[RecordKey]] = []
        """Records of later messages, of each process before this one."""
        self.records: list[RecordKey] = []
        """Records of this stream that the last cursor does not cover."""

    def move(self, cursor: Cursor, at: Micros | None) -> None:
        """Take in the next cursor."""
        former, stream = self.cursor.stream, cursor.stream
        if _process(stream) != _process(former) or cursor.former > sum(map(len, self.parts)):
            self.parts = self._all_parts()  # another process states it, perhaps by the name of the stream before
            self.records = []
        elif stream != former:  # another connection to the same process: what was fed will not come again
            self.records = []
        self.parts = [[renamed(each, former, stream) for each in part] for part in _trimmed(self.parts, cursor)]
        self.records = _last(self.records, cursor.records)
        self.cursor, self.at = cursor, at

    def _all_parts(self) -> list[list[RecordKey]]:
        """Return the parts that the next process begins with."""
        parts = [part for part in (*self.parts, _compared(self.records)) if part]
        joined = [record for part in parts[:-PARTS] for record in part]
        return [*([joined] if joined else []), *parts[-PARTS:]]

    def recovered(self, source: str, name: str) -> RecoveredWindow:
        """Return what is known of it in the end."""
        parts = tuple(map(tuple, self._all_parts()))
        return RecoveredWindow(source, name, self.cursor.stream, self.at, self.cursor.frame, parts)


def is_compared(key: RecordKey) -> bool:
    """Return whether a record says what a message led to, wherever it is fed.

    A conversation whose state was lost begins anew, and that is recorded. Streams begin and end anew.
    """
    fact, _, event = key
    return fact not in _BEGUN_ANEW and not (fact == "conversation.closed" and event is None)


def _compared(records: list[RecordKey]) -> list[RecordKey]:
    return list(filter(is_compared, records))


def _last(records: list[RecordKey], count: int) -> list[RecordKey]:
    return records[-count:] if count else []


def _trimmed(parts: list[list[RecordKey]], cursor: Cursor) -> list[list[RecordKey]]:
    """Return what is left of `parts`, as `cursor` counts it: of each, or of all together where that is one number."""
    if cursor.parts is not UNSET:
        missing = len(cursor.parts) - len(parts)
        known = [*([[]] * missing), *parts][-len(cursor.parts) :]
        return [_last(part, count) for part, count in zip(known, cursor.parts, strict=True)]
    left, trimmed = cursor.former, list[list[RecordKey]]()
    for part in reversed(parts):
        kept = _last(part, left)
        left -= len(kept)
        trimmed.insert(0, kept)
    return trimmed


def _process(stream: str) -> str:
    """Return what the streams of one source and one process have in common."""
    return stream.rpartition("/")[0]


class _Members(Struct):
    at: str | None
    fact: str
    conversation: str | None
    stream: str | None
    event_id: str | None
    body: msgspec.Raw


_MEMBERS: Final = msgspec.json.Decoder(_Members)
_BODY: Final = msgspec.json.Decoder(Cursor)


def recover_windows(directory: Path) -> list[RecoveredWindow]:
    """Return what the log in `directory` knows of senders, the one that had news longest ago first.

    Raises OSError where a file cannot be read.
    """
    senders: OrderedDict[tuple[str, str], _Sender] = OrderedDict()
    streams: dict[str, _Sender] = {}
    for path in _newest(segments(directory)):
        with open_regular(path, follow=False) as file:
            for line in bounded_lines(file):
                if _CURSOR in line:
                    _take_cursor(line, senders, streams)
                elif streams:
                    _take_record(line, streams)
    return [sender.recovered(*key) for key, sender in senders.items()]


def _newest(paths: list[Path]) -> list[Path]:
    """Return the segments to read: the newest, back to one that has all cursors, within the bound."""
    found: list[Path] = []
    left = RESUME_LOG_BYTES
    for path in reversed(paths):
        left -= path.stat().st_size
        if left < 0:
            break
        found.insert(0, path)
        if _states_all(path):
            break
    return found


def _states_all(path: Path) -> bool:
    """Return whether a segment has cursors of all senders, and the records that these cursors count."""
    stated: set[tuple[str, str]] = set()
    with open_regular(path, follow=False) as file:
        for line in bounded_lines(file):
            if _CURSOR not in line or _STATED_AGAIN not in line or (found := _cursor_of(line)) is None:
                continue
            cursor, _ = found
            if cursor.records or cursor.former:  # they may stand in the segment before
                return False
            stated.add((source_of(cursor.stream), cursor.id))
            if cursor.of is not UNSET and len(stated) >= cursor.of:
                return True
    return False


def _members(line: bytes) -> _Members | None:
    """Return the members of a record; None where the line is none."""
    if RECORD.fullmatch(line) is None:
        return None
    try:
        return _MEMBERS.decode(line)
    except (ValueError, RecursionError):
        return None


def _cursor_of(line: bytes) -> tuple[Cursor, Micros | None] | None:
    """Return the cursor that a record is, and its time; None where it is none."""
    members = _members(line)
    if members is None or members.fact != CURSOR:
        return None
    try:
        return _BODY.decode(members.body), None if members.at is None else parse_timestamp(members.at)
    except ValueError:
        return None


def _take_cursor(line: bytes, senders: OrderedDict[tuple[str, str], _Sender], streams: dict[str, _Sender]) -> None:
    found = _cursor_of(line)
    if found is None:
        return
    cursor, at = found
    key = (source_of(cursor.stream), cursor.id)
    sender = senders.get(key)
    if sender is None:
        sender = senders[key] = _Sender(cursor)
    else:
        streams.pop(sender.cursor.stream, None)
    news = cursor.of is UNSET or sender.at is None
    sender.move(cursor, at if news else sender.at)
    streams[cursor.stream] = sender
    senders.move_to_end(key)
    if len(senders) > RESUME_IDS:
        _, forgotten = senders.popitem(last=False)
        streams.pop(forgotten.cursor.stream, None)


def _take_record(line: bytes, streams: dict[str, _Sender]) -> None:
    sender = streams.get(_stream_of(line))
    if sender is None or (members := _members(line)) is None:
        return
    sender.records.append((members.fact, session_left_out(members.conversation), members.event_id))


def _stream_of(line: bytes) -> str:
    """Return the stream of a record, "" where it has none: what stands first of all that looks like that member."""
    start = line.find(_STREAM)
    end = line.find(b'"', start + len(_STREAM))
    return line[start + len(_STREAM) : end].decode(errors="replace") if start >= 0 and end >= 0 else ""


def source_of(stream: str) -> str:
    """Return the source that a live stream's name begins with."""
    return stream.rsplit("/", 2)[0]


def renamed(record: RecordKey, former: str, stream: str) -> RecordKey:
    """Return `record` with the conversation that is named by the stream `former` named by another one."""
    fact, key, event = record
    return fact, stream if key == former else key, event


def session_left_out(conversation: str | None) -> str | None:
    """Return the name of a conversation without the number of its session: no other `#` stands in one."""
    return None if conversation is None else conversation.partition("#")[0]
