"""What a running daemon shows of its conversations: rows of all, and of each its timeline and its document.

What takes long runs in threads of the HTTP face: thousands of rows, and texts that are redacted. So a request comes in
two steps. The loop takes what there is at one moment; the thread makes of that what is shown. Rows are made in a thread
altogether, out of copies that are taken in one step.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final, Protocol

import msgspec

from steno.core.conversation import Conversation
from steno.core.export import snapshot, totals_of, written
from steno.core.facts import Fact, Origin
from steno.timestamps import SECOND, Micros
from steno.view.changes import Fingerprint
from steno.view.document import document_of
from steno.view.recent import Entry, KeptConversation, RecentFacts
from steno.view.rows import IDLE_SECONDS, Row, counted_at_end, counted_of, row_of
from steno.view.sources import SourceList, SourceRow
from steno.view.timeline import ContentShown, Record, Timeline, timeline

RECORDS_KEPT: Final = 8
"""Conversations whose records are kept since they were looked at: somebody who follows one asks every second."""

Work = Callable[[], bytes]
"""What is run in a thread, and returns JSON."""


class Registry(Protocol):
    """What knows the states of open conversations."""

    @property
    def conversations(self) -> Mapping[str, Conversation]:
        """By key."""


class RecordMaker:
    """Makes records of facts, as the audit log has them. For one thread at a time, which it sees to itself."""

    def __init__(self, entry: Callable[[Origin, Fact], bytes]) -> None:
        """Make entries by `entry`: the members of a record without number and hash."""
        self._entry = entry
        self._lock = threading.Lock()
        self._made: OrderedDict[str, dict[int, tuple[Entry, Record]]] = OrderedDict()
        self._forgotten = 0

    def records(self, key: str, entries: Iterable[Entry]) -> list[Record]:
        """Return the records of a conversation. Those that were made before are not made again."""
        with self._lock:
            forgotten = self._forgotten
            before = self._made.pop(key, {})
            made: dict[int, tuple[Entry, Record]] = {}
            for each in entries:
                known = before.get(id(each))
                record = known[1] if known is not None and known[0] is each else self._record(each)
                made[id(each)] = (each, record)
            self._made[key] = made
            if forgotten != self._forgotten:  # a text that was erased meanwhile may be in them
                self._made.clear()
            if len(self._made) > RECORDS_KEPT:
                self._made.popitem(last=False)
        return [record for _, record in made.values()]

    def forget(self) -> None:
        """Keep no record. Called from the loop, which waits for nobody: who is at it keeps none either."""
        self._forgotten += 1
        self._made.clear()

    def _record(self, entry: Entry) -> Record:
        return msgspec.json.decode(b"{" + self._entry(entry.origin, entry.fact) + b"}", type=Record)


class LiveView:
    """The conversations of a running daemon."""

    def __init__(
        self,
        recent: RecentFacts,
        registry: Registry,
        now: Callable[[], Micros],
        records: RecordMaker,
        content: ContentShown = "none",
        labels: Callable[[str], Mapping[str, str]] = lambda _: {},
        sources: Callable[[], list[SourceRow]] = list,
        rested: Callable[[Iterable[KeptConversation]], Iterable[KeptConversation]] = iter,
    ) -> None:
        """Show what `recent` and `registry` hold.

        Args:
            recent: the facts that are remembered.
            registry: the states of open conversations.
            now: returns the time, in microseconds.
            records: makes records of facts.
            content: what those hold of texts.
            labels: the operator's labels of a source.
            sources: returns the sources, in any order.
            rested: yields what it is given, with rests in which the loop goes on.
        """
        self._recent = recent
        self._registry = registry
        self._records = records
        self._content: ContentShown = content
        self._labels = labels
        self._sources = sources
        self._rested = rested
        self.now = now

    # Rows -----------------------------------------------------------------------------------------------

    def rows(self) -> list[Row]:
        """Return the rows of all conversations, open or remembered. For any thread but the loop's."""
        now = self.now()
        labels: dict[str, dict[str, str]] = {}
        rows = []
        for kept in self._rested(self._recent.conversations()):
            source = kept.tally.source
            if source not in labels:
                labels[source] = dict(self._labels(source))
            rows.append(self._row(kept, labels[source], now))
        return rows

    def _row(self, kept: KeptConversation, labels: dict[str, str], now: Micros) -> Row:
        state = self._state(kept)
        counted = counted_at_end(kept.tally) if state is None else counted_of(state)
        return row_of(kept.tally, counted, labels, now)

    def _state(self, kept: KeptConversation) -> Conversation | None:
        return self._registry.conversations.get(kept.tally.key) if kept.tally.closed is None else None

    def fingerprints(self) -> dict[str, Fingerprint]:
        """Return what differs where a row does. For any thread but the loop's."""
        now = self.now()
        states = self._registry.conversations
        marks: dict[str, Fingerprint] = {}
        for kept in self._rested(self._recent.conversations()):
            tally = kept.tally
            state = states.get(tally.key)
            last_at = tally.last_at if state is None else state.last_at
            idle = last_at is None or now - last_at > IDLE_SECONDS * SECOND
            marks[tally.key] = (tally.number, tally.records, None if state is None else state.events, idle)
        return marks

    def rows_of(self, keys: Iterable[str]) -> list[Row]:
        """Return the rows of some conversations. For any thread."""
        now = self.now()
        found = [kept for key in keys if (kept := self._recent.find(key)) is not None]
        return [self._row(kept, dict(self._labels(kept.tally.source)), now) for kept in found]

    def sources(self) -> SourceList:
        """Return the sources. For any thread."""
        rows = self._sources()
        return SourceList(self.now() / SECOND, sorted(rows, key=lambda row: row.name))

    # One conversation -----------------------------------------------------------------------------------

    def timeline(self, key: str, *, texts: bool) -> Work | None:
        """Return what makes the timeline of a conversation; None where there is none. Called from the loop."""
        make = self._timeline(key, texts=texts)
        return None if make is None else lambda: msgspec.json.encode(make())

    def document(self, key: str, *, texts: bool) -> Work | None:
        """Return what makes the document of a conversation, likewise. Upstream's objects are in full content alone."""
        make = self._timeline(key, texts=texts)
        state = self._registry.conversations.get(key)
        if state is not None and texts and self._content == "full":
            return partial(_whole, snapshot(state))
        return None if make is None else lambda: document_of(make())

    def _timeline(self, key: str, *, texts: bool) -> Callable[[], Timeline] | None:
        kept = self._recent.find(key)
        if kept is None:
            return None
        now = self.now()
        state = self._state(kept)
        return partial(
            self._made,
            *kept.snapshot(),
            row=self._row(kept, dict(self._labels(kept.tally.source)), now),
            at=now / SECOND,
            content=self._content if texts else "withheld",
            totals=kept.totals if state is None else totals_of(state),
        )

    def _made(self, entries: list[Entry], omitted: int, *, row: Row, **more: Any) -> Timeline:
        return timeline(self._records.records(row.key, entries), row, omitted=omitted, **more)


def _whole(members: dict[str, Any]) -> bytes:
    return written({**members, "content": "full"}).rstrip(b"\n")
