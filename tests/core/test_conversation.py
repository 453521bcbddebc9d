"""What all conversations have: growing texts, kept objects, remembered ends, durations that can be."""

import pytest

from steno.core.conversation import BoundedObjects, Conversation, GrowingText, LatestById, Remembered, Totals
from steno.core.facts import Tokens
from steno.limits import ENDED_IDS, Limits


def test_text_grows_and_is_replaced() -> None:
    """Pieces are joined when read; a whole takes the place of all of them."""
    text = GrowingText()
    for piece in ("I ", "was ", "cut"):
        text.append(piece)
    grown, length = text.read(), text.length
    text.replace("whole")

    assert (grown, length, text.read(), text.length) == ("I was cut", 9, "whole", 5)


def test_oldest_objects_go_first_and_are_counted() -> None:
    """Past the limit the oldest goes; one that is too long is never kept; both are counted."""
    kept = BoundedObjects(Limits(kept_objects=2, object_bytes=1024))
    for whole in (b"1", b"2", b"3", b"x" * 1025):
        kept.add(whole)

    assert (list(kept.objects), kept.dropped) == ([b"2", b"3"], 2)


def test_latest_object_of_an_id_stands_where_the_id_was_first_seen() -> None:
    """A newer object replaces the older one of its id; past the limit the oldest id goes."""
    latest = LatestById(Limits(kept_objects=2))
    for key, whole in (("a", b"1"), ("b", b"2"), ("a", b"3"), ("c", b"4")):
        latest.put(key, whole)

    assert (latest.objects, latest.dropped) == ({"b": b"2", "c": b"4"}, 1)


def test_object_that_is_too_long_leaves_nothing_older_in_its_place() -> None:
    """An object that cannot be kept makes the one before it stale: neither is shown."""
    latest = LatestById(Limits(object_bytes=1024))
    latest.put("a", b"1")
    latest.put("a", b"x" * 1025)

    assert (latest.objects, latest.dropped) == ({}, 1)


def test_ends_are_remembered_for_a_while() -> None:
    """So many, and the oldest are forgotten."""
    ended = Remembered()
    for number in range(ENDED_IDS + 1):
        ended.add(str(number))

    assert ("0" in ended, "1" in ended, str(ENDED_IDS) in ended) == (False, True, True)


def test_totals_sum_by_bucket() -> None:
    """Buckets of the same kind are one."""
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
def test_durations(since: int | None, until: int | None, lasted: float | None, rejected: dict[str, int]) -> None:
    """Unknown where a time is; dropped and counted where the times contradict."""
    state = Conversation("relay/1", "relay", "relay/1", Limits(), named=False)

    assert (state.elapsed(since, until), state.rejected) == (lasted, rejected)
