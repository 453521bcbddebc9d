"""What all conversations have: totals, raw objects within their limit, durations."""

import pytest

from steno.core.conversation import Conversation, EndedCall, Totals
from steno.core.facts import Tokens
from steno.limits import Limits


def test_totals_sum_by_bucket() -> None:
    """Tokens of the same model, direction, modality and cache state are one sum."""
    totals = Totals()
    totals.add_tokens([Tokens("m", "input", "text", False, 3), Tokens("m", "input", "text", True, 4)])
    totals.add_tokens([Tokens("m", "input", "text", False, 5)])
    totals.add_tokens([])

    assert totals.buckets() == (Tokens("m", "input", "text", False, 8), Tokens("m", "input", "text", True, 4))
    assert (totals.cost_usd(), totals.unpriced) == ("0", {})


@pytest.mark.parametrize(
    ("since", "until", "lasted", "rejected"),
    [
        (1_000_000, 2_500_000, 1.5, {}),
        (1_000_000, 1_000_000, 0.0, {}),
        (None, 1, None, {}),
        (1, None, None, {}),
        (2, 1, None, {"negative_duration": 1}),
    ],
)
def test_duration_is_never_negative(
    since: int | None, until: int | None, lasted: float | None, rejected: dict[str, int]
) -> None:
    """It is unknown where a time is, and dropped and counted where the times run backwards."""
    state = Conversation("relay/1", "relay", "relay/1", Limits(), named=False)

    assert (state.elapsed(since, until), state.rejected) == (lasted, rejected)


@pytest.mark.parametrize(("length", "kept"), [(1024, True), (1025, False)])
def test_raw_object_is_kept_up_to_its_limit(length: int, *, kept: bool) -> None:
    """A longer one reads as absent."""
    state = Conversation("relay/1", "relay", "relay/1", Limits(object_bytes=1024), named=False)

    assert state.within_limit(b"x" * length) == (b"x" * length if kept else b"")


def test_a_conversation_that_keeps_no_object_notes_no_call() -> None:
    state = Conversation("relay/a", "relay", "relay/1/1", Limits(kept_objects=0), named=True)

    state.log_call(EndedCall("call_1", "function", "look_up", "completed"))

    assert not state.tool_log


def test_a_conversation_without_a_session_is_billed_by_no_model() -> None:
    assert Conversation("relay/a", "relay", "relay/1/1", Limits(), named=True).billed_model is None
