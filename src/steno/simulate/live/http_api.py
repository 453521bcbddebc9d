"""The HTTP side of the Live API: calls.

POST /v1/live/sessions                 begins a call: a configuration and an offer in, an id and an answer out
POST /v1/live/sessions/{id}/hangup     ends a session
"""

from random import Random

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from steno.simulate.access import Access
from steno.simulate.bodies import RequestRefusedError, guarded, json_of
from steno.simulate.calls import answer_to
from steno.simulate.interactive.checks import members, one_of, text, thing
from steno.simulate.live.line import PATH, LiveSessions, not_found
from steno.simulate.live.session import LiveSession

_transport = members({"type": one_of("webrtc"), "sdp": text}, ("type", "sdp"))


class LiveApi:
    """The endpoints of one provider."""

    def __init__(self, access: Access, sessions: LiveSessions) -> None:
        self._access = access
        self._sessions = sessions

    def routes(self) -> list[Route]:
        """Return the routes of the endpoints."""
        endpoints = {PATH: self.create, f"{PATH}/{{session_id}}/hangup": self.hang_up}
        return [Route(path, guarded(self._access, each), methods=["POST"]) for path, each in endpoints.items()]

    async def create(self, request: Request) -> Response:
        """Begin a call."""
        asked = await json_of(request)
        transport = _transport("transport", asked.get("transport"))
        if not transport["sdp"].startswith("v=0"):
            raise RequestRefusedError(400, "The offer is not SDP.", "invalid_offer", "transport.sdp")
        rng = Random(self._sessions.rng.getrandbits(64))
        call = thing("session", asked.get("session"))
        session = LiveSession(rng, self._sessions.now(), call=call, line="webrtc")
        self._sessions.begin(session)
        answer = {"type": "webrtc", "sdp": answer_to(transport["sdp"], rng)}
        return JSONResponse({"session": {"id": session.id}, "transport": answer}, 201)

    async def hang_up(self, request: Request) -> Response:
        """End a session."""
        session_id = request.path_params["session_id"]
        room = self._sessions.with_id(session_id)
        if room is None:
            return JSONResponse(not_found(session_id), 404)
        room.end()
        return Response()
