"""`steno attach` and a daemon, each a process of its own: by the control socket, by URL, over restarts and kills."""

import json
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from http import HTTPStatus
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import anyio
import anyio.to_thread
import pytest
from standardwebhooks import Webhook
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from steno.app import attach
from steno.attachments import Attachment, CallProblem
from steno.errors import UnavailableError, UsageError
from tests.admin.webhook_sender import ONE, event, post, signed
from tests.processes import Running, running, steno, wait_until

pytestmark = pytest.mark.anyio

TOKEN = "open-sesame"
PING = '{"type":"ping","event_id":"event_1"}'


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def provider(*known: str) -> AsyncIterator[str]:
    """A provider whose calls say one thing and go on."""

    async def talk(connection: ServerConnection) -> None:
        await connection.send(PING)
        await connection.wait_closed()

    def admit(connection: ServerConnection, request: Request) -> Response | None:
        called = request.path.partition("call_id=")[2]
        return None if called in known else connection.respond(HTTPStatus.NOT_FOUND, "")

    async with serve(talk, "127.0.0.1", 0, process_request=admit, close_timeout=1) as server:
        yield f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"


def configure(folder: Path, url: str, more: str = "") -> Path:
    (folder / "token").write_text(TOKEN)
    (folder / "webhook").write_text(ONE)
    config = folder / "steno.toml"
    config.write_text(
        f"""
        [http]
        listen = "127.0.0.1:0"
        token = {{ file = "{folder}/token" }}
        [audit]
        directory = "{folder}/audit"
        flush = "always"
        [[sources]]
        name = "calls"
        kind = "attach"
        url = "{url}"
        backoff_seconds = 0.05
        backoff_max_seconds = 0.1
        webhook_secret = {{ file = "{folder}/webhook" }}
        {more}
        """
    )
    return config


async def command(*args: str | Path, **environ: str) -> tuple[int, str, str]:
    """Run a command while the event loop of the test serves on; return exit code, output and errors."""
    done: CompletedProcess[bytes] = await anyio.to_thread.run_sync(partial(steno, *args, stdin=b"", **environ))
    return done.returncode, done.stdout.decode().strip(), done.stderr.decode().strip()


async def ended(daemon: Running, number: int = signal.SIGTERM) -> int:
    return await anyio.to_thread.run_sync(daemon.stop, number)


async def metric(daemon: Running, line: str) -> float:
    return await anyio.to_thread.run_sync(daemon.metric, line)


async def followed(daemon: Running, calls: int = 1) -> None:
    await wait_until(lambda: daemon.metric('steno_attachments{source="calls",status="following"}') == calls)


def records(folder: Path, *facts: str) -> list[dict[str, Any]]:
    segments = sorted((folder / "audit").glob("audit-*.jsonl"))
    every = [json.loads(line) for segment in segments for line in segment.read_text().splitlines()]
    return [record for record in every if record["fact"] in facts]


def noted(folder: Path) -> list[tuple[str, str, dict[str, Any]]]:
    """What the audit log says of calls: the fact, the conversation, the body."""
    found = records(folder, "daemon.call_attached", "daemon.call_released")
    return [(record["fact"].removeprefix("daemon.call_"), record["conversation"], record["body"]) for record in found]


async def test_by_the_control_socket(tmp_path: Path) -> None:
    """The owner of the audit log needs no token. What was asked, by whom, stands in the log."""
    async with provider("rtc_1") as url:
        config = configure(tmp_path, url)
        with running(config) as daemon:
            await wait_until(lambda: daemon.port)
            first = await command("attach", "rtc_1", "--label", "desk=berlin", "-c", config)
            await followed(daemon)
            second = await command("attach", "rtc_1", "-c", config)
            listed = await command("attach", "--list", "-c", config, COLUMNS="200")
            released = await command("attach", "--end", "rtc_1", "-c", config)
            again = await command("attach", "--end", "rtc_1", "-c", config)
            requests = await metric(daemon, 'steno_attachment_requests_total{kind="control",status="released"}')
            code = await ended(daemon)

    assert first == (0, "rtc_1: followed by calls", "")
    assert second[0] == 0
    assert second[1].startswith("rtc_1: followed by calls already, since 20")
    heading, row = listed[1].splitlines()
    assert heading.split() == ["call", "source", "since", "by", "state", "frames", "labels", "problem"]
    assert row.split()[:2] + row.split()[3:] == ["rtc_1", "calls", "control", "following", "1", "desk=berlin"]
    assert released == (0, "rtc_1: calls follows it no more, after 1 frame", "")
    assert again == (1, "", "this call is not followed")
    assert (requests, code) == (1, 0)
    call = {"source": "calls", "call_id": "rtc_1"}
    assert noted(tmp_path) == [
        ("attached", "calls/rtc_1", {**call, "by": "control", "labels": {"desk": "berlin"}, "resumed": False}),
        ("released", "calls/rtc_1", {**call, "reason": "released", "frames": 1, "by": "control"}),
    ]


async def test_by_url_with_the_token(tmp_path: Path) -> None:
    async with provider("rtc_1") as url:
        config = configure(tmp_path, url)
        with running(config) as daemon:
            at = f"http://127.0.0.1:{await anyio.to_thread.run_sync(lambda: daemon.port)}"
            wrong = tmp_path / "wrong"
            wrong.write_text("sesame")
            token = ("--token-file", tmp_path / "token")
            found = [
                await command("attach", "rtc_1", "--url", at),
                await command("attach", "rtc_1", "--url", at, "--token-file", wrong),
                await command("attach", "rtc_1", "--url", at, *token),
                await command("attach", "--list", "--url", at, *token),
                await command("attach", "--end", "rtc_1", "--url", at, *token),
                await command("attach", "--list", "--url", at, *token),
            ]
            await ended(daemon)

    assert [code for code, _, _ in found] == [64, 64, 0, 0, 0, 0]
    assert "the token is missing, or not that of the daemon's http.token" in found[0][2]
    assert "rtc_1" in found[3][1]
    assert found[5][1].splitlines()[1:] == []
    assert [body["by"] for _, _, body in noted(tmp_path)] == ["http", "http"]


async def test_a_webhook_before_a_kill_is_followed_after_it(tmp_path: Path) -> None:
    """The call and the webhook's id are on the disk before anything happens. What was accepted has no effect again."""
    async with provider("rtc_1") as url:
        config = configure(tmp_path, url)
        headers = signed(event())
        with running(config) as daemon:
            first = await posted(daemon, headers)
            await followed(daemon)
            await ended(daemon, signal.SIGKILL)
        with running(config) as daemon:
            await followed(daemon)
            again = await posted(daemon, headers)
            replayed = await metric(daemon, 'steno_webhooks_total{status="replayed"}')
            code = await ended(daemon)
        with running(config) as daemon:
            await followed(daemon)
            code += await ended(daemon)

    assert (first, again, replayed, code) == ((200, "attached"), (200, "replayed"), 1, 0)
    assert [(fact, body["by"], body["resumed"]) for fact, _, body in noted(tmp_path)] == [
        ("attached", "webhook", False),
        ("attached", "webhook", True),
        ("attached", "webhook", True),
    ]


async def posted(daemon: Running, headers: dict[str, str], host: str = "127.0.0.1") -> tuple[int, str]:
    port = await anyio.to_thread.run_sync(lambda: daemon.port)
    try:
        status, answer = await anyio.to_thread.run_sync(partial(post, port, event(), {**headers, "Host": host}))
    except json.JSONDecodeError:
        return 421, ""
    return status, answer["status"]


async def test_the_guard_of_hosts_is_before_all(tmp_path: Path) -> None:
    async with provider() as url:
        config = configure(tmp_path, url)
        with running(config) as daemon:
            foreign = await posted(daemon, signed(event()), "page.example")
            await ended(daemon)

    assert foreign[0] == 421


async def test_sighup_exchanges_the_token_and_leaves_calls_alone(tmp_path: Path) -> None:
    async with provider("rtc_1") as url:
        config = configure(tmp_path, url)
        with running(config) as daemon:
            at = f"http://127.0.0.1:{await anyio.to_thread.run_sync(lambda: daemon.port)}"
            await command("attach", "rtc_1", "-c", config)
            await followed(daemon)
            (tmp_path / "next").write_text("another")
            config.write_text(config.read_text().replace(f"{tmp_path}/token", f"{tmp_path}/next") + "calls = 7\n")
            daemon.reload()
            await wait_until(lambda: any(line["event"] == "configuration reloaded" for line in daemon.lines()))
            found = [
                (await command("attach", "--list", "--url", at, "--token-file", tmp_path / name))[0]
                for name in ("token", "next")
            ]
            opened = await metric(daemon, 'steno_connect_attempts_total{reason="connected",source="calls"}')
            await ended(daemon)

    assert (found, opened) == ([64, 0], 1)


async def test_a_source_that_is_taken_out_lets_its_calls_go(tmp_path: Path) -> None:
    async with provider("rtc_1") as url:
        config = configure(tmp_path, url)
        with running(config) as daemon:
            await wait_until(lambda: daemon.port)
            await command("attach", "rtc_1", "-c", config)
            await followed(daemon)
            config.write_text(config.read_text().replace('name = "calls"', 'name = "others"'))
            daemon.reload()
            ended_line = 'steno_attachments_ended_total{reason="source_removed",source="calls"}'
            await wait_until(lambda: daemon.metric(ended_line))
            again = await command("attach", "rtc_1", "-c", config)
            await ended(daemon)

    assert again[1] == "rtc_1: followed by others"
    assert [body.get("reason") for _, _, body in noted(tmp_path)] == [None, "source_removed", None]


async def test_without_a_folder_the_daemon_says_what_a_restart_forgets(tmp_path: Path) -> None:
    async with provider("rtc_1") as url:
        config = configure(tmp_path, url)
        config.write_text(config.read_text().replace(f'directory = "{tmp_path}/audit"', ""))
        with running(config, LOGS_DIRECTORY="", STATE_DIRECTORY="") as daemon:
            await wait_until(lambda: daemon.port)
            refused = await command("attach", "rtc_1", "-c", config, LOGS_DIRECTORY="")
            await ended(daemon)
            warned = [line["event"] for line in daemon.lines() if line["level"] == "warning"]

    assert "the calls that are followed are forgotten at a restart: set audit.directory or $STATE_DIRECTORY" in warned
    assert refused[0] == 64
    assert "no audit log is configured, and so no control socket: name the daemon by --url" in refused[2]


# The command alone ------------------------------------------------------------------------------------------


@contextmanager
def folder_of_a_log(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "audit").mkdir()
    yield configure(tmp_path, "ws://127.0.0.1:1")


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        ((), 64, "name one of: CALL_ID, --list, --end CALL_ID"),
        (("rtc_1", "--list"), 64, "name one of"),
        (("--list", "--label", "a=b"), 64, "--label and --source go with CALL_ID"),
        (("rtc_1", "--label", "a"), 64, "a label is NAME=TEXT"),
        (("rtc_1", "--label", "a=b", "--label", "a=c"), 64, "each name is given once"),
        (("rtc/1",), 64, "a request is"),
        (("rtc_1", "--token-file", "token"), 64, "--token-file and files of TLS go with --url"),
        (("rtc_1", "--ca-file", "ca.pem"), 64, "--token-file and files of TLS go with --url"),
        (
            ("rtc_1", "--url", "https://127.0.0.1:1", "--ca-file", "/nowhere"),
            78,
            "/nowhere: cannot be read: no such file",
        ),
        (("rtc_1", "--url", "ftp://x"), 64, "the URL must begin with http://"),
        (
            ("rtc_1", "--url", "http://127.0.0.1:1"),
            69,
            "no answer from 127.0.0.1:1: connection refused; is it",
        ),
        (("rtc_1", "--url", "http://127.0.0.1:1", "--token-file", "/nowhere"), 78, "/nowhere: cannot be read"),
        (("rtc_1",), 69, "no daemon listens on"),
    ],
)
def test_what_the_command_cannot_do(tmp_path: Path, args: tuple[str, ...], code: int, says: str) -> None:
    with folder_of_a_log(tmp_path) as config:
        done = steno("attach", *args, "-c", config)

    assert (done.returncode, says in done.stderr.decode(), b"Traceback" in done.stderr) == (code, True, False)


def test_no_configuration_is_78(tmp_path: Path) -> None:
    assert steno("attach", "rtc_1", "-c", tmp_path / "none.toml").returncode == 78


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (409, b'{"error":{"code":"already_followed","message":"x"}}', attach.NegativeAnswerError),
        (503, b'{"error":{"code":"too_many_calls","message":"x"}}', UnavailableError),
        (401, b'{"error":{"code":"unauthorized","message":"x"}}', UsageError),
        (400, b'{"error":{"code":"source_needed","message":"x"}}', UsageError),
        (404, b'{"erased":null,"error":"the daemon does not know this request"}', UnavailableError),
        (200, b"<html>", UnavailableError),
        (502, b"\xff", UnavailableError),
    ],
)
def test_what_a_daemon_may_answer(status: int, body: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        attach.listed(lambda *_: attach.Answer(status, body))


def test_the_table_shows_ids_whole_and_no_control_character() -> None:
    """An id is needed whole, by `--end`; what others chose moves no cursor."""
    call = "rtc_" + "u" * 120
    hostile = Attachment(call, "calls", "t", "http", "waiting", 0, {"a": "[red]x"}, CallProblem("\x1b[2J", "y\nz"))

    heading, row = attach.table((hostile,))

    assert heading.split() == list(attach.COLUMNS)
    assert row == f"{call}  calls   t      http  waiting  0       a=[red]x  \\u001b[2J y\\nz"


def test_the_package_makes_the_same_signature() -> None:
    """What the plays sign with is what the package of the provider's signatures makes."""
    from datetime import UTC, datetime

    headers = signed(event())
    at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
    assert Webhook(ONE).sign("wh_1", at, event().decode()) == headers["webhook-signature"]
