"""What is equal in two runs: bytes, frames but for ids, states but for names."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from tests.clients.harness import Outcome, State

_ID: Final = re.compile(
    rb"\b(?:(?:[a-z]+[0-9]?_)+(?=[A-Za-z]*[0-9])[0-9A-Za-z]{6,60}"
    rb"|[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b"
)
"""Of the provider, of clients, and the two forms of a UUID."""
_PADDING: Final = re.compile(rb',"obfuscation":"[^"]*"')
_OF_THE_RUN: Final = ("key", "stream", "open", "closed_reason")
"""What names a conversation in one run, and how it ended there: a replay ends by a cut."""
_MEASURED: Final = re.compile(rb'"duration_seconds":[^,}]+')
"""What was measured at receipt: a replay without times has none of it."""


def without_ids(documents: Sequence[bytes]) -> list[bytes]:
    """Return documents whose ids are numbered in the order of their first appearance."""
    numbers: dict[bytes, int] = {}

    def number(found: re.Match[bytes]) -> bytes:
        return b"id-%d" % numbers.setdefault(found[0], len(numbers))

    return [_ID.sub(number, document) for document in documents]


def conversations(state: State) -> list[dict[str, Any]]:
    """Return the conversations of a state without what names them."""
    kept = [entry for entry in state if entry["schema"].startswith("steno.conversation/")]
    bare = [{name: value for name, value in entry.items() if name not in _OF_THE_RUN} for entry in kept]
    return sorted(bare, key=lambda entry: without_ids([msgspec.json.encode(entry, order="deterministic")]))


def alike(state: State) -> list[bytes]:
    """Return the conversations of a state as they are to be compared with another run's."""
    entries = [msgspec.json.encode(entry, order="deterministic") for entry in conversations(state)]
    return [_MEASURED.sub(b'"duration_seconds":null', entry) for entry in without_ids(entries)]


def totals(state: State) -> list[Any]:
    """Return the totals of each conversation."""
    return [entry["totals"] for entry in conversations(state)]


def received(outcome: Outcome) -> Counter[bytes]:
    """Return all that the client received, without ids and padding.

    Not in order: where a client asks while it is answered, the answer to that comes between other messages than before.
    """
    calls = [payload for call in outcome.client.calls for _, payload in call.received]
    replies = [exchange.answered for exchange in outcome.client.exchanges]
    return Counter(_ID.sub(b"id", _PADDING.sub(b"", document)) for document in calls + replies)
