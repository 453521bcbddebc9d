"""Headers that every response has."""

import pytest
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute

from steno.admin.authorization import Authorization, Policy
from steno.admin.operations import DescribedRoute, Operation
from tests.admin.faces import JSON, served

pytestmark = pytest.mark.anyio

SECURED = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
PAGE = "default-src 'self'"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def page(_request: Request) -> Response:
    return HTMLResponse("<p>", headers={"cache-control": "max-age=60", "content-security-policy": PAGE})


async def broken(_request: Request) -> Response:
    raise ValueError


ROUTES: list[BaseRoute] = [
    DescribedRoute("/", page, Operation(summary="", access="open")),
    DescribedRoute("/broken", broken, Operation(summary="", access="open")),
]


@pytest.mark.parametrize(
    ("path", "method", "host", "status"),
    [
        ("/metrics", "GET", "localhost", 200),
        ("/readyz", "GET", "localhost", 200),
        ("/v1/openapi.json", "GET", "localhost", 200),
        ("/v1/nowhere", "GET", "localhost", 404),
        ("/metrics", "POST", "localhost", 405),
        ("/metrics", "GET", "attacker.example", 421),
        ("/v1/attachments", "GET", "localhost", 401),
        ("/v1/session", "POST", "localhost", 415),
        ("/v1/webhooks/openai", "POST", "localhost", 404),
        ("/broken", "GET", "localhost", 500),
    ],
)
async def test_every_response_has_them(path: str, method: str, host: str, status: int) -> None:
    async with served(Authorization(None, Policy(private=True)), ROUTES) as face:
        answered = await face.ask(path, {"host": host}, method)

    assert answered.status == status
    assert {name: answered.headers[name] for name in SECURED} == SECURED


async def test_a_page_has_a_policy_of_its_own_and_says_how_long_it_may_be_kept() -> None:
    async with served(Authorization(None, Policy(private=True)), ROUTES) as face:
        answered = await face.ask("/", JSON)

    kept = {"content-security-policy": PAGE, "cache-control": "max-age=60"}
    assert {name: answered.headers[name] for name in SECURED} == {**SECURED, **kept}
