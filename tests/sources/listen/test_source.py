"""`kind = "listen"`: what clients push, over real sockets."""

import gc
import json
import os
import socket
from pathlib import Path

import anyio
import pytest
from structlog.testing import capture_logs
from websockets.exceptions import ConnectionClosed

from steno.core.facts import EventsMissed
from steno.output_errors import OutputErrors
from steno.sources.listen import source as module
from steno.sources.listen.connection import PushConnection
from steno.sources.listen.counters import OUTCOMES, ListenCounters
from steno.sources.protocols import Problem
from steno.sources.recorder import Recorder
from steno.sources.recording import Missed, gap_line, is_reply, parse
from steno.timestamps import timestamp
from tests.processes import listening_ports
from tests.sources.helpers import PING, until
from tests.sources.listen.helpers import TOKEN, Play, tokens_file

pytestmark = pytest.mark.anyio

LONG_AGO = "2020-01-01T00:00:00Z"


def line(**members: object) -> str:
    return json.dumps(members)


def written(folder: Path) -> list[bytes]:
    """Return the lines of the only recording."""
    (file,) = folder.iterdir()
    return file.read_bytes().splitlines()


# What is pushed -------------------------------------------------------------------------------------------


async def test_frames_are_fed_as_they_come() -> None:
    """Text and binary messages alike."""
    play = Play()

    async with play.running():
        async with play.client() as client:
            await client.send(PING)
            await client.send(PING.decode())
            await until(lambda: play.fed == 2)
        await until(lambda: play.closed)

    assert play.ends == [("disconnected", 1000, None)]
    assert (play.outcomes, play.gaps) == ({"accepted": 1}, {})
    assert play.source.ready is False


@pytest.mark.parametrize("abort", [False, True], ids=["in order", "broken off"])
async def test_a_connection_that_has_ended_is_freed_without_the_collector(*, abort: bool) -> None:
    """With its buffers and its stream: the daemon has the collector look at all objects seldom."""
    play = Play()
    gc.collect()
    gc.disable()
    try:
        async with play.running():
            async with play.client() as client:
                await client.send(PING)
                await until(lambda: play.fed == 1)
                if abort:
                    client.transport.abort()
            await until(lambda: play.closed)
            await until(lambda: not any(type(each) is PushConnection for each in gc.get_objects()))
    finally:
        gc.enable()


async def test_lines_have_their_directions_and_plausible_times() -> None:
    play = Play()
    recent = play.clock.now() - 2_000_000
    event = {"type": "ping"}

    async with play.running(), play.client() as client:
        await client.send(line(dir="sent", at=timestamp(recent), data=event))
        await client.send(line(dir="received", at=LONG_AGO, text='{"type":"ping"}'))
        await until(lambda: play.fed == 2)

    (first, second) = play.frames
    assert (first.at, first.sent, first.payload) == (recent, True, b'{"type": "ping"}')
    assert second.at is not None
    assert (second.at > recent, second.sent, second.payload) == (True, False, b'{"type":"ping"}')


async def test_a_line_says_how_the_connection_of_the_application_ended() -> None:
    """What follows it is another stream, and the end of the client's own connection says nothing more."""
    play = Play()

    async with play.running():
        async with play.client() as client:
            await client.send(PING)
            await client.send(line(dir="close", code=1011, reason="server error"))
            await until(lambda: len(play.closed) == 1)
            await client.send(PING)
            await client.send(line(dir="close", code=1000, reason=""))
            await until(lambda: len(play.closed) == 2)
            client.transport.abort()
        await until(lambda: not play.source._admitted)

    assert play.ends == [("disconnected", 1011, "closed"), ("disconnected", 1000, None)]
    assert play.gaps == {"closed": 1}
    assert [stream.frames for stream in play.closed] == [1, 1]


async def test_a_line_says_that_frames_are_missing() -> None:
    play = Play()

    async with play.running():
        async with play.client() as client:
            await client.send(line(dir="gap", at=LONG_AGO, frames=7, bytes=700, reason="queue_full"))
            await client.send(line(dir="gap", frames=1, reason="the cat sat on it"))
            await until(lambda: len(play.missed) == 2)
        await until(lambda: play.closed)

    assert play.missed == [EventsMissed(missing=7, reason="queue_full"), EventsMissed(missing=1, reason="other")]
    assert play.frames == []


async def test_what_is_no_line_is_malformed_and_closes_nothing() -> None:
    play = Play()
    wrong = ["", "nonsense", "[", '{"dir":"gap"}', '{"dir":"gap","frames":-1}', '{"dir":"sent","base64":"?"}', "\ud7ff"]

    async with play.running(), play.client() as client:
        for message in wrong:
            await client.send(message)
        await client.send(b"\xff\xfe")
        await client.send(PING)
        await until(lambda: play.fed == 1)
        rejected = sum(play.pipeline.sources["push"].frames_rejected.values())

    assert rejected == len(wrong) + 1


async def test_a_cloud_event_is_known_with_its_subprotocol_and_without() -> None:
    """With it a member that lines have too is none."""
    play = Play()
    event = {
        "specversion": "1.0",
        "id": "1",
        "source": "relay",
        "type": "x",
        "subject": "call-1",
        "data": {"type": "ping"},
    }

    async with play.running():
        async with play.client(subprotocols=["realtime", "cloudevents.json"]) as client:
            await client.send(line(**event, dir="received"))
            await client.send(line(**event | {"id": "2"}).encode())
            await until(lambda: play.fed == 2)
            agreed = client.subprotocol
        async with play.client(subprotocols=["realtime"]) as client:
            await client.send(line(**event | {"id": "3"}))
            await until(lambda: play.fed == 3)
            other = client.subprotocol

    assert (agreed, other) == ("cloudevents.json", None)


async def test_a_conversation_has_the_name_that_the_query_or_the_first_line_gives_it() -> None:
    play = Play()
    names = []

    async with play.running():
        async with play.client("?conversation=desk%201") as client:
            await client.send(line(dir="received", conversation="other", data={"type": "ping"}))
            await until(lambda: play.fed == 1)
            names += [stream.conversation for stream in play.pipeline.streams.values()]
        await until(lambda: play.closed)
        async with play.client() as client:
            await client.send(line(dir="received", conversation="rtc_1", data={"type": "ping"}))
            await client.send(line(dir="received", conversation="rtc_2", data={"type": "ping"}))
            await until(lambda: play.fed == 3)
            names += [stream.conversation for stream in play.pipeline.streams.values()]

    assert names == ["desk 1", "rtc_1"]


async def test_a_conversation_goes_on_over_several_connections() -> None:
    play = Play()
    session = {"type": "session.created", "event_id": "e1", "session": {"id": "sess_1", "model": "gpt-realtime"}}
    response = {
        "type": "response.created",
        "event_id": "e2",
        "response": {"id": "resp_1", "object": "realtime.response"},
    }

    async with play.running():
        async with play.client("?conversation=call") as client:
            await client.send(line(**session))
            await until(lambda: len(play.frames) == 1)
        await until(lambda: play.closed)
        async with play.client("?conversation=call") as client:
            await client.send(line(**response))
            await until(lambda: len(play.frames) == 2)
            conversations = list(play.pipeline.registry.conversations.values())

    assert [(state.key, state.events) for state in conversations] == [("push/call", 2)]


async def test_what_is_recorded_is_what_was_pushed(tmp_path: Path) -> None:
    play = Play(Recorder(tmp_path, OutputErrors()))

    async with play.running():
        async with play.client("?conversation=call") as client:
            await client.send(line(dir="sent", data={"type": "ping"}))
            await client.send(line(dir="gap", frames=3, reason="disconnected"))
            await until(lambda: play.missed)
        await until(lambda: play.closed)

    first, gap, _ = written(tmp_path)
    assert json.loads(first)["conversation"] == "call"
    assert json.loads(first)["dir"] == "sent"
    found = parse(gap)
    assert isinstance(found, Missed)
    assert (found.frames, found.bytes, found.reason) == (3, 0, "disconnected")
    assert gap_line(found) == gap + b"\n"


def replies_in(folder: Path) -> list[bool]:
    """Return which lines of recordings say that their stream is a reply."""
    return [is_reply(line) for path in sorted(folder.iterdir()) for line in path.read_bytes().splitlines()]


async def test_the_first_line_says_that_a_stream_is_a_reply(tmp_path: Path) -> None:
    """A chain of responses goes on over such streams. A later line changes nothing."""
    play = Play(Recorder(tmp_path, OutputErrors()))
    answer = {"object": "response", "status": "completed"}

    async with play.running():
        async with play.client() as client:
            await client.send(line(dir="received", reply=True, data={**answer, "id": "resp_1"}))
            await client.send(line(dir="close", code=1000))
            await client.send(line(dir="received", data={**answer, "id": "resp_2", "previous_response_id": "resp_1"}))
            await client.send(line(dir="received", reply=True, data={**answer, "id": "resp_3"}))
            await until(lambda: len(play.frames) == 3)
            conversations = list(play.pipeline.registry.conversations.values())
        await until(lambda: len(play.closed) == 2)

    assert [(state.key.split("/")[-1], state.events) for state in conversations] == [("resp_1", 2), ("default", 1)]
    assert replies_in(tmp_path) == [True, False, False, False, False]


# How streams end ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("code", "gap"), [(1000, None), (1001, None), (1011, "closed"), (4000, "closed")])
async def test_the_code_of_the_client_says_whether_something_is_missing(code: int, gap: str | None) -> None:
    play = Play()

    async with play.running():
        async with play.client() as client:
            await client.send(PING)
            await client.close(code)
        await until(lambda: play.closed)

    assert play.ends == [("disconnected", code, gap)]


async def test_a_stop_closes_the_clients_in_order() -> None:
    play = Play()

    async with play.running():
        connecting = play.client()
        client = await connecting.__aenter__()
        await client.send(PING)
        await until(lambda: play.fed == 1)
        await play.source.stop()
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()

    assert closed.value.rcvd
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1001, "steno is stopping")
    assert play.ends == [("shutdown", 1001, None)]
    assert play.gaps == {}


async def test_a_source_that_is_cancelled_ends_its_streams() -> None:
    """As the daemon does where its time is over: nothing is left open, and nobody is waited for."""
    play = Play()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(play.source.run)
        await until(lambda: play.source.ready)
        async with play.client() as client:
            await client.send(PING)
            await until(lambda: play.fed == 1)
            tasks.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await until(lambda: play.closed)

    assert play.ends == [("shutdown", None, None)]
    assert play.sessions.sockets.held == 0
    assert not play.source._host.handler_tasks


async def test_a_mistake_of_ours_ends_its_own_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    play = Play()
    feed = play.pipeline.feed

    def fails(stream: object, frame: object) -> None:
        if b"poison" in frame.payload:  # type: ignore[attr-defined]  # it is a frame
            raise ZeroDivisionError
        feed(stream, frame)  # type: ignore[arg-type]  # likewise

    play.pipeline.feed = fails  # type: ignore[method-assign]  # a mistake
    async with play.running(), play.client() as other:
        async with play.client() as client:
            with capture_logs():
                await client.send('{"type":"poison"}')
                with pytest.raises(ConnectionClosed) as closed:
                    await client.recv()
        await other.send(PING)
        await until(lambda: play.fed == 1)
        await until(lambda: play.closed)
        gaps = dict(play.gaps)

    assert closed.value.rcvd
    assert closed.value.rcvd.code == 1011
    assert gaps == {"internal_error": 1}


# Another configuration ------------------------------------------------------------------------------------


async def test_another_address_is_bound_and_connections_go_on() -> None:
    play = Play()

    async with play.running(), play.client() as client:
        former = play.port
        await play.reconfigure(listen="localhost:0")
        await until(lambda: play.source.ready and play.port != former)
        await client.send(PING)
        await until(lambda: play.fed == 1)
        await until(lambda: former not in listening_ports(os.getpid()))  # what waited there is accepted first
        await play.still_up()

    assert play.gaps == {}


async def test_limits_hold_for_new_handshakes() -> None:
    play = Play()

    async with play.running(), play.client() as client:
        await play.reconfigure(connections=1)
        refused = await play.refused()
        await client.send(PING)
        await until(lambda: play.fed == 1)
        await play.reconfigure(connections=2)
        await play.still_up()

    assert refused[:2] == (503, "too_many_connections")


# Readiness ------------------------------------------------------------------------------------------------


async def test_a_port_that_is_taken_is_said_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.01)
    taken = socket.create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    play = Play(listen=f"127.0.0.1:{port}")

    async with play.running(ready=False):
        with capture_logs() as logs:
            await until(lambda: play.source.problem)
            problem = play.source.problem
            await anyio.sleep(0.05)
        taken.close()
        await until(lambda: play.source.ready)
        await play.still_up()

    assert problem == Problem("address_in_use", f"127.0.0.1:{port}: address already in use")
    assert [each["event"] for each in logs] == ["cannot listen"]


async def test_tokens_that_cannot_be_read_are_said_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.01)
    play = Play(tokens=str(tmp_path / "tokens"))

    async with play.running(ready=False):
        await until(lambda: play.source.problem)
        problem = play.source.problem
        tokens_file(tmp_path, f"app {TOKEN}\n")
        await until(lambda: play.source.ready)
        await play.still_up(TOKEN)

    assert problem
    assert problem.reason == "tokens"
    assert "cannot be read: no such file" in problem.detail


def test_every_outcome_is_counted_from_the_start() -> None:
    counters = ListenCounters()

    assert set(counters.numbers()["steno_listen_handshakes_total"].values()) == {0}
    assert len(OUTCOMES) == len(set(OUTCOMES)) == 16
