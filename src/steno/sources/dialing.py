"""Connections that the daemon opens: one attempt (`dial`), and the loop that makes one after the other (`DialLoop`).

`connect` has one loop a source, `attach` one a call. Both read their connections as streams, wait between attempts by
the same rules, and name the same reasons.

The loop is our own. The library's own reconnecting iterator starts its waits anew after each handshake, gives up for
good on some statuses, retries a bad certificate silently, keeps the headers of the first attempt and loses the close
code.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, Protocol, cast
from urllib.parse import urlsplit

import anyio
from msgspec import Struct
from websockets.asyncio.client import ClientConnection

from steno import __version__
from steno.addresses import is_loopback
from steno.config.secret_ref import SecretRef
from steno.core.stream import StreamEnd
from steno.sources.backoff import HEALTHY_SECONDS, SHORT_SESSION_SECONDS, Backoff
from steno.sources.connect_errors import (
    FATAL,
    NAMES,
    call_is_unknown,
    detail_of,
    fatal_close,
    reason_of,
    retry_after,
    sentence_of,
    shown_reason,
)
from steno.sources.flag import Flag
from steno.sources.protocols import Numbers, Problem
from steno.sources.read_ahead import MeasuredConnection, ReadAhead
from steno.sources.recording import Close
from steno.sources.redirects import connect_within_origin
from steno.sources.stream_session import CLEAN_CODES, StreamCounters, StreamSession, StreamSessions
from steno.sources.trust import client_context, expiry_of, read_headers
from steno.sources.websocket import (
    CLOSE_SECONDS,
    GOING_AWAY,
    UNSENT_BYTES,
    Pings,
    close_websocket,
    read_in_parts,
    read_websocket,
)

STOPPING: Final = "steno is stopping"
"""What the other end is given as the reason of our close."""


class Endpoint(Protocol):
    """How a configuration says that connections are made."""

    @property
    def headers(self) -> Mapping[str, SecretRef]:
        """Headers of the handshake, and the places of their values."""

    @property
    def ca_file(self) -> str | None:
        """Certificates to trust in place of the system's."""

    @property
    def frame_bytes(self) -> int:
        """Longest message that is accepted."""

    @property
    def open_timeout_seconds(self) -> float:
        """Longest time for an attempt."""

    @property
    def ping_interval_seconds(self) -> float:
        """Time between two pings."""

    @property
    def ping_timeout_seconds(self) -> float:
        """Time without an answer to a ping after which a connection is given up."""


class Target(Struct, frozen=True, kw_only=True):
    """What a loop connects to."""

    url: str
    shown: str
    """The URL as it may be logged."""
    endpoint: Any
    """An `Endpoint`."""
    subprotocols: tuple[str, ...] = ()
    conversation: str | None = None
    """The name of the conversation of its streams, where it has one."""


class Attempt(Struct, frozen=True):
    """How an attempt to connect, and the connection that it led to, ended."""

    good: bool
    """Whether the connection was of use, so that the next attempt need not wait for long."""
    failure: str | None = None
    """Why there was no connection, one of `connect_errors.NAMES`, or why there will be no other: a key of `FATAL`."""
    sentence: str = ""
    """The file, header, certificate, status or close code that was the cause."""
    retry_after: float | None = None
    """Seconds that the server asked to be left alone for."""
    detail: Mapping[str, str] = {}
    """What else the operator should know of the failure, for the log."""
    unknown_call: bool = False
    """Whether the server said that it knows no such call."""
    close: Close | None = None
    """How the connection ended, where there was one that was read."""


class DialCounters(StreamCounters):
    """What a source that connects counts."""

    def __init__(self) -> None:
        """Begin at zero."""
        super().__init__()
        self.attempts = defaultdict[str, int](int)
        """Attempts to connect, by outcome: `connected`, or a reason of `connect_errors`."""
        self.upstream_expiry: float | None = None
        """Until when the certificate of the last connection is valid, in Unix time; None where it has no TLS."""

    def connected(self, transport: asyncio.BaseTransport) -> None:
        """Count a connection that was made."""
        self.attempts["connected"] += 1
        self.upstream_expiry = expiry_of(transport)

    def numbers(self) -> Mapping[str, Numbers]:
        """Return the values by metric and labels; see `protocols.Counters`."""
        attempts: Numbers = {(reason,): self.attempts.get(reason, 0) for reason in ("connected", *NAMES)}
        expiry = self.upstream_expiry
        return {
            **super().numbers(),
            "steno_connect_attempts_total": attempts,
            "steno_upstream_certificate_expiry_timestamp_seconds": {} if expiry is None else {(): expiry},
        }


async def dial(target: Target, read_ahead: ReadAhead) -> MeasuredConnection:
    """Open a connection. All is made anew each time: a token may have changed, a redirect must not stick.

    Raises whatever made it fail; `connect_errors` has a reason for each.
    """
    url, endpoint = urlsplit(target.url), cast("Endpoint", target.endpoint)
    connection = cast(  # the library makes it with `create_connection`
        "MeasuredConnection",
        await connect_within_origin(
            target.url,
            additional_headers=read_headers(endpoint.headers),
            subprotocols=list(target.subprotocols) or None,
            ssl=client_context(endpoint.ca_file) if url.scheme == "wss" else None,
            max_size=endpoint.frame_bytes,
            open_timeout=endpoint.open_timeout_seconds,
            close_timeout=CLOSE_SECONDS,
            write_limit=UNSENT_BYTES,
            ping_interval=None,  # read_websocket sends the pings
            compression=None,  # costs more than it saves where both ends share a data centre, and memory anywhere
            proxy=None if is_loopback(url.hostname or "") else True,
            user_agent_header=f"steno/{__version__}",
            create_connection=read_ahead.connection,
        ),
    )
    connection.forget_handshake()
    return connection


class DialLoop:
    """One connection after the other to one target, each a stream, until `stop` or until the target is `over`."""

    __slots__ = (
        "_connection",
        "_counters",
        "_dialing",
        "_former",
        "_log",
        "_over",
        "_repeats_logged",
        "_sessions",
        "_slow",
        "_source",
        "_stopping",
        "_target",
        "_wake",
        "problem",
        "session",
    )

    def __init__(
        self,
        target: Target,
        source: str,
        counters: DialCounters,
        sessions: StreamSessions,
        log: Callable[[], Any],
        over: Callable[[Attempt], bool] = lambda _: False,
        *,
        repeats_logged: bool = True,
        slow: Collection[str] = FATAL,
    ) -> None:
        """Connect to `target`, once `run` is called.

        Args:
            target: what to connect to; `redial` and `aim` change it.
            source: the name of the source that the streams are of.
            counters: what is counted into.
            sessions: begins the streams.
            log: returns a logger that is bound to what identifies the loop. One that is kept takes 300 bytes.
            over: is asked after each attempt whether there is nothing more to connect to.
            repeats_logged: whether a failure is logged that has the reason of the one before.
            slow: the reasons after which the longest wait follows.
        """
        self.problem: Problem | None = None
        """Why the last attempt failed; None while the connection that it led to stands."""
        self.session: StreamSession | None = None
        """The stream that is read now."""
        self._target = target
        self._source = source
        self._counters = counters
        self._sessions = sessions
        self._log = log
        self._over = over
        self._repeats_logged = repeats_logged
        self._slow = slow
        self._stopping = False
        self._wake = Flag()
        """Ends the wait after the present attempt."""
        self._dialing: anyio.CancelScope | None = None
        """The handshake under way: `stop` ends it."""
        self._connection: ClientConnection | None = None
        self._former: StreamEnd | None = None
        """How the stream before ended."""

    @property
    def connected(self) -> bool:
        """Whether a connection stands."""
        return self._connection is not None

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping

    # The life of the loop -------------------------------------------------------------------------------

    async def run(self, backoff: Backoff) -> None:
        """Connect and read, again and again, waiting as `backoff` says, until `stop` or until it is over."""
        while not self._stopping:
            self._wake = Flag()
            attempt = await self._attempt()
            if attempt.good:
                backoff.succeeded()
            known = self.problem
            self.problem = _problem_of(attempt)
            if self.stopping or self._over(attempt):
                return
            wait = backoff.wait(attempt.retry_after, slowly=attempt.failure in self._slow)
            if attempt.failure and (self._repeats_logged or self.problem != known):
                self._log_failure(attempt, wait)
            await self._pause(wait)

    def _log_failure(self, attempt: Attempt, wait: float) -> None:
        """Log a failed attempt: an operator sees that it goes on."""
        detail = {"detail": attempt.sentence} if attempt.sentence else {}
        advised = FATAL.get(attempt.failure or "")
        advice = {"advice": advised} if advised else {}
        self._log().warning(
            "cannot connect" if attempt.close is None else "the server closes what it accepts",
            reason=attempt.failure,
            url=self._target.shown,
            **detail,
            **(advice | dict(attempt.detail)),
            retry_seconds=round(wait, 2),
        )

    async def stop(self, reason: str = STOPPING) -> None:
        """Close the connection as going away, for `reason`, and connect no more."""
        self._stopping = True
        self._wake.set()
        if self._dialing:
            self._dialing.cancel()  # who accepts and says nothing would hold it up for `open_timeout_seconds`
        await self._close(reason)

    async def redial(self, target: Target) -> None:
        """Leave the connection, and make the next one to `target`."""
        self._target = target
        await self._close("steno was configured anew")

    def aim(self, target: Target) -> None:
        """Keep the connection, and make the next one to `target`: at once, where none stands."""
        self._target = target
        self._wake.set()

    async def _close(self, reason: str) -> None:
        if self._connection is not None:
            await close_websocket(self._connection, reason)

    async def _pause(self, seconds: float) -> None:
        with anyio.move_on_after(seconds):
            await self._wake.wait()

    # One connection -------------------------------------------------------------------------------------

    async def _attempt(self) -> Attempt:
        target = self._target
        self._sessions.connections += 1
        try:
            connection = await self._dial(target)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is counted by a reason and tried again
            reason = reason_of(error)
            self._counters.attempts[reason] += 1
            return Attempt(
                good=False,
                failure=reason,
                sentence=sentence_of(error),
                retry_after=retry_after(error),
                detail=detail_of(error),
                unknown_call=call_is_unknown(error),
            )
        if connection is None:
            return Attempt(good=True)
        self._counters.connected(connection.transport)
        if self.stopping or target is not self._target:
            # `stop` or `redial` came during the handshake, and found no connection to close.
            await close_websocket(connection)
            return Attempt(good=True)
        return await self._read(connection, target)

    async def _dial(self, target: Target) -> MeasuredConnection | None:
        """Connect; None where `stop` ended that."""
        connection = None
        try:
            with anyio.CancelScope() as self._dialing:
                async with self._sessions.turns.taken():
                    connection = await dial(target, self._sessions.read_ahead)
        finally:
            self._dialing = None
        return connection

    async def _read(self, connection: MeasuredConnection, target: Target) -> Attempt:
        """Read `connection` to its end, as one stream."""
        try:
            session = self._sessions.begin(self._source, self._counters, target.conversation, self._former)
        except Exception:
            connection.transport.abort()
            raise
        self._connection, self.session, self.problem = connection, session, None
        read_in_parts(connection)
        self._log().info("connected", stream=session.stream.name, url=target.shown)
        began = anyio.current_time()
        pings = Pings(target.endpoint.ping_interval_seconds, target.endpoint.ping_timeout_seconds)
        close: Close | None = None
        try:
            close = await read_websocket(connection, session, pings)
        except Exception:
            session.failed = True
            raise
        finally:
            self._connection = None
            connection.leave()
            session.unresponsive |= connection.overdue
            close = self._with_origin(close, session)
            try:
                session.end(close)
                self._former = session.stream_end
            finally:
                await close_websocket(connection)
        enough = SHORT_SESSION_SECONDS if close.code in CLEAN_CODES and session.stream.frames else HEALTHY_SECONDS
        lasted = anyio.current_time() - began >= enough
        refused = None if close.local else fatal_close(close)
        sentence = shown_reason(close) if refused else ""
        return Attempt(good=lasted and not refused, failure=refused, sentence=sentence, close=close)

    def _with_origin(self, close: Close | None, session: StreamSession) -> Close:
        """Return `close` as local where this loop ended the connection because it stops."""
        if close is None:  # the task failed, or was cancelled: no time was left to close in order
            return Close(session.now(), None, "", local=not session.failed)
        if self.stopping and not session.failed:
            return Close(close.at, GOING_AWAY, "", local=True)
        return close


def _problem_of(attempt: Attempt) -> Problem | None:
    """Return why there is no connection after `attempt`."""
    if attempt.failure:
        details = (attempt.sentence, *attempt.detail.values())
        return Problem(attempt.failure, "; ".join(each for each in details if each))
    return Problem("disconnected", shown_reason(attempt.close)) if attempt.close else None
