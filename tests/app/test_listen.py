"""A daemon that clients push to, as a process: what it records and counts, its tokens, and few descriptors."""

import asyncio
import json
import socket
from contextlib import AsyncExitStack
from pathlib import Path

import anyio.to_thread
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.app.daemons import records_of_the_log
from tests.app.test_daemon import ended
from tests.processes import Running, running, steno, wait_until
from tests.recordings import frames

pytestmark = pytest.mark.anyio

TOKEN = "0123456789abcdef0123456789abcdef"
OTHER = "another-token-0123456789"
LIMIT = 160
LOW = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({LIMIT}, {LIMIT}))"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def configure(folder: Path, more: str = "") -> Path:
    config = folder / "steno.toml"
    config.write_text(
        f"""
        [http]
        listen = "127.0.0.1:0"
        [audit]
        directory = "{folder}/audit"
        [[sources]]
        name = "push"
        kind = "listen"
        listen = "127.0.0.1:0"
        {more}
        """
    )
    return config


def port(daemon: Running) -> int:
    """Return where clients push, once that is logged."""
    return next((int(str(line["port"])) for line in daemon.lines() if line["event"] == "listening"), 0)


def client(daemon: Running, query: str = "", token: str = TOKEN) -> connect:
    return connect(
        f"ws://127.0.0.1:{port(daemon)}/v1/push{query}",
        additional_headers={"Authorization": f"Bearer {token}"},
        compression=None,
        proxy=None,
    )


async def test_what_is_pushed_is_recorded_and_counted_and_replays_the_same(tmp_path: Path) -> None:
    config = configure(tmp_path)

    with running(config, "--record", tmp_path / "frames") as daemon:
        await wait_until(lambda: port(daemon))
        async with client(daemon, "?conversation=desk") as pushing:
            for frame in frames("voice", most=60):
                await pushing.send(json.dumps({"dir": "received", "text": bytes(frame).decode()}))
            await pushing.send('{"dir":"gap","frames":4,"bytes":40,"reason":"queue_full"}')
            await pushing.send('{"dir":"close","code":1000,"reason":""}')
        await wait_until(lambda: daemon.metric('steno_listen_handshakes_total{reason="accepted",source="push"}') == 1)
        await wait_until(lambda: daemon.metric('steno_missed_events_total{reason="queue_full",source="push"}') == 4)
        code = await ended(daemon)
        lines = daemon.lines()

    audit = records_of_the_log(tmp_path / "audit")
    (recorded,) = (tmp_path / "frames").iterdir()
    replayed = steno("replay", recorded, "--audit", tmp_path / "again")
    again = records_of_the_log(tmp_path / "again")

    assert code == 0
    assert steno("verify", tmp_path / "audit").returncode == 0
    assert replayed.returncode == 0
    assert {each["conversation"] for each in audit if each["conversation"]} == {"push/desk"}
    assert facts(audit)[: len(facts(again))] == facts(again)  # the rest is of the stop
    assert ("events.missed", {"missing": 4, "reason": "queue_full"}) in facts(audit)
    assert [line["client"] for line in lines if line["event"] == "client connected"] == [None]


def facts(records: list[dict[str, object]]) -> list[tuple[object, object]]:
    """Return the facts of conversations and streams, without what names their source, and the ends by a stop."""
    own = ("log.", "daemon.", "content.", "stream.", "conversation.closed", "session.")
    return [(each["fact"], each["body"]) for each in records if not str(each["fact"]).startswith(own)]


async def test_sighup_revokes_tokens_though_the_configuration_is_the_same(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text(f"app {TOKEN}\nother {OTHER}\n")
    config = configure(tmp_path, f'tokens = "{tokens}"')

    with running(config) as daemon:
        await wait_until(lambda: port(daemon))
        async with client(daemon) as app, client(daemon, token=OTHER) as other:
            tokens.write_text(f"other {OTHER}\n")
            await anyio.to_thread.run_sync(daemon.reload)
            with pytest.raises(ConnectionClosed) as closed:
                await app.recv()
            with pytest.raises(InvalidStatus):
                await client(daemon)
            await other.send('{"type":"ping"}')
            await wait_until(lambda: daemon.metric('steno_frame_bytes_total{direction="received",source="push"}') == 15)
        code = await ended(daemon)
        log = str(daemon.lines())

    assert closed.value.rcvd
    assert closed.value.rcvd.code == 1008
    assert code == 0
    assert TOKEN not in log
    assert OTHER not in log


async def test_clients_take_no_descriptor_that_the_log_needs(tmp_path: Path) -> None:
    """Connected ones and a crowd of silent ones: who comes is told so, segments are begun, scrapes are answered."""
    config = configure(tmp_path)

    with running(config, limit=LOW) as daemon:
        await wait_until(lambda: port(daemon))
        async with AsyncExitStack() as stack:
            accepted: list[ClientConnection] = []
            refused = None
            while refused is None:
                try:
                    accepted.append(await stack.enter_async_context(client(daemon)))
                except InvalidStatus as refusal:
                    refused = refusal.response.status_code
            crowd = [socket.socket() for _ in range(200)]
            for each in crowd:
                each.setblocking(False)
                each.connect_ex(("127.0.0.1", port(daemon)))
            await wait_until(
                lambda: daemon.metric('steno_listen_handshakes_total{reason="evicted",source="push"}') > 100
            )
            await accepted[0].send('{"type":"ping"}')
            await anyio.to_thread.run_sync(daemon.reload)
            await wait_until(lambda: len(list((tmp_path / "audit").glob("audit-*.jsonl"))) == 2)
            held = await anyio.to_thread.run_sync(lambda: len(list(Path(f"/proc/{daemon.process.pid}/fd").iterdir())))
            for each in crowd:
                each.close()
            await asyncio.sleep(0)
        code = await ended(daemon)

    assert refused == 503
    assert len(accepted) > 16
    assert held < LIMIT - 20
    assert code == 0
    assert steno("verify", tmp_path / "audit").returncode == 0


def test_who_could_be_anybody_is_refused_by_check(tmp_path: Path) -> None:
    config = configure(tmp_path)
    config.write_text(
        config.read_text().replace(
            'kind = "listen"\n        listen = "127.0.0.1:0"', 'kind = "listen"\n        listen = "0.0.0.0:0"'
        )
    )

    checked, run = steno("check", "-c", config), steno("run", "-c", config)

    assert checked.returncode == run.returncode == 78
    assert b"sources.push.tokens: must be set, or tls.client_ca" in checked.stderr
