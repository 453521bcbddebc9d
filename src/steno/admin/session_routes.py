"""The routes of `/v1/session`: begin a session with the token, ask whether there is one, end it."""

from http import HTTPStatus
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from steno.admin.answers import BodyError, answer, error, json_body
from steno.admin.authorization import Authorization, address_of
from steno.admin.connections import ConnectionTable
from steno.admin.guard import THROTTLED, UNCONFIGURED
from steno.admin.operations import DescribedRoute, Operation
from steno.admin.sessions import SECONDS, cookie_name
from steno.attachments import ErrorAnswer

PATH: Final = "/v1/session"
LONGEST_TOKEN: Final = 4096
BODY_BYTES: Final = 2 * LONGEST_TOKEN
RULES: Final = 'a request is {"token": TEXT}'


class SessionRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Asks for a cookie."""

    token: Annotated[str, Meta(min_length=1, max_length=LONGEST_TOKEN)]


class Session(Struct, frozen=True):
    """What the daemon knows of who asks."""

    authorized: bool
    """Whether they may act, and are shown details: by the cookie, the token or a certificate."""


BEGIN: Final = Operation(
    method="POST",
    access="open",
    summary="Exchanges the token for a cookie, which is worth as much for 12 hours.",
    body=SessionRequest,
    answers={
        200: Session,
        **dict.fromkeys((400, 401, 408, 413, 415, 429), ErrorAnswer),
    },
)
LOOK: Final = Operation(access="open", summary="Says whether who asks is authorized.", answers={200: Session})
END: Final = Operation(
    method="DELETE", access="open", summary="Ends the session of the cookie that is sent.", answers={200: Session}
)


def session_routes(authorization: Authorization, table: ConnectionTable) -> list[DescribedRoute]:
    """Return the routes. Wrong tokens are counted in `table`."""

    async def begin(request: Request) -> Response:
        try:
            token = await _token(request)
        except BodyError as failed:
            return failed.answer()
        if authorization.token is None:
            table.rejected["unauthorized"] += 1
            return error(HTTPStatus.UNAUTHORIZED, "unauthorized", UNCONFIGURED)
        verdict = authorization.presented(token, address_of(request))
        if verdict == "throttled":
            table.rejected["throttled"] += 1
            return error(HTTPStatus.TOO_MANY_REQUESTS, "too_many_attempts", THROTTLED)
        if verdict != "allowed":
            table.rejected["wrong_token"] += 1
            return error(HTTPStatus.UNAUTHORIZED, "unauthorized", "the token is not that of http.token")
        cookie = _cookie(request, authorization.sessions.begin(token.strip()), SECONDS)
        return answer(HTTPStatus.OK, Session(authorized=True), {"set-cookie": cookie})

    async def look(request: Request) -> Response:
        return answer(HTTPStatus.OK, Session(authorization.allows(request)))

    async def end(request: Request) -> Response:
        authorization.sessions.end(request.cookies.get(cookie_name(request.headers.get("host", "")), ""))
        return answer(HTTPStatus.OK, Session(authorized=False), {"set-cookie": _cookie(request, "", 0)})

    return [DescribedRoute(PATH, begin, BEGIN), DescribedRoute(PATH, look, LOOK), DescribedRoute(PATH, end, END)]


async def _token(request: Request) -> str:
    """Return the token in the body. Raises BodyError, which does not repeat it."""
    try:
        return msgspec.json.decode(await json_body(request, BODY_BYTES), type=SessionRequest).token
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BodyError(HTTPStatus.BAD_REQUEST, "bad_request", RULES) from None


def _cookie(request: Request, value: str, seconds: int) -> str:
    """Return the header that sets the cookie. Over TLS, that of a reverse proxy too, it is sent over TLS alone."""
    origin = request.headers.get("origin", "")
    secure = "; Secure" if request.scope["scheme"] == "https" or origin.startswith("https:") else ""
    name = cookie_name(request.headers.get("host", ""))
    return f"{name}={value}; Max-Age={seconds}; Path=/; HttpOnly; SameSite=Strict{secure}"
