"""What is shown of each client, and printed with its figures."""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

import msgspec

from tests.clients.comparison import alike, received, totals
from tests.clients.harness import Client, Outcome, direct, proxied, replayed, tapped
from tests.clients.wire import Traffic, streams

Record = Callable[[str, object], None]
"""Keeps a property of a test."""
ATTEMPTS: Final = 3
"""Of two runs in which a client says the same at the same points: a machine that stands still may move where an answer
is cut short. What is asked of one run alone is never asked again."""


def passes_the_proxy(client: Client, folder: Path, record: Record) -> None:
    """Hold a run to this: each end got what the other one sent, and steno knows what the direct way has shown."""
    for attempt in range(ATTEMPTS):
        plain = direct(client, folder / f"direct-{attempt}")
        through = proxied(client, folder / f"proxied-{attempt}")
        same(through.client, through.provider)
        known(through)
        if received(plain) == received(through):
            break
    assert not received(plain) - received(through)
    assert not received(through) - received(plain)
    assert alike(through.state) == alike(plain.state)
    assert totals(through.state) == totals(plain.state)
    report(record, client, "through the proxy", through)


def is_tapped(client: Client, folder: Path, record: Record) -> None:
    """Hold a run to this: the tap pushed each frame that passed, and steno knows what they say."""
    run = tapped(client, folder / "tapped")
    known(run)
    assert alike(run.state) == alike(replayed(run.client, folder))
    report(record, client, "by the tap", run)


def same(client: Traffic, provider: Traffic) -> None:
    """Fail where two ends of a path saw other messages, requests, replies or ends."""
    assert [call.target for call in client.calls] == [call.target for call in provider.calls]
    for near, far in zip(client.calls, provider.calls, strict=True):
        alike_in_order([payload for _, payload in near.sent], [payload for _, payload in far.sent])
        alike_in_order([payload for _, payload in far.received], [payload for _, payload in near.received])
        assert [opcode for opcode, _ in near.sent + near.received] == [opcode for opcode, _ in far.sent + far.received]
        assert near.subprotocol == far.subprotocol
        assert near.closes[0] == far.closes[0]
        # A client may hang up without waiting for the answer to its close frame.
        assert near.closes[1] in {far.closes[1], None}
    for asked, got in zip_longest(client.exchanges, provider.exchanges):
        assert asked == got, f"{asked} {got}"


def alike_in_order(one: Sequence[bytes], other: Sequence[bytes]) -> None:
    """Fail with the first difference of two long sequences."""
    for n, (left, right) in enumerate(zip_longest(one, other)):
        assert left == right, (
            f"the {n}th of {len(one)} and {len(other)}: {(left or b'')[:400]!r}, {(right or b'')[:400]!r}"
        )


def known(run: Outcome) -> None:
    """Fail where steno recorded other frames than those which passed."""
    passed, kept = seen(run.client), recorded(run)
    assert not passed - kept, f"not recorded: {short(passed - kept)}"
    assert not kept - passed, f"did not pass: {short(kept - passed)}"


def short(frames: Counter[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """Return frames as they fit into a message."""
    return [(way, payload[:300]) for way, payload in frames][:8]


def seen(carried: Traffic) -> Counter[tuple[str, bytes]]:
    """Return the frames that steno is to see."""
    return Counter((way, _one_way(payload)) for stream in streams(carried) for way, payload in stream.frames)


def recorded(run: Outcome) -> Counter[tuple[str, bytes]]:
    """Return the frames that steno recorded."""
    frames = [line for line in run.recorded if line["dir"] in {"sent", "received"}]
    return Counter((line["dir"], _encoded(line["data"])) for line in frames)


def _one_way(payload: bytes) -> bytes:
    """Return a frame as the recorder writes it, whose JSON has no white space; secrets are masked."""
    decoded = msgspec.json.decode(payload)
    if "value" in decoded and "expires_at" in decoded:
        decoded["value"] = "***"
    return _encoded(decoded)


def _encoded(document: Any) -> bytes:
    return msgspec.json.encode(document, order="deterministic")


def report(record: Record, client: Client, way: str, run: Outcome) -> None:
    """Keep what was compared, for the end of the run."""
    tokens = sum(entry["tokens"] for total in totals(run.state) for entry in total["tokens"])
    frames = sum(seen(run.client).values())
    record("compared", f"{client.name}, {way}: {run.client.figures()}; steno: {frames} frames, {tokens} tokens")
