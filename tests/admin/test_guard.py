"""The guard of the HTTP face: no route answers a stranger that is not meant to."""

from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from steno.admin.authorization import Authorization, Policy
from steno.admin.guard import is_foreign
from steno.config import SecretRef
from tests.admin.faces import BEARER, JSON, TOKEN, Face, served

pytestmark = pytest.mark.anyio

OPEN = {
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("POST", "/v1/session"),
    ("GET", "/v1/session"),
    ("DELETE", "/v1/session"),
    ("POST", "/v1/webhooks/openai"),
}
"""What answers strangers wherever the daemon listens: all else must not. A webhook is signed."""
LOOPBACK = {("GET", "/metrics"), ("GET", "/v1/openapi.json")}
"""What anybody may read on loopback."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def ref(tmp_path: Path) -> SecretRef:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    return SecretRef(file=str(file))


async def here(_request: Request) -> Response:
    return PlainTextResponse("here")


def every_request(face: Face) -> list[tuple[str, str]]:
    """Return a method and a path for each route of a face, and for paths that have none."""
    found = [
        (method, route.path.replace("{call_id:segment}", "rtc_1"))
        for route in face.routes
        if isinstance(route, Route)
        for method in sorted(route.methods or ())
        if method != "HEAD"
    ]
    return [*found, ("GET", "/nowhere"), ("POST", "/nowhere")]


@pytest.mark.parametrize(
    ("policy", "open_to_all"),
    [
        (Policy(), OPEN),
        (Policy(lenient=("/metrics",)), OPEN | {("GET", "/metrics")}),
        (Policy(anonymous=True), OPEN | LOOPBACK),
        (Policy(private=True), OPEN | LOOPBACK),
    ],
)
async def test_every_route_refuses_strangers_unless_it_is_meant_for_them(
    ref: SecretRef, policy: Policy, open_to_all: set[tuple[str, str]]
) -> None:
    """Whoever adds a route finds it here: it is refused, or stands in the lists above."""
    forgotten = Route("/forgotten", here, methods=["GET", "POST"])
    readable = policy.private or policy.anonymous
    async with served(Authorization(ref, policy), [forgotten]) as face:
        answered = {}
        for method, path in every_request(face):
            answered[method, path] = (await face.ask(path, JSON, method, "{}" if method == "POST" else None)).status
        with_token = await face.ask("/forgotten", BEARER)

    nowhere = {request for request in answered if request[1] == "/nowhere"}
    refused = {request for request, status in answered.items() if status == 401}
    told = {("POST", "/v1/webhooks/openai"): 404, ("POST", "/v1/session"): 400}
    assert refused == set(answered) - open_to_all - (nowhere if readable else set())
    assert {request: answered[request] for request in open_to_all} == {
        request: told.get(request, 200) for request in open_to_all
    }
    assert (with_token.status, with_token.text) == (200, "here")


async def test_who_is_refused_is_told_why_and_counted(ref: SecretRef) -> None:
    async with served(Authorization(ref)) as face:
        missing = await face.ask("/metrics")
        wrong = await face.ask("/metrics", {"authorization": "Bearer other"})
        right = await face.ask("/metrics", BEARER)
        posted = await face.ask("/v1/attachments", JSON, "POST", '{"call_id":"rtc_1"}')

    assert [(each.status, each.code) for each in (missing, wrong, posted)] == [(401, "unauthorized")] * 3
    assert missing.headers["www-authenticate"] == "Bearer"
    assert "steno_build_info" in right.text
    assert face.counted() == {"unauthorized": 2, "wrong_token": 1}
    assert (face.desk.asked, face.desk.counted) == ([], [("http", "unauthorized")])


async def test_without_a_token_nobody_may() -> None:
    async with served(Authorization(None)) as face:
        answered = await face.ask("/metrics", BEARER)
        probe = await face.ask("/healthz", BEARER)

    assert (answered.status, "no http.token is configured" in answered.text, probe.status) == (401, True, 200)


async def test_a_path_in_another_spelling_opens_nothing(ref: SecretRef) -> None:
    """The guard and the routes read one path, so that none can be reached that the guard took for another."""
    spellings = ["/%6detrics", "//metrics", "/healthz/../metrics", "/healthz%2f..%2fmetrics", "/metrics/", "/healthz?/"]
    async with served(Authorization(ref)) as face:
        statuses = [(await face.ask(path)).status for path in spellings]

    assert statuses == [401, 401, 401, 401, 401, 200]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 404),
        ({"origin": "http://127.0.0.1:{port}"}, 404),
        ({"origin": "http://127.0.0.1:1"}, 403),
        ({"origin": "http://127.0.0.1"}, 403),
        ({"origin": "http://attacker.example:{port}"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://[::1"}, 403),
        ({"origin": ""}, 403),
        ({"sec-fetch-site": "same-origin"}, 404),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
    ],
)
async def test_a_web_page_of_others_changes_nothing(ref: SecretRef, headers: dict[str, str], status: int) -> None:
    """Not even with a cookie that the browser sends along: here with the token itself."""
    async with served(Authorization(ref)) as face:
        sent = {name: value.format(port=face.port) for name, value in headers.items()}
        answered = await face.ask("/v1/attachments/rtc_1", {**BEARER, **sent}, "DELETE")
        read = await face.ask("/metrics", {**BEARER, **sent})

    assert (answered.status, read.status) == (status, 200)
    assert face.counted() == ({"foreign_origin": 1} if status == 403 else {})


def test_an_origin_that_is_no_place_is_foreign_also_where_no_host_is_asked_for() -> None:
    headers = [(b"origin", b"null")]

    assert is_foreign(Request({"type": "http", "method": "DELETE", "path": "/", "headers": headers}))


async def test_a_reverse_proxy_that_ends_tls_is_no_stranger(ref: SecretRef) -> None:
    sent = {"host": "127.0.0.1", "origin": "https://127.0.0.1"}
    async with served(Authorization(ref)) as face:
        answered = await face.ask("/v1/attachments/rtc_1", {**BEARER, **sent}, "DELETE")

    assert answered.code == "not_followed"


async def test_many_wrong_tokens_are_not_even_looked_at(ref: SecretRef) -> None:
    """After ten the right one is refused as well, or an answer would tell it from the others."""
    async with served(Authorization(ref)) as face:
        statuses = [(await face.ask("/metrics", {"authorization": f"Bearer {n}"})).status for n in range(10)]
        right = await face.ask("/metrics", BEARER)
        probe = await face.ask("/readyz", BEARER)

    assert statuses == [401] * 10
    assert (right.status, right.code, right.headers["retry-after"], probe.status) == (
        429,
        "too_many_attempts",
        "6",
        200,
    )
    assert face.counted() == {"wrong_token": 10, "throttled": 1}
