"""Reading along: the messages of one call, fed after they have passed. Whatever happens here, the call goes on."""

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import structlog

from steno.certificates import ServerCertificate
from steno.core.frame import Frame
from steno.sources.dialing import DialCounters
from steno.sources.protocols import Numbers
from steno.sources.proxy.frames import ENCODING, INTERNAL_ERROR, NO_MEMORY, TOO_BIG, UNFED, Budget, CloseFrame
from steno.sources.proxy.refusal import REASONS
from steno.sources.recording import Close, Gap
from steno.sources.stream_session import StreamSession, StreamSessions
from steno.sources.work import SHARE

GAPS: dict[str, Gap] = {
    INTERNAL_ERROR: "internal_error",
    NO_MEMORY: "blocked",
    TOO_BIG: "frame_too_big",
    ENCODING: "broken_off",
}
"""What a stream has a gap by that was not fed whole, the worst first."""


class ProxyCounters(DialCounters):
    """What a proxy counts."""

    def __init__(self) -> None:
        """Begin at zero."""
        super().__init__()
        self.certificate: ServerCertificate | None = None
        """The certificate that is served."""
        self.connections = 0
        """Connections of clients that are open."""
        self.unfed = dict.fromkeys(UNFED, 0)
        """Messages that passed and were not read along, by reason."""
        self.refused = dict.fromkeys(REASONS, 0)
        """Requests and connections that were not passed on, by reason."""

    def numbers(self) -> dict[str, Numbers]:
        """Return the values by metric and labels; see `protocols.Counters`."""
        return {
            **super().numbers(),
            **(self.certificate.numbers() if self.certificate else {}),
            "steno_proxy_connections": {(): self.connections},
            "steno_unfed_frames_total": {(reason,): count for reason, count in self.unfed.items()},
            "steno_proxy_refused_total": {(reason,): count for reason, count in self.refused.items()},
        }


WAITING_BYTES: Final = 128
"""What a frame that waits takes besides its payload."""


class ReadAlong:
    """One call as a stream. `take`, `missed` and `end` never raise."""

    def __init__(
        self,
        source: str,
        sessions: StreamSessions,
        counters: ProxyCounters,
        conversation: str | None,
        room: Budget,
        *,
        reply: bool = False,
    ) -> None:
        """Begin a stream of `source`, which may be a `reply`. What waits of it has its part of `room`."""
        self._room = room
        self._counters = counters
        self._log = structlog.get_logger().bind(source=source)
        self._waiting: deque[Frame] = deque()
        """What came with one read, beyond what is fed at once."""
        self._work = sessions.work
        self._asked = False
        """Whether what waits is fed in its turn."""
        self._unfed: set[str] = set()
        self._session: StreamSession | None = None
        self._now = sessions.now
        self.caught_up: Callable[[], None] = lambda: None
        """Is called when nothing waits any more."""
        try:
            self._session = sessions.begin(source, counters, conversation, reply=reply)
        except Exception:  # noqa: BLE001  # the call goes on, unread
            self._unfed.add(INTERNAL_ERROR)
            self._report()

    def take(self, messages: list[bytes], *, sent: bool) -> None:
        """Feed `messages`, which have passed."""
        at = self._now()
        if self._waiting or len(messages) > self._work.room():
            if self._room.take(sum(map(_size, messages))):
                self._waiting.extend(Frame(payload, at, sent) for payload in messages)
                self._feed_later()
            else:
                self.missed(NO_MEMORY, len(messages))
            return
        self._work.fed(len(messages))
        for payload in messages:
            self._feed(Frame(payload, at, sent))

    @property
    def behind(self) -> bool:
        """Whether so much waits to be fed that no more should be read of the call for a moment."""
        return bool(self._waiting)

    def _feed(self, frame: Frame) -> None:
        session = self._session
        if session is None or session.failed:
            self._counters.unfed[INTERNAL_ERROR] += 1
            return
        try:
            fed = session.take(frame)
        except Exception:  # noqa: BLE001  # the recording, say
            session.failed, fed = True, False
            self._report()
        if not fed:
            self._unfed.add(INTERNAL_ERROR)
            self._counters.unfed[INTERNAL_ERROR] += 1

    def _feed_later(self) -> None:
        if not self._asked:
            self._asked = True
            self._work.later(self._feed_some)

    def _feed_some(self) -> None:
        if not self._asked:  # it has ended
            return
        self._asked = False
        for _ in range(SHARE):
            if not self._waiting:
                self.caught_up()
                return
            self._feed_next()
        self._feed_later()

    def _feed_next(self) -> None:
        frame = self._waiting.popleft()
        self._room.held -= _size(frame.payload)
        self._feed(frame)

    def missed(self, reason: str, messages: int = 1) -> None:
        """Count messages that passed and cannot be fed."""
        self._counters.unfed[reason] += messages
        self._unfed.add(reason)
        session = self._session
        if session is None or session.failed:
            return
        try:
            while self._waiting:  # what came before it is fed before
                self._feed_next()
            session.missed(messages=messages)
        except Exception:  # noqa: BLE001  # the call goes on
            session.failed = True
            self._report()

    def end(self, close: CloseFrame | None, *, by_client: bool, local: bool, unresponsive: bool) -> None:
        """End the stream as the call ended: by `close`, or by none where it was broken off."""
        self._asked = False
        while self._waiting:
            self._feed_next()
        session, self._session = self._session, None
        if session is None:
            return
        session.unresponsive = unresponsive
        gap = next((gap for reason, gap in GAPS.items() if reason in self._unfed), None)
        code, reason = (close.code, close.reason) if close else (None, "")
        try:
            whole = by_client and gap is None and not session.failed
            session.end(Close(self._now(), code, reason, local=local, gap=gap), whole=whole)
        except Exception:  # noqa: BLE001  # the other calls go on
            self._report()

    def _report(self) -> None:
        with suppress(Exception):
            self._log.exception("internal error: this call is not read along any more, and goes on")


def _size(payload: bytes) -> int:
    """Return what a message takes while it waits."""
    return len(payload) + WAITING_BYTES
