"""The page as the HTTP face serves it, and what its files must not hold."""

import gzip
import re
from collections.abc import Iterator
from importlib import resources

import pytest
from starlette.applications import Starlette
from starlette.types import Message, Scope

from steno.admin.page import POLICY, page_routes

pytestmark = pytest.mark.anyio

FILES = [file.name for file in resources.files("steno").joinpath("page").iterdir()]
PATHS = ["/", *(f"/assets/{name}" for name in FILES if name != "index.html")]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Answer:
    """What was answered to one request."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""

    async def take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            self.body += message.get("body", b"")


async def ask(path: str, **headers: str) -> Answer:
    """Ask for a path of the page."""

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    sent = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope: Scope = {"type": "http", "method": "GET", "path": path, "headers": sent, "query_string": b""}
    answer = Answer()
    await Starlette(routes=page_routes())(scope, receive, answer.take)
    return answer


async def test_the_page_is_served_with_a_policy_that_keeps_it_to_its_own_files() -> None:
    answer = await ask("/")

    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.headers["content-security-policy"] == POLICY
    assert "unsafe" not in POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_file_that_has_not_changed_is_not_sent_again() -> None:
    first = await ask("/assets/app.js")
    again = await ask("/assets/app.js", if_none_match=first.headers["etag"])
    other = await ask("/assets/app.js", if_none_match='"another"')

    assert (first.status, first.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert (other.status, other.body) == (200, first.body)


async def test_a_file_is_sent_compressed_to_who_takes_that() -> None:
    plain = await ask("/assets/app.css")
    packed = await ask("/assets/app.css", accept_encoding="gzip, br")

    assert gzip.decompress(packed.body) == plain.body
    assert (packed.headers["content-encoding"], packed.headers["vary"]) == ("gzip", "accept-encoding")
    assert packed.headers["etag"] != plain.headers["etag"]


@pytest.mark.parametrize("path", ["/assets/", "/assets/..", "/assets/../page.py", "/assets/index.html", "/assets/x.js"])
async def test_no_other_file_is_served(path: str) -> None:
    assert (await ask(path)).status == 404


async def test_all_that_a_file_names_is_there_and_all_is_small() -> None:
    """Nothing comes from elsewhere: each script, style, image and import is a file of the page."""
    bodies = {path: (await ask(path)).body.decode() for path in PATHS}
    text = "".join(bodies.values())
    named = {*re.findall(r'(?:src|href)="(/[^"]*)"', text)}
    named |= {f"/assets/{name}" for name in re.findall(r'from "\./([^"]*)"', text)}
    sent = sum([len((await ask(path, accept_encoding="gzip")).body) for path in PATHS])
    print(f"{len(text.encode())} bytes in {len(PATHS)} files, {sent} as they are sent")  # noqa: T201  # for `-s`

    assert {*named, "/"} == set(PATHS)
    assert sent < 45_000
    assert {url for url in re.findall(r"https?://[^\"']*", text) if "w3.org" not in url} == set()


FORBIDDEN = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|\bFunction\(|setTimeout\(\s*[\"'`]|DOMParser"
    r"|createContextualFragment|srcdoc|javascript:|setHTML|\.cssText|localStorage|sessionStorage|indexedDB"
)
INLINE = re.compile(r"<style|<script(?![^>]*\bsrc=)|\bstyle=|\son[a-z]+=", re.IGNORECASE)


def _lines(suffix: str) -> Iterator[tuple[str, str]]:
    for file in resources.files("steno").joinpath("page").iterdir():
        if file.name.endswith(suffix):
            yield from ((file.name, line) for line in file.read_text("utf-8").splitlines())


def test_no_script_makes_markup_or_code_of_a_text_or_keeps_one() -> None:
    assert [(name, line) for name, line in _lines(".js") if FORBIDDEN.search(line)] == []


def test_nothing_is_inline() -> None:
    assert [(name, line) for name, line in _lines(".html") if INLINE.search(line)] == []
