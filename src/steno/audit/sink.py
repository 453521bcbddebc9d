"""The sink that makes an audit record of each fact. It records all facts: no record means that nothing happened."""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final, Protocol

from steno.audit.content_policy import BodyEncoder, beginning
from steno.audit.record import HASH_BYTES, entry
from steno.audit.writing.queue import Submission
from steno.core.facts import NAMES, Content, Fact, Origin
from steno.timestamps import Micros
from steno.wire.secrets import is_keylike, is_known_keylike, mask_text

NUMBER_BYTES: Final = len('{"seq":,') + 20
"""Length of what precedes an entry when it gets its number."""
BODY_BYTES: Final = 1024
"""About how long a body is without its content."""


class RecordReceiver(Protocol):
    """Where records go: the writer of a daemon, or a log that is written at once."""

    def submit(self, record: Submission, /) -> None:
        """Take one record without its number. Does not wait."""


class SheddingReceiver(Protocol):
    """Where records of sources go whose senders are never stopped: the writer of a daemon."""

    @property
    def shedding(self) -> frozenset[str]:
        """The names of these sources."""

    def submit_or_shed(self, record: Submission, source: str, /) -> None:
        """Take one record of such a source, or drop it and count it. Does not wait."""


class Resumed(Protocol):
    """What knows which facts the log has already: those of messages that were sent again after a kill."""

    @property
    def resumed(self) -> Mapping[str, object]:
        """By the names of the streams of which there may be some."""

    def is_recorded(self, origin: Origin, fact: Fact) -> bool:
        """Return whether the log has this one. Each is known once."""


class AuditSink:
    """Makes a record of each fact."""

    def __init__(
        self,
        log: RecordReceiver,
        bodies: BodyEncoder,
        record_bytes: int,
        sheds: SheddingReceiver | None = None,
        resumed: Resumed | None = None,
    ) -> None:
        """Record into `log`, with bodies from `bodies`, in records of at most `record_bytes`, 4096 or more.

        What is of a source that sheds goes to `sheds`, if that is given. What `resumed` knows to be recorded is not
        recorded again.
        """
        self._log = log
        self._sheds = sheds
        self._resumed = resumed
        self._bodies = bodies
        self._longest = record_bytes - NUMBER_BYTES - HASH_BYTES
        self._longest_start = self._longest * 7 // 8

    def emit(self, origin: Origin, fact: Fact) -> None:
        """Record `fact`. Where content is to be redacted, digested or put into a file, it is encoded later."""
        if self._resumed and self._resumed.resumed and self._resumed.is_recorded(origin, fact):
            return
        if self._bodies.reads_content and (contents := list(_contents(fact))):
            record: Submission = self._pending(origin, fact, contents)
        else:
            record = self.entry(origin, fact)
        if self._sheds is not None and origin.source in self._sheds.shedding:
            self._sheds.submit_or_shed(record, origin.source)
        else:
            self._log.submit(record)

    def _pending(self, origin: Origin, fact: Fact, contents: Iterable[Content]) -> Submission:
        return _PendingRecord(self, origin, fact, sum(map(self._bodies.weight, contents)) + BODY_BYTES)

    def entry(self, origin: Origin, fact: Fact, *, brief: bool = False) -> bytes:
        """Return the entry of `fact`, cut where it would be too long; `brief` as in `BodyEncoder.body`."""
        start = entry(origin.at, NAMES[type(fact)], origin.conversation, origin.stream, origin.event_id, b"")
        if len(start) > self._longest_start:
            start = self._shorter_start(origin, fact)
        owner = origin.conversation or origin.stream or ""
        record = start + self._bodies.body(fact, owner, self._longest - len(start), brief=brief)
        # Content is masked by the policy. What else upstream chooses are names and ids, and they may be keys too.
        return mask_text(record.decode()).encode() if _names_a_key(origin, fact) else record

    def _shorter_start(self, origin: Origin, fact: Fact) -> bytes:
        """Return what precedes the body, its names cut: it leaves room for a body, however long they are."""
        longest = self._longest // 4
        names = {name: _cut(getattr(origin, name), longest) for name in ("conversation", "stream", "event_id")}
        return entry(origin.at, NAMES[type(fact)], **names, body=b"")


class _PendingRecord:
    """A record whose content is still to be redacted, digested or put into a file."""

    __slots__ = ("_fact", "_origin", "_sink", "at", "size")

    def __init__(self, sink: AuditSink, origin: Origin, fact: Fact, size: int) -> None:
        self._sink = sink
        self._origin = origin
        self._fact = fact
        self.at: Micros | None = origin.at
        self.size = size

    def entry(self, *, brief: bool = False) -> bytes:
        """Return the entry; `brief` as in `BodyEncoder.body`."""
        return self._sink.entry(self._origin, self._fact, brief=brief)


def _names_a_key(origin: Origin, fact: Fact) -> bool:
    """Return whether an id in the record of `fact` looks like a key. On the path of every record.

    Ids are what upstream chooses and nobody has looked at: other strings are of closed vocabularies, or were taken in
    as such, and content is masked by its policy.
    """
    if origin.event_id is not None and is_keylike(origin.event_id):
        return True
    if _is_about_a_key(origin.conversation, origin.stream):
        return True
    for member in _IDS[type(fact)]:
        name = getattr(fact, member)
        if name and is_known_keylike(name):  # some are left out
            return True
    return False


@lru_cache(maxsize=1_024)  # the records of a conversation share them
def _is_about_a_key(conversation: str | None, stream: str | None) -> bool:
    return any(name is not None and is_keylike(name) for name in (conversation, stream))


_IDS: Final = {kind: tuple(name for name in kind.__struct_fields__ if name.endswith("_id")) for kind in NAMES}
"""Each fact to its members that are ids."""


def _contents(fact: Fact) -> Iterator[Content]:
    """Yield the content that `fact` holds."""
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
