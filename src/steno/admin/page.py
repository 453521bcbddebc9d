"""The page of the HTTP face: static files that the browser runs, and the headers that keep it to them.

The files lie in `src/steno/page`. They hold no data: what they show they ask of `/v1/...`, as other programs do. So
they are for whoever reaches the face, also for one who has yet to give the token.
"""

import gzip
import hashlib
from collections.abc import Iterator
from functools import cache
from http import HTTPStatus
from importlib import resources
from typing import Final

from msgspec import Struct
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from steno.admin.operations import TEXT, DescribedRoute, Operation, Parameter

INDEX: Final = "index.html"
KINDS: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""Content types by suffix. No other file is served."""

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
"""Nothing but these files, from this address. With no policy of trusted types no text can become markup or code."""
HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-cache",  # kept, but asked for each time: a newer version shows at once
}


PAGE: Final = Operation(access="open", summary="The page.", answers={200: "text/html", 304: None})
ASSET: Final = Operation(
    access="open",
    summary="A file of the page.",
    parameters=(Parameter("name", "The name of the file.", place="path"),),
    answers={200: "*/*", 304: None, 404: TEXT},
)


class Asset(Struct, frozen=True):
    """A file of the page: its bytes, its content type, and a tag that changes with it."""

    body: bytes
    kind: str
    tag: str


def page_routes() -> list[DescribedRoute]:
    """Return the routes of the page: `/`, and `/assets/{name}` for its other files."""
    assets = dict(_assets())

    async def index(request: Request) -> Response:
        return _answer(request, assets[INDEX])

    async def asset(request: Request) -> Response:
        found = assets.get(request.path_params["name"])
        if found is None or found is assets[INDEX]:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        return _answer(request, found)

    return [DescribedRoute("/", index, PAGE), DescribedRoute("/assets/{name:segment}", asset, ASSET)]


def _assets() -> Iterator[tuple[str, Asset]]:
    """Read the files of the page, each with its name."""
    for file in resources.files("steno").joinpath("page").iterdir():
        suffix = file.name[file.name.rfind(".") :]
        if suffix in KINDS:
            body = file.read_bytes()
            tag = hashlib.sha256(body).hexdigest()[:32]
            yield file.name, Asset(body, KINDS[suffix], tag)


@cache
def _packed(body: bytes) -> bytes:
    """Return a file of the page compressed: once it is asked for, since most daemons show no page."""
    return gzip.compress(body, mtime=0)


def _answer(request: Request, asset: Asset) -> Response:
    """Return a file, compressed where that is accepted, or that the client has it already."""
    packed = "gzip" in request.headers.get("accept-encoding", "")
    tag = f'"{asset.tag}-gzip"' if packed else f'"{asset.tag}"'
    headers = {**HEADERS, "etag": tag, "content-type": asset.kind, "vary": "accept-encoding"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    if packed:
        return Response(_packed(asset.body), headers={**headers, "content-encoding": "gzip"})
    return Response(asset.body, headers=headers)
