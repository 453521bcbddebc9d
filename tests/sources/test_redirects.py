"""Redirects of a handshake: real servers, which keep the headers that they got."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs
from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus
from websockets.http11 import Request, Response
from websockets.uri import WebSocketURI, parse_uri

from steno.config import Connect, SecretRef
from steno.sources.connect import ConnectSource
from steno.sources.redirects import REDIRECTS, RedirectRefusedError, connect_within_origin, shown
from tests.sources.helpers import Stage, counted, send_one, server, until

pytestmark = pytest.mark.anyio

SECRETS = {"X-Api-Key": "canary-1", "api-key": "canary-2", "Authorization": "Bearer canary-3"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Host:
    """A server that redirects from some paths and accepts on all others."""

    def __init__(self, status: int = 307) -> None:
        self.requests: list[Request] = []
        self.locations: dict[str, str] = {}
        self.url = ""
        self._status = HTTPStatus(status)

    def admit(self, connection: ServerConnection, request: Request) -> Response | None:
        self.requests.append(request)
        location = self.locations.get(request.path)
        if location is None:
            return None
        response = connection.respond(self._status, "elsewhere\n")
        response.headers["Location"] = location
        return response

    @property
    def paths(self) -> list[str]:
        return [request.path for request in self.requests]

    @property
    def port(self) -> str:
        return self.url.rpartition(":")[2]


@asynccontextmanager
async def serving(host: Host) -> AsyncIterator[Host]:
    async with server(send_one, host.admit) as host.url:
        yield host


@asynccontextmanager
async def connecting(url: str, folder: Path) -> AsyncIterator[tuple[ConnectSource, list[Any]]]:
    """Run a source with secrets in its headers; yield it, and what it logs."""
    headers = {}
    for name, secret in SECRETS.items():
        (folder / name).write_text(secret)
        headers[name] = SecretRef(file=str(folder / name))
    config = Connect(
        name="relay", kind="connect", url=url, headers=headers, backoff_seconds=0.01, backoff_max_seconds=0.02
    )
    source = ConnectSource(config, Stage().sessions)
    with capture_logs() as logs:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(source.run)
            yield source, logs
            await source.stop()
        assert "canary" not in repr(logs)


def secrets_in(requests: list[Request]) -> list[dict[str, str]]:
    return [{name: request.headers[name] for name in SECRETS if name in request.headers} for request in requests]


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
async def test_another_origin_gets_neither_a_secret_nor_a_request(status: int, tmp_path: Path) -> None:
    """Another port is another origin. The log says from where to where, and what to configure."""
    async with serving(Host(status)) as one, serving(Host()) as two:
        one.locations["/v1/events?token=canary"] = f"{two.url}/v1/other?token=canary"
        async with connecting(f"{one.url}/v1/events?token=canary", tmp_path) as (source, logs):
            await until(lambda: source.counters.attempts["redirect_refused"] >= 3)

    assert two.requests == []
    assert secrets_in(one.requests[:1]) == [SECRETS]
    assert set(counted(source.counters.attempts)) == {"redirect_refused"}
    assert {name: value for name, value in logs[0].items() if name != "retry_seconds"} == {
        "event": "cannot connect",
        "log_level": "warning",
        "source": "relay",
        "reason": "redirect_refused",
        "url": f"{one.url}/v1/events?token=***",
        "redirected_to": f"{two.url}/v1/other",
        "advice": "secrets are not sent to another origin: if it is meant, configure it as the url of this source",
    }


@pytest.mark.parametrize(
    "location",
    [
        "ws://localhost:{port}/there",
        "wss://127.0.0.1:{port}/there",
        "https://127.0.0.1:{port}/there",
        "//localhost:{port}/there",
        "ws://127.0.0.1/there",
        "ws://user:word@127.0.0.1:{port}/there",
        "ws://127.0.0.1:{port}@localhost/there",
        "ws://127.0.0.1.:{port}/there",
        "ws://[::ffff:127.0.0.1]:{port}/there",
        "WS://LOCALHOST:{port}/there",
        "file:///etc/passwd",
        "javascript:1",
        "ws:",
        "ws://127.0.0.1:{port}/there#part",
    ],
)
async def test_what_is_another_origin_or_no_address(location: str, tmp_path: Path) -> None:
    """Another scheme, host or port; a user of its own; what is not a websocket at all."""
    async with serving(Host()) as one:
        one.locations["/here"] = location.format(port=one.port)
        async with connecting(f"{one.url}/here", tmp_path) as (source, _):
            await until(lambda: source.counters.attempts["redirect_refused"] >= 2)

    assert set(one.paths) == {"/here"}
    assert set(counted(source.counters.attempts)) == {"redirect_refused"}


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("/there", "/there"),
        ("there?x=1", "/v1/there?x=1"),
        ("//127.0.0.1:{port}/there", "/there"),
        ("ws://127.0.0.1:{port}/there", "/there"),
        ("http://127.0.0.1:{port}/v1/here/", "/v1/here/"),
        ("HTTP://127.0.0.1:{port}", "/"),
        ("http:///there", "/there"),
    ],
)
async def test_the_same_origin_is_followed_with_its_secrets(location: str, path: str, tmp_path: Path) -> None:
    async with serving(Host()) as one:
        one.locations["/v1/here"] = location.format(port=one.port)
        async with connecting(f"{one.url}/v1/here", tmp_path) as (source, _):
            await until(lambda: source.ready)

    assert one.paths == ["/v1/here", path]
    assert secrets_in(one.requests) == [SECRETS, SECRETS]
    assert counted(source.counters.attempts) == {"connected": 1}


async def test_a_loop_ends_and_waits_as_after_any_failure(tmp_path: Path) -> None:
    """An attempt sends one request and as many again as it follows redirects; then comes the wait."""
    async with serving(Host()) as one:
        one.locations = {"/here": "/there", "/there": "/here"}
        async with connecting(f"{one.url}/here", tmp_path) as (source, logs):
            await until(lambda: len(logs) >= 3)
            requests = len(one.requests)

    assert set(counted(source.counters.attempts)) == {"redirect_loop"}
    assert [line["reason"] for line in logs[:3]] == ["redirect_loop"] * 3
    assert requests <= (source.counters.attempts["redirect_loop"] + 1) * (REDIRECTS + 1)
    assert one.paths[: REDIRECTS + 1] == ["/here", "/there"] * ((REDIRECTS + 1) // 2)


async def test_the_next_attempt_begins_at_the_configured_address(tmp_path: Path) -> None:
    """A redirect does not stick."""
    async with serving(Host()) as one:
        one.locations = {"/here": "/there", "/there": "ws://localhost:1/"}
        async with connecting(f"{one.url}/here", tmp_path) as (source, _):
            await until(lambda: source.counters.attempts["redirect_refused"] >= 2)

    assert one.paths[:4] == ["/here", "/there", "/here", "/there"]


# Any text -------------------------------------------------------------------------------------------------


LETTERS = st.characters(min_codepoint=32, max_codepoint=255, blacklist_characters="\x7f")
LOCATIONS = st.one_of(
    st.text(LETTERS),
    st.builds("{}:{}{}".format, st.sampled_from(["ws", "wss", "http", "HTTPS"]), st.just("//"), st.text(LETTERS)),
    st.text(st.sampled_from("/\\.@:?#[]%")).map("//relay.example{}".format),
)


@given(st.lists(LOCATIONS, max_size=2))
def test_any_location_is_the_origin_or_refused(locations: list[str]) -> None:
    """Whatever a server names, the answer is an address of the configured origin, or an error to count."""
    response = Response(302, "", Headers([("Location", each) for each in locations]))
    refused = InvalidStatus(response)

    answer = connect_within_origin("ws://relay.example:81/v1/events", proxy=None).process_redirect(refused)

    if isinstance(answer, str):
        assert (uri := parse_uri(answer)) == WebSocketURI(False, "relay.example", 81, uri.path, uri.query)
    else:
        assert isinstance(answer, RedirectRefusedError) or (answer is refused and not locations)


def test_what_is_shown_of_an_address() -> None:
    """Neither query nor key, no control character, and not all of a long one."""
    assert shown("ws://a.example/v1/sk-0123456789abcdef0123?token=x") == "ws://a.example/v1/***"
    assert shown("ws://a.example/\x9b31m\x7f") == "ws://a.example/?31m?"
    assert len(shown("ws://a.example/" + "y" * 5_000)) == 203
