"""The OpenAPI document says of each route what it does, and of no other."""

import re
from typing import Any

import pytest
from starlette.routing import Route

from steno.admin.authorization import Authorization, Policy
from steno.admin.openapi import document
from tests.admin.faces import NoCalls, routes_of, served

pytestmark = pytest.mark.anyio

PATHS = {
    "/metrics": {"get"},
    "/healthz": {"get"},
    "/readyz": {"get"},
    "/v1/attachments": {"get", "post"},
    "/v1/attachments/{call_id}": {"delete"},
    "/v1/webhooks/openai": {"post"},
    "/v1/session": {"get", "post", "delete"},
    "/v1/openapi.json": {"get"},
}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def described() -> Any:
    async with served(Authorization(None, Policy(private=True))) as face:
        return (await face.ask("/v1/openapi.json")).body


async def test_every_route_is_in_it_and_nothing_else() -> None:
    """What a face answers is found by asking: each path of the document, by each method."""
    shown = await described()
    async with served(Authorization(None, Policy(private=True))) as face:
        for path, operations in shown["paths"].items():
            for method in ("get", "post", "delete", "put"):
                answered = await face.ask(path.format(call_id="rtc_1"), {}, method.upper())
                assert (answered.status != 405) is (method in operations), (path, method)
                if method in operations:
                    assert str(answered.status) in operations[method]["responses"], (path, method, answered.status)

    assert {path: set(operations) for path, operations in shown["paths"].items()} == PATHS


async def test_what_it_refers_to_is_there() -> None:
    shown = await described()
    references = set(re.findall(r"'#/components/schemas/(\w+)'", repr(shown)))

    assert references == set(shown["components"]["schemas"])
    assert shown["openapi"] == "3.1.0"


async def test_who_may_ask_is_in_it() -> None:
    paths = (await described())["paths"]
    shown: list[dict[str, list[str]]] = [{"token": []}, {"session": []}, {"certificate": []}]

    assert paths["/healthz"]["get"]["security"] == []
    assert paths["/metrics"]["get"]["security"] == [{}, *shown]
    assert paths["/v1/attachments"]["post"]["security"] == shown
    assert paths["/v1/attachments/{call_id}"]["delete"]["parameters"] == [
        {
            "name": "call_id",
            "in": "path",
            "description": "The id of the call.",
            "required": True,
            "schema": {"type": "string"},
        }
    ]


def test_a_route_that_nobody_described_is_missing() -> None:
    """It is also closed: the guard lets nobody pass without a token."""

    async def silent(*_: object) -> None:
        pass

    assert document([Route("/forgotten", silent), *routes_of(NoCalls())])["paths"].keys() == {
        "/v1/attachments",
        "/v1/attachments/{call_id}",
        "/v1/webhooks/openai",
    }
