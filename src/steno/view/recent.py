"""The sink that keeps the recent facts of a running daemon, and what those of each conversation add up to.

Theory of operation
-------------------

A fact is kept as it is: a reference to it, and to its origin. Nothing is encoded before somebody asks. A text of which
the content policy keeps nothing is not held: its length stands in its place. Where the policy redacts, the text is held
as it was said until it is asked for, as the states of open conversations hold it.

Bytes are counted, as in `core/memory.py`: a fixed charge for a fact, and the length of its texts. Past the budget

1. conversations that have ended lose their facts, the oldest first, but for the newest `RECENT_ENDED_WHOLE`;
2. then one after the other loses the older half of its facts.

The row of a conversation outlives its facts: the tally is kept as long as the conversation is open, and beyond that for
the newest `RECENT_ENDED`.

A fact of a stream (it ended, it was resumed, a frame of it was rejected) names no conversation. It is kept with the
conversations that the stream carries: the end with all of them, what was rejected or missed only where there is one.

The loop alone writes. Whoever reads from another thread takes copies in one step (`list(...)`).
"""

from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from steno.audit.content_policy import ContentField
from steno.core.conversation import Conversation
from steno.core.export import totals_of
from steno.core.facts import (
    NAMES,
    Content,
    ConversationClosed,
    Fact,
    Origin,
    RateLimitReported,
    StreamClosed,
    StreamResumed,
)
from steno.core.memory import text_bytes
from steno.limits import (
    RECENT_ENDED,
    RECENT_ENDED_WHOLE,
    RECENT_FACTS,
    RECENT_STREAM_CONVERSATIONS,
    RECENT_STREAMS,
)
from steno.view.tally import Tally

FACT_BYTES: Final = 512
"""A fact with its origin, besides its texts and its usage."""
USAGE_BYTES: Final = 256
"""A bucket of tokens, or a line of a price."""

NOT_SHOWN: Final = frozenset({RateLimitReported})
"""Facts that no timeline shows. They come with every response."""


class Entry(Struct, frozen=True, gc=False):
    """A fact with its origin, and the bytes that it is charged for. The collector does not look at it."""

    origin: Origin
    fact: Fact
    bytes: int


class KeptConversation:
    """One conversation: its recent facts, and what all of them add up to."""

    __slots__ = ("bytes", "facts", "omitted", "stream", "tally", "totals")

    def __init__(self, tally: Tally) -> None:
        """Begin without facts."""
        self.tally = tally
        self.facts: list[Entry] | deque[Entry] = []
        """A list until one is dropped: a deque takes 760 bytes before it holds anything."""
        self.omitted = 0
        """Facts that are no longer here."""
        self.bytes = 0
        self.stream: str | None = None
        """The stream that it was last seen on."""
        self.totals: dict[str, Any] | None = None
        """Its totals as `--state` has them, once it has ended."""

    def snapshot(self) -> tuple[list[Entry], int]:
        """Return its facts now, and how many are gone. For any thread."""
        return list(self.facts), self.omitted


class RecentFacts:
    """Keeps the recent facts of all conversations."""

    def __init__(self, most_bytes: int, kept_kinds: Iterable[str]) -> None:
        """Keep at most `most_bytes`; `kept_kinds` are the kinds of content that are held, of `facts.KINDS`."""
        self.bytes = 0
        self._most = most_bytes
        self._kept_kinds = frozenset(kept_kinds)
        self._all: OrderedDict[str, KeptConversation] = OrderedDict()
        """All that have a row, by key. Who lost facts last is the last one."""
        self._ended: OrderedDict[str, KeptConversation] = OrderedDict()
        """Those of them that have ended, the oldest end first."""
        self._whole: deque[KeptConversation] = deque()
        """Those that have ended and have all their facts, likewise."""
        self._streams: dict[str, list[KeptConversation]] = {}
        """Stream to the newest conversations that it carries."""
        self._former: OrderedDict[str, list[KeptConversation]] = OrderedDict()
        """Streams that have ended."""
        self._number = 0

    # Facts ----------------------------------------------------------------------------------------------

    def emit(self, origin: Origin, fact: Fact) -> None:
        """Keep `fact`, and let the oldest go where there is no room."""
        key = origin.conversation
        if key is None:
            self._of_stream(origin, fact)
            return
        kept = self._all.get(key)
        if kept is None or kept.tally.closed is not None:
            kept = self._begin(key, origin)
        if origin.stream is not None and origin.stream != kept.stream:
            self._join(kept, origin.stream)
        self._keep(kept, origin, fact)
        if type(fact) is ConversationClosed:
            self._end(kept)

    def _begin(self, key: str, origin: Origin) -> KeptConversation:
        self._ended.pop(key, None)
        self._forget(key)  # a key may come again when it has been forgotten that it was used
        self._number += 1
        kept = self._all[key] = KeptConversation(Tally(key, origin.source, origin.family or "", self._number))
        return kept

    def _join(self, kept: KeptConversation, stream: str) -> None:
        kept.stream = stream
        carried = self._streams.get(stream)
        if carried is None:
            carried = self._streams[stream] = []
        if kept not in carried:
            carried.append(kept)
            del carried[:-RECENT_STREAM_CONVERSATIONS]

    def _keep(self, kept: KeptConversation, origin: Origin, fact: Fact) -> None:
        size = FACT_BYTES
        members = _CONTENTS[type(fact)]
        if members:
            fact, more = self._within_policy(fact, members)
            size += more
        kept.tally.add(origin, fact)
        if type(fact) in NOT_SHOWN:
            return
        kept.facts.append(Entry(origin, fact, size))
        kept.bytes += size
        self.bytes += size
        if len(kept.facts) > RECENT_FACTS:
            self._drop(kept, 1)
        if self.bytes > self._most:
            self._relieve()

    def _within_policy(self, fact: Fact, members: tuple[str, ...]) -> tuple[Fact, int]:
        """Return `fact` without the texts that are not held, and how many bytes it takes more than others."""
        size = USAGE_BYTES * len(getattr(fact, "tokens", ()))
        changes: dict[str, Any] = {}
        for member in members:
            value = getattr(fact, member)
            if value is None or value == ():
                continue
            many = type(value) is tuple
            if not self._kept_kinds:
                changes[member] = tuple(map(_length_of, value)) if many else _length_of(value)
                continue
            held = tuple(map(self._held, value if many else (value,)))
            changes[member] = held if many else held[0]
            size += sum(map(_weight, held))
        return (replace(fact, **changes) if changes else fact), size

    def _held(self, content: Content) -> Content | ContentField:
        return content if content.kind in self._kept_kinds else _length_of(content)

    def _of_stream(self, origin: Origin, fact: Fact) -> None:
        """Keep a fact that names no conversation with those that its stream carries."""
        if type(fact) is StreamResumed:
            for kept in self._former.pop(fact.former, ()):
                if kept.tally.closed is None:
                    self._keep(kept, origin, fact)
            return
        carried = self._streams.get(origin.stream or "")
        if carried is None:
            return
        if type(fact) is StreamClosed:
            self._end_stream(origin.stream or "", carried)
        elif len(carried) > 1:
            return
        for kept in list(carried):
            if kept.tally.key in self._all:
                self._keep(kept, origin, fact)

    def _end_stream(self, stream: str, carried: list[KeptConversation]) -> None:
        del self._streams[stream]
        self._former[stream] = carried
        if len(self._former) > RECENT_STREAMS:
            self._former.popitem(last=False)

    # Room -----------------------------------------------------------------------------------------------

    def _end(self, kept: KeptConversation) -> None:
        self._ended[kept.tally.key] = kept
        self._whole.append(kept)
        if len(self._ended) > RECENT_ENDED:
            oldest, _ = self._ended.popitem(last=False)
            self._forget(oldest)
        while len(self._whole) > RECENT_ENDED:  # those that were forgotten meanwhile
            self._whole.popleft()

    def _forget(self, key: str) -> None:
        gone = self._all.pop(key, None)
        if gone is not None:
            self._drop(gone, len(gone.facts))

    def _relieve(self) -> None:
        """Let facts go until there is room."""
        while self.bytes > self._most and len(self._whole) > RECENT_ENDED_WHOLE:
            oldest = self._whole.popleft()
            self._drop(oldest, len(oldest.facts))
        for _ in range(len(self._all)):
            if self.bytes <= self._most:
                return
            key, kept = self._all.popitem(last=False)
            self._all[key] = kept
            self._drop(kept, (len(kept.facts) + 1) // 2)

    def _drop(self, kept: KeptConversation, number: int) -> None:
        facts = kept.facts
        if number == len(facts):
            gone, kept.facts = list(facts), []
        else:
            left = kept.facts = facts if isinstance(facts, deque) else deque(facts)
            gone = [left.popleft() for _ in range(number)]
        size = sum(entry.bytes for entry in gone)
        kept.bytes -= size
        self.bytes -= size
        kept.omitted += number

    def erase(self, conversation: str) -> bool:
        """Hold no text of a conversation any more; return whether any was held."""
        kept = self._all.get(conversation)
        if kept is None:
            return False
        held = list(kept.facts)
        erased = [_without_texts(entry) for entry in held]
        for old, new in zip(held, erased, strict=True):
            kept.bytes += new.bytes - old.bytes
            self.bytes += new.bytes - old.bytes
        kept.facts = erased
        return any(new is not old for old, new in zip(held, erased, strict=True))

    def ended(self, state: Conversation) -> None:
        """Keep the totals of a conversation that has ended."""
        kept = self._all.get(state.key)
        if kept is not None:
            kept.totals = totals_of(state)

    # Read -----------------------------------------------------------------------------------------------

    def conversations(self) -> list[KeptConversation]:
        """Return all that have a row. For any thread."""
        return list(self._all.values())

    def find(self, key: str) -> KeptConversation | None:
        """Return the conversation that has this key. For any thread."""
        return self._all.get(key)


def _weight(held: Content | ContentField) -> int:
    return text_bytes(held.text) if isinstance(held, Content) else 0


def _length_of(content: Content) -> ContentField:
    """Return what a record holds of a text of which nothing is kept. It encodes as that does."""
    return ContentField(content.kind, len(content.text))


def _without_texts(entry: Entry) -> Entry:
    """Return an entry with the lengths of its texts in their place; itself where it holds none."""
    fact, size = entry.fact, entry.bytes
    changes: dict[str, Any] = {}
    for member in _CONTENTS[type(fact)]:
        value = getattr(fact, member)
        values = value if type(value) is tuple else (value,)
        texts = [each for each in values if isinstance(each, Content)]
        if texts:
            size -= sum(map(_weight, texts))
            bare = tuple(_length_of(each) if isinstance(each, Content) else each for each in values)
            changes[member] = bare if type(value) is tuple else bare[0]
    return Entry(entry.origin, replace(fact, **changes), size) if changes else entry


def _content_members(kind: type[Fact]) -> tuple[str, ...]:
    """Return the members of a kind of fact that may hold content."""
    return tuple(field.name for field in msgspec.structs.fields(kind) if _holds_content(field.type))


def _holds_content(annotation: Any) -> bool:
    return annotation is Content or any(map(_holds_content, getattr(annotation, "__args__", ())))


_CONTENTS: Final[Mapping[type[Fact], tuple[str, ...]]] = {kind: _content_members(kind) for kind in NAMES}
