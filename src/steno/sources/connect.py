"""`kind = "connect"`: a websocket that the daemon opens, reads, and opens again when it ends.

The loop is our own. The library's own reconnecting iterator starts its waits anew after each handshake, gives up for
good on some statuses, retries a bad certificate silently, keeps the headers of the first attempt and loses the close
code.
"""

import ssl
from collections.abc import Mapping
from typing import Final, cast
from urllib.parse import parse_qs, urlsplit

import anyio
import structlog
from msgspec import Struct
from websockets.asyncio.client import ClientConnection

from steno import __version__
from steno.config.secret import read_secret
from steno.config.sources.connect import Connect
from steno.sources.backoff import HEALTHY_SECONDS, SHORT_SESSION_SECONDS, Backoff
from steno.sources.connect_errors import NAMES, detail_of, reason_of, retry_after
from steno.sources.protocols import Numbers, Problem
from steno.sources.read_ahead import MeasuredConnection
from steno.sources.recording import Close
from steno.sources.redirects import connect_within_origin
from steno.sources.stream_session import CLEAN_CODES, StreamCounters, StreamSession, StreamSessions
from steno.sources.websocket import (
    CLOSE_SECONDS,
    GOING_AWAY,
    UNSENT_BYTES,
    Pings,
    close_websocket,
    read_in_parts,
    read_websocket,
)

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def conversation_name(url: str) -> str | None:
    """Return the name that `url` gives the conversation: `?conversation=`, or the id of the call it listens to."""
    query = parse_qs(urlsplit(url).query)
    named = query.get("conversation") or query.get("call_id")
    return named[0] if named else None


class _Attempt(Struct, frozen=True):
    """How an attempt to connect, and the connection that it led to, ended."""

    good: bool
    """Whether the connection was of use, so that the next attempt need not wait for long."""
    failure: str | None = None
    """Why there was no connection, where there was none."""
    retry_after: float | None = None
    """Seconds that the server asked to be left alone for."""
    detail: Mapping[str, str] = {}
    """What else the operator should know of the failure, for the log."""


class ConnectCounters(StreamCounters):
    """What a source that connects counts."""

    def __init__(self) -> None:
        """Begin at zero."""
        super().__init__()
        self.attempts: dict[str, int] = dict.fromkeys(("connected", *NAMES), 0)
        """Attempts to connect, by outcome: `connected`, or a reason of `connect_errors`."""

    def numbers(self) -> Mapping[str, Numbers]:
        """Return the values by metric and labels; see `protocols.Counters`."""
        attempts: Numbers = {(reason,): count for reason, count in self.attempts.items()}
        return {**super().numbers(), "steno_connect_attempts_total": attempts}


class ConnectSource:
    """One configured connection, over all its streams. It is ready while it is connected."""

    def __init__(self, config: Connect, sessions: StreamSessions) -> None:
        """Connect as `config` says, and begin streams by `sessions`."""
        self.name = config.name
        self.counters = ConnectCounters()
        self._config = config
        self._sessions = sessions
        self._url = config.masked_url
        self._log = structlog.get_logger().bind(source=config.name)
        self._stopping = anyio.Event()
        self._connection: ClientConnection | None = None
        self._problem: Problem | None = None

    @property
    def ready(self) -> bool:
        """Whether it is connected."""
        return self._connection is not None

    @property
    def problem(self) -> Problem | None:
        """Why the last attempt failed, while it is not connected."""
        return None if self.ready else self._problem

    # The life of the source -----------------------------------------------------------------------------

    async def run(self) -> None:
        """Connect and read, again and again, until `stop`."""
        backoff = Backoff(self._config.backoff_seconds, self._config.backoff_max_seconds)
        while not self._stopping.is_set():
            attempt = await self._attempt()
            if attempt.good:
                backoff.succeeded()
            self._problem = Problem(attempt.failure) if attempt.failure else None
            wait = backoff.wait(attempt.retry_after)
            if attempt.failure and not self._stopping.is_set():
                self._log.warning(
                    "cannot connect",
                    reason=attempt.failure,
                    url=self._url,
                    **attempt.detail,
                    retry_seconds=round(wait, 2),
                )
            await self._pause(wait)

    async def stop(self) -> None:
        """Close the connection as going away, and connect no more."""
        self._stopping.set()
        await self._close("steno is stopping")

    async def reconfigure(self, config: Connect) -> None:
        """Leave the connection, and make the next one as `config` says."""
        self._config = config
        self._url = config.masked_url
        await self._close("steno was configured anew")

    async def _close(self, reason: str) -> None:
        if self._connection is not None:
            await close_websocket(self._connection, reason)

    async def _pause(self, seconds: float) -> None:
        with anyio.move_on_after(seconds):
            await self._stopping.wait()

    # One connection -------------------------------------------------------------------------------------

    async def _attempt(self) -> _Attempt:
        config = self._config
        try:
            connection = await self._connect(config)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is counted by a reason and tried again
            reason = reason_of(error)
            self.counters.attempts[reason] += 1
            return _Attempt(good=False, failure=reason, retry_after=retry_after(error), detail=detail_of(error))
        self.counters.attempts["connected"] += 1
        if self._stopping.is_set() or config is not self._config:
            # `stop` or `reconfigure` came during the handshake, and found no connection to close.
            await close_websocket(connection)
            return _Attempt(good=True)
        return await self._read(connection)

    async def _connect(self, config: Connect) -> MeasuredConnection:
        """Open a connection. All is made anew each time: a token may have changed, a redirect must not stick."""
        url = urlsplit(config.url)
        connection = await connect_within_origin(
            config.url,
            additional_headers={name: read_secret(ref) for name, ref in config.headers.items()},
            subprotocols=list(config.subprotocols) or None,
            ssl=ssl.create_default_context(cafile=config.ca_file) if url.scheme == "wss" else None,
            max_size=config.frame_bytes,
            open_timeout=config.open_timeout_seconds,
            close_timeout=CLOSE_SECONDS,
            write_limit=UNSENT_BYTES,
            ping_interval=None,  # read_websocket sends the pings
            compression=None,  # costs more than it saves where both ends share a data centre, and memory anywhere
            proxy=None if url.hostname in LOOPBACK else True,
            user_agent_header=f"steno/{__version__}",
            create_connection=self._sessions.read_ahead.connection,
        )
        return cast("MeasuredConnection", connection)  # the library makes it with the above

    async def _read(self, connection: MeasuredConnection) -> _Attempt:
        """Read `connection` to its end, as one stream."""
        try:
            session = self._sessions.begin(self.name, self.counters, conversation_name(self._config.url))
        except Exception:
            connection.transport.abort()
            raise
        self._connection = connection
        read_in_parts(connection)
        self._log.info("connected", stream=session.stream.name, url=self._url)
        began = anyio.current_time()
        pings = Pings(self._config.ping_interval_seconds, self._config.ping_timeout_seconds)
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
            finally:
                await close_websocket(connection)
        enough = SHORT_SESSION_SECONDS if close.code in CLEAN_CODES and session.stream.frames else HEALTHY_SECONDS
        return _Attempt(good=anyio.current_time() - began >= enough)

    def _with_origin(self, close: Close | None, session: StreamSession) -> Close:
        """Return `close` as local where this source ended the connection because it stops."""
        if close is None:  # the task failed, or was cancelled: no time was left to close in order
            return Close(session.now(), None, "", local=not session.failed)
        if self._stopping.is_set() and not session.failed:
            return Close(close.at, GOING_AWAY, "", local=True)
        return close
