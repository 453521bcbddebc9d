"""`/v1/attachments`: asks the daemon to follow a call, lists the calls that it follows, ends that.

Over HTTP the guard demands the token of `http.token` for each of these, on loopback too: other programs and web pages
of the machine reach loopback as well. A web page cannot send the header, nor `content-type: application/json`, without
asking first, and such a question gets no answer that allows it. On the control socket the file system has decided.
"""

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from steno.admin.answers import BodyError, answer, json_body, refusal
from steno.admin.operations import DescribedRoute, Handler, Operation, Parameter
from steno.attachments import (
    ATTACHMENTS_PATH,
    REQUEST_RULES,
    Attachment,
    AttachmentList,
    AttachRequest,
    CallDesk,
    ErrorAnswer,
    RefusedError,
    Requester,
)
from steno.limits import ATTACH_BYTES

ATTACH: Final = Operation(
    method="POST",
    access="act",
    summary="Follows a call. It is answered 200 where the call is followed already.",
    body=AttachRequest,
    answers={
        200: Attachment,
        201: Attachment,
        **dict.fromkeys((400, 404, 408, 409, 413, 415, 421, 429, 503), ErrorAnswer),
    },
)
LIST: Final = Operation(access="act", summary="Lists the calls that are followed.", answers={200: AttachmentList})
RELEASE: Final = Operation(
    method="DELETE",
    access="act",
    summary="Follows a call no more.",
    parameters=(Parameter("call_id", "The id of the call.", place="path"),),
    answers={200: Attachment, 404: ErrorAnswer, 503: ErrorAnswer},
)


def attachment_routes(desk: CallDesk, by: Requester) -> list[DescribedRoute]:
    """Return the routes that answer by what `desk` does; `by` is who asks."""

    async def attach(request: Request) -> Response:
        attachment, new = await desk.attach(await _wanted(request), by)
        return answer(HTTPStatus.CREATED if new else HTTPStatus.OK, attachment)

    async def listed(_request: Request) -> Response:
        return answer(HTTPStatus.OK, desk.listed())

    async def release(request: Request) -> Response:
        return answer(HTTPStatus.OK, await desk.release(request.path_params["call_id"], by))

    count = partial(desk.turned_away, by)

    def route(path: str, handler: Handler, operation: Operation) -> DescribedRoute:
        def turned_away(_code: str) -> None:
            count("unauthorized")

        return DescribedRoute(path, _answered(handler, count), operation, turned_away)

    return [
        route(ATTACHMENTS_PATH, attach, ATTACH),
        route(ATTACHMENTS_PATH, listed, LIST),
        route(f"{ATTACHMENTS_PATH}/{{call_id:segment}}", release, RELEASE),
    ]


def _answered(handler: Handler, count: Callable[[str], None]) -> Handler:
    """Return `handler` with errors as responses; `count` takes the codes of what is not read."""

    async def answered(request: Request) -> Response:
        try:
            return await handler(request)
        except RefusedError as refused:
            return refusal(refused)
        except BodyError as failed:
            count(failed.code)
            return failed.answer()

    return answered


async def _wanted(request: Request) -> AttachRequest:
    """Return the call that is to be followed. Raises BodyError."""
    body = await json_body(request, ATTACH_BYTES)
    try:
        return msgspec.json.decode(body, type=AttachRequest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BodyError(HTTPStatus.BAD_REQUEST, "bad_request", REQUEST_RULES) from None
