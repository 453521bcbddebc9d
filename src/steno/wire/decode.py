"""Bytes in, an event out. Decoding never raises, whatever the bytes are.

Theory of operation
-------------------

A frame is what a hostile or careless upstream says it is. What it turns out to be is always a value:

    Event       a known event, all members of the expected types
    Drifted     a known event, with the members left out that were of an unexpected type
    Unknown     a well-formed event of a type that no family knows
    Embedded    a known event that came as a text within its frame
    Enveloped   one of the above inside a CloudEvent, with what the envelope says
    Malformed   no event, and why, in a reason of a closed list (`MalformedReason`)

There are two looks. The *first look* is this module: one pass of a decoder that msgspec compiled for the union of all
events of a form. It reads the members that are declared and skips the rest unread. Nearly all frames end here, so
nothing else may cost time here. It trusts no bytes that it did not check: UTF-8 is checked for the whole frame, since
msgspec does not look into members that it skips. Nesting is checked after decoding, where the length allows for too
much of it. A frame so long that it could be too complex (`STRUCTURE_ELEMENTS` bytes) is left to the second look, which
checks it for both before the first one may build anything of it.

Whatever the first look refuses gets a *second look* in `fallback.py`. That is slow and lenient: it tries the forms in a
fixed order (see there), then builds the event member by member.

What is refused, and what is let through:

- A member of an unexpected type reads as absent and is counted as drift; the event stands. Upstream changes members
  without notice, and a monitor that stops at such a change is of no use.
- A member that says *what the event is about* (`Id` types) is never left out: with a wrong one the event would move
  some other conversation. Such a frame is `bad_identifier`.
- A type that nobody knows is `Unknown`: counted by name, and nothing else happens.
- What is no event is malformed: `not_utf8`, `not_json`, `not_object`, `no_discriminator` (neither `type`, a pair, nor a
  known object), `bad_envelope` (a CloudEvent without its required attributes, or one within another).
- Half a surrogate pair, which a server that cuts a text into deltas may send, is read as U+FFFD. JSON can name it, and
  no decoder takes it.
- Nesting deeper than `NESTING_DEPTH` is `too_deep`: decoders in C give up at depths of their own, and the same frame is
  to give the same result everywhere.
- More than `STRUCTURE_ELEMENTS` elements outside of strings are `too_complex`, whatever they are: five million empty
  objects take a gigabyte. So are more halves of characters than `HALF_CHARACTERS`.
- A list whose elements each make work (`Bounded`) reads as its first elements; each further one is counted as drift.
- What does not fit is looked at member by member, up to `MEMBERS_TRIED` of them. Past it what does not fit is left out
  with all that is in it. The event stands: a usage is worth more than the parts of a frame that is mostly strange.
- A relay of server-sent events may pass an event on as a text: the `data` of a pair, the `data` of a CloudEvent, or the
  whole frame is a JSON string that holds a JSON object, or the frame is the lines of one server-sent event (`event:`,
  `data:`). Such a text is read, one level deep. A text within a text is not, nor is one that holds no object: those are
  what they were before. `data_base64` of a CloudEvent is its data. The object that is kept is that of the text.
- An event whose name several families have is told apart by its members, and by what its stream was so far: see
  `signs.py`. Signs of another family are guards: where one is present the first look refuses, and the second decides.
  So it is with a pair whose name a typed event has (`error`): its data may be that event.

A decoder is compiled when a stream first needs it: up to 4 ms for about 100 kinds of events, in which the event loop
stands still. A process that decodes nothing compiles nothing. The first one is that of streams of which nothing is
known; that of another family follows when the second look finds an event of it.

Two looks at one frame agree: where the first one accepts, the second would have returned the same event. A property
test over mutated frames holds them to it.
"""

import functools
import operator
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Raw

from steno.limits import NESTING_DEPTH, STRUCTURE_ELEMENTS
from steno.wire.base import Drifted, Event, Malformed, Unknown, Vocabulary, name_of
from steno.wire.characters import is_utf8, replace_lone_surrogates
from steno.wire.fallback import Embedded, Enveloped, Fallback
from steno.wire.signs import rivals
from steno.wire.structure import refused, too_deep

Decoded = Event | Unknown | Malformed | Drifted | Enveloped | Embedded

_NEST_BYTES: Final = 2 * NESTING_DEPTH
"""A shorter JSON text cannot nest too deep: what is opened is closed again."""


class StreamDecoder:
    """Decodes frames of streams that were of one family so far, where other families have names of its events."""

    __slots__ = ("_fallback", "_paired", "_typed", "family")

    def __init__(
        self, family: str, typed: Sequence[type[Event]], paired: msgspec.json.Decoder[Any], fallback: Fallback
    ) -> None:
        """Compile the `typed` events, no two of one name, that the first look takes on streams of `family`."""
        self.family = family
        self._typed = _compiled(typed)
        self._paired = paired
        self._fallback = fallback

    def decode(self, payload: bytes, within: bool = False, unfolded: bool = False) -> Decoded:
        """Decode the `payload` of one frame.

        Args:
            payload: the bytes of one websocket message.
            within: whether they came in an envelope, which does not hold another.
            unfolded: whether they came in a text, which is not read where it holds another.

        Returns:
            An event; `Unknown`, an event of a type not known here; `Drifted`, an event with members left out;
            `Embedded`, an event that came as a text; `Enveloped`, one of these inside a CloudEvent; or `Malformed`
            with a reason that repeats nothing.
        """
        event = self.first_look(payload)
        return self.second_look(payload, within, unfolded) if event is None else event

    def first_look(self, payload: bytes, *, counted: bool = False) -> Event | None:
        """Return the event that a `payload` in the ordinary form is; None where it takes a `second_look`.

        A long one does, unless its characters and its structure were `counted` before.
        """
        size = len(payload)
        if size > STRUCTURE_ELEMENTS:
            if not counted:
                return None
        elif not payload.isascii() and not is_utf8(payload):
            return None
        try:
            if payload.startswith(b'{"event":'):
                event: Event = self._paired.decode(payload)
                if event.data is None:  # type: ignore[attr-defined]  # half a pair is none
                    return None
            else:
                event = self._typed.decode(payload)
        except (ValueError, RecursionError):  # msgspec's own errors, UnicodeDecodeError, and nesting without end
            return None
        return None if _NEST_BYTES < size <= STRUCTURE_ELEMENTS and too_deep(payload) else event

    def second_look(self, payload: bytes, within: bool = False, unfolded: bool = False) -> Decoded:
        """Return what a `payload` is at which the first look found no event. Takes and returns what `decode` does."""
        if not payload.isascii() and not is_utf8(payload):
            return Malformed(reason="not_utf8")
        if len(payload) > STRUCTURE_ELEMENTS:
            # What is in an envelope was counted with it, unless it came as a text.
            if (unfolded or not within) and (reason := refused(payload)):
                return Malformed(reason=reason)
            if (event := self.first_look(payload, counted=True)) is not None:
                return event
        return self._fallback.decode(payload, self.decode, self.family, within=within, unfolded=unfolded)


class Decoder(StreamDecoder):
    """Decodes frames in the vocabularies of all families, on streams of which nothing is known.

    There, a name that several families have is that of the first one.
    """

    __slots__ = ("_of", "_rivals", "_vocabularies")

    def __init__(self, vocabularies: Mapping[str, Vocabulary]) -> None:
        """Compile the events that streams of which nothing is known have, of the `vocabularies` by name of the family.

        Raises ValueError as `rivals` does.
        """
        self._vocabularies = vocabularies
        self._rivals = rivals(vocabularies)
        typed = {name_of(kind) for each in vocabularies.values() for kind in each.typed}
        every = [kind for each in vocabularies.values() for kind in each.paired]
        paired = _compiled([kind for kind in every if name_of(kind) not in typed])
        first = next((family for family in vocabularies if family in self._rivals), "")
        super().__init__(first, self._read_as(first), paired, Fallback(vocabularies))
        self._of: dict[str, StreamDecoder] = {first: self} if first else {}

    def of(self, family: str) -> StreamDecoder | None:
        """Return what decodes frames of streams of `family`; None where no other family has names of its events.

        It is compiled for the first stream of the family.
        """
        decoder = self._of.get(family)
        if decoder is None and family in self._rivals:
            decoder = StreamDecoder(family, self._read_as(family), self._paired, self._fallback)
            self._of[family] = decoder
        return decoder

    def _read_as(self, family: str) -> list[type[Event]]:
        """Return the typed events that the first look takes on streams of `family`: all but those of its rivals."""
        own = [name for name in self._vocabularies if name == family or name not in self._rivals]
        return [kind for name in own for kind in self._vocabularies[name].typed]


class _NoEvent(Event, frozen=True, tag_field="type", tag="\0"):
    """Stands in for the events of a form in which no family has any."""


def _compiled(kinds: Sequence[type[Event]]) -> msgspec.json.Decoder[Any]:
    """Return a decoder of the union of `kinds`, no two of one name."""
    return msgspec.json.Decoder(functools.reduce(operator.or_, kinds) if kinds else _NoEvent)


def raw_object(event: Event, payload: bytes) -> bytes:
    """Return the bytes of the object that `event` carries, as they stood in its `payload`; empty if it has none.

    They are a copy: what is kept must not keep its frame alive.
    """
    name = event.raw_member
    if not name:
        return b"" if name is None else payload
    return raw_member(name, payload) or payload  # a bare response is its own object


def raw_member(name: str, payload: bytes) -> bytes:
    """Return a copy of the bytes of the member `name` of the object `payload`; empty if it has none."""
    member = _member(name)
    try:
        return bytes(getattr(member.decode(payload), name))
    except ValueError:  # half a character
        repaired = replace_lone_surrogates(payload) or payload  # of the same length
        kept = bytes(getattr(member.decode(repaired), name))
        start = repaired.find(kept)
        return payload[start : start + len(kept)]


@functools.cache
def _member(name: str) -> msgspec.json.Decoder[msgspec.Struct]:
    """Return what reads one member of an object and leaves it as it is."""
    return msgspec.json.Decoder(msgspec.defstruct("Member", [(name, Raw, Raw())]))
