"""A websocket after its handshake: what one side says passes to the other at once, and is read along after that.

There is no task, no queue and no `await` for a frame: `data_received` of one side writes to the other. Where the other
side takes less than comes, its transport says so, and this side is not read until that is over. So a call holds what
two transports buffer, and no more.
"""

import asyncio
import os
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from steno.sources.proxy.frames import CLOSE, PING, PONG, CloseFrame, FrameReader, Passed, close_payload, control_frame
from steno.sources.proxy.reading import ReadAlong

UNSENT_BYTES: Final = 64 * 1024
"""What a transport holds before the other side is not read any more."""
READ_BYTES: Final = 64 * 1024
"""How much is read of a socket at once, where its transport can be asked for that."""
CLOSE_SECONDS: Final = 10.0
"""How long a side may take to answer a close, or to take what is left for it."""
GOING_AWAY: Final = 1001

Lost = Callable[[], None]


class Pings(Struct, frozen=True):
    """When a side is asked whether it is alive."""

    interval_seconds: float
    timeout_seconds: float


def half_close(transport: asyncio.Transport) -> bool:
    """Send what is left, then the end; return False where that is not possible, as with TLS.

    Where a socket is closed that was not read to its end, the other end is told to forget what it has not taken yet.
    So what it still says is read, and forgotten.
    """
    try:
        if transport.is_closing() or not transport.can_write_eof():
            return False
        transport.write_eof()
    except OSError:  # the other end is gone
        return False
    return True


class Side(asyncio.Protocol):
    """One side of a call."""

    def __init__(self, call: "Call", transport: asyncio.Transport, reader: FrameReader, *, client: bool) -> None:
        """Speak with what is behind `transport`: the client, or the provider."""
        self.transport = transport
        self.reader = reader
        self.client = client
        self.other: Side
        self.close: bytes | None = None
        """Payload of the close frame that it sent."""
        self.told = False
        """Whether it was sent a close frame."""
        self.lost = False
        self.heard = False
        """Whether something came since the last look."""
        self.full = False
        """Whether it takes less than comes for it."""
        self.unsent = 0
        """What its transport held at the last look."""
        self.asked_at: float | None = None
        """When it was asked whether it is alive, and has said nothing since."""
        self._call = call
        self.discards = False
        """Whether what it says is of no interest any more."""
        self._ended = False
        """Whether nothing may be written any more."""
        self._pong: bytes | None = None
        self._ping = False
        self._paused = False

    # What asyncio calls ---------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Pass on what came, then read it along."""
        self.heard = True
        if self.close is not None or self.discards:
            return
        passed = self.reader.take(data)
        other = self.other
        forward = passed.forward
        if forward:
            other.pass_on(forward[0] if len(forward) == 1 else b"".join(forward))
        if other.has_control:
            other.send_control()
        if passed.messages or passed.unfed:
            self._call.read(passed, sent=self.client)
        if passed.pings is not None:
            self._pong = passed.pings
            self.send_control()
        if passed.close is not None:
            self.close = passed.close
            self._call.closing(self)
        elif passed.fault is not None:
            self._call.fail(passed.fault)

    def eof_received(self) -> bool | None:
        """Let the transport close."""
        return None

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # of asyncio
        """End the call."""
        self.lost = True
        self._call.side_lost(self)

    def pause_writing(self) -> None:
        """Read no more of the other side."""
        self.full = True
        self.other.look()

    def resume_writing(self) -> None:
        """Read on the other side."""
        self.full = False
        self.other.look()
        self.send_control()

    # ----------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Read, or stop reading, as the other side and reading along allow."""
        wanted = not self.discards and (self.other.full or self._call.behind)
        if wanted == self._paused or self.transport.is_closing():
            return
        self._paused = wanted
        if wanted:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def pass_on(self, data: bytes) -> None:
        """Send frames of the other side, unless a close frame was sent."""
        if not self.told and not self._ended:
            self.transport.write(data)

    @property
    def unread(self) -> bool:
        """Whether it is not read now, so that its silence says nothing."""
        return self._paused

    @property
    def has_control(self) -> bool:
        """Whether a ping or a pong waits until it may be sent."""
        return self._ping or self._pong is not None

    def takes(self) -> bool:
        """Return whether it has taken something since the last look, of more than it can take: it gets no ping then."""
        before, self.unsent = self.unsent, self.transport.get_write_buffer_size()
        return self.full and self.unsent != before

    def ping(self) -> None:
        """Ask whether it is alive, as soon as the frame that passes has ended."""
        self._ping = True
        self.send_control()

    def send_control(self) -> None:
        """Send what waits, unless a frame is passing or it takes nothing."""
        if (
            self.full
            or self.told
            or self._ended
            or self.other.reader.left
            or not self.has_control
            or self.transport.is_closing()
        ):
            return
        if self._pong is not None:
            payload, self._pong = self._pong, None
            self.transport.write(self._frame(PONG, payload))
        if self._ping:
            self._ping = False
            self.transport.write(self._frame(PING, b""))

    def send_close(self, payload: bytes) -> None:
        """Send a close frame, and nothing after it. Within a frame that is passing none can be sent."""
        if self.told or self._ended or self.transport.is_closing():
            return
        self.told = True
        if not self.other.reader.left:
            self.transport.write(self._frame(CLOSE, payload))

    def let_go(self) -> None:
        """Close once what is left has been sent."""
        if self._ended or self.transport.is_closing():
            return
        self._ended = True
        self.discards = True
        self.look()
        if self.close is not None or not half_close(self.transport):
            self.transport.close()

    def _frame(self, opcode: int, payload: bytes) -> bytes:
        return control_frame(opcode, payload, None if self.client else os.urandom(4))


class Call:
    """Both sides of a websocket."""

    def __init__(
        self,
        client: tuple[asyncio.Transport, FrameReader],
        upstream: tuple[asyncio.Transport, FrameReader],
        along: ReadAlong,
        pings: Pings,
        ended: Lost,
    ) -> None:
        """Pass frames between the two transports, which are made to speak with this, until both are closed."""
        self.client = Side(self, *client, client=True)
        self.upstream = Side(self, *upstream, client=False)
        self.client.other, self.upstream.other = self.upstream, self.client
        self._along = along
        self._pings = pings
        self._ended = ended
        self._first: Side | None = None
        """The side that sent the first close frame."""
        self._close: CloseFrame | None = None
        self._local = False
        self._unresponsive = False
        self._loop = asyncio.get_running_loop()
        self._over: asyncio.TimerHandle | None = None
        along.caught_up = self._look
        for side in (self.client, self.upstream):
            side.transport.set_write_buffer_limits(high=UNSENT_BYTES)
            if hasattr(side.transport, "max_size"):  # of asyncio's own
                side.transport.max_size = READ_BYTES
            side.transport.set_protocol(side)
        self._timer = self._loop.call_later(pings.interval_seconds, self._ask)

    # Reading along --------------------------------------------------------------------------------------

    @property
    def behind(self) -> bool:
        """Whether reading along has to catch up."""
        return self._along.behind

    def read(self, passed: Passed, *, sent: bool) -> None:
        """Read along what has passed."""
        if passed.messages:
            self._along.take(passed.messages, sent=sent)
        for reason in passed.unfed:
            self._along.missed(reason)
        if self._along.behind:
            self._look()

    def _look(self) -> None:
        self.client.look()
        self.upstream.look()

    # Alive? ---------------------------------------------------------------------------------------------

    def _ask(self) -> None:
        """Ask each side that was silent whether it is alive; break off what did not answer in time."""
        now = self._loop.time()
        wait = self._pings.interval_seconds
        for side in (self.client, self.upstream):
            if side.heard or side.unread or side.takes():
                side.heard, side.asked_at = False, None
            elif side.asked_at is None:
                pass
            elif now >= side.asked_at + self._pings.timeout_seconds:
                self._unresponsive = True
                side.transport.abort()
                continue
            if side.asked_at is None:
                side.asked_at = now
                side.ping()
                wait = min(wait, self._pings.timeout_seconds)
        self._timer = self._loop.call_later(wait, self._ask)

    # The end --------------------------------------------------------------------------------------------

    def closing(self, side: Side) -> None:
        """Pass on the close frame of `side`. When both sides have sent one the call is over."""
        payload = side.close or b""
        if self._first is None and not self._local:
            self._first, self._close = side, CloseFrame.of(payload)
        side.other.send_close(payload)
        if side.other.close is not None or side.other.lost:
            self._finish()
        else:
            self._finish_in_time()

    def fail(self, code: int, reason: str = "") -> None:
        """Close both sides by `code`: one said what cannot pass."""
        if self._close is None:
            self._close = CloseFrame(code, reason)
        for side in (self.client, self.upstream):
            side.discards = True
            side.look()
            side.send_close(close_payload(code, reason))
        self._finish()

    def go_away(self) -> None:
        """Close both sides, since steno stops and cannot wait any longer."""
        self._local = True
        self.fail(GOING_AWAY, "steno is stopping")

    def side_lost(self, side: Side) -> None:
        """Let the other side take what is left for it, then close it too: without a close frame, if there was none."""
        if not side.other.lost:
            self._finish()
            return
        self._timer.cancel()
        if self._over:
            self._over.cancel()
        for each in (self.client, self.upstream):
            each.reader.drop()
        self._along.end(
            self._close,
            by_client=self._first is self.client,
            local=self._local,
            unresponsive=self._unresponsive,
        )
        self._ended()

    def _finish(self) -> None:
        """Close both transports once they have sent what they hold."""
        self._finish_in_time()
        for side in (self.client, self.upstream):
            side.let_go()

    def _finish_in_time(self) -> None:
        if self._over is None:
            self._over = self._loop.call_later(CLOSE_SECONDS, self.abort)

    def abort(self) -> None:
        """Break off both sides."""
        for side in (self.client, self.upstream):
            side.transport.abort()
