"""The daemon as a process: real frames over a real websocket become state, metrics and an audit log."""

import asyncio
import errno
import json
import re
import signal
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
import uvicorn

from steno.app.serving import opened
from steno.config import parse
from steno.metrics.definitions import PROCESS_METRICS
from tests.app.daemons import records_of_the_log
from tests.core.realtime.calls import begin, turn
from tests.processes import Running, running, steno, upstream, wait_until
from tests.recordings import frames

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


PATHS = ("/metrics", "/healthz", "/readyz", "/")


OPENED = re.compile(r'^steno_conversations_opened_total\{family="realtime",.*$', re.MULTILINE)


def configure(folder: Path, url: str, more: str = "") -> Path:
    """Write a configuration with one source, which reads `url`."""
    config = folder / "steno.toml"
    config.write_text(
        f"""
        [http]
        listen = "127.0.0.1:0"
        [audit]
        directory = "{folder}/audit"
        [[sources]]
        name = "relay"
        kind = "connect"
        url = "{url}"
        {more}
        """
    )
    return config


async def ended(daemon: Running, number: int = signal.SIGTERM) -> int:
    """Stop the daemon while the event loop of the test serves on, and return its exit code."""
    return await anyio.to_thread.run_sync(daemon.stop, number)


# The outputs, in a form that live and replay share --------------------------------------------------------


def renamed(text: str) -> str:
    """Give stream and source the names that replay has for them."""
    return re.sub(r"relay/\d+/\d+", "replay/recording", text)


def state(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in renamed(path.read_text()).splitlines()]


def records(folder: Path) -> list[tuple[str, str | None, dict[str, Any]]]:
    """Fact, conversation and body of each record that follows from frames."""
    found = []
    for each in records_of_the_log(folder):
        record = json.loads(renamed(json.dumps(each)))
        if not record["fact"].startswith(("log.", "daemon.")):
            record["body"].pop("source", None)
            found.append((record["fact"], record["conversation"], record["body"]))
    return found


def series(text: str) -> list[str]:
    """The series of conversation metrics, without those of the process, and what a clock counts down."""
    process = ("python_", "process_", "steno_rate_limit_reset_seconds", *PROCESS_METRICS)
    lines = text.replace('source="relay"', 'source="replay"').splitlines()
    return sorted(line for line in lines if not line.startswith(("#", *process)))


def replayed(folder: Path) -> tuple[list[dict[str, Any]], list[str], list[tuple[str, str | None, dict[str, Any]]]]:
    """Replay the one recording below `folder`."""
    (source,) = (folder / "recordings").glob("*.jsonl")
    recording = source.rename(folder / "recording.jsonl")
    outputs = ("--state", folder / "again.jsonl", "--metrics", folder / "again.prom", "--audit", folder / "again")
    done = steno("replay", recording, "-c", folder / "steno.toml", *outputs)
    assert done.returncode == 0, done.stderr
    return state(folder / "again.jsonl"), series((folder / "again.prom").read_text()), records(folder / "again")


@pytest.mark.parametrize("kind", ["voice", "assistants"])
async def test_replay_of_what_was_recorded_is_what_the_daemon_saw(kind: str, tmp_path: Path) -> None:
    """State, metrics and audit log of a live stream are those of its recording."""
    sent = frames(kind)
    async with upstream(sent, hang_up=True) as (_, url):
        config = configure(tmp_path, url)
        with running(config, "--record", tmp_path / "recordings", "--state", tmp_path / "state.jsonl") as daemon:
            await wait_until(
                lambda: daemon.metric('steno_connect_attempts_total{reason="server_error",source="relay"}')
            )
            _, metrics = daemon.get("/metrics")
            code = await ended(daemon)
    same_state, same_metrics, same_records = replayed(tmp_path)

    assert code == 0
    assert state(tmp_path / "state.jsonl")[-1]["frames"] == len(sent)
    assert same_metrics == series(metrics)
    if kind == "voice":  # a thread outlives its stream: it ends with the daemon, which no recording holds
        assert same_state == state(tmp_path / "state.jsonl")
        assert same_records == records(tmp_path / "audit")
    assert steno("verify", tmp_path / "audit").returncode == 0


async def test_a_stream_of_several_sessions_is_separated_and_told_of_once(tmp_path: Path) -> None:
    """What cannot be told is counted and recorded each time, and logged once. A replay gives the same."""
    mixed = [*begin("A"), *turn("A", 1), *begin("B"), *turn("B", 1), *turn("A", 2), *turn("B", 2)]
    sent = [json.dumps(frame).encode() for frame in mixed]
    rejected = 'steno_events_rejected_total{reason="ambiguous_session",source="relay"}'
    async with upstream(sent, hang_up=False) as (_, url):
        config = configure(tmp_path, url)
        with running(config, "--record", tmp_path / "recordings", "--state", tmp_path / "state.jsonl") as daemon:
            await wait_until(lambda: daemon.metric(rejected) >= 4)  # the last of them is the last frame
            code = await ended(daemon)
            logged = [line for line in daemon.lines() if line.get("reason") == "ambiguous_session"]
    same_state, _, same_records = replayed(tmp_path)

    assert code == 0
    conversations = [line for line in same_state if "key" in line]
    assert [(line["key"], line["totals"]["responses"]) for line in conversations] == [
        ("replay/recording", {"completed": 2}),
        ("replay/recording#2", {"completed": 2}),
    ]
    assert same_state == state(tmp_path / "state.jsonl")
    assert same_records == records(tmp_path / "audit")
    assert [body["reason"] for fact, _, body in same_records if fact == "event.rejected"] == ["ambiguous_session"] * 4
    assert [(line["level"], line["source"]) for line in logged] == [("warning", "relay")]


async def test_stop_while_a_stream_is_open(tmp_path: Path) -> None:
    """SIGTERM closes with 1001, writes everything and exits 0; a replay of the recording gives all of it again."""
    sent = frames("voice", most=60)
    async with upstream(sent, hang_up=False) as (server, url):
        config = configure(tmp_path, url)
        with running(config, "--record", tmp_path / "recordings", "--state", tmp_path / "state.jsonl") as daemon:
            await wait_until(
                lambda: (
                    daemon.metric('steno_frame_bytes_total{direction="received",source="relay"}') >= sum(map(len, sent))
                )
            )
            code = await ended(daemon)
        await wait_until(lambda: server.closes)
    same_state, _, same_records = replayed(tmp_path)

    assert code == 0
    assert server.closes == [(1001, "steno is stopping")]
    assert same_state == state(tmp_path / "state.jsonl")
    assert [line["closed_reason"] for line in same_state if "key" in line] == ["shutdown"]
    assert same_records == records(tmp_path / "audit")
    assert steno("verify", tmp_path / "audit").returncode == 0


async def test_health_and_readiness(tmp_path: Path) -> None:
    """The daemon is ready while its source is connected, and healthy all the time."""
    async with upstream(frames("voice", most=5), hang_up=False) as (server, url):
        with running(configure(tmp_path, url)) as daemon:
            await wait_until(lambda: daemon.get("/readyz")[0] == 200)
            assert steno("health", f"http://127.0.0.1:{daemon.port}/readyz").returncode == 0
            assert json.loads(daemon.get("/readyz")[1])["audit"] == "on"
            server.leave.set()

            await wait_until(lambda: daemon.get("/readyz")[0] == 503)
            assert daemon.get("/healthz")[0] == 200
            assert steno("health", f"http://127.0.0.1:{daemon.port}/readyz").returncode == 1
            assert await ended(daemon, signal.SIGINT) == 0


async def test_headers_and_subprotocols_are_sent_and_never_shown(tmp_path: Path) -> None:
    """A token reaches upstream, but neither the log nor the metrics nor the audit log."""
    (tmp_path / "token").write_text("Bearer canary-1234567890\n")
    more = f"""
        headers = {{ Authorization = {{ file = "{tmp_path}/token" }}, X-Team = {{ env = "STENO_TEAM" }} }}
        subprotocols = ["realtime"]
    """
    async with upstream(frames("voice", most=5), hang_up=False) as (server, url):
        config = configure(tmp_path, url, more)
        with running(config, STENO_TEAM="canary-team") as daemon:
            await wait_until(lambda: server.requests)
            metrics = daemon.get("/metrics")[1]
            await ended(daemon)

    headers = server.requests[0].headers
    assert (headers["Authorization"], headers["X-Team"]) == ("Bearer canary-1234567890", "canary-team")
    assert headers["Sec-WebSocket-Protocol"] == "realtime"
    audit = "".join(path.read_text() for path in (tmp_path / "audit").glob("*.jsonl"))
    assert "canary" not in metrics + audit + config.with_suffix(".log").read_text()


async def test_sighup_reads_the_configuration_again(tmp_path: Path) -> None:
    """A new source is connected, the audit log goes on in a new segment, and a wrong file changes nothing.

    Labels change at once, and no connection for them. What a source has counted keeps those that it had.
    """
    async with upstream(frames("voice", most=5), hang_up=False) as (_, one), upstream([], hang_up=False) as (_, two):
        config = configure(tmp_path, one)
        first = config.read_text()
        with running(config) as daemon:
            await wait_until(lambda: daemon.get("/readyz")[0] == 200)
            config.write_text("[[sources]]")
            daemon.process.send_signal(signal.SIGHUP)
            await wait_until(lambda: [line for line in daemon.lines() if line["level"] == "error"])
            named = first.replace('name = "relay"', 'name = "relay"\nlabels = { team = "desk" }')
            other = f'name = "other"\nkind = "connect"\nurl = "{two}"\nlabels = {{ team = "night" }}'
            config.write_text(f"{named}\n[[sources]]\n{other}\n")
            daemon.process.send_signal(signal.SIGHUP)
            await wait_until(lambda: daemon.metric('steno_streams{source="other"}'))
            ready = json.loads(daemon.get("/readyz")[1])
            _, labelled = daemon.get("/metrics")
            config.write_text(first)
            daemon.process.send_signal(signal.SIGHUP)
            await wait_until(lambda: "other" not in json.loads(daemon.get("/readyz")[1])["sources"])
            code = await ended(daemon)
    reloads = [record for record in records_of_the_log(tmp_path / "audit") if record["fact"] == "daemon.reloaded"]

    assert code == 0
    assert ready["sources"] == {"relay": True, "other": True}
    assert set(OPENED.findall(labelled)) == {
        'steno_conversations_opened_total{family="realtime",source="relay",team="desk"} 1.0',
        'steno_conversations_opened_total{family="realtime",source="other",team="night"} 0.0',
    }
    assert 'steno_connect_attempts_total{reason="connected",source="relay"} 1.0' in labelled
    assert [(body["started"], body["stopped"], body["changed"]) for body in (each["body"] for each in reloads)] == [
        (["other"], [], []),
        ([], ["other"], []),
    ]
    assert len(list((tmp_path / "audit").glob("*.jsonl"))) == 3
    assert steno("verify", tmp_path / "audit").returncode == 0


async def test_only_its_own_hosts_are_answered(tmp_path: Path) -> None:
    """A page that rebinds its name gets nothing, until an operator configures that name; SIGHUP is enough."""
    async with upstream([], hang_up=False) as (_, url):
        config = configure(tmp_path, url)
        with running(config) as daemon:
            refused = [await anyio.to_thread.run_sync(daemon.get, path, "attacker.example:9464") for path in PATHS]
            answered = await anyio.to_thread.run_sync(daemon.get, "/metrics", "127.0.0.1")
            config.write_text(config.read_text().replace("[http]", '[http]\nhosts = ["Attacker.example"]'))
            daemon.reload()
            await wait_until(lambda: daemon.get("/metrics", "attacker.example:9464")[0] == 200)
            count = daemon.metric('steno_http_rejected_total{kind="http",reason="host"}')
            logged = [line["host"] for line in daemon.lines() if line["level"] == "warning"]
            await ended(daemon)

    assert [status for status, _ in refused] == [421] * 4
    assert not any("steno_" in body for _, body in refused)
    assert answered[0] == 200
    assert count >= 4
    assert logged == ["attacker.example"]


async def test_a_hostile_refusal_ends_neither_the_daemon_nor_another_source(tmp_path: Path) -> None:
    """A `Retry-After` with a year of 14 digits: that source tries again, the other one is read."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 503 No\r\nRetry-After: Thu, 01 Jan 20260000000000 00:00:00 GMT\r\n\r\n")
        writer.close()

    sent = frames("voice", most=5)
    listening = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with listening, upstream(sent, hang_up=False) as (_, url):
        hostile = f"ws://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        more = f'[[sources]]\nname = "hostile"\nkind = "connect"\nurl = "{hostile}"\nbackoff_seconds = 0.01'
        with running(configure(tmp_path, url, more)) as daemon:
            attempts = 'steno_connect_attempts_total{reason="server_error",source="hostile"}'
            await wait_until(lambda: daemon.metric(attempts) >= 3)
            received = 'steno_frame_bytes_total{direction="received",source="relay"}'
            await wait_until(lambda: daemon.metric(received) == sum(map(len, sent)))
            restarts = daemon.metric('steno_source_restarts_total{source="hostile"}')
            code = await ended(daemon)

    assert (restarts, code) == (0, 0)


async def test_second_signal_ends_at_once(tmp_path: Path) -> None:
    """An operator who signals twice does not wait for a peer that never answers."""
    async with upstream(frames("voice", most=5), hang_up=False) as (server, url):
        with running(configure(tmp_path, url)) as daemon:
            await wait_until(lambda: server.requests and daemon.get("/readyz")[0] == 200)
            daemon.process.send_signal(signal.SIGTERM)
            await wait_until(
                lambda: any(line["event"] == "stopping" for line in daemon.lines()) or daemon.process.poll() is not None
            )
            code = await ended(daemon)

    assert code in {-signal.SIGTERM, 0}  # 0 where the drain was quicker than the second signal


async def test_a_server_that_fails_does_not_end_the_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the HTTP face all else goes on until the end, and the log is whole."""
    monkeypatch.setattr(uvicorn.Server, "serve", failing)
    config = parse((configure(tmp_path, "ws://127.0.0.1:9/")).read_text(), "steno.toml")
    with opened(config, {}) as daemon:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(daemon.run)
            await wait_until(lambda: daemon._parts.errors.numbers()["steno_output_errors_total"]["http", "io"])
            healthy = daemon.health.healthy().ok
            daemon.stop()

    assert healthy
    assert [record["fact"] for record in records_of_the_log(tmp_path / "audit")][-2:] == [
        "daemon.stopped",
        "log.closed",
    ]


async def failing(_: uvicorn.Server, sockets: object) -> None:
    """Serve as a server does that has no descriptor left."""
    raise OSError(errno.EMFILE, "Too many open files")


async def test_second_daemon_on_the_same_log_is_refused(tmp_path: Path) -> None:
    """Two writers would break the chain."""
    async with upstream([], hang_up=False) as (_, url):
        config = configure(tmp_path, url)
        with running(config) as daemon:
            assert daemon.port
            second = steno("run", "-c", config)

    assert second.returncode == 69
    assert b"audit" in second.stderr
    assert b"Traceback" not in second.stderr


def test_wrong_configuration_exits_78(tmp_path: Path) -> None:
    """Each fault has a line that begins with the file and the key, and ends with a guess at what was meant."""
    config = tmp_path / "steno.toml"
    config.write_text('[htttp]\n[[sources]]\nname = "relay"\nkind = "connect"\nurll = "ws://localhost"\n')

    done = steno("run", "-c", config)

    assert done.returncode == 78
    assert done.stderr.decode().splitlines() == [
        f"{config}: htttp: unknown key, did you mean `http`?",
        f"{config}: sources.relay.urll: unknown key, did you mean `url`?",
    ]
