"""What comes on one connection: frames, lines of recordings, or CloudEvents. They are one stream after the other.

A message is a line, in any form that `steno replay` knows, text or binary alike. The time of a frame is that of its
line where it is plausible, else the time of receipt. A line that says how the application's connection ended ends the
stream; what comes after it is another one. With the subprotocol `cloudevents.json` a message is a CloudEvent, whatever
members it has.
"""

from collections.abc import Callable, Sequence

from msgspec.structs import replace
from websockets.asyncio.connection import Connection

from steno.core.envelope import plausible_time
from steno.core.frame import Frame
from steno.sources.listen.acknowledgement import Acknowledgement
from steno.sources.listen.handshake import NAME_CHARACTERS
from steno.sources.recording import Close, Missed, conversation_of, is_reply, parse
from steno.sources.straight import Straight
from steno.sources.stream_session import StreamSession
from steno.sources.work import Reader
from steno.timestamps import Micros

Begin = Callable[[], StreamSession]


class Pushed:
    """The streams of one connection. The first one is open from the beginning."""

    def __init__(self, begin: Begin, *, cloud_events: bool, acknowledgement: Acknowledgement | None = None) -> None:
        """Begin the first stream, each by `begin`. Messages are numbered by `acknowledgement`, if there is one."""
        self.session = begin()
        """The stream that is open, or was open last."""
        self.shed = False
        """Whether records of the last message would be dropped: it was not fed, and nothing is read after it."""
        self._acknowledgement = acknowledgement
        self.messages = 0
        """How many messages came: lines of any kind."""
        self._begin = begin
        self._ended = False
        self._over = False
        """Whether nothing is to be read any more: `take_at_once` came to that."""
        self._raised: Exception | None = None
        """What it raised then, a mistake of ours."""
        self._cloud_events = cloud_events

    # What the reading of a websocket asks ----------------------------------------------------------------

    @property
    def waiting(self) -> bool:
        """Whether nothing is read now because there is no room."""
        return self.session.waiting

    @property
    def unresponsive(self) -> bool:
        """Whether the client was given up, since it is silent."""
        return self.session.unresponsive

    @unresponsive.setter
    def unresponsive(self, value: bool) -> None:
        self.session.unresponsive = value

    @property
    def frames(self) -> int:
        """What grows while the client says something."""
        return self.messages

    def now(self) -> Micros:
        """Return the time of receipt."""
        return self.session.now()

    async def feed_from(self, connection: Connection) -> None:
        """Take in each message of `connection` until `recv` raises; return only after an internal error."""
        settle = getattr(connection, "settle", lambda: None)
        if isinstance(connection, Straight):
            connection.take = self.take_at_once
        reader = Reader(self.session.work)
        while True:
            if not self.session.has_room:
                await self.session.room()
            message = await connection.recv(decode=False)
            if self._over:
                if self._raised:
                    raise self._raised
                return
            if not reader.goes_on():  # `recv` does not wait while it has messages: the others have their turn here
                await reader.wait()
            if not self.session.has_room:
                await self.session.room()
            settle()  # there may have been no room when the message was taken, and be some now
            if not getattr(connection, "deaf", False) and not self.take(message):
                return
            del message

    def take_at_once(self, messages: Sequence[bytes]) -> int:
        """Take in what came with one read; see `StreamSession.take_at_once`. `feed_from` returns at the next one."""
        granted = self.session.work.grant(len(messages))
        for number in range(granted):
            if not self.session.has_room:
                return number
            try:
                self._over = not self.take(messages[number])
            except Exception as error:  # noqa: BLE001  # it ends this connection, in order: `feed_from` raises it
                self._over, self._raised = True, error
            if self._over:
                return number
        return granted

    # Messages ---------------------------------------------------------------------------------------------

    def take(self, message: bytes) -> bool:
        """Take in one message; return False where nothing is to be read after it."""
        self.messages += 1
        item = Frame(message, self.now()) if self._cloud_events else parse(message)
        if self._acknowledgement is None:
            return self._take(item, message)
        if self._acknowledgement.full:
            self.shed = True
            return False
        now = self.now()
        if not self._acknowledgement.begin(max(now, plausible_time(item.at, now))):
            return True
        if not self._take(item, message):
            return False
        self.shed = not self._acknowledgement.end()
        return not self.shed

    def _take(self, item: Frame | Missed | Close, message: bytes) -> bool:
        """Take in what a message is; return False after an internal error."""
        session = self._open()
        if self._cloud_events and isinstance(item, Frame):
            return session.take(item)
        if not session.frames and (name := conversation_of(message)) and len(name) <= NAME_CHARACTERS:
            session.call(name)
        if not session.frames and is_reply(message):
            session.answers()
        if isinstance(item, Close):
            self._end(replace(item, at=plausible_time(item.at, self.now())))
            return True
        return session.take_line(item)

    def _open(self) -> StreamSession:
        """Return the stream that is open; where none is, begin another one."""
        if self._ended:
            self.session = self._begin()
            self._ended = False
        return self.session

    def _end(self, close: Close) -> None:
        self._ended = True
        self.session.end(close)

    def end(self, close: Close) -> None:
        """End what is open as `close` says: the connection is over."""
        if not self._ended:
            self._end(close)
