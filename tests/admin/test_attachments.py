"""`/v1/attachments` with real clients over a real socket: who may act, what is refused, that floods end nothing."""

import http.client
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from prometheus_client import CollectorRegistry

from steno.admin import answers
from steno.admin.attachments import attachment_routes
from steno.admin.authorization import Authorization, Policy
from steno.admin.connections import ConnectionTable
from steno.admin.http import CheckResult, application, bind
from steno.admin.server import HttpServer
from steno.attachments import (
    REFUSALS,
    Attachment,
    AttachmentList,
    AttachRequest,
    CallProblem,
    RefusedError,
    Requester,
)
from steno.config import SecretRef
from tests.sources.helpers import until

pytestmark = pytest.mark.anyio

CALL = Attachment(
    "rtc_1", "calls", "2026-01-01T00:00:00.000000Z", "http", "waiting", 7, {"desk": "berlin"}, CallProblem("timeout")
)
SHOWN = {
    "call_id": "rtc_1",
    "source": "calls",
    "since": "2026-01-01T00:00:00.000000Z",
    "by": "http",
    "state": "waiting",
    "frames": 7,
    "labels": {"desk": "berlin"},
    "problem": {"reason": "timeout", "detail": ""},
}
JSON = {"content-type": "application/json"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Desk:
    """Does nothing, keeps what it was asked, and refuses where a test says so."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.refusal: RefusedError | None = None
        self.new = True
        self.counted: list[tuple[Requester, str]] = []

    def _ask(self, *asked: object) -> None:
        self.asked.append(asked)
        if self.refusal:
            raise self.refusal

    async def attach(
        self, request: AttachRequest, by: Requester, delivery: str | None = None
    ) -> tuple[Attachment, bool]:
        self._ask("attach", request, by)
        return CALL, self.new

    async def release(self, call_id: str, by: Requester) -> Attachment:
        self._ask("release", call_id, by)
        return CALL

    def listed(self) -> AttachmentList:
        self._ask("list")
        return AttachmentList((CALL,))

    def delivered(self, delivery: str) -> bool:
        return False

    def turned_away(self, by: Requester, code: str) -> None:
        self.counted.append((by, code))


class Face:
    """A daemon's HTTP face, and a client."""

    def __init__(self, desk: Desk, port: int, token: str | None) -> None:
        self.desk = desk
        self.port = port
        self.token = token

    async def ask(
        self, method: str, path: str = "/v1/attachments", body: bytes | None = None, **headers: str
    ) -> tuple[int, Any]:
        """Return status and body of a response. A header's name is written with `_` for `-`."""
        return (await self.response(method, path, body, **headers))[:2]

    async def response(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, Any, dict[str, str]]:
        sent = {"authorization": f"Bearer {self.token}"} if self.token else {}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await anyio.to_thread.run_sync(partial(_request, self.port, method, path, body, sent))


def _request(
    port: int, method: str, path: str, body: bytes | None, headers: dict[str, str]
) -> tuple[int, Any, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        content = response.read()
        shown = json.loads(content) if response.headers["content-type"] == "application/json" else content.decode()
        return response.status, shown, {name.lower(): value for name, value in response.headers.items()}
    finally:
        connection.close()


@asynccontextmanager
async def face(tmp_path: Path, token: str | None = "open-sesame") -> AsyncIterator[Face]:  # noqa: S107  # opens nothing
    """Serve a desk; `token` is what is configured and sent."""
    ref = None
    if token is not None:
        file = tmp_path / "token"
        file.write_text(token)
        ref = SecretRef(file=str(file))
    desk = Desk()
    with bind("127.0.0.1", 0) as sock:
        authorization = Authorization(ref, Policy(private=True))
        routes = attachment_routes(desk, "http")
        healthy = CheckResult(True, {})
        app = application(CollectorRegistry(), lambda: healthy, lambda **_: healthy, authorization, routes)
        server = HttpServer(app, sock, ConnectionTable(256, 10.0))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.run)
            yield Face(desk, sock.getsockname()[1], token)
            server.stop()


# What is done -----------------------------------------------------------------------------------------------


async def test_a_call_is_attached_listed_and_released(tmp_path: Path) -> None:
    body = b'{"call_id":"rtc_1","labels":{"desk":"berlin"},"source":"calls"}'
    async with face(tmp_path) as served:
        created = await served.ask("POST", body=body, content_type="application/json; charset=utf-8")
        served.desk.new = False
        there = await served.ask("POST", body=b'{"call_id":"rtc_1"}', **{"content-type": "application/json"})
        listed = await served.ask("GET")
        released = await served.ask("DELETE", "/v1/attachments/rtc_1")

    assert [created, there, released] == [(201, SHOWN), (200, SHOWN), (200, SHOWN)]
    assert listed == (200, {"attachments": [SHOWN]})
    assert served.desk.asked == [
        ("attach", AttachRequest("rtc_1", {"desk": "berlin"}, "calls"), "http"),
        ("attach", AttachRequest("rtc_1"), "http"),
        ("list",),
        ("release", "rtc_1", "http"),
    ]


@pytest.mark.parametrize(("code", "status"), REFUSALS.items())
async def test_a_refusal_is_an_error_with_its_code(tmp_path: Path, code: str, status: int) -> None:
    async with face(tmp_path) as served:
        served.desk.refusal = RefusedError(code, "no", 1.2)
        found, body, headers = await served.response("POST", "/v1/attachments", b'{"call_id":"rtc_1"}', **JSON)

    assert (found, body) == (status, {"error": {"code": code, "message": "no"}})
    assert headers["retry-after"] == "2"


# Who may act ------------------------------------------------------------------------------------------------

EVERY_ROUTE = [("POST", "/v1/attachments"), ("GET", "/v1/attachments"), ("DELETE", "/v1/attachments/rtc_1")]


@pytest.mark.parametrize(("method", "path"), EVERY_ROUTE)
@pytest.mark.parametrize("sent", [None, "Bearer wrong", "Bearer", "Basic open-sesame", "open-sesame"])
async def test_nobody_acts_without_the_token(tmp_path: Path, method: str, path: str, sent: str | None) -> None:
    """On loopback too."""
    async with face(tmp_path) as served:
        served.token = None
        headers = {} if sent is None else {"authorization": sent}
        status, body, found = await served.response(method, path, b"{}", **JSON, **headers)

    assert (status, body["error"]["code"], served.desk.asked) == (401, "unauthorized", [])
    assert served.desk.counted == [("http", "unauthorized")]
    assert (found["www-authenticate"], "http.token" in body["error"]["message"]) == ("Bearer", True)


@pytest.mark.parametrize(("method", "path"), EVERY_ROUTE)
async def test_without_a_configured_token_nobody_acts_over_http(tmp_path: Path, method: str, path: str) -> None:
    """The message says which other way there is."""
    async with face(tmp_path, token=None) as served:
        status, body = await served.ask(method, path, b"{}", authorization="Bearer ", content_type="application/json")

    assert (status, served.desk.asked) == (401, [])
    assert "control socket" in body["error"]["message"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_what_a_web_page_can_send_unasked_is_not_taken(tmp_path: Path, kind: str) -> None:
    """A form or a simple request of a page carries none of these types; and no page has the token."""
    async with face(tmp_path) as served:
        status, body = await served.ask("POST", body=b'{"call_id":"rtc_1"}', content_type=kind)
        asked_first = await served.response(
            "OPTIONS", "/v1/attachments", origin="https://page.example", access_control_request_method="POST"
        )

    assert (status, body["error"]["code"], served.desk.asked) == (415, "unsupported_media_type", [])
    assert [name for name in asked_first[2] if name.startswith("access-control")] == []


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("PUT", "/v1/attachments", 405, "method_not_allowed"),
        ("GET", "/v1/attachments/rtc_1", 405, "method_not_allowed"),
        ("GET", "/v1/nothing", 404, "not_found"),
        ("DELETE", "/v1/attachments/a/b", 404, "not_found"),
    ],
)
async def test_what_is_no_request_is_an_error_in_json(
    tmp_path: Path, method: str, path: str, status: int, code: str
) -> None:
    async with face(tmp_path) as served:
        found, body = await served.ask(method, path)

    assert (found, body["error"]["code"], served.desk.asked) == (status, code, [])


# Bodies -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"labels":{}}',
        b'{"call_id":1}',
        b'{"call_id":""}',
        b'{"call_id":"../../etc"}',
        b'{"call_id":"rtc_1\\n"}',
        b'{"call_id":"rtc 1"}',
        b'{"call_id":"' + b"r" * 129 + b'"}',
        b'{"call_id":"rtc_1","unknown":1}',
        b'{"call_id":"rtc_1","labels":{"UPPER":"x"}}',
        b'{"call_id":"rtc_1","labels":{"a":1}}',
        b'{"call_id":"rtc_1","labels":{"a":"line\\nbreak"}}',
        b'{"call_id":"rtc_1","labels":{"a":"\\u2028"}}',
        b'{"call_id":"rtc_1","labels":{"a":"' + b"x" * 65 + b'"}}',
        b'{"call_id":"rtc_1","labels":{' + b",".join(b'"a%d":""' % number for number in range(9)) + b"}}",
        b"[" * 10_000,
    ],
)
async def test_a_wrong_body_is_400(tmp_path: Path, body: bytes) -> None:
    async with face(tmp_path) as served:
        status, found = await served.ask("POST", body=body, content_type="application/json")
        after, _ = await served.ask("GET")

    assert (status, found["error"]["code"], after) == (400, "bad_request", 200)
    assert (served.desk.asked, served.desk.counted) == ([("list",)], [("http", "bad_request")])


async def test_a_flood_of_a_body_is_413_and_the_face_goes_on(tmp_path: Path) -> None:
    """Announced, and in chunks that announce nothing."""
    async with face(tmp_path) as served:
        announced = await served.ask("POST", body=b"x" * 20_000, **JSON)
        port, token = served.port, served.token or ""
        chunked = await anyio.to_thread.run_sync(_chunks_without_end, port, token)
        after, _ = await served.ask("GET")

    assert (announced[0], announced[1]["error"]["code"]) == (413, "body_too_long")
    assert served.desk.counted == [("http", "body_too_long")] * 2
    assert (chunked.split(b"\r\n")[0], after) == (b"HTTP/1.1 413 Request Entity Too Large", 200)


def _chunks_without_end(port: int, token: str) -> bytes:
    head = (
        "POST /v1/attachments HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n"
        f"authorization: Bearer {token}\r\ncontent-type: application/json\r\n\r\n"
    )
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(head.encode())
        try:
            for _ in range(10_000):
                connection.sendall(b"400\r\n" + b" " * 1024 + b"\r\n")
        except OSError:
            pass  # it was hung up on
        try:
            while part := connection.recv(1 << 16):
                received += part
        except OSError:
            pass
    return received


async def test_a_client_that_leaves_in_its_body_ends_nothing(tmp_path: Path) -> None:
    async with face(tmp_path) as served:
        head = (
            "POST /v1/attachments HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n"
            f"authorization: Bearer {served.token}\r\ncontent-type: application/json\r\n\r\n{{"
        )

        def leave() -> None:
            with socket.create_connection(("127.0.0.1", served.port), timeout=30) as connection:
                connection.sendall(head.encode())

        await anyio.to_thread.run_sync(leave)
        await until(lambda: served.desk.counted)
        after, _ = await served.ask("GET")

    assert (served.desk.counted, after) == ([("http", "bad_request")], 200)


async def test_a_body_that_does_not_come_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "BODY_SECONDS", 0.05)
    async with face(tmp_path) as served:
        status, body = await served.ask("POST", content_length="10", content_type="application/json")

    assert (status, body["error"]["code"]) == (408, "body_too_slow")
