"""The proxy's connection to the provider, for one connection of a client. h11 speaks HTTP on it."""

import asyncio
import os
import ssl
from typing import Any, Final, Protocol, cast

import h11
from msgspec import Struct

from steno.sources import sockets
from steno.sources.proxy.heads import HEAD_BYTES, Headers, ResponseHead, ambiguous
from steno.sources.proxy.target import Upstream

EYEBALLS_SECONDS: Final = 0.25
"""How long one address of the provider may take to answer before the next one is tried beside it (RFC 8305)."""
SWITCHING: Final = 101


class Replies(Protocol):
    """What takes the provider's reply to the present request."""

    def informed(self, response: h11.InformationalResponse) -> None:
        """Take a reply that comes before the reply: 100, 103, or 101."""

    def responded(self, head: ResponseHead) -> None:
        """Take the head."""

    def data(self, data: bytes) -> None:
        """Take a part of the body."""

    def ended(self) -> None:
        """Take the end."""

    def upstream_lost(self) -> None:
        """Take note that the connection is gone, be it in the middle of a reply or between two."""

    def upstream_look(self) -> None:
        """Take note that the provider takes less than comes for it, or that this is over."""

    def upstream_failed(self) -> None:
        """Take note that what came cannot be passed on."""


class TrustError(Exception):
    """The file of certificates by which the provider is verified cannot be used."""


class Dialer(Struct, frozen=True):
    """Connects to the provider: the configured one, whatever a client says. No proxy of the environment is used."""

    upstream: Upstream
    timeout: float
    context: ssl.SSLContext | None

    async def connect(self, replies: Replies) -> "UpstreamConnection":
        """Connect. Raises OSError (also of TLS and of the lookup of the name) and TimeoutError."""
        loop = asyncio.get_running_loop()
        more: dict[str, Any] = {}
        if isinstance(loop, asyncio.BaseEventLoop):  # uvloop tries one address after the other
            more["happy_eyeballs_delay"] = EYEBALLS_SECONDS
        made = UpstreamConnection(replies)
        try:
            async with asyncio.timeout(self.timeout):
                await loop.create_connection(
                    lambda: made,
                    self.upstream.host,
                    self.upstream.port,
                    ssl=self.context,
                    server_hostname=self.upstream.host if self.context else None,
                    **more,
                )
        except BaseException:  # it may have been made, and nobody waits for it any more
            made.abandon()
            raise
        return made


class Trust:
    """The certificates by which the provider is verified, read again when their file has changed."""

    def __init__(self) -> None:
        """Read nothing yet."""
        self._context: ssl.SSLContext | None = None
        self._read: object = None

    def context(self, upstream: Upstream, ca_file: str | None) -> ssl.SSLContext | None:
        """Return what verifies `upstream` by the certificates of `ca_file`; None where it speaks no TLS.

        Raises TrustError.
        """
        if not upstream.secure:
            return None
        try:
            return self._fresh(ca_file)
        except OSError as error:  # ssl.SSLError is one
            why = "holds no valid certificates" if isinstance(error, ssl.SSLError) else (error.strerror or "").lower()
            raise TrustError(f"{ca_file or 'the certificates of the system'}: cannot be used: {why}") from None

    def _fresh(self, ca_file: str | None) -> ssl.SSLContext:
        stamp: object = ()
        if ca_file:
            found = os.stat(ca_file)  # noqa: PTH116  # of a file that is named in the configuration
            stamp = (ca_file, found.st_mtime_ns, found.st_size, found.st_ino)
        if self._context is None or stamp != self._read:
            context = ssl.create_default_context(cafile=ca_file)
            context.set_alpn_protocols(["http/1.1"])
            self._context, self._read = context, stamp
        return self._context


def _raw(event: h11.Response) -> Headers:
    return list(event.headers.raw_items())


class UpstreamConnection(asyncio.Protocol):
    """One connection to the provider. One request after the other passes on it."""

    def __init__(self, replies: Replies) -> None:
        """Give what comes to `replies`."""
        self.transport: asyncio.Transport
        self._connected = False
        self._full = False
        self.lost = False
        self.used = False
        """Whether a reply came on it before."""
        self.replies: Replies | None = replies
        self._http: h11.Connection | None = None
        """The present request and its reply."""
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take note of the transport."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's are none by type
        self._connected = True
        sockets.probe(transport.get_extra_info("socket"))

    def abandon(self) -> None:
        """Close, if it is open."""
        self.replies = None
        if self._connected:
            self.transport.abort()

    @property
    def reusable(self) -> bool:
        """Whether another request may be sent."""
        return self._http is None and not self.lost and not self.transport.is_closing()

    def takes(self) -> bool:
        """Return whether the provider takes as much as comes for it."""
        return not self._full

    def request(self, method: bytes, target: bytes, headers: Headers) -> None:
        """Send the head of a request."""
        self._http = h11.Connection(h11.CLIENT, HEAD_BYTES)
        self._send(h11.Request(method=method, target=target, headers=headers))

    def send(self, data: bytes) -> None:
        """Send a part of the body."""
        self._send(h11.Data(data))

    def send_end(self) -> None:
        """Send the end of the request. Trailers of the client are dropped."""
        self._send(h11.EndOfMessage())

    def _send(self, event: h11.Event) -> None:
        if self._http is not None and not self.transport.is_closing():
            data = self._http.send(event)
            if data:
                self.transport.write(data)

    def look(self, *, paused: bool) -> None:
        """Read, or stop reading."""
        if paused == self._paused or self.transport.is_closing():
            return
        self._paused = paused
        if paused:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def switched(self) -> bytes:
        """Return what came after the head of a 101."""
        return self._http.trailing_data[0] if self._http else b""

    def leave(self) -> None:
        """Close, and say nothing more."""
        self.replies = None
        self.transport.abort()

    # What asyncio calls ---------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Give what came to the client's side."""
        if self._http is None:  # between two requests the provider has nothing to say
            self._gone()
            self.transport.abort()
            return
        self._http.receive_data(data)
        self._take()

    def _take(self) -> None:
        http = self._http
        while http is not None and http is self._http and self.replies is not None:
            try:
                event = http.next_event()
            except h11.RemoteProtocolError:
                self._failed()
                return
            if not isinstance(event, h11.Event) or isinstance(event, h11.ConnectionClosed):
                return
            self._give(event, http)

    def _give(self, event: h11.Event, http: h11.Connection) -> None:
        replies = self.replies
        assert replies is not None  # noqa: S101  # the caller looked
        if isinstance(event, h11.InformationalResponse):
            self.used = True
            replies.informed(event)
        elif isinstance(event, h11.Response):
            self.used = True
            if ambiguous(event):
                self._failed()
                return
            replies.responded(ResponseHead(event.status_code, _raw(event), event.reason))
        elif isinstance(event, h11.Data):
            replies.data(bytes(event.data))
        elif isinstance(event, h11.EndOfMessage):
            again = http.our_state is h11.DONE and http.their_state is h11.DONE and not http.trailing_data[0]
            self._http = None
            if not again:
                self.lost = True
                self.transport.close()
            replies.ended()

    def _failed(self) -> None:
        replies = self.replies
        self.leave()
        if replies is not None:
            replies.upstream_failed()

    def eof_received(self) -> bool | None:
        """Take the end of what the provider says: where a reply has no length it is its end, else it broke off."""
        http = self._http
        if http is None:
            return None
        http.receive_data(b"")
        try:
            event = http.next_event()
        except h11.RemoteProtocolError:
            self._gone()
        else:
            if isinstance(event, h11.EndOfMessage):
                self._give(event, http)
        return None

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # of asyncio
        """Tell the client's side."""
        self._gone()

    def _gone(self) -> None:
        self.lost = True
        replies, self.replies = self.replies, None
        if replies is not None:
            replies.upstream_lost()

    def pause_writing(self) -> None:
        """Let the client's side read no more."""
        self._full = True
        if self.replies is not None:
            self.replies.upstream_look()

    def resume_writing(self) -> None:
        """Let the client's side read on."""
        self._full = False
        if self.replies is not None:
            self.replies.upstream_look()
