"""The page of the HTTP face: static files that the browser runs, and the headers that keep it to them.

The files lie in `src/steno/page`. They hold no data: what they show they ask of `/v1/...`, as any other program. So they
are for whoever reaches the face, also for one who has yet to give the token.
"""

import hashlib
from collections.abc import Awaitable, Callable, Iterator
from http import HTTPStatus
from importlib import resources
from typing import Final

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

INDEX: Final = "index.html"
ASSETS: Final = "/assets/"
KINDS: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""Content types by suffix. No other file is served."""

POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",  # with no policy allowed, no text can become markup or code
        "trusted-types 'none'",
    )
)
HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-cache",  # kept, but asked for each time: a newer version shows at once
}


class Asset(Struct, frozen=True):
    """A file of the page: its bytes, its content type, and a tag that changes with them."""

    body: bytes
    kind: str
    tag: str


def page_routes() -> list[Route]:
    """Return the routes of the page: `/`, and a route below `/assets/` for each file."""
    return [Route("/" if name == INDEX else ASSETS + name, _answering(asset)) for name, asset in _assets()]


def _assets() -> Iterator[tuple[str, Asset]]:
    """Read the files of the page, each with its name."""
    for file in resources.files("steno").joinpath("page").iterdir():
        suffix = file.name[file.name.rfind(".") :]
        if suffix in KINDS:
            body = file.read_bytes()
            yield file.name, Asset(body, KINDS[suffix], f'"{hashlib.sha256(body).hexdigest()[:32]}"')


def _answering(asset: Asset) -> Callable[[Request], Awaitable[Response]]:
    headers = {**HEADERS, "etag": asset.tag, "content-type": asset.kind}

    async def answer(request: Request) -> Response:
        if asset.tag in request.headers.get("if-none-match", ""):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        return Response(asset.body, headers=headers)

    return answer
