"""`/v1/conversations` over a real socket: hostile keys, wrong queries, who sees texts, and what an erasure leaves."""

import http.client
import json
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio
import anyio.to_thread
import pytest

from steno.admin.views import FREED, WAITING, WORKERS
from steno.app.control_client import SOCKET
from steno.app.daemon import Daemon
from steno.app.serving import opened
from steno.config import parse
from steno.core.frame import Frame
from steno.view.live import LiveView
from steno.view.rows import Row
from tests.app.top.rows import PLAIN
from tests.core.helpers import Event, event
from tests.sources.helpers import until

pytestmark = pytest.mark.anyio

TOKEN = "open-sesame"  # opens nothing
BEARER = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Face:
    """A daemon that was fed by hand, and a client of its HTTP face."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon

    def say(self, name: str, *events: Event) -> None:
        """Feed the events of a named session."""
        pipeline, now = self.daemon.pipeline, self.daemon.clock.now()
        stream = pipeline.stream_opened(f"relay/1/{len(pipeline.streams)}", "relay", now, name)
        for each in events:
            pipeline.feed(stream, Frame(json.dumps(each).encode(), now, False))

    async def get(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        """Return the status and the JSON of a response."""
        return await anyio.to_thread.run_sync(_get, self.daemon.address, path, headers or {})


def _get(address: str, path: str, headers: dict[str, str]) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(address, timeout=20)
    try:
        connection.putrequest("GET", path, skip_host=False)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


@asynccontextmanager
async def face(folder: Path, *, content: str = "full", audit: bool = False, more: str = "") -> AsyncIterator[Face]:
    """Run a daemon without sources in this process."""
    (folder / "token").write_text(TOKEN)
    directory = f'directory = "{folder}/audit"\n' if audit else ""
    toml = (
        f'[http]\nlisten = "127.0.0.1:0"\ntoken = {{ file = "{folder}/token" }}\n'
        f'[audit]\ncontent = "{content}"\n{directory}{more}'
    )
    with opened(parse(toml, "steno.toml"), {}) as daemon:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(daemon.run)
            try:
                yield Face(daemon)
            finally:
                daemon.stop()


def typed(text: str) -> Event:
    item = {"id": "item_1", "type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    return event("conversation.item.added", item=item)


CREATED = event("session.created", session={"id": "sess_1", "type": "realtime", "model": "gpt-realtime"})

HOSTILE = [
    "call 7/with#marks%2F",
    "../../etc/passwd",
    "<script>alert(1)</script>",
    'quote"and\\slash',
    "line\nend\x00null",
    "\u202eright-to-left",
    "timeline",
    "x" * 5_000,
    "ключ",
]


async def test_every_key_can_be_asked_for_as_one_segment(tmp_path: Path) -> None:
    async with face(tmp_path) as served:
        for name in HOSTILE:
            served.say(name, CREATED)
        status, page = await served.get("/v1/conversations?sort=key")
        keys = [row["key"] for row in page["conversations"]]
        found = []
        for key in keys:
            segment = quote(key, safe="")
            for path, name in (
                (f"/v1/conversations/{segment}", "key"),
                (f"/v1/conversations/{segment}/timeline", "row"),
            ):
                answered, body = await served.get(path)
                found.append((answered, body[name] if name == "key" else body[name]["key"]))

    assert (status, page["total"]) == (200, len(HOSTILE))
    assert found == [(200, key) for key in keys for _ in range(2)]


NO_KEYS = [
    *("/relay/call-7", "/relay%2Fnobody", "/relay%2Fcall-7/other", "/", "//timeline", "/%ff", "/%"),
    "/relay%2Fcall-7/timeline/",
]


class Rows(list[Row]):
    """Rows that count how many of them are let go at once."""

    def __init__(self, rows: list[Row]) -> None:
        super().__init__(rows)
        self.freed: list[int] = []

    def __delitem__(self, place: Any) -> None:
        self.freed.append(len(self[place]))
        super().__delitem__(place)


async def test_very_many_rows_are_not_freed_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = Rows([PLAIN] * (2 * FREED + 1))
    monkeypatch.setattr(LiveView, "rows", lambda _: rows)
    async with face(tmp_path) as served:
        status, page = await served.get("/v1/conversations?limit=1")

    assert (status, page["total"], rows.freed) == (200, 2 * FREED + 1, [FREED, FREED, 1])


async def test_what_is_no_key_is_not_found(tmp_path: Path) -> None:
    async with face(tmp_path) as served:
        served.say("call-7", CREATED)
        answers = [await served.get(f"/v1/conversations{path}") for path in NO_KEYS]

    assert [(status, body["error"]["code"]) for status, body in answers] == [(404, "not_found")] * len(NO_KEYS)


async def test_a_wrong_query_is_an_error_that_says_what_is_expected(tmp_path: Path) -> None:
    async with face(tmp_path) as served:
        answers = [
            await served.get(f"/v1/conversations?{query}") for query in ("sort=secret", "limit=0", "open=1", "x=1")
        ]

    assert [(status, body["error"]["code"]) for status, body in answers] == [(400, "bad_request")] * 4
    assert answers[2][1]["error"]["message"] == "open must be true or false"


async def test_texts_are_for_who_is_authorized_and_objects_for_full_content(tmp_path: Path) -> None:
    path = "/v1/conversations/relay%2Fcall-7"
    async with face(tmp_path) as served:
        served.say("call-7", CREATED, typed("my name is Ada"))
        whole = await served.get(path, BEARER)
        timeline = await served.get(f"{path}/timeline", BEARER)
        withheld = await served.get(path)
        hidden = await served.get(f"{path}/timeline")

    assert (whole[1]["content"], whole[1]["session"]["id"]) == ("full", "sess_1")
    assert [each["text"] for each in whole[1]["transcript"]] == ["my name is Ada"]
    assert [(each["text"], each["characters"]) for each in timeline[1]["transcript"]] == [("my name is Ada", 14)]
    assert (withheld[1]["content"], withheld[1]["session"]) == ("withheld", None)
    assert [each["text"] for each in withheld[1]["transcript"]] == [None]
    assert (hidden[1]["content"], hidden[1]["transcript"][0]["characters"]) == ("withheld", 14)
    assert "Ada" not in json.dumps([withheld, hidden])


async def test_without_content_no_text_is_held_or_shown(tmp_path: Path) -> None:
    async with face(tmp_path, content="none") as served:
        served.say("call-7", CREATED, typed("my name is Ada"))
        answers = [await served.get(f"/v1/conversations/relay%2Fcall-7{more}", BEARER) for more in ("", "/timeline")]
        held = served.daemon.views.recent.find("relay/call-7")

    assert [(status, body["content"]) for status, body in answers] == [(200, "none")] * 2
    assert "Ada" not in json.dumps(answers)
    assert held is not None
    assert all("Content(" not in repr(entry.fact) for entry in held.facts)


async def test_redacted_texts_and_secrets_are_as_in_the_audit_log(tmp_path: Path) -> None:
    pytest.importorskip("re2")
    key = "sk-proj-" + "a1B2" * 12
    async with face(tmp_path, content="redacted") as served:
        served.say("call-7", CREATED, typed(f"ask ada@example.org with {key}"))
        _, body = await served.get("/v1/conversations/relay%2Fcall-7/timeline", BEARER)

    (said,) = body["transcript"]
    assert body["content"] == "redacted"
    assert said["text"].startswith("ask ")
    assert "ada@" not in said["text"]
    assert "a1B2" not in said["text"]


async def test_an_erasure_removes_what_is_shown(tmp_path: Path) -> None:
    path = "/v1/conversations/relay%2Fcall-7/timeline"
    async with face(tmp_path, audit=True, more="content_files = true\n") as served:
        served.say("call-7", CREATED, typed("my name is Ada"))
        _, before = await served.get(path, BEARER)
        answer = await anyio.to_thread.run_sync(_erase, tmp_path / "audit" / SOCKET)
        _, after = await served.get(path, BEARER)

    assert answer == 200
    assert [each["text"] for each in before["transcript"]] == ["my name is Ada"]
    assert [(each["text"], each["characters"]) for each in after["transcript"]] == [(None, 14)]


def _erase(path: Path) -> int:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
        body = b'{"conversation":"relay/call-7","partial":false}'
        head = f"POST /erase HTTP/1.1\r\nhost: steno\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        sock.sendall(head.encode() + body)
        return int(sock.recv(65_536).split()[1])


async def test_an_ended_conversation_keeps_its_totals(tmp_path: Path) -> None:
    async with face(tmp_path) as served:
        served.say("call-7", CREATED, typed("hello"))
        before = (await served.get("/v1/conversations/relay%2Fcall-7/timeline", BEARER))[1]
        served.daemon.pipeline.registry.close_all(served.daemon.clock.now())
        after = (await served.get("/v1/conversations/relay%2Fcall-7/timeline", BEARER))[1]
        document = (await served.get("/v1/conversations/relay%2Fcall-7", BEARER))[1]

    assert (before["row"]["state"], after["row"]["state"], after["row"]["closed_reason"]) == (
        *("listening", "closed"),
        "shutdown",
    )
    assert after["totals"] == before["totals"] == document["totals"]
    assert (document["open"], document["session"], document["transcript"][0]["text"]) == (False, None, "hello")


async def test_no_more_wait_than_there_is_a_place_for_and_nothing_is_made_for_who_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    held = threading.Event()

    def slow(view: LiveView, key: str, *, texts: bool) -> Callable[[], bytes]:
        def work() -> bytes:
            made.append(key)
            held.wait(20)
            return b"{}"

        return work

    monkeypatch.setattr(LiveView, "timeline", slow)
    async with face(tmp_path) as served, anyio.create_task_group() as tasks:
        host, _, port = served.daemon.address.rpartition(":")
        answers: list[int] = []

        async def ask(name: str) -> None:
            answers.append((await served.get(f"/v1/conversations/{name}/timeline"))[0])

        for name in ("one", "two"):
            tasks.start_soon(ask, name)
        await until(lambda: len(made) == WORKERS)
        waiting = [await anyio.connect_tcp(host, int(port)) for _ in range(WAITING)]
        for each in waiting:
            await each.send(b"GET /v1/conversations/left/timeline HTTP/1.1\r\nhost: localhost\r\n\r\n")
        await until(lambda: served.daemon.views.workers.waiting == WAITING)
        status, busy = await served.get("/v1/sources")
        scraped = await anyio.to_thread.run_sync(_get, served.daemon.address, "/healthz", {})
        for each in waiting:
            await each.aclose()
        await until(lambda: len(served.daemon.faces.tables["http"]) == WORKERS)
        held.set()
        await until(lambda: len(answers) == WORKERS)
        free, _ = await served.get("/v1/sources")

    assert (status, busy["error"]["code"], scraped[0], free, answers) == (503, "busy", 200, 200, [200, 200])
    assert sorted(made) == ["one", "two"]
