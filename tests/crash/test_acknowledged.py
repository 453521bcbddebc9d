"""A daemon that is pushed to with acknowledgements is killed under load: every fact is in its log once.

The clients send again what was not acknowledged. `make test-crash` kills it 50 times.
"""

import json
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

from steno.core.facts import Fact, Origin
from steno.core.frame import Frame
from steno.limits import Limits
from steno.pipeline import Pipeline
from tests.conftest import DEEP
from tests.crash.pushing import Sender, configure, free_port, message
from tests.processes import running, steno, wait_for

KILLS: Final = {"grouped": 50 if DEEP else 4, "always": 20 if DEEP else 2}
SENDERS: Final = 3
AUDIT: Final = "flush_seconds = 0.03\nflush_bytes = 8192\nsegment_bytes = 262_144\n"
FLUSHES: Final = {"grouped": "", "always": 'flush = "always"\n'}

BEGUN_ANEW: Final = {
    *("stream.opened", "stream.closed", "conversation.opened", "conversation.closed"),
    "tool_call.finished",
}
"""Facts that depend on what is in memory: how a conversation or a stream begins or ends, and which of the calls that
are never answered is given up as one too many."""

Facts = Counter[tuple[str, str | None, str | None]]


def records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in sorted(folder.glob("audit-*")) for line in path.read_bytes().splitlines()]


class Expected:
    """A sink that counts facts of messages."""

    def __init__(self) -> None:
        self.facts = Facts()

    def emit(self, origin: Origin, fact: Fact) -> None:
        if fact.tag not in BEGUN_ANEW:
            self.facts[fact.tag, origin.conversation, origin.event_id] += 1


def expected(sender: Sender) -> Facts:
    """Return the facts of all messages of a sender, as a daemon has them that is never killed."""
    sink = Expected()
    pipeline = Pipeline(Limits(), [sink])
    stream = pipeline.stream_opened("app/1/1", "app", 0, sender.sender)
    for number in range(1, sender.sent + 1):
        pipeline.feed(stream, Frame(message(sender.sender, number), 0))
    return sink.facts


def recorded(held: list[dict[str, Any]]) -> Facts:
    """Return the facts of messages in a log."""
    return Facts(
        (record["fact"], record["conversation"], record["event_id"])
        for record in held
        if record["stream"] and record["fact"] not in BEGUN_ANEW
    )


@pytest.mark.parametrize("flush", FLUSHES)
def test_every_fact_is_recorded_once_across_kills(flush: str, tmp_path: Path) -> None:
    """And what is acknowledged is in the log when the daemon is killed."""
    random = Random(20)
    port = free_port()
    config = configure(tmp_path, port, AUDIT + FLUSHES[flush])
    senders = [Sender(port, f"call-{number}") for number in range(SENDERS)]
    for sender in senders:
        sender.start()
    lost = 0
    for _ in range(KILLS[flush]):
        before = [sender.acked for sender in senders]
        with running(config) as daemon:
            wait_for(lambda: all(sender.acked > acked for sender, acked in zip(senders, before, strict=True)))  # noqa: B023
            time.sleep(random.uniform(0.0, 0.3))
            daemon.process.kill()
            daemon.process.wait()
        lost += sum(sender.sent - sender.acked for sender in senders)
    with running(config) as daemon:
        wait_for(lambda: all(sender.connections > KILLS[flush] for sender in senders))
        for sender in senders:
            sender.finish()
        for sender in senders:
            sender.join(60)
        repeated = daemon.metric('steno_listen_repeated_messages_total{source="app"}')
        assert daemon.stop() == 0

    held = records(tmp_path / "audit")
    wanted = Facts()
    for sender in senders:
        wanted += expected(sender)
    found = recorded(held)
    kept = [record for record in held if record["fact"] == "log.cursor"]
    print(  # noqa: T201  # the figures, for `-s`
        f"{flush}: {KILLS[flush]} kills, {sum(sender.sent for sender in senders)} messages, {lost} of them not "
        f"acknowledged at a kill, {sum(sender.again for sender in senders)} sent again, {wanted.total()} facts, "
        f"{len(held)} records, {len(kept)} cursors; {repeated:.0f} came again in the last run"
    )
    assert [sender.acked for sender in senders] == [sender.sent for sender in senders]
    assert found - wanted == Facts()
    assert wanted - found == Facts()
    assert steno("verify", tmp_path / "audit").returncode == 0
