"""The real program among canaries: what it logs, serves, writes and prints, in success and in failure."""

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
from tests.canary.canaries import CONTENT, PERSON, SECRET, Canaries, marks, planted_text
from tests.processes import PATIENCE_SECONDS, Running, running, steno, wait_for, wait_until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def canaries() -> Canaries:
    return Canaries()


def conversation(canaries: Canaries) -> list[bytes]:
    """Return the frames of a conversation in which everything is a canary, and frames that are malformed."""
    of = {"response_id": "r", "item_id": "i"}
    session = {
        "id": "s",
        "model": "gpt-realtime",
        "instructions": planted_text(canaries, "instructions"),
        "client_secret": {"value": canaries.mark(SECRET, "client secret"), "expires_at": 1},
        "tools": [
            {"type": "mcp", "headers": {"X": canaries.mark(SECRET, "tool")}, "authorization": canaries.key("tool")}
        ],
    }
    message = {"type": "message", "id": "i", "content": [{"type": "text", "text": planted_text(canaries, "item")}]}
    response = {
        "id": "r",
        "status": "completed",
        "output": [message],
        "metadata": {"a": planted_text(canaries, "metadata")},
    }
    events: list[dict[str, Any]] = [
        {"type": "session.created", "session": session},
        {"type": "conversation.item.added", "item": {**message, "role": "user", "id": "j"}},
        {"type": "response.created", "response": {"id": "r"}},
        {"type": "response.output_text.delta", **of, "delta": planted_text(canaries, "delta")},
        {"type": "response.done", "response": response},
        {"type": "error", "error": {"type": "a", "code": "b", "message": planted_text(canaries, "message")}},
        {"type": f"a.{canaries.key('type')}"},
    ]
    damaged = [f'{{"password":"{canaries.mark(SECRET, "damage")}', f'{{"text":"\\n{canaries.key("damage")}']
    return [*(json.dumps(event).encode() for event in events), *(each.encode() for each in damaged)]


class Provider:
    """A server that refuses the first attempt, sends on the second, and shows canaries wherever it can."""

    def __init__(self, canaries: Canaries) -> None:
        self.canaries = canaries
        self.frames = conversation(canaries)
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

    async def send(self, connection: ServerConnection) -> None:
        """Send everything, then close with a reason that repeats the key."""
        for frame in self.frames:
            await connection.send(frame, text=True)
        await connection.send(f'{{"api_key":"{self.canaries.mark(SECRET, "binary")}","a":"'.encode() + b'\xff"}')
        await connection.close(4001, f"bad key {self.canaries.key('reason')}")


@asynccontextmanager
async def provider(canaries: Canaries) -> AsyncIterator[tuple[Provider, str]]:
    """Serve on loopback; yield the server and its URL, which holds canaries too."""
    served = Provider(canaries)
    async with serve(
        served.send, "127.0.0.1", 0, process_request=served.admit, process_response=served.greet
    ) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield (
            served,
            f"ws://127.0.0.1:{port}/{canaries.key('path').split()[-1]}?api_key={canaries.mark(SECRET, 'query')}",
        )


def kept(canaries: Canaries, path: Path) -> str:
    """Put a secret into a file, and return the TOML that refers to it."""
    path.write_text(canaries.mark(SECRET, path.name) * 4)
    return f'{{ file = "{path}" }}'


def configured(canaries: Canaries, folder: Path, url: str, form: str = "json", audit: str = "") -> Path:
    """Write a configuration that refers to secrets in every way there is."""
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
        backoff_max_seconds = 0.1
        headers = {{ Authorization = {kept(canaries, folder / "token")}, X-Key = {{ env = "STENO_CANARY" }} }}
        subprotocols = []
        """
    )
    return config


async def outputs_of_a_run(canaries: Canaries, folder: Path, config: Path, server: Provider) -> dict[str, bytes]:
    """Run the daemon until the provider has refused it again; return what it served and wrote."""
    outputs: dict[str, bytes] = {}
    options = ("--state", folder / "state", "--record", folder / "recordings")
    with running(config, *options, STENO_CANARY=canaries.mark(SECRET, "environment")) as daemon:
        await wait_until(lambda: len(server.requests) > 2)
        port = port_of(daemon)
        for path in ("/metrics", "/healthz", "/readyz", "/nothing"):
            outputs[path] = get(port, f"{path}?api_key={canaries.mark(SECRET, 'requested')}", canaries)
        outputs["health"] = printed("health", f"http://127.0.0.1:{port}/readyz")
        assert await anyio.to_thread.run_sync(daemon.stop) == 0
    outputs["log"] = config.with_suffix(".log").read_bytes()
    outputs["state"] = (folder / "state").read_bytes()
    outputs["recording"] = b"".join(path.read_bytes() for path in (folder / "recordings").glob("*"))
    outputs["audit"] = segments(folder / "audit")
    return outputs


def get(port: int, path: str, canaries: Canaries) -> bytes:
    """Request a path of the HTTP face, with a key in a header; return the headers and the body of the response."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)) as connection:
        connection.request("GET", path, headers={"Authorization": canaries.key("request")})
        with connection.getresponse() as response:
            return str(response.headers).encode() + response.read()


def printed(*args: str | Path) -> bytes:
    """Return what a command prints."""
    done = steno(*args)
    return done.stdout + done.stderr


def segments(folder: Path) -> bytes:
    """Return all records of a log."""
    return b"".join(path.read_bytes() for path in sorted(folder.glob("audit-*.jsonl")))


def port_of(daemon: Running) -> int:
    """Return where a daemon listens, once its log has it, in either form."""
    found = wait_for(lambda: re.search(r"""http[=":]+http://127\.0\.0\.1:([0-9]+)""", daemon._log.read_text()))
    return int(found[1])


def outputs_of_commands(canaries: Canaries, folder: Path, config: Path) -> dict[str, bytes]:
    """Return what commands print about the log, also when it is damaged, and what a replay of the recording writes."""
    again = folder / "again"
    recordings = sorted((folder / "recordings").glob("*"))
    outputs = ("--state", folder / "state2", "--metrics", folder / "metrics2", "--audit", again)
    texts = {
        "check": printed("check", "-c", config),
        "verify": printed("verify", folder / "audit", "--key-file", folder / "key", "--words"),
        "replay": printed("replay", *recordings, "-c", config, *outputs, "--strict"),
        "replayed audit": segments(again),
        "replayed metrics": (folder / "metrics2").read_bytes(),
        "replayed state": (folder / "state2").read_bytes(),
    }
    segment = min(again.glob("audit-*.jsonl"))
    segment.write_bytes(segment.read_bytes().replace(b'"kind"', b'"kInd"', 1).replace(b"length", b"lengtH", 1))
    return {**texts, "verify damaged": printed("verify", again, "--key-file", folder / "key")}


async def test_a_daemon_shows_no_secret_and_no_content(canaries: Canaries, tmp_path: Path) -> None:
    """By default only the state and the recording, which were asked for, hold content; no secret is anywhere."""
    async with provider(canaries) as (server, url):
        config = configured(canaries, tmp_path, url)
        outputs = await outputs_of_a_run(canaries, tmp_path, config, server)
    outputs |= await anyio.to_thread.run_sync(outputs_of_commands, canaries, tmp_path, config)

    with_content = {name for name, held in outputs.items() if marks(held, CONTENT) | marks(held, PERSON)}
    sent = {canaries.places[mark] for mark in marks(str(server.requests[1].headers).encode(), SECRET)}
    assert all(outputs.values())
    assert sent == {"token", "environment"}
    assert canaries.where({name: marks(held, SECRET) for name, held in outputs.items()}) == []
    assert with_content == {"state", "recording", "replayed state"}
    assert outputs["audit"].count(b'"kind":"text"') == 2
    assert b"holds" not in outputs["verify damaged"]


async def test_a_log_for_people_shows_no_secret_and_no_content(canaries: Canaries, tmp_path: Path) -> None:
    async with provider(canaries) as (server, url):
        outputs = await outputs_of_a_run(canaries, tmp_path, configured(canaries, tmp_path, url, "console"), server)

    assert b"stream ended" in outputs["log"]
    assert marks(outputs["log"], SECRET) | marks(outputs["log"], CONTENT) | marks(outputs["log"], PERSON) == set()


async def test_content_in_files_is_shown_there_alone(canaries: Canaries, tmp_path: Path) -> None:
    async with provider(canaries) as (server, url):
        config = configured(canaries, tmp_path, url, audit='content = "full"\ncontent_files = true')
        outputs = await outputs_of_a_run(canaries, tmp_path, config, server)
    content = b"".join(path.read_bytes() for path in (tmp_path / "audit" / "words").iterdir())

    assert marks(content, SECRET) == set()
    assert len(marks(content, CONTENT)) == 4  # instructions, text, metadata, message
    assert canaries.where({name: marks(held, SECRET) for name, held in outputs.items()}) == []
    assert {name for name, held in outputs.items() if marks(held, CONTENT)} == {"state", "recording"}


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
    """A fault names the key where somebody wrote a secret, and not the secret."""
    config = tmp_path / "steno.toml"
    config.write_text(wrong.replace("%", f"sk-proj-{canaries.mark(SECRET, wrong)}"))

    with pytest.raises(ConfigError) as refused:
        load(config)

    assert marks(str(refused.value).encode() + repr(refused.value).encode(), SECRET) == set()


def test_commands_that_fail_show_no_secret(canaries: Canaries, tmp_path: Path) -> None:
    """A file that is not the configuration, price list, recording or log it should be is not quoted."""
    secret = tmp_path / "secret"
    secret.write_text(json.dumps({"api_key": canaries.mark(SECRET, "file"), "version": canaries.key("file")}))
    prices = tmp_path / "prices"
    prices.write_text(json.dumps({"schema": "steno.prices/1", "version": f" {canaries.key('version')}"}))
    short = tmp_path / "short"
    short.write_text(canaries.mark(SECRET, "short"))
    wrong = tmp_path / "steno.toml"
    listen = '[http]\nlisten = "127.0.0.1:0"'  # the port is bound before the key is read
    wrong.write_text(f'{listen}\n[audit]\ndirectory = "{tmp_path}"\nkey = {{ file = "{short}" }}\n')
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
"""An error whose message repeats its arguments, as many do: `int('hello')` does, a missing key does."""

CRASHES = {
    "a reducer": "from steno.core.realtime.handlers import HANDLERS; HANDLERS.update(dict.fromkeys(HANDLERS, boom))",
    "the pipeline": "from steno.pipeline import Pipeline; Pipeline.feed = boom",
    "a task that is not awaited": """
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
async def test_a_crash_shows_neither_secrets_nor_content(
    form: str, crash: str, canaries: Canaries, tmp_path: Path
) -> None:
    """Whatever breaks, and whatever the message of the error: the log has its type and its place alone."""
    async with provider(canaries) as (server, url):
        config = configured(canaries, tmp_path, url, form, 'content = "full"')
        statements = f"{RAISES}\n{CRASHES[crash]}"
        with running(config, "--record", tmp_path / "recordings", limit=statements, STENO_CANARY="none") as daemon:
            await wait_until(lambda: len(server.requests) > 2 or daemon.process.poll() is not None)
            if daemon.process.poll() is None:
                await anyio.to_thread.run_sync(get_or_fail, port_of(daemon))
                daemon.process.terminate()
                await anyio.to_thread.run_sync(daemon.process.wait)
    log = config.with_suffix(".log").read_bytes()

    assert re.search(rb"ValueError|Fatal Python error", log)
    assert marks(log, SECRET) | marks(log, CONTENT) | marks(log, PERSON) == set()


def get_or_fail(port: int) -> None:
    """Request the metrics, whether there is a response or not."""
    with suppress(OSError, http.client.HTTPException):
        get(port, "/metrics", Canaries())


def test_a_replay_that_crashes_shows_no_content(canaries: Canaries, tmp_path: Path) -> None:
    recording = tmp_path / "a.jsonl"
    recording.write_bytes(b"\n".join(conversation(canaries)))
    statements = f"{RAISES}\n{CRASHES['a reducer']}\nfrom steno.cli import main; main()"

    done = subprocess.run([sys.executable, "-c", statements, "replay", recording], capture_output=True, check=False)

    assert done.returncode == 70
    assert b"ValueError" in done.stderr
    assert marks(done.stderr + done.stdout, SECRET) | marks(done.stderr + done.stdout, CONTENT) == set()
