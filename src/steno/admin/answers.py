"""Requests with bodies, and answers in JSON: what the routes that act have in common."""

import math
from http import HTTPStatus
from typing import Any, Final

import anyio
import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from steno.attachments import REFUSALS, ErrorAnswer, ErrorBody, RefusedError

BODY_SECONDS: Final = 10.0
"""How long a client may take to send a body."""
JSON: Final = "application/json"


class BodyError(Exception):
    """A body was not read."""

    def __init__(self, status: HTTPStatus, code: str, message: str) -> None:
        """Answer `status`, with `code` and a sentence."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def answer(self) -> Response:
        """Return the response. The rest of the body would be taken for the next request, so the connection ends."""
        return error(self.status, self.code, self.message, {"connection": "close"})


async def body_of(request: Request, longest: int) -> bytes:
    """Return the body of `request`. Raises BodyError where it is longer than `longest` bytes, too slow or cut off."""
    too_long = BodyError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_long", f"the body is longer than {longest} bytes"
    )
    if request.headers.get("content-length", "0").rjust(20, "0") > str(longest).rjust(20, "0"):
        raise too_long
    body = bytearray()
    try:
        with anyio.fail_after(BODY_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > longest:
                    raise too_long
    except TimeoutError:
        message = f"the body took longer than {BODY_SECONDS:g} seconds"
        raise BodyError(HTTPStatus.REQUEST_TIMEOUT, "body_too_slow", message) from None
    except ClientDisconnect:
        raise BodyError(HTTPStatus.BAD_REQUEST, "bad_request", "the body was cut off") from None
    return bytes(body)


async def json_body(request: Request, longest: int) -> bytes:
    """Return the body of `request`, which must say that it is JSON: a form of a web page cannot. Raises BodyError."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
        message = f"the body must be JSON, with the header `content-type: {JSON}`"
        raise BodyError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message)
    return await body_of(request, longest)


def answer(status: HTTPStatus, body: Any, headers: dict[str, str] | None = None) -> Response:
    """Return a response with `body` as JSON."""
    return Response(
        msgspec.json.encode(body), status, {"cache-control": "no-store", **(headers or {})}, media_type=JSON
    )


def error(status: HTTPStatus, code: str, message: str, headers: dict[str, str] | None = None) -> Response:
    """Return a response that is an error: `{"error":{"code","message"}}`."""
    return answer(status, ErrorAnswer(ErrorBody(code, message)), headers)


def refusal(refused: RefusedError) -> Response:
    """Return the response to a request about calls that is not done."""
    wait = {} if refused.retry_after is None else {"retry-after": str(math.ceil(refused.retry_after))}
    return error(REFUSALS[refused.code], refused.code, refused.message, wait)
