"""A connection of a client: HTTP on it, one request after the other, until one of them becomes a websocket.

Each request goes to the provider as it comes, and the reply comes back as it comes. The connection to the provider is
this client's own and is used for its next request too. It is never shared, as what one client says must not be taken
for what another says.
"""

import asyncio
import base64
import os
from contextlib import suppress
from typing import Final, cast

import h11
import structlog

from steno.sources.connect_errors import reason_of, sentence_of
from steno.sources.proxy.call import UNSENT_BYTES, Call, Pings, half_close
from steno.sources.proxy.frames import FrameReader
from steno.sources.proxy.heads import (
    HEAD_BYTES,
    RequestHead,
    ResponseHead,
    accept_of,
    asks_for_websocket,
    check_head,
    is_accepted,
    request_headers,
    response_headers,
    words,
)
from steno.sources.proxy.host import Host, Observer
from steno.sources.proxy.refusal import Refused, refusal
from steno.sources.proxy.target import Upstream
from steno.sources.proxy.upstream import SWITCHING, TrustError, UpstreamConnection
from steno.sources.websocket import conversation_name

IDLE_SECONDS: Final = 75.0
"""How long a connection may wait for its next request. Clients that keep connections give them up earlier."""
LINGER_SECONDS: Final = 2.0
"""How long what a client still says is read after the last answer, so that the answer is not lost on its way."""


class ClientConnection(asyncio.Protocol):
    """One connection of a client, and what passes on it."""

    def __init__(self, host: Host) -> None:
        """Serve what `host` accepted."""
        self.transport: asyncio.Transport
        self.call: Call | None = None
        self._host = host
        self._log = structlog.get_logger().bind(source=host.config.name)
        self._head = b""
        """What came of the next head."""
        self._idle = False
        """Whether nothing came since the last reply."""
        self._http: h11.Connection | None = None
        """The present exchange, from a whole head to the end of the reply."""
        self._request: RequestHead
        self._target = b""
        self._websocket_key: bytes | None = None
        """The key of the handshake with the provider, where a websocket is asked for."""
        self._client_key = b""
        self._requested = False
        """Whether the request has come to its end."""
        self._begun = False
        """Whether the reply has begun."""
        self._served = False
        """Whether a request has come to the end of its reply: what comes next may be sent elsewhere."""
        self._upstream: UpstreamConnection | None = None
        self._provider: Upstream
        """Where the present request goes: the configured one may become another while it passes."""
        self._upstream_of: Upstream | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._lost = False
        self._observer: Observer | None = None
        self._discards = False
        self._paused = False
        self._full = False
        self._timer: asyncio.TimerHandle | None = None

    # What asyncio calls ---------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first head."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's are none by type
        self.transport.set_write_buffer_limits(high=UNSENT_BYTES)
        try:
            self._host.made(self)
            self._wait(self._host.config.handshake_seconds)
        except Refused as refused:
            self._refuse(refused)

    def data_received(self, data: bytes) -> None:
        """Take a part of a head, or of a body."""
        if self._discards:
            return
        if self._http is None:
            self._head = (self._head + data).lstrip(b"\r\n")
            if self._idle and self._head:
                self._idle = False
                self._wait(self._host.config.handshake_seconds)
            self._read_head()
        else:
            self._http.receive_data(data)
            self._pass_body()

    def eof_received(self) -> bool | None:
        """Let the transport close: a client that says nothing more is gone."""
        return None

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # of asyncio
        """End what was going on for this client."""
        self._stop_waiting()
        self._discards = self._lost = True
        self._leave_upstream()
        self._end_observer(complete=False)
        if self._connecting is None:  # else when that is over: until then it has its place
            self._host.gone(self)

    def pause_writing(self) -> None:
        """Read no more of the provider."""
        self._full = True
        if self._upstream:
            self._upstream.look(paused=True)

    def resume_writing(self) -> None:
        """Read on of the provider."""
        self._full = False
        if self._upstream:
            self._upstream.look(paused=False)

    # Waiting --------------------------------------------------------------------------------------------

    def _wait(self, seconds: float) -> None:
        self._stop_waiting()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._waited)

    def _stop_waiting(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _waited(self) -> None:
        if self._discards:
            self.transport.abort()
        elif self._head:
            self._refuse(Refused(408, "timeout", "the head of the request did not come in time"))
        else:
            self.transport.close()

    def _look(self, *, paused: bool) -> None:
        if paused == self._paused or self.transport.is_closing():
            return
        self._paused = paused
        if paused:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    # The head of a request ------------------------------------------------------------------------------

    def _read_head(self) -> None:
        """Begin an exchange when a head is whole."""
        self._head = self._head.lstrip(b"\r\n")
        if not self._head:
            return
        end = self._head.find(b"\r\n\r\n") + 4
        if end < 4:  # noqa: PLR2004  # it was not found
            if len(self._head) > HEAD_BYTES:
                self._refuse(Refused(431, "head", "the head of the request is too long"))
            elif not self._head[:1].isalpha() or b"\n" in self._head.replace(b"\r\n", b""):
                self._refuse(Refused(400, "head", "this is no HTTP/1.1 request"))
            return
        head, rest = self._head[:end], self._head[end:]
        self._head = b""
        self._stop_waiting()
        try:
            self._begin(head, rest)
        except Refused as refused:
            self._refuse(refused)
        except h11.RemoteProtocolError as error:
            status = 501 if error.error_status_hint == 501 else 431 if error.error_status_hint == 431 else 400  # noqa: PLR2004
            self._refuse(Refused(status, "head", "the head of the request is not valid HTTP/1.1"))

    def _begin(self, head: bytes, rest: bytes) -> None:
        host = self._host
        if len(head) > HEAD_BYTES:
            raise Refused(431, "head", "the head of the request is too long")
        check_head(head)
        http = h11.Connection(h11.SERVER, HEAD_BYTES)
        http.receive_data(head)
        request = http.next_event()
        if not isinstance(request, h11.Request):
            raise Refused(400, "head", "this is no HTTP/1.1 request")
        self._request = RequestHead(request.method, request.target, list(request.headers.raw_items()))
        self._http = http
        self._requested = self._begun = False
        if host.stopping and self._served:
            raise Refused(503, "stopping", "steno is stopping")
        if request.http_version != b"1.1" and words(request.headers, b"transfer-encoding"):
            raise Refused(400, "head", "HTTP/1.0 has no chunks")
        websocket = asks_for_websocket(request)
        self._provider = host.upstream
        self._target = self._provider.target(request.target)
        self._websocket_key = base64.b64encode(os.urandom(16)) if websocket else None
        if websocket:
            self._client_key = next(value for name, value in request.headers if name == b"sec-websocket-key")
        if rest:
            http.receive_data(rest)
        if self._upstream and self._upstream.reusable and self._upstream_of == self._provider:
            self._send_request()
        else:
            self._leave_upstream()
            self._connecting = asyncio.get_running_loop().create_task(self._connect())
            self._connecting.add_done_callback(self._tried)

    # The connection to the provider ---------------------------------------------------------------------

    async def _connect(self) -> None:
        """Connect, and send what has come of the request.

        It comes to its end, at the latest in `open_timeout_seconds`, also when the client is gone: asyncio forgets a
        socket that it has connected, and has no transport for, when it is cancelled just then.
        """
        host = self._host
        try:
            self._upstream_of = self._provider
            upstream = await host.dialer(self._provider).connect(self)
            host.counters.connected(upstream.transport)
            host.unreachable = None
            self._connecting = None
            if self._discards or upstream.lost:
                upstream.leave()
                if not self._discards:
                    self._refuse(Refused(502, "upstream", "the provider closed the connection"))
                return
            self._upstream = upstream
            upstream.transport.set_write_buffer_limits(high=UNSENT_BYTES)
            self._send_request()
        except Exception as error:  # noqa: BLE001  # whatever it is, the client gets an answer and the others go on
            self._connecting = None
            self._not_connected(error)

    def _tried(self, task: asyncio.Task[None]) -> None:
        if self._connecting is task:  # it was cancelled
            self._connecting = None
        if self._lost:
            self._host.gone(self)

    def _not_connected(self, error: Exception) -> None:
        host = self._host
        trusted = not isinstance(error, TrustError)
        reason, detail = (reason_of(error), sentence_of(error)) if trusted else ("certificate", str(error))
        host.counters.attempts[reason] += 1
        if host.unreachable != (reason, detail):  # clients try again and again
            log = self._log.warning if reason != "other" else self._log.exception
            log("cannot connect", reason=reason, detail=detail, upstream=host.config.masked_upstream)
        host.unreachable = (reason, detail)
        status = 504 if reason == "timeout" else 502
        self._refuse(Refused(status, "upstream", f"the provider cannot be reached ({reason})"))

    def _leave_upstream(self) -> None:
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.leave()

    def _send_request(self) -> None:
        upstream = self._upstream
        assert upstream is not None  # noqa: S101  # the caller has it
        headers = request_headers(self._request, self._provider, websocket_key=self._websocket_key)
        upstream.request(self._request.method, self._target, headers)
        self._pass_body()

    def _pass_body(self) -> None:
        """Pass on what has come of the body, as far as the provider takes it."""
        http, upstream = self._http, self._upstream
        if http is None:
            return
        if upstream is None or not upstream.takes():
            self._look(paused=upstream is not None or len(http.trailing_data[0]) > HEAD_BYTES)
            return
        try:
            while not self._requested and upstream.takes():
                event = http.next_event()
                if isinstance(event, h11.Data):
                    upstream.send(bytes(event.data))
                elif isinstance(event, h11.EndOfMessage):
                    self._requested = True
                    upstream.send_end()
                else:
                    break
        except h11.RemoteProtocolError:
            self._refuse(Refused(400, "head", "the body of the request is not valid HTTP/1.1"))
            return
        waiting = self._requested and len(http.trailing_data[0]) > HEAD_BYTES  # it says more than was asked
        self._look(paused=waiting or not upstream.takes())

    # What the provider answers --------------------------------------------------------------------------

    def informed(self, response: h11.InformationalResponse) -> None:
        """Pass on a reply that comes before the reply."""
        http = self._http
        if http is None:
            return
        if response.status_code == SWITCHING:
            self._switch(response, http)
        elif self._request_version(http) == b"1.1":
            head = ResponseHead(response.status_code, list(response.headers.raw_items()), response.reason)
            self._send(
                h11.InformationalResponse(
                    status_code=head.status, headers=response_headers(head, self._provider), reason=head.reason
                )
            )

    @staticmethod
    def _request_version(http: h11.Connection) -> bytes:
        return http.their_http_version or b"1.0"

    def responded(self, head: ResponseHead) -> None:
        """Pass on the head of the reply."""
        host = self._host
        headers = response_headers(head, self._provider)
        if host.stopping or not self._requested:
            headers.append((b"Connection", b"close"))
        self._begun = True
        if host.observe:
            with suppress(Exception):
                self._observer = host.observe(self._request, head)
        self._send(h11.Response(status_code=head.status, headers=headers, reason=head.reason))

    def data(self, data: bytes) -> None:
        """Pass on a part of the body, then let it be read along."""
        self._send(h11.Data(data))
        if self._observer:
            try:
                self._observer.data(data)
            except Exception:  # noqa: BLE001  # the reply passes all the same
                self._log.exception("internal error: this reply is not read along any more, and goes on")
                self._end_observer(complete=False)

    def ended(self) -> None:
        """Pass on the end of the reply, and wait for the next request."""
        http = self._http
        if http is None:
            return
        self._send(h11.EndOfMessage())
        self._served = True
        self._end_observer(complete=True)
        if http.our_state is h11.DONE and http.their_state is h11.DONE and not self._host.stopping:
            self._http, self._head = None, http.trailing_data[0]
            self._look(paused=False)
            self._idle = not self._head
            self._wait(IDLE_SECONDS if self._idle else self._host.config.handshake_seconds)
            if self._head:
                asyncio.get_running_loop().call_soon(self._read_on)
        else:
            self._let_go()

    def _read_on(self) -> None:
        if self._http is None and not self._discards:
            self._read_head()

    def _send(self, event: h11.Event) -> None:
        if self._http is not None and not self.transport.is_closing():
            data = self._http.send(event)
            if data:
                self.transport.write(data)

    def _end_observer(self, *, complete: bool) -> None:
        observer, self._observer = self._observer, None
        if observer:
            with suppress(Exception):
                observer.end(complete=complete)

    def upstream_lost(self) -> None:
        """End as it would have without us: what has begun breaks off, and an idle connection is closed."""
        upstream, self._upstream = self._upstream, None
        if self._discards or self._connecting:
            return
        if self._http is not None and not self._begun and not (upstream and upstream.used):
            self._refuse(Refused(502, "upstream", "the provider closed the connection"))
            return
        self._end_observer(complete=False)
        self._discards = True
        self.transport.close()

    def upstream_failed(self) -> None:
        """Say that the reply of the provider cannot be passed on."""
        self._upstream = None
        self._refuse(Refused(502, "upstream", "the reply of the provider is not valid HTTP/1.1"))

    def upstream_look(self) -> None:
        """Read no more of the client while the provider takes less than comes."""
        self._pass_body()

    # A websocket ----------------------------------------------------------------------------------------

    def _switch(self, response: h11.InformationalResponse, http: h11.Connection) -> None:
        """Become a call."""
        host, upstream = self._host, self._upstream
        key = self._websocket_key
        if upstream is None or key is None or not is_accepted(response, key):
            self._leave_upstream()
            self._refuse(Refused(502, "upstream", "the handshake of the provider is not valid"))
            return
        head = ResponseHead(SWITCHING, list(response.headers.raw_items()), response.reason)
        headers = response_headers(head, self._provider, accept=accept_of(self._client_key))
        self._send(h11.InformationalResponse(status_code=SWITCHING, headers=headers, reason=head.reason))
        self._look(paused=False)
        upstream.look(paused=False)
        rests = (http.trailing_data[0], upstream.switched())
        self._upstream, upstream.replies, self._discards = None, None, True
        config = host.config
        along = host.read_along(conversation_name(self._request.target.decode("ascii", "replace")))
        self.call = Call(
            (self.transport, self._reader(masked=True)),
            (upstream.transport, self._reader(masked=False)),
            along,
            Pings(config.ping_interval_seconds, config.ping_timeout_seconds),
            lambda: host.gone(self),
        )
        self._http = None
        for side, rest in zip((self.call.client, self.call.upstream), rests, strict=True):
            if rest:
                side.data_received(rest)

    def _reader(self, *, masked: bool) -> FrameReader:
        config = self._host.config
        return FrameReader(
            masked=masked,
            longest_message=config.message_bytes,
            longest_read=config.frame_bytes,
            budget=self._host.budget,
        )

    # The end --------------------------------------------------------------------------------------------

    def _refuse(self, refused: Refused) -> None:
        """Answer in place of the provider, where no answer has begun, and close."""
        if self._discards:
            return
        self._host.counters.refused[refused.reason] += 1
        self._leave_upstream()
        self._end_observer(complete=False)
        if not self._begun and not self.transport.is_closing():
            head = self._http is not None and self._request.method == b"HEAD"
            self.transport.write(refusal(refused, body=not head))
            self._let_go()
        else:
            self._discards = True
            self.transport.close()

    def _let_go(self) -> None:
        """Close once all is sent; what the client still says is read and forgotten for a moment."""
        self._discards = True
        self._http = None
        self._leave_upstream()
        self._look(paused=False)
        if half_close(self.transport):
            self._wait(LINGER_SECONDS)
        else:
            self.transport.close()

    @property
    def busy(self) -> bool:
        """Whether something is going on, or is to come: a client that has just connected is answered."""
        return self.call is not None or self._http is not None or not self._served

    def drain(self) -> None:
        """Close, if nothing is going on."""
        if not self.busy and not self._discards:
            self._discards = True
            self.transport.close()

    def abort(self) -> None:
        """End whatever is going on: a call by its close frames, the rest at once."""
        if self.call:
            self.call.go_away()
        else:
            if self._connecting:
                self._connecting.cancel()
            self.transport.abort()
