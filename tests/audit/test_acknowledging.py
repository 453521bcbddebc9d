"""A sender is told what is on the disk, goes on after a break, and is recorded exactly once across kills."""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import anyio
import anyio.lowlevel
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from steno.audit.acknowledging import Followed
from steno.audit.service import AuditService
from steno.audit.verification.files import verify
from steno.audit.writing.cursor_recovery import recover_windows
from steno.config import Audit, Config
from steno.config.sources import ListenSource
from steno.core.frame import Frame
from steno.core.stream import Stream
from steno.limits import Limits
from steno.pipeline import Pipeline
from tests.audit.helpers import AT
from tests.sources.helpers import until

pytestmark = pytest.mark.anyio

SECOND: Final = 1_000_000


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


# A daemon in short ----------------------------------------------------------------------------------------


class Running:
    """A pipeline and an audit log, as a daemon has them. `started` numbers the starts: streams are named by it."""

    def __init__(self, service: AuditService, started: int) -> None:
        self.service = service
        self.pipeline = Pipeline(Limits(), service.sinks)
        assert service.acknowledgements
        self.acknowledgements = service.acknowledgements
        self.acknowledgements.tick = self.pipeline.tick
        self._started = started
        self._streams = 0

    def connect(self, name: str | None = "a", first: int = 1, conversation: str | None = "call") -> "Connection":
        """Return a connection of the sender `name` that has begun a stream."""
        resumed = self.acknowledgements.resume("app", name, first) if name else self.acknowledgements.follow()
        assert resumed
        self._streams += 1
        stream = self.pipeline.stream_opened(f"app/{self._started}/{self._streams}", "app", AT, conversation)
        missing = resumed.missing
        resumed.attach(stream.name)
        return Connection(self.pipeline, stream, resumed, missing)


class Connection:
    """One connection: what it feeds, and what it was acknowledged."""

    def __init__(self, pipeline: Pipeline, stream: Stream, followed: Followed, missing: int) -> None:
        self.acks: list[int] = []
        self.followed = followed
        self.missing = missing
        self.replaced = False
        self._pipeline = pipeline
        self._stream = stream
        followed.acknowledge = self.acks.append
        followed.replaced = self._replace

    def _replace(self) -> None:
        self.replaced = True

    def send(self, *payloads: bytes) -> list[str]:
        """Send messages; return what became of each."""
        return [self._send(payload) for payload in payloads]

    def _send(self, payload: bytes) -> str:
        at = AT + SECOND
        if self.followed.full:
            return "shed"
        if not self.followed.begin(at):
            return "again"
        self._pipeline.feed(self._stream, Frame(payload, at))
        return "fed" if self.followed.end() else "shed"

    def close(self) -> None:
        self.followed.leave()
        self._pipeline.stream_closed(self._stream, AT + SECOND, 1000)


def config_of(folder: Path, **audit: Any) -> Config:
    options = {"directory": str(folder), "flush_seconds": 0.001, **audit}
    return replace(Config(audit=Audit(**options)), sources=(ListenSource(name="app", kind="listen"),))


class Nothing(Struct):
    """What a reload changed."""


class Held:
    """What feeds the log and is held."""

    def hold(self) -> None:
        pass

    def release(self) -> None:
        pass


@contextmanager
def running(folder: Path, started: int = 1, **audit: Any) -> Iterator[Running]:
    """Yield a daemon that writes into `folder`."""
    with AuditService.open(config_of(folder, **audit), {}, AT, lambda: AT + SECOND) as service:
        daemon = Running(service, started)
        service.start(Held(), AT)
        yield daemon
        assert service.finish(AT, 30.0)


def done(number: int, calls: int = 0) -> bytes:
    """Return the end of a response that nothing was seen of, with tool calls: an event of several facts."""
    output = [
        {"id": f"item_{number}_{call}", "type": "function_call", "call_id": f"call_{number}_{call}", "name": "f"}
        for call in range(calls)
    ]
    response = {"id": f"resp_{number}", "object": "realtime.response", "status": "completed", "output": output}
    return json.dumps({"type": "response.done", "event_id": f"event_{number}", "response": response}).encode()


SILENT: Final = b'{"type":"ping"}'
"""A message that leads to no fact."""


def records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in sorted(folder.glob("audit-*")) for line in path.read_bytes().splitlines()]


def finished(folder: Path) -> list[str]:
    """Return the events of the responses that are recorded as ended."""
    return [record["event_id"] for record in records(folder) if record["fact"] == "response.finished"]


def cursors(folder: Path) -> list[tuple[str, str, int, int]]:
    found = [record["body"] for record in records(folder) if record["fact"] == "log.cursor"]
    return [(body["id"], body["stream"], body["frame"], body["records"]) for body in found]


# Acknowledged ---------------------------------------------------------------------------------------------


async def test_what_is_on_the_disk_is_acknowledged(tmp_path: Path) -> None:
    """A message without facts as well, and one that is no event."""
    with running(tmp_path) as daemon:
        connection = daemon.connect(None)
        assert connection.send(done(1), SILENT, b"{", done(2)) == ["fed"] * 4
        await until(lambda: connection.acks[-1:] == [4])
        on_disk = finished(tmp_path)
        assert connection.send(SILENT) == ["fed"]
        idle, number = connection.followed.idle, connection.followed.number
        connection.close()

    assert on_disk == ["event_1", "event_2"]
    assert (idle, number) == (True, 5)
    assert connection.acks == sorted(connection.acks)
    assert cursors(tmp_path) == []


async def test_what_was_shed_is_never_acknowledged(tmp_path: Path) -> None:
    with running(tmp_path, when_full="shed", queue_bytes=2_048, flush_seconds=60.0) as daemon:
        connection = daemon.connect(None)
        results: list[str] = []
        while "shed" not in results[-1:]:  # the writing thread may empty the queue at any moment
            results += connection.send(done(len(results) + 1))
        connection.close()

    shed = results.index("shed")
    assert results[:shed] == ["fed"] * shed
    assert shed
    assert max(connection.acks, default=0) <= shed


async def test_what_was_shed_leads_to_its_facts_when_it_comes_again(tmp_path: Path) -> None:
    """It was not fed, so that it is no duplicate in a conversation that goes on. A message is taken whole or not."""
    messages = [done(number, calls=20) for number in range(1, 10)]
    with running(tmp_path, when_full="shed", queue_bytes=4_096, flush_seconds=0.001) as daemon:
        connection, sheds = daemon.connect(), 0
        while connection.followed.number < len(messages):
            result = connection.send(messages[connection.followed.number])
            sheds += result == ["shed"]
            await anyio.lowlevel.checkpoint()
        await until(lambda: connection.acks[-1:] == [len(messages)])

    held = [record["fact"] for record in records(tmp_path)]
    assert sheds
    assert finished(tmp_path) == [f"event_{number}" for number in range(1, 10)]
    assert held.count("tool_call.started") == 9 * 20
    assert "log.gap" not in held


async def test_a_sender_with_an_id_goes_on_where_it_was(tmp_path: Path) -> None:
    """It is told what is on the disk, sends from there, and what comes again changes nothing."""
    with running(tmp_path) as daemon:
        first = daemon.connect()
        first.send(done(1), done(2), SILENT)
        await until(lambda: first.acks[-1:] == [3])
        first.close()
        second = daemon.connect(first=2)
        told = second.followed.flushed
        results = second.send(done(2), SILENT, done(3))
        await until(lambda: second.acks[-1:] == [4])
        second.close()

    assert (told, results, second.followed.duplicates) == (3, ["again", "again", "fed"], 2)
    assert finished(tmp_path) == ["event_1", "event_2", "event_3"]
    assert cursors(tmp_path)[-1] == ("a", "app/1/2", 4, 0)
    assert verify([tmp_path]).ok


async def test_a_sender_that_comes_again_while_it_is_connected_leaves_its_former_connection(tmp_path: Path) -> None:
    with running(tmp_path) as daemon:
        first = daemon.connect()
        first.send(done(1))
        second = daemon.connect(first=1)
        results = [first.send(done(2)), second.send(done(1), done(2))]
        first.close()
        await until(lambda: second.acks[-1:] == [2])
        second.close()

    assert first.replaced
    assert results == [["again"], ["again", "fed"]]
    assert finished(tmp_path) == ["event_1", "event_2"]


async def test_a_message_at_which_our_own_code_fails_is_fed_again(tmp_path: Path) -> None:
    """It is not acknowledged, and what others lead to afterwards does not pass for its own."""
    with running(tmp_path) as daemon:
        first, other = daemon.connect(), daemon.connect("b")
        first.send(done(1))
        assert first.followed.begin(AT)  # and it is never ended
        first.close()
        daemon.service.reopen(AT, config_of(tmp_path), Nothing())  # all cursors are stated again
        for number in (1, 2, 3):
            other.send(done(number))
            await until(lambda: other.acks[-1:] == [number])  # noqa: B023
        again = daemon.connect(first=2)
        told = again.followed.flushed
        results = again.send(done(2))
        await until(lambda: again.acks[-1:] == [2])
        again.close()

    assert (told, results) == (1, ["fed"])
    assert {(name, records) for name, _, _, records in cursors(tmp_path)} == {("a", 0), ("b", 0)}


async def test_numbers_that_never_came_are_missing(tmp_path: Path) -> None:
    """Of a sender that is known. Of one that is not, nobody knows."""
    with running(tmp_path) as daemon:
        connection = daemon.connect(first=5)
        connection.send(done(5))
        connection.close()
        again = daemon.connect(first=9)
        again.send(done(9))
        await until(lambda: again.acks[-1:] == [9])
        again.close()

    assert (connection.missing, again.missing) == (0, 3)


# Limits ---------------------------------------------------------------------------------------------------


async def test_the_sender_that_was_away_longest_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all are connected, there is no room for another one."""
    monkeypatch.setattr("steno.audit.acknowledging.RESUME_IDS", 2)
    with running(tmp_path) as daemon:
        for name in ("a", "b"):
            connection = daemon.connect(name)
            connection.send(done(1))
            await until(lambda: connection.acks[-1:] == [1])  # noqa: B023
            connection.close()
        again = daemon.connect("a", first=2)
        third = daemon.connect("c")
        full = daemon.acknowledgements.resume("app", "d", 1)
        third.close()
        forgotten = daemon.connect("b", first=1)
        known = {progress.name for progress in daemon.acknowledgements.senders()}
        again.close()
        forgotten.close()

    assert full is None
    assert (forgotten.followed.flushed, known) == (0, {"a", "b"})


# After a kill ---------------------------------------------------------------------------------------------


def cut(folder: Path, into: Path, size: int) -> None:
    """Copy the log as a kill would have left it: its first `size` bytes."""
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir()
    for path in sorted(folder.glob("audit-*")):
        held = path.read_bytes()[:size]
        size -= len(held)
        if held:
            (into / path.name).write_bytes(held)


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("audit-*"))


async def test_a_conversation_in_the_middle_of_a_kill_says_that_it_is_not_complete(tmp_path: Path) -> None:
    """One that begins after it is. Both were begun once, and the first again."""
    log, left = tmp_path / "log", tmp_path / "left"
    begin = b'{"type":"session.created","event_id":"event_0","session":{"id":"sess_1","type":"realtime"}}'
    with running(log) as daemon:
        connection = daemon.connect("a", conversation="middle")
        connection.send(begin, done(1))
        await until(lambda: connection.acks[-1:] == [2])
        cut(log, left, size_of(log))
    with running(left, 2) as daemon:
        connection, other = daemon.connect("a", 3, "middle"), daemon.connect("b", 1, "after")
        connection.send(done(3))
        other.send(begin, done(1))
        await until(lambda: other.acks[-1:] == [2])
        daemon.pipeline.registry.close_all(AT)

    held = records(left)
    ends = {each["conversation"]: each["body"] for each in held if each["fact"] == "conversation.closed"}
    begins = [each["conversation"] for each in held if each["fact"] == "conversation.opened"]
    assert {key: (body["complete"], body["responses"]) for key, body in ends.items()} == {
        "app/middle": (False, 1),
        "app/after": (True, 1),
    }
    assert begins == ["app/middle", "app/middle", "app/after"]


async def test_what_a_kill_left_is_known_after_a_run_in_which_the_sender_did_not_come(tmp_path: Path) -> None:
    """That run states in its own segment how far the sender is: records behind its cursor are in the one before."""
    log, left = tmp_path / "log", tmp_path / "left"
    with running(log) as daemon:
        connection = daemon.connect()
        connection.send(done(1), done(2, calls=3), done(3))
        await until(lambda: connection.acks[-1:] == [3])
    cut(log, left, _before(log, b'"frame":3'))
    with running(left, 2):
        await until(lambda: b'"of":1' in max(left.glob("audit-*")).read_bytes())
    with running(left, 3) as daemon:
        connection = daemon.connect()
        connection.send(done(1), done(2, calls=3), done(3))
        await until(lambda: connection.acks[-1:] == [3])

    assert finished(left) == ["event_1", "event_2", "event_3"]
    assert [each["fact"] for each in records(left)].count("tool_call.started") == 3


async def test_what_is_recorded_while_a_sender_catches_up_is_known_apart_after_the_next_kill(tmp_path: Path) -> None:
    """What the first run recorded of message 3 stands before what the second one did of message 1, which differs."""
    log, left, again = tmp_path / "log", tmp_path / "left", tmp_path / "again"
    messages = (delta(1), delta(2), done(3), done(4))
    with running(log) as daemon:
        connection = daemon.connect()
        connection.send(messages[0])
        await until(lambda: connection.acks[-1:] == [1])
        connection.send(*messages[1:])
        await until(lambda: connection.acks[-1:] == [4])
    cut(log, left, _before(log, b'"frame":4'))
    with running(left, 2) as daemon:
        connection = daemon.connect(first=2)
        connection.send(messages[1])
        await until(lambda: connection.acks[-1:] == [2])
    cut(left, again, _before(left, b'"frame":2'))
    with running(again, 3) as daemon:
        connection = daemon.connect(first=2)
        connection.send(*messages[1:])
        await until(lambda: connection.acks[-1:] == [4])

    assert finished(again) == ["event_3", "event_4"]


def output(number: int, call: str) -> bytes:
    """Return the output of a tool call. Where the call was seen, it ends by that."""
    item = {"id": f"out_{number}", "type": "function_call_output", "call_id": call, "output": "x"}
    return json.dumps({"type": "conversation.item.created", "event_id": f"event_{number}", "item": item}).encode()


async def test_what_was_found_again_is_not_taken_for_another_message_after_the_next_kill(tmp_path: Path) -> None:
    """Not where a record stands before it that nothing leads to any more: here that of the end of a call.

    Frames that are no events lead to records which nothing tells apart.
    """
    log, left, again = tmp_path / "log", tmp_path / "left", tmp_path / "again"
    with running(log) as daemon:
        connection = daemon.connect()
        connection.send(done(1, calls=1))
        await until(lambda: connection.acks[-1:] == [1])
        connection.send(output(2, "call_1_0"))
        await until(lambda: connection.acks[-1:] == [2])
    cut(log, left, _before(log, b'"frame":2'))
    with running(left, 2) as daemon:
        connection = daemon.connect(first=2)
        connection.send(output(2, "call_1_0"))
        await until(lambda: connection.acks[-1:] == [2])
        connection.send(b"{", b"{", b"{")
        await until(lambda: connection.acks[-1:] == [5])
    cut(left, again, _before(left, b'"frame":5'))
    with running(again, 3) as daemon:
        connection = daemon.connect(first=3)
        connection.send(b"{", b"{")
        await until(lambda: connection.acks[-1:] == [4])
    with running(again, 4) as daemon:
        connection = daemon.connect(first=5)
        connection.send(b"{", b"{", b"{")
        await until(lambda: connection.acks[-1:] == [7])

    assert [each["fact"] for each in records(again)].count("frame.rejected") == 5


async def test_what_was_fed_over_a_former_connection_of_the_process_is_not_taken_for_another_message(
    tmp_path: Path,
) -> None:
    """What it recorded since is of messages that will not come again, whatever is left of the process before."""
    log, left = tmp_path / "log", tmp_path / "left"
    with running(log) as daemon:
        connection = daemon.connect()
        connection.send(done(1, calls=1))
        await until(lambda: connection.acks[-1:] == [1])
        connection.send(output(2, "call_1_0"))
        await until(lambda: connection.acks[-1:] == [2])
    cut(log, left, _before(log, b'"frame":2'))
    with running(left, 2, flush_seconds=60.0) as daemon:
        first = daemon.connect(first=2)
        first.send(output(2, "call_1_0"), b"{", b"{")
        first.close()
        daemon.connect(first=5)
    with running(left, 3) as daemon:
        connection = daemon.connect(first=5)
        connection.send(b"{", b"{")
        await until(lambda: connection.acks[-1:] == [6])

    assert [each["fact"] for each in records(left)].count("frame.rejected") == 4


def _before(log: Path, cursor: bytes) -> int:
    """Return the size of a log before the record that holds `cursor`."""
    lines = [line for path in sorted(log.glob("audit-*")) for line in path.read_bytes().splitlines(keepends=True)]
    return sum(map(len, lines[: next(place for place, line in enumerate(lines) if cursor in line)]))


Message = tuple[str, int]


def payload_of(number: int, message: Message) -> bytes:
    kind, calls = message
    kinds = {"done": done(number, calls), "silent": SILENT, "malformed": b"{" * number, "delta": delta(number)}
    return {**kinds, "session": session(number), "output": output(number, f"call_{number - 1}_0")}[kind]


def delta(number: int) -> bytes:
    """Return a part of a response that is open all the time: the first one that is seen leads to facts."""
    ids = {"response_id": "resp_open", "item_id": "item_open", "content_index": 0, "output_index": 0}
    return json.dumps(
        {"type": "response.output_text.delta", "event_id": f"event_{number}", **ids, "delta": "a"}
    ).encode()


def session(number: int) -> bytes:
    """Return the begin of another session in the same stream."""
    begun = {"id": f"sess_{number}", "type": "realtime"}
    return json.dumps({"type": "session.created", "event_id": f"event_{number}", "session": begun}).encode()


OF_STATE: Final = {
    *("stream.opened", "stream.closed", "conversation.opened", "conversation.closed"),
    *("tool_call.finished", "response.started", "response.output_started", "response.abandoned", "event.rejected"),
}
"""Facts that depend on what is in memory, and so on when the daemon was killed."""

MESSAGES = st.lists(
    st.tuples(
        st.sampled_from(["done", "done", "output", "silent", "malformed", "delta", "session"]), st.integers(0, 4)
    ),
    min_size=1,
    max_size=40,
)


@pytest.mark.parametrize("conversation", ["call", None])
@given(
    messages=MESSAGES,
    cuts=st.lists(st.tuples(st.integers(1, 20), st.floats(0, 1)), min_size=1, max_size=6),
    flush_bytes=st.sampled_from([1_024, 4_096, 1 << 18]),
    segment_bytes=st.sampled_from([65_536, 2_000]),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_across_kills_every_fact_is_recorded_once(
    conversation: str | None,
    messages: list[Message],
    cuts: list[tuple[int, float]],
    flush_bytes: int,
    segment_bytes: int,
    tmp_path: Path,
) -> None:
    """A kill leaves any first part of what was written. The sender sends again what was not acknowledged by then."""
    anyio.run(
        _play, conversation, messages, cuts, {"flush_bytes": flush_bytes, "segment_bytes": segment_bytes}, tmp_path
    )


async def _play(
    conversation: str | None,
    messages: list[Message],
    cuts: list[tuple[int, float]],
    audit: dict[str, int],
    folder: Path,
) -> None:
    log, other = folder / "log", folder / "other"
    shutil.rmtree(log, ignore_errors=True)
    payloads = [payload_of(number, message) for number, message in enumerate(messages, start=1)]
    acked = 0
    for start, (count, where) in enumerate([*cuts, (len(messages), 1.0)], start=1):
        since = size_of(log) if log.exists() else 0
        seen: list[tuple[int, int]] = [(since, acked)]
        with running(log, start, **audit) as daemon:
            connection = daemon.connect(first=acked + 1, conversation=conversation)
            told = connection.followed.flushed
            assert told >= acked, "what was acknowledged was forgotten"
            note = _noted(seen, log)
            connection.followed.acknowledge = note
            todo = payloads[acked : acked + count]
            for payload in todo:
                connection.send(payload)
                if len(payload) % 3 == 0:
                    await anyio.lowlevel.checkpoint()
            if start > len(cuts):
                await until(lambda: seen[-1][1] >= len(payloads) or acked == len(payloads))  # noqa: B023
                connection.close()
                await anyio.lowlevel.checkpoint()
        if start <= len(cuts):
            size = since + int((size_of(log) - since) * where)
            cut(log, other, size)
            log, other = other, log
            acked = max(number for at, number in seen if at <= size)
    assert verify([log]).ok
    assert _facts(log) == _expected(messages)


def _noted(seen: list[tuple[int, int]], log: Path) -> Callable[[int], None]:
    return lambda number: seen.append((size_of(log), max(number, seen[-1][1])))


def _facts(log: Path) -> Counter[tuple[str, str | None]]:
    """Return the facts of messages, without those by which a stream or a conversation begins or ends."""
    kept = Counter[tuple[str, str | None]]()
    for record in records(log):
        if record["fact"] not in OF_STATE:
            kept[record["fact"], record["event_id"]] += record["stream"] is not None
    return +kept


def _expected(messages: list[Message]) -> Counter[tuple[str, str | None]]:
    facts = Counter[tuple[str, str | None]]()
    sink = Kept(facts)
    pipeline = Pipeline(Limits(), [sink])
    stream = pipeline.stream_opened("app/1/1", "app", AT, "call")
    for number, message in enumerate(messages, start=1):
        pipeline.feed(stream, Frame(payload_of(number, message), AT + SECOND))
    return facts


class Kept:
    """A sink that counts what it is given."""

    def __init__(self, facts: Counter[tuple[str, str | None]]) -> None:
        self._facts = facts

    def emit(self, origin: Any, fact: Any) -> None:
        if fact.tag not in OF_STATE:
            self._facts[fact.tag, origin.event_id] += 1


async def test_without_a_source_that_listens_the_log_is_not_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("steno.audit.setup.recover_windows", lambda _: 1 / 0)
    with AuditService.open(Config(audit=Audit(directory=str(tmp_path))), {}, AT, lambda: AT) as service:
        assert service.acknowledgements
        assert service.acknowledgements.senders() == []
    assert recover_windows(tmp_path) == []
