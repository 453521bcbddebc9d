"""`/v1/attachments`: asks the daemon to follow a call, lists the calls that it follows, ends that.

Over HTTP each of these demands the token of `http.token`, on loopback too: other programs and web pages of the machine
reach loopback as well. A web page cannot send the header, nor `content-type: application/json`, without asking first,
and such a question gets no answer that allows it. On the control socket the file system has decided already.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from steno.admin.answers import JSON, BodyError, answer, body_of, error, refusal
from steno.admin.authorization import Authorization
from steno.attachments import ATTACHMENTS_PATH, REQUEST_RULES, AttachRequest, CallDesk, RefusedError, Requester
from steno.limits import ATTACH_BYTES

UNCONFIGURED: Final = (
    "no http.token is configured, so nobody may act over HTTP: configure one, or use `steno attach` on this machine, "
    "which asks by the control socket in the folder of the audit log"
)
UNAUTHORIZED: Final = "this needs the header `Authorization: Bearer TOKEN` with the token of http.token"

Handler = Callable[[Request], Awaitable[Response]]


def attachment_routes(desk: CallDesk, by: Requester, authorization: Authorization | None) -> list[Route]:
    """Return the routes that answer by what `desk` does.

    Args:
        desk: does what is asked.
        by: who asks.
        authorization: whose token is demanded; None where whoever can connect may act.
    """

    async def attach(request: Request) -> Response:
        attachment, new = await desk.attach(await _wanted(request), by)
        return answer(HTTPStatus.CREATED if new else HTTPStatus.OK, attachment)

    async def listed(_request: Request) -> Response:
        return answer(HTTPStatus.OK, desk.listed())

    async def release(request: Request) -> Response:
        return answer(HTTPStatus.OK, await desk.release(request.path_params["call_id"], by))

    def route(path: str, method: str, handler: Handler) -> Route:
        return Route(path, _guarded(handler, authorization, partial(desk.turned_away, by)), methods=[method])

    return [
        route(ATTACHMENTS_PATH, "POST", attach),
        route(ATTACHMENTS_PATH, "GET", listed),
        route(f"{ATTACHMENTS_PATH}/{{call_id}}", "DELETE", release),
    ]


def _guarded(handler: Handler, authorization: Authorization | None, count: Callable[[str], None]) -> Handler:
    """Return `handler` behind the token, with errors as responses; `count` takes the codes of what is not read."""

    async def guarded(request: Request) -> Response:
        if authorization is not None and not authorization.allows(request):
            count("unauthorized")
            message = UNCONFIGURED if authorization.token is None else UNAUTHORIZED
            return error(
                HTTPStatus.UNAUTHORIZED, "unauthorized", message, {"www-authenticate": "Bearer", "connection": "close"}
            )
        try:
            return await handler(request)
        except RefusedError as refused:
            return refusal(refused)
        except BodyError as failed:
            count(failed.code)
            return failed.answer()

    return guarded


async def _wanted(request: Request) -> AttachRequest:
    """Return the call that is to be followed. Raises BodyError."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
        message = f"the body must be JSON, with the header `content-type: {JSON}`"
        raise BodyError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message)
    body = await body_of(request, ATTACH_BYTES)
    try:
        return msgspec.json.decode(body, type=AttachRequest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BodyError(HTTPStatus.BAD_REQUEST, "bad_request", REQUEST_RULES) from None
