"""`steno erase`: the content of a conversation is removed wherever it is, the log records that, and it still holds."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from tests.core.helpers import cloud_event, created, delta, done, message, session
from tests.processes import Running, running, steno, upstream, wait_until

pytestmark = pytest.mark.anyio

CALL = "relay/call-1"
TEXTS = ["THE FIRST TEXT", "THE LAST TEXT"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def configure(folder: Path, url: str, audit: str) -> Path:
    """Write a configuration with one source, which reads `url`, and with `audit` as further keys of the log."""
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


def response(number: int, text: str) -> list[bytes]:
    """Return the events of a response whose text is `text`."""
    key = f"resp_{number}"
    item = f"item_{number}"
    frames = [
        created(key),
        delta(text, response_id=key, item_id=item),
        done(key, output=[message(item, text)]),
    ]
    return [json.dumps(frame).encode() for frame in frames]


def frames() -> list[bytes]:
    """Return a session with one response."""
    return [json.dumps(session(instructions="BE KIND")).encode(), *response(1, TEXTS[0])]


def words(subject: str, number: int) -> list[bytes]:
    """Return a session under `subject`, each in CloudEvents, whose only text is `TEXT number`."""
    events = [session(f"sess_{number}"), done(f"resp_{number}", output=[message(f"item_{number}", f"TEXT {number}")])]
    return [json.dumps(cloud_event(each, subject)).encode() for each in events]


def test_a_name_that_looks_like_the_second_session_of_another_keeps_its_words(tmp_path: Path) -> None:
    """Each key, as the log prints it, erases the words of its own conversation and no others."""
    long = "x" * 400
    names = ["b#2", "b", "b", "b/c", long, long + "y"]
    lines = [line for number, name in enumerate(names) for line in words(name, number)]
    (tmp_path / "calls.jsonl").write_bytes(b"\n".join(lines))
    config = configure(tmp_path, "ws://127.0.0.1:1", 'content = "full"\ncontent_files = true')
    command = ("replay", tmp_path / "calls.jsonl", "-c", config, "--audit", tmp_path / "audit")
    assert steno(*command).returncode == 0

    keys = [line["conversation"] for line in records(tmp_path) if line["fact"] == "response.finished"]
    assert len(set(keys)) == len(names)
    assert keys[:4] == ["replay/b%232", "replay/b", "replay/b#2", "replay/b%2Fc"]
    for gone, key in enumerate(keys):
        assert steno("erase", "-c", config, "--conversation", key).returncode == 0
        held = b"".join(path.read_bytes() for path in (tmp_path / "audit/words").iterdir())
        assert [b"TEXT %d" % number in held for number in range(len(names))] == [n > gone for n in range(len(names))]


def records(folder: Path) -> list[dict[str, Any]]:
    paths = sorted((folder / "audit").glob("audit-*.jsonl"))
    return [json.loads(line) for path in paths for line in path.read_bytes().splitlines()]


def facts(folder: Path) -> list[str]:
    return [record["fact"] for record in records(folder)]


def held(folder: Path) -> bytes:
    """Return all bytes of the log and of the files beside it."""
    return b"".join(path.read_bytes() for path in sorted((folder / "audit").rglob("*")) if path.is_file())


async def until_recorded(folder: Path, fact: str) -> None:
    await wait_until(lambda: fact in facts(folder))


async def erase(folder: Path, *more: str) -> tuple[int, str]:
    """Run the command; return its exit code and its output."""
    ran = await anyio.to_thread.run_sync(
        lambda: steno("erase", "-c", folder / "steno.toml", "--conversation", CALL, *more)
    )
    return ran.returncode, (ran.stdout or ran.stderr).decode()


async def ended(daemon: Running, number: int = signal.SIGTERM) -> int:
    return await anyio.to_thread.run_sync(daemon.stop, number)


def verified(folder: Path) -> list[str]:
    """Return what `steno verify --words` prints of a log that holds."""
    ran = steno("verify", folder / "audit", "--words")
    assert ran.returncode == 0, ran.stdout
    return ran.stdout.decode().splitlines()


async def test_a_running_daemon_erases_the_file_and_its_memory(tmp_path: Path) -> None:
    """It does so again each time it is asked, while the conversation is open."""
    async with upstream(frames(), hang_up=False) as (_, url):
        config = configure(tmp_path, url, 'content = "full"\ncontent_files = true')
        with running(config, "--state", tmp_path / "state") as daemon:
            await until_recorded(tmp_path, "response.finished")
            before = held(tmp_path)
            erased = await erase(tmp_path)
            after = held(tmp_path)
            again = await erase(tmp_path, "--partial")
            assert await ended(daemon) == 0

    assert all(text.encode() in before for text in ("BE KIND", TEXTS[0]))
    assert erased == (
        0,
        f"2 texts of {CALL} are erased, and the key that proved them; so are those in the memory of the daemon\n",
    )
    assert not any(text.encode() in after for text in ("BE KIND", TEXTS[0]))
    assert again[0] == 0
    assert TEXTS[0] not in (tmp_path / "state").read_text()
    assert facts(tmp_path).count("content.erased") == 2
    assert verified(tmp_path)[-1] == "words     0 texts stand as they were kept, 2 were erased"


async def test_content_that_comes_later_is_kept_under_another_key(tmp_path: Path) -> None:
    """An erasure removes what there is at that time."""
    async with upstream(frames(), hang_up=False) as (server, url):
        config = configure(tmp_path, url, 'content = "full"\ncontent_files = true')
        with running(config) as daemon:
            await until_recorded(tmp_path, "response.finished")
            first = json.loads(next((tmp_path / "audit/words").iterdir()).read_text().splitlines()[0])
            assert (await erase(tmp_path))[0] == 0
            assert list((tmp_path / "audit/words").iterdir()) == []
            await server.say(response(2, TEXTS[1]))
            await wait_until(lambda: facts(tmp_path).count("response.finished") == 2)
            assert await ended(daemon) == 0

    second = (tmp_path / "audit/words" / next(iter((tmp_path / "audit/words").iterdir())).name).read_text()
    assert json.loads(second.splitlines()[0])["key"] != first["key"]
    assert TEXTS[1] in second
    assert verified(tmp_path)[-1] == "words     1 text stands as it was kept, 2 were erased"


async def test_without_a_daemon_the_command_writes_the_log_itself(tmp_path: Path) -> None:
    """Nobody listens on the socket that a killed daemon left behind."""
    async with upstream(frames(), hang_up=False) as (_, url):
        config = configure(tmp_path, url, 'content = "full"\ncontent_files = true')
        with running(config) as daemon:
            await until_recorded(tmp_path, "response.finished")
            await ended(daemon, signal.SIGKILL)

    assert (tmp_path / "audit/.control").is_socket()
    assert await erase(tmp_path) == (0, f"2 texts of {CALL} are erased, and the key that proved them\n")
    assert TEXTS[0].encode() not in held(tmp_path)
    count = len(records(tmp_path))
    assert await erase(tmp_path) == (1, f"no words of {CALL} are kept: nothing was erased\n")
    assert len(records(tmp_path)) == count, "an erasure that found nothing is not recorded"
    assert verified(tmp_path)[-1] == "words     0 texts stand as they were kept, 2 were erased"


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize(
    "policy", ['content = "full"', 'content = { text = "redacted" }', 'digest_key = { env = "DIGEST_KEY" }']
)
async def test_content_in_the_chain_cannot_be_erased(
    tmp_path: Path, policy: str, live: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither can a digest of it. The command refuses, says in how many records it stands, and changes nothing."""
    monkeypatch.setenv("DIGEST_KEY", "0123456789abcdef" * 2)
    async with upstream(frames(), hang_up=False) as (_, url):
        with running(configure(tmp_path, url, policy), "--state", tmp_path / "state") as daemon:
            await until_recorded(tmp_path, "response.finished")
            if not live:
                assert await ended(daemon) == 0
            before = facts(tmp_path)
            code, output = await erase(tmp_path)
            assert facts(tmp_path) == before
            if live:
                assert await ended(daemon) == 0

    assert code == 64
    assert f"words of {CALL} stand in " in output
    assert "where they cannot be erased" in output
    assert TEXTS[0] not in output
    assert TEXTS[0] in (tmp_path / "state").read_text(), "a refusal erases nothing"


async def test_with_partial_files_are_erased_although_records_hold_content(tmp_path: Path) -> None:
    """The record says how much is left, and the exit code is 1."""
    for policy in ('content = "full"', 'content = "full"\ncontent_files = true'):
        async with upstream(frames(), hang_up=False) as (_, url):
            with running(configure(tmp_path, url, policy)) as daemon:
                count = facts(tmp_path).count("response.finished") if (tmp_path / "audit").exists() else 0
                await wait_until(lambda: facts(tmp_path).count("response.finished") > count)  # noqa: B023
                assert await ended(daemon) == 0

    code, output = await erase(tmp_path, "--partial")

    assert (code, output) == (
        1,
        f"2 texts of {CALL} are erased, and the key that proved them; 2 records of the log itself still hold words\n",
    )
    (body,) = [record["body"] for record in records(tmp_path) if record["fact"] == "content.erased"]
    assert (body["texts"], body["chained"]) == (2, 2)


async def test_a_log_that_a_daemon_writes_is_left_alone_without_its_socket(tmp_path: Path) -> None:
    """The lock of the log keeps the command out."""
    async with upstream(frames(), hang_up=False) as (_, url):
        with running(configure(tmp_path, url, 'content = "full"\ncontent_files = true')) as daemon:
            await until_recorded(tmp_path, "response.finished")
            (tmp_path / "audit/.control").unlink()
            code, output = await erase(tmp_path)
            assert await ended(daemon) == 0

    assert code == 69
    assert output.startswith("steno: another steno writes the audit log in")
    assert TEXTS[0].encode() in held(tmp_path)


def test_the_command_does_without_the_servers_libraries() -> None:
    """They take long to import."""
    code = "import sys, steno.app.erase; print(sorted({'starlette', 'uvicorn', 'websockets'} & sys.modules.keys()))"

    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ran.stdout == "[]\n"


def test_where_there_is_no_log_the_command_says_so(tmp_path: Path) -> None:
    """In one line, with the folder that it looked at."""
    configure(tmp_path, "ws://127.0.0.1:1", "")

    ran = steno("erase", "-c", tmp_path / "steno.toml", "--conversation", CALL)

    assert (ran.returncode, ran.stderr.decode()) == (
        64,
        f"steno: there is no audit log in {tmp_path}/audit: name its folder by --audit\n",
    )


def test_a_folder_whose_name_is_too_long_is_no_log(tmp_path: Path) -> None:
    """As one that is not there."""
    configure(tmp_path, "ws://127.0.0.1:1", "")
    folder = tmp_path / ("n" * 300)

    ran = steno("erase", "-c", tmp_path / "steno.toml", "--conversation", CALL, "--audit", folder)

    assert (ran.returncode, ran.stderr.decode()) == (
        64,
        f"steno: there is no audit log in {folder}: name its folder by --audit\n",
    )
