"""The websocket side of the Realtime API: what the query of a target opens, and for whom.

?model=NAME              a session of its own
?intent=transcription    a session for transcription
?call_id=rtc_...         a sideband of a call that is running
"""

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import anyio
import msgspec
from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from steno.simulate.access import Access, error_body, refusal, shown_key
from steno.simulate.calls import Calls
from steno.simulate.interactive.beta import ALIASES, from_beta, to_beta
from steno.simulate.interactive.configuration import new_session, new_transcription_session
from steno.simulate.interactive.errors import EventRefusedError
from steno.simulate.interactive.session import RealtimeSession, decoded
from steno.simulate.lines import Seeds, query_of, response
from steno.simulate.rooms import Event, Guest, Room

PATH: Final = "/v1/realtime"
_OPENS: Final = ("model", "call_id", "intent")
_BETA_SUBPROTOCOL: Final = "openai-beta.realtime-v1"
_BETA_HEADER: Final = "realtime=v1"
_NO_BETA: Final = EventRefusedError(
    "beta_api_shape_disabled", "The beta protocol is switched off here. Use /v1/realtime without the beta header."
)
_NOT_ON_SIDEBANDS: Final = frozenset({"response.output_audio.delta"})


def opens_session(target: str) -> bool:
    """Return whether a target is that of a session, and not of a story."""
    query = query_of(target)
    return urlsplit(target).path == PATH and "line" not in query and any(name in query for name in _OPENS)


def speaks_beta(headers: Headers) -> bool:
    """Return whether a client asks for the beta protocol, by a header or by a subprotocol."""
    subprotocols = ",".join(headers.get_all("Sec-WebSocket-Protocol")).split(",")
    header = ",".join(headers.get_all("OpenAI-Beta")).split(",")
    return _BETA_SUBPROTOCOL in map(str.strip, subprotocols) or _BETA_HEADER in map(str.strip, header)


class VoiceLine:
    """The sessions of one provider."""

    def __init__(
        self, access: Access, calls: Calls, seed: int, speed: float, now: Callable[[], int], *, beta: bool
    ) -> None:
        """Serve the beta protocol to those who ask for it, if `beta`."""
        self._access = access
        self._calls = calls
        self._seeds = Seeds(seed)
        self._speed = speed
        self._now = now
        self._beta = beta

    def opens(self, target: str) -> bool:
        """Return whether a target is that of a session."""
        return opens_session(target)

    def check(self, request: Request) -> Response | None:
        """Return the response to a request that opens nothing, or None."""
        shown = shown_key(request.headers.raw_items())
        if not self._access.admits(shown):
            return response(HTTPStatus.UNAUTHORIZED, refusal(shown))
        query = query_of(request.path)
        call_id = query.get("call_id")
        if call_id is None:
            return None
        if "model" in query:
            return response(HTTPStatus.BAD_REQUEST, error_body("Give either 'model' or 'call_id'.", "invalid_value"))
        if self._calls.find(call_id) is None:
            body = error_body(f"There is no call '{call_id[:80]}'.", "call_id_not_found", "call_id")
            return response(HTTPStatus.NOT_FOUND, body)
        return None

    async def serve(self, connection: ServerConnection, request: Request) -> None:
        """Serve a connection that `check` has let pass, until it closes."""
        beta = speaks_beta(request.headers)
        call_id = query_of(request.path).get("call_id")
        if call_id is not None:
            room = self._calls.find(call_id)
            if room:
                await room.attend(_guest(connection, room.session, beta=beta, sideband=True))
            return
        session = self._session(request)
        if beta and not self._beta:
            await _refuse_beta(connection, session)
            return
        room = Room(session, self._speed)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(room.run)
            await room.attend(_guest(connection, session, beta=beta))
            tasks.cancel_scope.cancel()

    def _session(self, request: Request) -> RealtimeSession:
        """Return a new session. The n-th of a target has its own seed."""
        rng, query = self._seeds.of(request.path), query_of(request.path)
        grant = self._access.granted(shown_key(request.headers.raw_items()))
        if grant:
            configuration = grant.configuration
        elif query.get("intent") == "transcription":
            configuration = new_transcription_session(query.get("model", ""))
        else:
            configuration = new_session(query.get("model", ""))
        return RealtimeSession(rng, self._now(), configuration)


def _guest(connection: ServerConnection, session: RealtimeSession, *, beta: bool, sideband: bool = False) -> Guest:
    """Return a connection to a session, in its protocol. The sound of a call goes to the caller, not to sidebands."""

    def shown(event: Event) -> Event | None:
        if sideband and event["type"] in _NOT_ON_SIDEBANDS:
            return None
        return to_beta(event) if beta else event

    return Guest(connection, shown, partial(_receive_beta, session) if beta else None, sideband)


def _receive_beta(session: RealtimeSession, frame: str | bytes) -> None:
    try:
        event = from_beta(decoded(frame))
    except EventRefusedError as refused:
        session.refuse(refused)
    else:
        session.receive(event, ALIASES)


async def _refuse_beta(connection: ServerConnection, session: RealtimeSession) -> None:
    session.take()
    session.refuse(_NO_BETA)
    for event in session.take():
        await connection.send(msgspec.json.encode(event), text=True)
    await connection.close(4000, f"invalid_request_error.{_NO_BETA.code}")
