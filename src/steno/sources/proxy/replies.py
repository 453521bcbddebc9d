"""Replies to plain HTTP requests that are read along: streams of events, session objects and the ids of calls.

Most of what passes is none of steno's business and is not looked at. What is read is chosen by the path of the request
and by the head of the reply:

- A stream of server-sent events of the Assistants or the Responses API. Each event is a frame; the reply is a stream.
- An object in JSON that the decoder knows by its `object`, or a client secret. It is one frame of a stream of its own.
- The creation of a call: its id stands in `Location`, that of a Live session in the body. `call_seen` gets it, and
  nothing of the request: the key that a client has is for its own call.

A body was forwarded before it comes here. What cannot be read is counted.
"""

import re
from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from steno.attachments import CallId
from steno.core.families import FAMILIES
from steno.sources.proxy.frames import ENCODING, NO_MEMORY, TOO_BIG, Budget
from steno.sources.proxy.heads import RequestHead, ResponseHead, words
from steno.sources.proxy.host import Observer
from steno.sources.proxy.inflate import Inflate, inflate_of
from steno.sources.proxy.reading import ReadAlong
from steno.sources.proxy.server_sent import DONE, Event, EventStream, frame_of

_EVENTS: Final = re.compile(r"/threads/(?:runs|[^/]+/runs(?:/[^/]+/submit_tool_outputs)?)/?\Z")
"""The end of paths whose replies may be streams of events that are read. Before it stands a version, or what a provider
has in its place."""
_RESPONSES: Final = re.compile(r"/responses/?\Z")
"""The end of paths where a response is made, as a stream of events or as an object. One that is asked for again, by its
id, is not read: it was, when it was made."""
_OBJECTS: Final = re.compile(
    r"/(?:realtime/(?:translations/)?(?:client_secrets|sessions|transcription_sessions)|chatkit/sessions(?:/[^/]+/cancel)?)/?\Z"
    r"|/threads(?:/.*)?\Z"
)
_CALLS: Final = re.compile(r"/realtime/calls/?\Z")
_LIVE_SESSIONS: Final = re.compile(r"/live/sessions(?:/[^/]+/fork)?/?\Z")
"""The end of paths where a Live session over WebRTC is created."""
_CALL_ID: Final = re.compile(r"/realtime/calls/([A-Za-z0-9][A-Za-z0-9._:-]{0,127})/?(?:[?#].*)?\Z")
_OK: Final = range(200, 300)
_CREATED: Final = 201


class Replies(Struct, frozen=True):
    """Chooses what is read along of the replies that pass one proxy."""

    begin: Callable[[], ReadAlong]
    """Begins the stream of a reply."""
    missed: Callable[[str], None]
    """Counts a reply that cannot be read, by its reason."""
    frame_bytes: int
    room: Budget
    """What all that waits for its end shares."""
    call_seen: Callable[[str], None]
    """Gets the id of each call that is created."""

    def observe(self, request: RequestHead, response: ResponseHead) -> Observer | None:
        """Return what is to see the body of a reply; None where nobody is interested."""
        if response.status not in _OK:
            return None
        path = request.target.partition(b"?")[0].decode("latin-1")
        if request.method == b"POST" and response.status == _CREATED and _CALLS.search(path):
            self._call(response)
            return None
        made = request.method == b"POST" and _RESPONSES.search(path) is not None
        kind = (words(response.headers, b"content-type") or [b""])[0].partition(b";")[0].strip()
        if kind == b"text/event-stream" and (made or _EVENTS.search(path)):
            inflate = self._inflate(response)
            return _EventsRead(self, inflate) if inflate else None
        if kind == b"application/json" and (made or _OBJECTS.search(path)):
            inflate = self._inflate(response)
            return _ObjectRead(self, inflate, self._object) if inflate else None
        if kind == b"application/json" and request.method == b"POST" and _LIVE_SESSIONS.search(path):
            inflate = self._inflate(response)
            return _ObjectRead(self, inflate, self._live_session) if inflate else None
        return None

    def _inflate(self, response: ResponseHead) -> Inflate | None:
        inflate = inflate_of(words(response.headers, b"content-encoding"))
        if inflate is None:
            self.missed(ENCODING)
        return inflate

    def _call(self, response: ResponseHead) -> None:
        places = [value.decode("latin-1") for name, value in response.headers if name.lower() == b"location"]
        found = _CALL_ID.search(places[0]) if len(places) == 1 else None
        if found:
            self.call_seen(found[1])

    def _live_session(self, body: bytes) -> None:
        """Take the id of the Live session whose creation `body` confirms."""
        try:
            session = _CREATION.decode(body).session
        except (ValueError, RecursionError):
            return
        self.call_seen(session.id)

    def _object(self, body: bytes) -> None:
        """Read an object as one frame of a stream of its own, where the decoder knows it."""
        if _is_known(body):
            frames = self.begin()
            frames.take([body], sent=False)
            _end(frames, complete=True)


class _LiveSession(Struct, frozen=True):
    id: CallId


class _Creation(Struct, frozen=True):
    """What the creation of a Live session is answered by. The rest of it is for the client alone."""

    session: _LiveSession


_CREATION: Final = msgspec.json.Decoder(_Creation)


class _Head(Struct, frozen=True):
    """What an object is known by."""

    object: Raw | UnsetType = UNSET
    value: Raw | UnsetType = UNSET
    expires_at: Raw | UnsetType = UNSET
    session: Raw | UnsetType = UNSET


_HEAD: Final = msgspec.json.Decoder(_Head)


def _is_known(body: bytes) -> bool:
    """Return whether the decoder knows the object that `body` is."""
    try:
        head = _HEAD.decode(body)
    except (ValueError, RecursionError):
        return False
    name = b"" if head.object is UNSET else bytes(head.object)
    return name in KNOWN or UNSET not in (head.value, head.expires_at, head.session)


class _Held:
    """Bytes of one reply that wait for their end, counted in the room that all share."""

    def __init__(self, room: Budget) -> None:
        self._room = room
        self._size = 0

    def set(self, size: int) -> bool:
        """Hold so many from now on; return whether there was room."""
        more, fits = size - self._size, True
        if more <= 0:
            self._room.held += more
        else:
            fits = self._room.take(more)
        self._size += more if fits else 0
        return fits


def _end(frames: ReadAlong, *, complete: bool) -> None:
    """End a stream. HTTP has no close code: one that is complete ended as it should."""
    frames.end(None, by_client=complete, local=False, unresponsive=False)


class _EventsRead:
    """A stream of server-sent events."""

    def __init__(self, replies: Replies, inflate: Inflate) -> None:
        self._frames = replies.begin()
        self._events = EventStream(replies.frame_bytes)
        self._held = _Held(replies.room)
        self._inflate: Inflate | None = inflate
        self._too_long = 0
        self._over = False
        """Whether the stream has said so. A client may hang up then, before the last byte of the reply."""

    def data(self, data: bytes) -> None:
        if self._inflate is None:
            return
        try:
            plain = self._inflate(data)
        except ValueError:
            self._give_up(ENCODING)
            return
        self._feed(self._events.feed(plain))
        if not self._held.set(self._events.held):
            self._give_up(NO_MEMORY)

    def _give_up(self, reason: str) -> None:
        """Read no more of this reply: where an event ends is not known any longer."""
        self._inflate = None
        self._frames.missed(reason)
        self._held.set(0)

    def _feed(self, events: list[Event]) -> None:
        self._over = self._over or any(event.data.strip() == DONE for event in events)
        frames = [frame for event in events if (frame := frame_of(event)) is not None]
        if frames:
            self._frames.take(frames, sent=False)
        while self._too_long < self._events.too_long:
            self._too_long += 1
            self._frames.missed(TOO_BIG)

    def end(self, *, complete: bool) -> None:
        if complete and self._inflate:
            self._feed(self._events.end())
        self._held.set(0)
        _end(self._frames, complete=complete or self._over)


class _ObjectRead:
    """An object in JSON, kept until it is whole."""

    def __init__(self, replies: Replies, inflate: Inflate, then: Callable[[bytes], None]) -> None:
        self._replies = replies
        self._inflate: Inflate | None = inflate
        self._then = then
        """Gets the whole of it."""
        self._held = _Held(replies.room)
        self._body = bytearray()

    def data(self, data: bytes) -> None:
        if self._inflate is None:
            return
        try:
            plain = self._inflate(data)
        except ValueError:
            self._give_up(ENCODING)
            return
        self._body += plain
        if len(self._body) > self._replies.frame_bytes:
            self._give_up(TOO_BIG)
        elif not self._held.set(len(self._body)):
            self._give_up(NO_MEMORY)

    def _give_up(self, reason: str) -> None:
        self._inflate = None
        self._replies.missed(reason)
        self._clear()

    def _clear(self) -> None:
        self._body.clear()
        self._held.set(0)

    def end(self, *, complete: bool) -> None:
        body = bytes(self._body)
        self._clear()
        if complete and self._inflate is not None:
            self._then(body)


KNOWN: Final = frozenset(b'"%b"' % name.encode() for family in FAMILIES.members for name in family.vocabulary.objects)
"""The `object` of each object that the decoder knows, as it stands in JSON."""
