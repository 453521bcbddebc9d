"""The real program among canaries: what it logs, serves, writes and prints, when all goes well and when it does not."""

import http.client
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from steno.config import load
from steno.errors import ConfigError
from tests.canary.canaries import PERSON, SECRET, WORD, Canaries, marks, speech
from tests.processes import PATIENCE_SECONDS, Running, running, steno, wait_for, wait_until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def canaries() -> Canaries:
    return Canaries()


def said(canaries: Canaries) -> list[bytes]:
    """Return a conversation in which everything is a canary, and frames that are none."""
    of = {"response_id": "r", "item_id": "i"}
    session = {
        "id": "s",
        "model": "gpt-realtime",
        "instructions": speech(canaries, "instructions"),
        "client_secret": {"value": canaries.mark(SECRET, "client secret"), "expires_at": 1},
        "tools": [
            {"type": "mcp", "headers": {"X": canaries.mark(SECRET, "tool")}, "authorization": canaries.key("tool")}
        ],
    }
    message = {"type": "message", "id": "i", "content": [{"type": "text", "text": speech(canaries, "item")}]}
    response = {"id": "r", "status": "completed", "output": [message], "metadata": {"a": speech(canaries, "metadata")}}
    events: list[dict[str, Any]] = [
        {"type": "session.created", "session": session},
        {"type": "conversation.item.added", "item": {**message, "role": "user", "id": "j"}},
        {"type": "response.created", "response": {"id": "r"}},
        {"type": "response.output_text.delta", **of, "delta": speech(canaries, "delta")},
        {"type": "response.done", "response": response},
        {"type": "error", "error": {"type": "a", "code": "b", "message": speech(canaries, "message")}},
        {"type": f"a.{canaries.key('type')}"},
    ]
    damaged = [f'{{"password":"{canaries.mark(SECRET, "damage")}', f'{{"text":"\\n{canaries.key("damage")}']
    return [*(json.dumps(event).encode() for event in events), *(each.encode() for each in damaged)]


class Provider:
    """A server that refuses the first attempt, speaks on the second, and shows canaries wherever it can."""

    def __init__(self, canaries: Canaries) -> None:
        self.canaries = canaries
        self.frames = said(canaries)
        self.requests: list[Request] = []

    def admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Refuse with a body and headers that repeat the key, as some servers do."""
        self.requests.append(request)
        if len(self.requests) == 2:
            return None
        refused = connection.respond(HTTPStatus.UNAUTHORIZED, f"bad key {self.canaries.key('body')}\n")
        refused.headers["WWW-Authenticate"] = f'Bearer realm="{self.canaries.key("header")}"'
        refused.headers["Retry-After"] = self.canaries.mark(SECRET, "retry-after") if len(self.requests) == 1 else "60"
        return refused

    def greet(self, _: ServerConnection, __: Request, response: Response) -> None:
        """Set a cookie."""
        response.headers["Set-Cookie"] = f"session={self.canaries.mark(SECRET, 'cookie')}"

    async def speak(self, connection: ServerConnection) -> None:
        """Say everything, then close for a reason that repeats the key."""
        for frame in self.frames:
            await connection.send(frame, text=True)
        await connection.send(f'{{"api_key":"{self.canaries.mark(SECRET, "binary")}","a":"'.encode() + b'\xff"}')
        await connection.close(4001, f"bad key {self.canaries.key('reason')}")


@asynccontextmanager
async def provider(canaries: Canaries) -> AsyncIterator[tuple[Provider, str]]:
    """Serve on loopback; yield the server and its URL, which holds canaries too."""
    told = Provider(canaries)
    async with serve(told.speak, "127.0.0.1", 0, process_request=told.admit, process_response=told.greet) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield told, f"ws://127.0.0.1:{port}/{canaries.key('path').split()[-1]}?api_key={canaries.mark(SECRET, 'query')}"


def kept(canaries: Canaries, path: Path) -> str:
    """Put a secret into a file, and say in TOML where it is."""
    path.write_text(canaries.mark(SECRET, path.name) * 4)
    return f'{{ file = "{path}" }}'


def configured(canaries: Canaries, folder: Path, url: str, form: str = "json", audit: str = "") -> Path:
    """Write a configuration that leads to secrets in all the ways there are."""
    config = folder / "steno.toml"
    config.write_text(
        f"""
        [http]
        listen = "127.0.0.1:0"
        [log]
        level = "debug"
        format = "{form}"
        [audit]
        directory = "{folder}/audit"
        key = {kept(canaries, folder / "key")}
        {audit}
        [[sources]]
        name = "relay"
        kind = "connect"
        url = "{url}"
        backoff_seconds = 0.05
        headers = {{ Authorization = {kept(canaries, folder / "token")}, X-Key = {{ env = "STENO_CANARY" }} }}
        subprotocols = []
        """
    )
    return config


async def lived(canaries: Canaries, folder: Path, config: Path, server: Provider) -> dict[str, bytes]:
    """Run the daemon through it all; return what it served and wrote."""
    served: dict[str, bytes] = {}
    options = ("--state", folder / "state", "--record", folder / "recordings")
    with running(config, *options, STENO_CANARY=canaries.mark(SECRET, "environment")) as daemon:
        await wait_until(lambda: len(server.requests) > 2)
        port = port_of(daemon)
        for path in ("/metrics", "/healthz", "/readyz", "/nothing"):
            served[path] = ask(port, f"{path}?api_key={canaries.mark(SECRET, 'asked')}", canaries)
        served["health"] = printed("health", f"http://127.0.0.1:{port}/readyz")
        assert await anyio.to_thread.run_sync(daemon.stop) == 0
    served["log"] = config.with_suffix(".log").read_bytes()
    served["state"] = (folder / "state").read_bytes()
    served["recording"] = b"".join(path.read_bytes() for path in (folder / "recordings").glob("*"))
    served["audit"] = segments(folder / "audit")
    return served


def ask(port: int, path: str, canaries: Canaries) -> bytes:
    """Ask the HTTP face, with a key in a header, and return all of its answer."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)) as connection:
        connection.request("GET", path, headers={"Authorization": canaries.key("asking")})
        with connection.getresponse() as answer:
            return str(answer.headers).encode() + answer.read()


def printed(*args: str | Path) -> bytes:
    """Return what a command prints."""
    done = steno(*args)
    return done.stdout + done.stderr


def segments(folder: Path) -> bytes:
    """Return all records of a log."""
    return b"".join(path.read_bytes() for path in sorted(folder.glob("audit-*.jsonl")))


def port_of(daemon: Running) -> int:
    """Return where a daemon listens, once its log says so, in whatever form."""
    found = wait_for(lambda: re.search(r"""http[=":]+http://127\.0\.0\.1:([0-9]+)""", daemon._log.read_text()))
    return int(found[1])


def of_the_log(canaries: Canaries, folder: Path, config: Path) -> dict[str, bytes]:
    """Return the log, and what commands say about it, whole and damaged; and what a replay makes of the recording."""
    again = folder / "again"
    recordings = sorted((folder / "recordings").glob("*"))
    outputs = ("--state", folder / "state2", "--metrics", folder / "metrics2", "--audit", again)
    told = {
        "check": printed("check", "-c", config),
        "verify": printed("verify", folder / "audit", "--key-file", folder / "key", "--words"),
        "replay": printed("replay", *recordings, "-c", config, *outputs, "--strict"),
        "replayed audit": segments(again),
        "replayed metrics": (folder / "metrics2").read_bytes(),
        "replayed state": (folder / "state2").read_bytes(),
    }
    segment = min(again.glob("audit-*.jsonl"))
    segment.write_bytes(segment.read_bytes().replace(b'"kind"', b'"kInd"', 1).replace(b"length", b"lengtH", 1))
    return {**told, "verify damaged": printed("verify", again, "--key-file", folder / "key")}


async def test_a_daemon_shows_no_secret_and_no_words(canaries: Canaries, tmp_path: Path) -> None:
    """By default only the state and the recording, which were asked for, hold words; no secret is anywhere."""
    async with provider(canaries) as (server, url):
        config = configured(canaries, tmp_path, url)
        told = await lived(canaries, tmp_path, config, server)
    told |= await anyio.to_thread.run_sync(of_the_log, canaries, tmp_path, config)

    words = {name for name, held in told.items() if marks(held, WORD) | marks(held, PERSON)}
    sent = {canaries.places[mark] for mark in marks(str(server.requests[1].headers).encode(), SECRET)}
    assert all(told.values())
    assert sent == {"token", "environment"}
    assert canaries.where({name: marks(held, SECRET) for name, held in told.items()}) == []
    assert words == {"state", "recording", "replayed state"}
    assert told["audit"].count(b'"kind":"text"') == 2
    assert b"holds" not in told["verify damaged"]


async def test_a_log_for_people_shows_no_secret_and_no_words(canaries: Canaries, tmp_path: Path) -> None:
    async with provider(canaries) as (server, url):
        told = await lived(canaries, tmp_path, configured(canaries, tmp_path, url, "console"), server)

    assert b"stream ended" in told["log"]
    assert marks(told["log"], SECRET) | marks(told["log"], WORD) | marks(told["log"], PERSON) == set()


async def test_words_in_files_are_shown_there_alone(canaries: Canaries, tmp_path: Path) -> None:
    async with provider(canaries) as (server, url):
        config = configured(canaries, tmp_path, url, audit='content = "full"\ncontent_files = true')
        told = await lived(canaries, tmp_path, config, server)
    words = b"".join(path.read_bytes() for path in (tmp_path / "audit" / "words").iterdir())

    assert marks(words, SECRET) == set()
    assert len(marks(words, WORD)) == 4  # instructions, text, metadata, message
    assert canaries.where({name: marks(held, SECRET) for name, held in told.items()}) == []
    assert {name for name, held in told.items() if marks(held, WORD)} == {"state", "recording"}


# Refused --------------------------------------------------------------------------------------------------------

SOURCE = '[[sources]]\nname = "relay"\nkind = "connect"\nurl = "ws://127.0.0.1:1/"\n'

WRONG = (
    'token = "%"',
    '"%" = 1',
    '[audit]\nkey = "%"',
    '[audit]\ndigest_key = { file = "Bearer %" }',
    '[audit]\ndirectory = "%"',
    '[audit]\ncontent = "%"',
    '[log]\nlevel = "%"',
    '[http]\nlisten = "%"',
    SOURCE + 'headers = { Authorization = "Bearer %" }',
    SOURCE + 'headers = { Authorization = ["%"] }',
    SOURCE + 'headers = { "%" = "%" }',
    SOURCE + 'headers = { A = { value = "%" } }',
    SOURCE + 'headers = { A = { file = "%" } }',
    SOURCE + 'headers = { A = { env = "%" } }',
    SOURCE + 'subprotocols = ["realtime", "openai-insecure-api-key.%"]',
    SOURCE + 'subprotocols = ["realtime", "%"]',
    SOURCE + 'ca_file = "%"',
    SOURCE.replace("ws://127.0.0.1:1/", "ws://user:%@host/"),
    SOURCE.replace("ws://127.0.0.1:1/", "http://host/?key=%"),
    SOURCE + 'headers = { A = "%',
    SOURCE + "%",
)


@pytest.mark.parametrize("wrong", WRONG)
def test_a_configuration_that_is_refused_is_not_repeated(wrong: str, canaries: Canaries, tmp_path: Path) -> None:
    """A secret that somebody wrote in place is told of by its place."""
    config = tmp_path / "steno.toml"
    config.write_text(wrong.replace("%", f"sk-proj-{canaries.mark(SECRET, wrong)}"))

    with pytest.raises(ConfigError) as refused:
        load(config)

    assert marks(str(refused.value).encode() + repr(refused.value).encode(), SECRET) == set()


def test_commands_that_fail_show_no_secret(canaries: Canaries, tmp_path: Path) -> None:
    """What is no configuration, price list, recording or log is told of without what it is."""
    secret = tmp_path / "secret"
    secret.write_text(json.dumps({"api_key": canaries.mark(SECRET, "file"), "version": canaries.key("file")}))
    prices = tmp_path / "prices"
    prices.write_text(json.dumps({"schema": "steno.prices/1", "version": f" {canaries.key('version')}"}))
    short = tmp_path / "short"
    short.write_text(canaries.mark(SECRET, "short"))
    wrong = tmp_path / "steno.toml"
    wrong.write_text(f'[audit]\ndirectory = "{tmp_path}"\nkey = {{ file = "{short}" }}\n')
    variable = canaries.mark(SECRET, "variable")

    done = {
        "check": steno("check", "-c", secret),
        "run": steno("run", "-c", wrong, STENO_TOKEN=variable),
        "prices": steno("replay", "--prices", prices, secret),
        "prices of another kind": steno("replay", "--prices", secret, secret),
        "replay": steno("replay", secret, "--strict", STENO_TOKEN=variable),
        "verify": steno("verify", secret),
        "head": steno("verify", tmp_path, "--head", canaries.key("head")),
        "health": steno("health", f"http://user:{canaries.mark(SECRET, 'user')}@127.0.0.1:1/?key={variable}"),
    }

    assert {name: each.returncode for name, each in done.items()} == {
        "check": 78, "run": 78, "prices": 78, "prices of another kind": 78,
        "replay": 65, "verify": 65, "head": 64, "health": 1,
    }  # fmt: skip
    assert canaries.where({name: marks(each.stdout + each.stderr, SECRET) for name, each in done.items()}) == []


# Crashes --------------------------------------------------------------------------------------------------------

RAISES = "def boom(*args, **_): raise ValueError(repr([getattr(a, 'payload', getattr(a, 'text', a)) for a in args]))"
"""An error that says all it knows, as many do: `int('hello')` does, a missing key does."""

CRASHES = {
    "a reducer": "from steno.core.realtime.handlers import HANDLERS; HANDLERS.update(dict.fromkeys(HANDLERS, boom))",
    "the pipeline": "from steno.pipeline import Pipeline; Pipeline.feed = boom",
    "a task nobody waits for": """
import asyncio
from steno.pipeline import Pipeline
async def late(frame): boom(frame)
Pipeline.feed = lambda self, stream, frame: asyncio.ensure_future(late(frame)) and None
""",
    "the encoder of the log": "from steno.audit.content_policy import BodyEncoder; BodyEncoder._kept = boom",
    "the recorder": "from steno.sources.recorder import Recording; Recording.frame = boom",
    "the page of metrics": """
from steno.metrics import exposition
exposition.number_family = boom
""",
    "a callback": """
import asyncio
from steno.pipeline import Pipeline
Pipeline.feed = lambda self, stream, frame: asyncio.get_running_loop().call_soon(boom, frame) and None
""",
    "the process": """
import faulthandler, os
faulthandler.enable(all_threads=True)
from steno.pipeline import Pipeline
Pipeline.feed = lambda self, stream, frame: os.abort()
""",
}


@pytest.mark.parametrize(("form", "crash"), [("json", each) for each in CRASHES] + [("console", "a reducer")])
async def test_a_crash_shows_neither_secrets_nor_words(
    form: str, crash: str, canaries: Canaries, tmp_path: Path
) -> None:
    """Whatever breaks, and whatever the error says: the type and the place are told, not what was there."""
    async with provider(canaries) as (server, url):
        config = configured(canaries, tmp_path, url, form, 'content = "full"')
        statements = f"{RAISES}\n{CRASHES[crash]}"
        with running(config, "--record", tmp_path / "recordings", limit=statements, STENO_CANARY="none") as daemon:
            await wait_until(lambda: len(server.requests) > 2 or daemon.process.poll() is not None)
            if daemon.process.poll() is None:
                await anyio.to_thread.run_sync(ask_in_vain, port_of(daemon))
                daemon.process.terminate()
                await anyio.to_thread.run_sync(daemon.process.wait)
    log = config.with_suffix(".log").read_bytes()

    assert re.search(rb"ValueError|Fatal Python error", log)
    assert marks(log, SECRET) | marks(log, WORD) | marks(log, PERSON) == set()


def ask_in_vain(port: int) -> None:
    """Ask for metrics, whether there is an answer or not."""
    with suppress(OSError, http.client.HTTPException):
        ask(port, "/metrics", Canaries())


def test_a_replay_that_crashes_shows_no_words(canaries: Canaries, tmp_path: Path) -> None:
    recording = tmp_path / "a.jsonl"
    recording.write_bytes(b"\n".join(said(canaries)))
    statements = f"{RAISES}\n{CRASHES['a reducer']}\nfrom steno.cli import main; main()"

    done = subprocess.run([sys.executable, "-c", statements, "replay", recording], capture_output=True, check=False)

    assert done.returncode == 70
    assert b"ValueError" in done.stderr
    assert marks(done.stderr + done.stdout, SECRET) | marks(done.stderr + done.stdout, WORD) == set()
