"""The HTTP side of the Realtime API: keys for one session, and calls.

POST /v1/realtime/client_secrets            a key and the configuration of the sessions that it opens
POST /v1/realtime/sessions                  the same in the beta protocol; /transcription_sessions too
POST /v1/realtime/calls                     begins a call: an offer in, an answer out, the id in `Location`
POST /v1/realtime/calls/{id}/hangup         ends it, as `reject` and `refer` do; `accept` configures it
"""

from collections.abc import Callable
from random import Random
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from steno.simulate.access import Access, Grant, shown_key
from steno.simulate.bodies import Endpoint, RequestRefusedError, body_of, form_parts, guarded, json_of, parsed
from steno.simulate.calls import Calls, answer_to
from steno.simulate.interactive.beta import beta_session, ga_session
from steno.simulate.interactive.checks import nullable, one_of, text, thing, whole
from steno.simulate.interactive.configuration import new_session, new_transcription_session, updated
from steno.simulate.interactive.handlers import Event
from steno.simulate.steps import Ids

DEFAULT_MODEL: Final = "gpt-realtime"
"""Of a session whose client named none."""
_KEY_SECONDS: Final = 600
_BETA_KEY_SECONDS: Final = 60
_key_seconds = whole(10, 7_200)


class RealtimeApi:
    """The endpoints of one provider."""

    def __init__(self, access: Access, calls: Calls, rng: Random, now: Callable[[], int]) -> None:
        """Make ids with `rng`. `now` returns the Unix second."""
        self._access = access
        self._calls = calls
        self._rng = rng
        self._ids = Ids(rng)
        self._now = now

    def routes(self) -> list[Route]:
        """Return the routes of the endpoints."""
        endpoints: dict[str, Endpoint] = {
            "/v1/realtime/client_secrets": self.client_secrets,
            "/v1/realtime/sessions": self.beta_sessions,
            "/v1/realtime/transcription_sessions": self.beta_transcription_sessions,
            "/v1/realtime/calls": self.create_call,
            "/v1/realtime/calls/{call_id}/{action}": self.steer_call,
        }
        return [Route(path, guarded(self._access, each), methods=["POST"]) for path, each in endpoints.items()]

    async def client_secrets(self, request: Request) -> Response:
        """Make a key for sessions of the configuration in the body."""
        body = await json_of(request)
        lifetime = nullable(thing)("expires_after", body.get("expires_after")) or {}
        seconds = _key_seconds("expires_after.seconds", lifetime.get("seconds", _KEY_SECONDS))
        grant = self._access.grant(configured(thing("session", body.get("session", {}))), seconds)
        return JSONResponse({"value": grant.value, "expires_at": grant.expires_at, "session": self._shown(grant)})

    async def beta_sessions(self, request: Request) -> Response:
        """Make a key in the beta protocol."""
        return self._beta(ga_session(await json_of(request)))

    async def beta_transcription_sessions(self, request: Request) -> Response:
        """Make a key for transcription in the beta protocol."""
        return self._beta(ga_session(await json_of(request), "transcription"))

    def _beta(self, asked: Event) -> Response:
        grant = self._access.grant(configured(asked), _BETA_KEY_SECONDS)
        secret = {"value": grant.value, "expires_at": grant.expires_at}
        return JSONResponse(beta_session(self._shown(grant)) | {"client_secret": secret})

    def _shown(self, grant: Grant) -> Event:
        """Return the configuration of a session that does not exist yet: it has an id, and no end."""
        return {**grant.configuration, "id": self._ids.dated("sess", self._now()), "expires_at": 0}

    async def create_call(self, request: Request) -> Response:
        """Begin a call. The body is an offer, or a form with an offer and a configuration."""
        content_type, body = request.headers.get("content-type", ""), await body_of(request)
        parts = form_parts(content_type, body) if content_type.startswith("multipart/form-data") else {"sdp": body}
        offer = parts.get("sdp", b"").decode("utf-8", "replace")
        if not offer.startswith("v=0"):
            raise RequestRefusedError(400, "The offer is not SDP.", "invalid_offer", "sdp")
        grant = self._access.granted(shown_key(request.headers.items()))
        if "session" in parts:
            configuration = configured(parsed(parts["session"]))
        elif grant:
            configuration = grant.configuration
        else:
            configuration = new_session(request.query_params.get("model", DEFAULT_MODEL))
        call_id = self._calls.begin(configuration)
        headers = {"Location": f"/v1/realtime/calls/{call_id}"}
        return Response(answer_to(offer, self._rng), 201, headers, media_type="application/sdp")

    async def steer_call(self, request: Request) -> Response:
        """Configure a call, or end it."""
        call_id, action = (request.path_params[name] for name in ("call_id", "action"))
        body = await json_of(request)
        room = self._calls.find(call_id)
        if room is None:
            raise RequestRefusedError(404, f"There is no call '{call_id[:80]}'.", "call_id_not_found", "call_id")
        match action:
            case "accept":
                configured(body)  # raises where it is none
                await room.steer({"type": "session.update", "session": body})
            case "hangup" | "reject":
                room.end()
            case "refer":
                text("target_uri", body.get("target_uri"))
                room.end()
            case _:
                raise RequestRefusedError(404, "There is no such action on a call.")
        return Response()


def configured(asked: dict[str, Any]) -> Event:
    """Return the configuration of a new session. Raises `EventRefusedError`."""
    kind = one_of("realtime", "transcription")("session.type", asked.get("type", "realtime"))
    fresh = new_session(DEFAULT_MODEL) if kind == "realtime" else new_transcription_session("")
    return updated(fresh, {"type": kind, **asked})
