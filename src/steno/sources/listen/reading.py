"""What one client pushes, from its handshake to its end: streams, acknowledged where that was asked for."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, Protocol

import structlog

from steno.config.sources.listen import ListenSource as ListenConfig
from steno.sources.listen.acknowledgement import Acknowledgement
from steno.sources.listen.connection import PushConnection
from steno.sources.listen.counters import ListenCounters
from steno.sources.listen.handshake import CLOUD_EVENTS, Admitted
from steno.sources.listen.pushed import Pushed
from steno.sources.protocols import Followed
from steno.sources.recording import Close, Missed
from steno.sources.stream_session import StreamSession, StreamSessions
from steno.sources.websocket import GOING_AWAY, Pings, close_websocket, read_in_parts, read_websocket

POLICY_VIOLATION: Final = 1008
INTERNAL_ERROR: Final = 1011
TRY_AGAIN: Final = 1013


class Server(Protocol):
    """What the reading of a connection asks of the source that admitted it."""

    name: str
    counters: ListenCounters
    sessions: StreamSessions

    @property
    def config(self) -> ListenConfig:
        """What holds for connections that begin now."""

    @property
    def stopping(self) -> bool:
        """Whether the source ends its connections because it stops."""

    def in_background(self, doing: Coroutine[Any, Any, None]) -> None:
        """Do something that the source waits for at its end."""


class Reading:
    """One connection that is read."""

    def __init__(self, server: Server, connection: PushConnection, admitted: Admitted) -> None:
        """Read `connection`, as whom and as what it was `admitted`."""
        self._server = server
        self._connection = connection
        self._admitted = admitted
        self._followed = self._follow()
        """What acknowledges its messages; None if it is not asked for, or there is no room."""

    def _follow(self) -> Followed | None:
        asked, known = self._admitted.acknowledged, self._server.sessions.acknowledgements
        if asked is None or known is None:
            return None
        if asked.resume is None:
            return known.follow()
        followed = known.resume(self._server.name, asked.resume, asked.first)
        if followed:
            followed.replaced = self._leave
        return followed

    def _leave(self) -> None:
        """Close the connection: its sender goes on over another one."""
        self._server.in_background(close_websocket(self._connection, "resumed by another connection", POLICY_VIOLATION))

    async def run(self) -> None:
        """Read the connection to its end."""
        connection, followed = self._connection, self._followed
        if self._admitted.acknowledged and followed is None:
            await close_websocket(connection, "too many senders are remembered", TRY_AGAIN)
            return
        acknowledgement = self._acknowledgement()
        pushed = Pushed(
            self._begin, cloud_events=connection.subprotocol == CLOUD_EVENTS, acknowledgement=acknowledgement
        )
        if followed and followed.missing:
            pushed.session.miss(Missed(pushed.now(), followed.missing, 0, "skipped"))
        read_in_parts(connection)
        self._log_begin(pushed)
        config = self._server.config
        pings = Pings(config.ping_interval_seconds, config.ping_timeout_seconds)
        close: Close | None = None
        sending = acknowledgement and asyncio.ensure_future(acknowledgement.run(connection.send))
        try:
            close = await read_websocket(connection, pushed, pings)
        except Exception:
            pushed.session.failed = True
            raise
        finally:
            if sending:
                sending.cancel()
            await self._end(pushed, close)

    def _acknowledgement(self) -> Acknowledgement | None:
        asked, followed = self._admitted.acknowledged, self._followed
        if asked is None or followed is None:
            return None
        return Acknowledgement(followed, resumes=asked.resume is not None)

    def _begin(self) -> StreamSession:
        """Begin a stream."""
        session = self._server.sessions.begin(self._server.name, self._server.counters, self._admitted.conversation)
        if self._followed:
            self._followed.attach(session.stream.name)
        return session

    def _log_begin(self, pushed: Pushed) -> None:
        client = self._admitted.token.name if self._admitted.token else None
        log = structlog.get_logger().bind(source=self._server.name)
        log.info("client connected", stream=pushed.session.stream.name, client=client)

    async def _end(self, pushed: Pushed, close: Close | None) -> None:
        """End what is open, and close the connection where it has not ended."""
        connection = self._connection
        if self._followed:
            self._followed.leave()
            self._server.counters.messages_again += self._followed.duplicates
        connection.leave()
        pushed.session.unresponsive |= connection.overdue
        try:
            pushed.end(self._with_origin(close, pushed.session))
        finally:
            await close_websocket(connection, *_closing(pushed))

    def _with_origin(self, close: Close | None, session: StreamSession) -> Close:
        """Return `close` as local where the source ended the connection because it stops."""
        if close is None:  # the task failed, or was cancelled: no time was left to close in order
            return Close(session.now(), None, "", local=not session.failed)
        if self._server.stopping and not session.failed:
            return Close(close.at, GOING_AWAY, "", local=True)
        return close


def _closing(pushed: Pushed) -> tuple[str, int]:
    """Return with which reason and code a connection is closed that has not ended."""
    if pushed.session.failed:
        return "internal error", INTERNAL_ERROR
    if pushed.shed:
        return "the audit log is full: send again what is not acknowledged", TRY_AGAIN
    return "", GOING_AWAY
