"""Facts written down: each becomes one record of the audit log."""

from collections.abc import Iterator
from typing import Final, Protocol

from msgspec.structs import replace

from steno.audit.content_policy import BodyEncoder, beginning
from steno.audit.record import HASH_BYTES, entry
from steno.audit.writing.queue import Pending
from steno.core.facts import NAMES, Content, Fact, Origin
from steno.timestamps import Micros
from steno.wire.secrets import mask_keys

NUMBER_BYTES: Final = len('{"seq":,') + 20
"""What stands before a record that has no number yet."""
BODY_BYTES: Final = 1024
"""About how long a body is without its words."""


class Submit(Protocol):
    """Where records go: a log that is written at once, or the thread that writes it."""

    def submit(self, fact: bytes | Pending) -> None:
        """Take one record without its number. Does not wait."""


class AuditSink:
    """The sink that writes down. All facts are recorded: no record means that nothing happened."""

    def __init__(self, log: Submit, bodies: BodyEncoder, record_bytes: int) -> None:
        """Record into `log`, words as `bodies` has them, in records of at most `record_bytes`, 4096 or more."""
        self._log = log
        self._bodies = bodies
        self._longest = record_bytes - NUMBER_BYTES - HASH_BYTES

    def emit(self, origin: Origin, fact: Fact) -> None:
        """Record `fact`. Where it holds words that are looked through or put into a file, the writer does that."""
        if self._bodies.keeps_words and (words := list(_words(fact))):
            size = sum(len(each.text) for each in words) + BODY_BYTES
            self._log.submit(_Record(self, origin, fact, size))
        else:
            self._log.submit(self.entry(origin, fact))

    def entry(self, origin: Origin, fact: Fact) -> bytes:
        """Return the record of `fact` without its number, cut where it would be too long."""
        start = self._start(origin, fact)
        owner = origin.conversation or origin.stream or ""
        return mask_keys(start + self._bodies.body(fact, owner, self._longest - len(start)))

    def _start(self, origin: Origin, fact: Fact) -> bytes:
        """Return what stands before the body. It leaves room for one, however long the names are."""
        start = _start(origin, fact)
        if len(start) <= self._longest * 7 // 8:
            return start
        longest = self._longest // 4
        names = {name: _cut(getattr(origin, name), longest) for name in ("conversation", "stream", "event_id")}
        return _start(replace(origin, **names), fact)


def _start(origin: Origin, fact: Fact) -> bytes:
    return entry(origin.at, NAMES[type(fact)], origin.conversation, origin.stream, origin.event_id, b"")


class _Record:
    """A record whose words are still to be looked through."""

    __slots__ = ("_fact", "_origin", "_sink", "at", "size")

    def __init__(self, sink: AuditSink, origin: Origin, fact: Fact, size: int) -> None:
        self._sink = sink
        self._origin = origin
        self._fact = fact
        self.at: Micros | None = origin.at
        self.size = size

    def entry(self) -> bytes:
        """Return the record without its number."""
        return self._sink.entry(self._origin, self._fact)


def _words(fact: Fact) -> Iterator[Content]:
    """Yield the words that `fact` holds."""
    for member in fact.__struct_fields__:
        value = getattr(fact, member)
        for each in value if type(value) is tuple else (value,):
            if type(each) is Content:
                yield each


def _cut(name: str | None, longest: int) -> str | None:
    """Return `name`, or as much of it as takes `longest` bytes, with a mark."""
    if name is None:
        return None
    start = beginning(name, longest)
    return name if start == name else start + "…"
