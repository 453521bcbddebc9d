"""A restart: two daemons, one port. No call is cut, new ones are the successor's, and each is in one log."""

import json
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve

from tests.app.daemons import records_of_the_log
from tests.processes import Running, running, steno, wait_until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def answer(connection: ServerConnection) -> None:
    """Be a provider: a session, and a response to each frame, named as the call and the frame are."""
    name = (connection.request.path if connection.request else "").rpartition("=")[2]
    session = {"id": f"sess_{name}", "object": "realtime.session", "model": "talker-2"}
    await connection.send(json.dumps({"type": "session.created", "event_id": "event_0", "session": session}))
    number = 0
    async for _ in connection:
        number += 1
        response = {"id": f"resp_{name}_{number}", "object": "realtime.response", "status": "in_progress"}
        usage = {"total_tokens": 3, "input_tokens": 2, "output_tokens": 1}
        for event, status in (("response.created", "in_progress"), ("response.done", "completed")):
            body = {**response, "status": status, "usage": usage if status == "completed" else None}
            await connection.send(json.dumps({"type": event, "event_id": f"{event}_{number}", "response": body}))


def configure(folder: Path, name: str, port: int, upstream: str, more: str = "") -> Path:
    """Write the configuration of one of the instances: they differ in what is theirs alone."""
    config = folder / f"{name}.toml"
    config.write_text(
        f"""
        [http]
        listen = "127.0.0.1:0"
        [audit]
        directory = "{folder}/{name}"
        [[sources]]
        name = "front"
        kind = "proxy"
        listen = "127.0.0.1:{port}"
        upstream = "{upstream}"
        {more}
        """
    )
    return config


async def port_of(daemon: Running) -> int:
    """Return where the proxy of a daemon listens."""

    def listening() -> int:
        return next((int(str(line["port"])) for line in daemon.lines() if line["event"] == "listening"), 0)

    await wait_until(listening)
    return listening()


async def talk(call: ClientConnection, turns: int) -> list[str]:
    """Take some turns; return the responses that came."""
    done = []
    for _ in range(turns):
        await call.send('{"type":"response.create"}')
        for _ in range(2):
            event = json.loads(await call.recv())
            done += [event["response"]["id"]] if event["type"] == "response.done" else []
    return done


async def dial(port: int, name: str) -> ClientConnection:
    call = await connect(f"ws://127.0.0.1:{port}/v1/realtime?model={name}", compression=None, proxy=None)
    assert json.loads(await call.recv())["session"]["id"] == f"sess_{name}"
    return call


def responses(records: list[dict[str, Any]]) -> list[str]:
    return [record["body"]["response_id"] for record in records if record["fact"] == "response.finished"]


async def test_a_restart_cuts_no_call_and_records_each_once(tmp_path: Path) -> None:
    """A call runs through the predecessor to its end, and a hundred are made while the port changes hands."""
    said: list[str] = []
    async with serve(answer, "127.0.0.1", 0, compression=None) as provider:
        upstream = f"http://127.0.0.1:{next(iter(provider.sockets)).getsockname()[1]}"
        with running(configure(tmp_path, "a", 0, upstream)) as a:
            port = await port_of(a)
            long = await dial(port, "long")
            said += await talk(long, 2)
            with running(configure(tmp_path, "b", port, upstream)) as b:
                assert await port_of(b) == port
                refused = await anyio.to_thread.run_sync(steno, "run", "-c", tmp_path / "a.toml")
                a.process.send_signal(signal.SIGTERM)
                for number in range(100):
                    call = await dial(port, f"new{number}")
                    said += await talk(call, 1)
                    await call.close()
                await wait_until(lambda: a.metric("steno_draining") == 1)
                a.process.send_signal(signal.SIGHUP)
                said += await talk(long, 2)
                draining = await anyio.to_thread.run_sync(a.get, "/readyz")
                left = await anyio.to_thread.run_sync(a.metric, 'steno_streams{source="front"}')
                alive = a.process.poll()
                await long.close()
                ended = await anyio.to_thread.run_sync(a.process.wait)
                late = await dial(port, "late")
                said += await talk(late, 1)
                await late.close()
                await wait_until(lambda: b.metric('steno_streams{source="front"}') == 0)
                stopped = await anyio.to_thread.run_sync(b.stop)
            lines = a.lines()

    former, latter = records_of_the_log(tmp_path / "a"), records_of_the_log(tmp_path / "b")
    assert (alive, draining[0], left, ended, stopped) == (None, 503, 1.0, 0, 0)
    assert long.close_code == 1000
    assert refused.returncode == 69
    assert b"give this one a folder of its own" in refused.stderr
    assert Counter(responses(former) + responses(latter)) == Counter(said)
    assert [name for name in responses(former) if "long" in name] == [f"resp_long_{n}" for n in (1, 2, 3, 4)]
    assert "resp_late_1" in responses(latter)
    assert [line["event"] for line in lines if "drain" in str(line["event"])] == [
        "draining: running calls go to their end",
        "drained: no call is left",
    ]
    assert [record["fact"] for record in former].count("daemon.draining") == 1
    assert {record["body"]["gap"] for record in former + latter if record["fact"] == "stream.closed"} == {None}
    assert steno("verify", tmp_path / "a", tmp_path / "b").returncode == 0


async def test_a_call_that_takes_too_long_is_cut_in_order(tmp_path: Path) -> None:
    """Both sides are told, the log is whole, and the operator reads that it was so."""
    async with serve(answer, "127.0.0.1", 0, compression=None) as provider:
        upstream = f"http://127.0.0.1:{next(iter(provider.sockets)).getsockname()[1]}"
        with running(configure(tmp_path, "a", 0, upstream, "drain_seconds = 0.5")) as a:
            long = await dial(await port_of(a), "long")
            code = await anyio.to_thread.run_sync(a.stop)
            await long.wait_closed()
            lines = [line for line in a.lines() if line["level"] == "warning" and "drain" in str(line["event"])]

    closed = [record["body"] for record in records_of_the_log(tmp_path / "a") if record["fact"] == "stream.closed"]
    assert (code, long.close_code) == (0, 1001)
    assert [(line["event"], line["calls"]) for line in lines] == [("the time to drain is over: calls are cut", 1)]
    assert [body["reason"] for body in closed] == ["shutdown"]
    assert steno("verify", tmp_path / "a").returncode == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_ends_the_drain_at_once(number: signal.Signals, tmp_path: Path) -> None:
    """The call is cut, and the log is as far as it was flushed."""
    async with serve(answer, "127.0.0.1", 0, compression=None) as provider:
        upstream = f"http://127.0.0.1:{next(iter(provider.sockets)).getsockname()[1]}"
        with running(configure(tmp_path, "a", 0, upstream)) as a:
            long = await dial(await port_of(a), "long")
            a.process.send_signal(signal.SIGTERM)
            await wait_until(lambda: a.metric("steno_draining") == 1)
            code = await anyio.to_thread.run_sync(a.stop, number)
            await long.wait_closed()

    assert (code, long.close_code) == (-number, 1006)
