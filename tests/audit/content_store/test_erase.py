"""`steno erase`: the words of a conversation go, wherever they are, and the log says so and still holds."""

import json
import signal
import socket
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from tests.core.helpers import created, delta, done, message, session
from tests.processes import Running, running, steno, upstream, wait_for, wait_until

pytestmark = pytest.mark.anyio

CALL = "relay/call-1"
WORDS = ["THE FIRST WORDS", "THE LAST WORDS"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def configure(folder: Path, url: str, audit: str) -> Path:
    """Write a configuration with one source, which reads `url`, and more about the log."""
    config = folder / "steno.toml"
    config.write_text(
        f"""
        [http]
        listen = "127.0.0.1:0"
        [audit]
        directory = "{folder}/audit"
        flush_seconds = 0.05
        {audit}
        [[sources]]
        name = "relay"
        kind = "connect"
        url = "{url}?conversation=call-1"
        """
    )
    return config


def answer(number: int, words: str) -> list[bytes]:
    """A response that says `words`."""
    key = f"resp_{number}"
    item = f"item_{number}"
    frames = [
        created(key),
        delta(words, response_id=key, item_id=item),
        done(key, output=[message(item, words)]),
    ]
    return [json.dumps(frame).encode() for frame in frames]


def frames() -> list[bytes]:
    """A session in which something is said."""
    return [json.dumps(session(instructions="BE KIND")).encode(), *answer(1, WORDS[0])]


def records(folder: Path) -> list[dict[str, Any]]:
    paths = sorted((folder / "audit").glob("audit-*.jsonl"))
    return [json.loads(line) for path in paths for line in path.read_bytes().splitlines()]


def facts(folder: Path) -> list[str]:
    return [record["fact"] for record in records(folder)]


def held(folder: Path) -> bytes:
    """All that stands in the log and beside it."""
    return b"".join(path.read_bytes() for path in sorted((folder / "audit").rglob("*")) if path.is_file())


async def until_told(folder: Path, fact: str) -> None:
    await wait_until(lambda: fact in facts(folder))


async def erase(folder: Path, *more: str) -> tuple[int, str]:
    """Run the command; return its exit code and what it says."""
    ran = await anyio.to_thread.run_sync(
        lambda: steno("erase", "-c", folder / "steno.toml", "--conversation", CALL, *more)
    )
    return ran.returncode, (ran.stdout or ran.stderr).decode()


async def ended(daemon: Running, number: int = signal.SIGTERM) -> int:
    return await anyio.to_thread.run_sync(daemon.stop, number)


def proved(folder: Path) -> list[str]:
    """What `steno verify --words` prints of a log that holds."""
    ran = steno("verify", folder / "audit", "--words")
    assert ran.returncode == 0, ran.stdout
    return ran.stdout.decode().splitlines()


async def test_running_daemon_is_asked(tmp_path: Path) -> None:
    """The file goes, the memory of the daemon too, and what is said later is kept under another key."""
    async with upstream(frames(), hang_up=False) as (_, url):
        config = configure(tmp_path, url, 'content = "full"\ncontent_files = true')
        with running(config, "--state", tmp_path / "state") as daemon:
            await until_told(tmp_path, "response.finished")
            before = held(tmp_path)
            told = await erase(tmp_path)
            after = held(tmp_path)
            again = await erase(tmp_path, "--partial")
            assert await ended(daemon) == 0

    assert all(words.encode() in before for words in ("BE KIND", WORDS[0]))
    assert told == (
        0,
        f"2 texts of {CALL} are erased, and the key that proved them; so are those in the memory of the daemon\n",
    )
    assert not any(words.encode() in after for words in ("BE KIND", WORDS[0]))
    assert again[0] == 0
    assert WORDS[0] not in (tmp_path / "state").read_text()
    assert facts(tmp_path).count("content.erased") == 2
    assert proved(tmp_path)[-1] == "words     0 texts stand as they were kept, 2 were erased"


async def test_words_that_come_later_are_kept_under_another_key(tmp_path: Path) -> None:
    """An erasure is of what was said so far."""
    async with upstream(frames(), hang_up=False) as (server, url):
        config = configure(tmp_path, url, 'content = "full"\ncontent_files = true')
        with running(config) as daemon:
            await until_told(tmp_path, "response.finished")
            first = json.loads(next((tmp_path / "audit/words").iterdir()).read_text().splitlines()[0])
            assert (await erase(tmp_path))[0] == 0
            assert list((tmp_path / "audit/words").iterdir()) == []
            await server.say(answer(2, WORDS[1]))
            await wait_until(lambda: facts(tmp_path).count("response.finished") == 2)
            assert await ended(daemon) == 0

    second = (tmp_path / "audit/words" / next(iter((tmp_path / "audit/words").iterdir())).name).read_text()
    assert json.loads(second.splitlines()[0])["key"] != first["key"]
    assert WORDS[1] in second
    assert proved(tmp_path)[-1] == "words     1 texts stand as they were kept, 2 were erased"


async def test_without_a_daemon_the_command_writes_the_log_itself(tmp_path: Path) -> None:
    """The socket that a killed daemon left behind leads to nobody."""
    async with upstream(frames(), hang_up=False) as (_, url):
        config = configure(tmp_path, url, 'content = "full"\ncontent_files = true')
        with running(config) as daemon:
            await until_told(tmp_path, "response.finished")
            await ended(daemon, signal.SIGKILL)

    assert (tmp_path / "audit/.control").is_socket()
    assert await erase(tmp_path) == (0, f"2 texts of {CALL} are erased, and the key that proved them\n")
    assert WORDS[0].encode() not in held(tmp_path)
    count = len(records(tmp_path))
    assert await erase(tmp_path) == (1, f"no words of {CALL} are kept: nothing was erased\n")
    assert len(records(tmp_path)) == count, "what was not done is not recorded"
    assert proved(tmp_path)[-1] == "words     0 texts stand as they were kept, 2 were erased"


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize(
    "policy", ['content = "full"', 'content = { text = "redacted" }', 'digest_key = { env = "DIGEST_KEY" }']
)
async def test_words_in_the_chain_cannot_be_erased(
    tmp_path: Path, policy: str, live: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither can what proves a guess at them. It says so, says where they are, and touches nothing."""
    monkeypatch.setenv("DIGEST_KEY", "0123456789abcdef" * 2)
    async with upstream(frames(), hang_up=False) as (_, url):
        with running(configure(tmp_path, url, policy), "--state", tmp_path / "state") as daemon:
            await until_told(tmp_path, "response.finished")
            if not live:
                assert await ended(daemon) == 0
            before = facts(tmp_path)
            code, told = await erase(tmp_path)
            assert facts(tmp_path) == before
            if live:
                assert await ended(daemon) == 0

    assert code == 64
    assert f"words of {CALL} stand in " in told
    assert "where they cannot be erased" in told
    assert WORDS[0] not in told
    assert WORDS[0] in (tmp_path / "state").read_text(), "a refusal erases nothing"


async def test_what_stands_in_files_can_be_erased_although_more_stands_in_the_chain(tmp_path: Path) -> None:
    """With --partial; the record says how much is left, and so does the exit code."""
    for policy in ('content = "full"', 'content = "full"\ncontent_files = true'):
        async with upstream(frames(), hang_up=False) as (_, url):
            with running(configure(tmp_path, url, policy)) as daemon:
                count = facts(tmp_path).count("response.finished") if (tmp_path / "audit").exists() else 0
                await wait_until(lambda: facts(tmp_path).count("response.finished") > count)  # noqa: B023
                assert await ended(daemon) == 0

    code, told = await erase(tmp_path, "--partial")

    assert (code, told) == (
        1,
        f"2 texts of {CALL} are erased, and the key that proved them; 2 records of the log itself still hold words\n",
    )
    (body,) = [record["body"] for record in records(tmp_path) if record["fact"] == "content.erased"]
    assert (body["texts"], body["chained"]) == (2, 2)


async def test_a_log_that_somebody_else_writes_is_left_alone(tmp_path: Path) -> None:
    """Where the daemon's socket is gone, its lock still keeps others out."""
    async with upstream(frames(), hang_up=False) as (_, url):
        with running(configure(tmp_path, url, 'content = "full"\ncontent_files = true')) as daemon:
            await until_told(tmp_path, "response.finished")
            (tmp_path / "audit/.control").unlink()
            code, told = await erase(tmp_path)
            assert await ended(daemon) == 0

    assert code == 69
    assert told.startswith("steno: another steno writes the audit log in")
    assert WORDS[0].encode() in held(tmp_path)


def test_where_there_is_no_log_there_is_nothing_to_erase(tmp_path: Path) -> None:
    """One clear line."""
    configure(tmp_path, "ws://127.0.0.1:1", "")

    ran = steno("erase", "-c", tmp_path / "steno.toml", "--conversation", CALL)

    assert (ran.returncode, ran.stderr.decode()) == (64, f"steno: there is no audit log in {tmp_path}/audit\n")


# The socket ---------------------------------------------------------------------------------------------------------


def ask(path: Path, request: bytes) -> Iterator[bytes]:
    """Say something to the socket, and yield what it answers."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(str(path))
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as answers, suppress(ConnectionResetError):  # who says too much is hung up on
            yield from answers


async def test_the_socket_is_its_owners_and_takes_nothing_but_requests(tmp_path: Path) -> None:
    """Nonsense is answered with a word; the daemon goes on, and takes the socket away when it stops."""
    path = tmp_path / "audit/.control"
    async with upstream(frames(), hang_up=False) as (_, url):
        with running(configure(tmp_path, url, "")) as daemon:
            await wait_until(path.is_socket)
            await anyio.to_thread.run_sync(wait_for, lambda: stat.S_IMODE(path.stat().st_mode) == 0o600)
            for nonsense in (b"", b"\n", b"hello\n", b'{"erase":7}\n', b'{"drop":"x"}\n', b"x" * 100_000, b"\xff\n"):
                told = await anyio.to_thread.run_sync(lambda: list(ask(path, nonsense)))  # noqa: B023
                assert told in ([b'{"erased":null,"error":"not a request"}\n'], [])
            assert daemon.get("/healthz")[0] == 200
            assert await ended(daemon) == 0

    assert not path.exists()
