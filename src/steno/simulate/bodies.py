"""The bodies of HTTP requests: JSON, and the parts of a form."""

from collections.abc import Awaitable, Callable
from email.message import Message
from email.parser import BytesParser
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from steno.simulate.access import Access, error_body, refusal, shown_key
from steno.simulate.interactive.errors import EventRefusedError

BODY_BYTES_MAX: Final = 2 * 1024 * 1024
"""A request's body: configurations, messages, offers."""

Endpoint = Callable[[Request], Awaitable[Response]]


class RequestRefusedError(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, message: str, code: str | None = None, param: str | None = None) -> None:
        """Answer with the HTTP `status`."""
        super().__init__(message)
        self.response = JSONResponse(error_body(message, code, param), status)


def guarded(access: Access, endpoint: Endpoint) -> Endpoint:
    """Return an endpoint for those who are admitted. It answers what `endpoint` refuses."""

    async def answer(request: Request) -> Response:
        shown = shown_key(request.headers.items())
        if not access.admits(shown):
            return JSONResponse(refusal(shown), 401)
        try:
            return await endpoint(request)
        except RequestRefusedError as refused:
            return refused.response
        except EventRefusedError as refused:
            return JSONResponse(error_body(refused.message, refused.code, refused.param), 400)

    return answer


async def body_of(request: Request) -> bytes:
    """Return the body. Raises `RequestRefusedError` where it is too long."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > BODY_BYTES_MAX:
            raise RequestRefusedError(413, f"A body has up to {BODY_BYTES_MAX} bytes.", "request_too_large")
    return bytes(body)


async def json_of(request: Request) -> dict[str, Any]:
    """Return the JSON object of the body; an empty one where there is no body. Raises `RequestRefusedError`."""
    return parsed(await body_of(request))


def parsed(body: bytes) -> dict[str, Any]:
    """Return a JSON object. Raises `RequestRefusedError` where it is none."""
    try:
        found = msgspec.json.decode(body) if body.strip() else {}
    except (ValueError, RecursionError):
        raise RequestRefusedError(400, "The body is not valid JSON.", "invalid_json") from None
    if not isinstance(found, dict):
        raise RequestRefusedError(400, "The body is not an object.", "invalid_json")
    return found


def form_parts(content_type: str, body: bytes) -> dict[str, bytes]:
    """Return the parts of a `multipart/form-data` body by name."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    parts = BytesParser().parsebytes(head + body).get_payload()
    found: dict[str, bytes] = {}
    for part in parts if isinstance(parts, list) else []:
        if isinstance(part, Message):
            name, content = part.get_param("name", header="content-disposition"), part.get_payload(decode=True)
            if isinstance(name, str) and isinstance(content, bytes):
                found[name] = content
    return found
