"""Keys in paths: one segment, whatever is in it, decoded once."""

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from steno.admin.authorization import Authorization, Policy
from steno.admin.operations import DescribedRoute, Operation
from steno.admin.segments import Segment, segment
from tests.admin.faces import served

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def show(request: Request) -> Response:
    return JSONResponse(request.path_params)


ROUTES: list[BaseRoute] = [
    DescribedRoute("/v1/keys/{key:segment}", show, Operation(summary="")),
    DescribedRoute("/v1/keys/{key:segment}/timeline", show, Operation(summary="")),
]


@pytest.mark.parametrize(
    "key",
    ["realtime/relay/sess_1#2", "a b?c=d&e", "100%", "%2F", "ä/\U0001f600", "..", "a/timeline", "\x00\n", ";,+@:"],
)
async def test_a_key_is_one_segment_whatever_it_holds(key: str) -> None:
    async with served(Authorization(None, Policy(private=True)), ROUTES) as face:
        answers = [await face.ask(f"/v1/keys/{segment(key)}{rest}") for rest in ("", "/timeline")]

    assert [(each.status, each.body) for each in answers] == [(200, {"key": key})] * 2


@pytest.mark.parametrize(
    ("path", "status"),
    [("/v1/keys/a/b", 404), ("/v1/keys/", 404), ("/v1/keys/%", 404), ("/v1/keys/%4", 404), ("/v1/keys/%zz", 404)],
)
async def test_other_paths_are_not_found(path: str, status: int) -> None:
    async with served(Authorization(None, Policy(private=True)), ROUTES) as face:
        answered = await face.ask(path)

    assert answered.status == status


async def test_what_is_no_utf8_is_the_key_of_nothing() -> None:
    async with served(Authorization(None, Policy(private=True)), ROUTES) as face:
        answered = await face.ask("/v1/keys/%FF%C0%AF")

    assert answered.body == {"key": "\ufffd\ufffd\ufffd"}
    assert Segment().to_string("a/b") == "a%2Fb"
