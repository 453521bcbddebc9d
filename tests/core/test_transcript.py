"""The texts of a conversation: they grow, are replaced by their final form, and stay within their budget."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.core.transcript import PARTS, PIECES, Entry, GrowingText, Transcript
from steno.limits import Limits


def transcript(*keys: str, newest_last: bool = True, **limits: Any) -> tuple[Transcript[Entry], dict[str, int]]:
    """A transcript with empty entries, and the counts of its conversation."""
    rejected: dict[str, int] = {}
    made = Transcript[Entry](Limits(**limits), rejected, newest_last=newest_last)
    for key in keys:
        made.add(key, Entry())
    return made, rejected


def texts(made: Transcript[Entry]) -> list[tuple[str, str]]:
    """Each key with its text, in order."""
    return [(key, made.entries[key].text()) for key in made.order]


# A growing text -------------------------------------------------------------------------------------------------


def test_text_grows_and_is_replaced() -> None:
    """The pieces are joined when they are read. The final text takes the place of all of them."""
    text = GrowingText()
    for piece in ("I ", "was ", "cut"):
        text.append(piece)
    grown, length = text.read(), text.length
    text.replace("whole")

    assert (grown, length, text.read(), text.length) == ("I was cut", 9, "whole", 5)


def test_many_pieces_are_joined_before_the_text_is_read() -> None:
    """The number of pieces is bounded, and no character is lost."""
    text = GrowingText()
    most = 0
    for number in range(3 * PIECES):
        text.append(str(number % 10))
        most = max(most, len(text.pieces))

    assert (most, text.length) == (PIECES, 3 * PIECES)
    assert text.read() == "".join(str(number % 10) for number in range(3 * PIECES))


# Entries in order -----------------------------------------------------------------------------------------------


def test_entry_stands_behind_the_one_it_is_placed_after() -> None:
    """Without a known entry before it, or with itself, it stays where it is."""
    made, _ = transcript("a", "b", "c", "d")
    made.place("d", "a")
    made.place("c", "nobody")
    made.place("c", None)
    made.place("c", "c")

    assert list(made.order) == ["a", "d", "b", "c"]


def test_removed_entry_takes_its_text_with_it() -> None:
    """An unknown one changes nothing."""
    made, _ = transcript("a", "b")
    made.grow(made.entries["a"], 0, "Hello")
    made.remove("a")
    made.remove("nobody")

    assert (texts(made), made.characters) == ([("b", "")], 0)


def test_oldest_entry_goes_past_the_number_of_items() -> None:
    """Its text goes with it."""
    made, _ = transcript("a", items=2)
    made.grow(made.entries["a"], 0, "Hello")
    made.add("b", Entry())
    made.add("c", Entry())

    assert (texts(made), made.characters) == ([("b", ""), ("c", "")], 0)


# Texts ----------------------------------------------------------------------------------------------------------


def test_parts_are_read_in_order() -> None:
    """Whichever grew first; without an index it is the first part."""
    made, _ = transcript("a")
    entry = made.entries["a"]
    made.grow(entry, 2, "three")
    made.grow(entry, None, "one ")
    made.write(entry, 1, "two ")

    assert (entry.text(), entry.length(), made.characters, entry.grew) == ("one two three", 13, 13, True)


def test_text_of_a_part_beyond_the_bound_is_counted_and_not_kept() -> None:
    """Whether a delta or the final form brings it."""
    made, rejected = transcript("a")
    made.grow(made.entries["a"], PARTS, "lost")
    made.write(made.entries["a"], 2**31, "lost")

    assert (texts(made), made.characters, rejected) == ([("a", "")], 0, {"part_not_kept": 2})


@pytest.mark.parametrize(
    ("newest_last", "left"),
    [(True, [("a", ""), ("b", "x" * 1000), ("c", "")]), (False, [("a", ""), ("b", ""), ("c", "y" * 500)])],
)
def test_oldest_texts_go_past_the_budget(*, newest_last: bool, left: list[tuple[str, str]]) -> None:
    """The entries stay. The one that is being written goes in its turn, or when all others have gone."""
    made, _ = transcript("a", "b", "c", newest_last=newest_last, transcript_bytes=1024)
    made.write(made.entries["a"], 0, "z" * 500)
    made.write(made.entries["c"], 0, "y" * 500)
    made.write(made.entries["b"], 0, "x" * 1000)

    assert (texts(made), made.characters) == (left, sum(len(text) for _, text in left))


@pytest.mark.parametrize("newest_last", [True, False])
def test_text_that_is_longer_than_the_budget_is_not_kept(*, newest_last: bool) -> None:
    """Neither is any text beside it, since all others went first."""
    made, _ = transcript("a", "b", newest_last=newest_last, transcript_bytes=1024)
    made.write(made.entries["a"], 0, "z")
    made.write(made.entries["b"], 0, "x" * 1025)

    assert (texts(made), made.characters) == ([("a", ""), ("b", "")], 0)


@pytest.mark.parametrize(
    ("parts", "further", "differs", "text"),
    [
        ([(0, "Hello")], [], False, "Hello"),
        ([(0, "Hello!")], [], True, "Hello!"),
        ([(1, " there")], [], False, "Hello there"),
        ([], [0], True, ""),
        ([], [], False, "Hello"),
    ],
)
def test_final_text_replaces_what_the_deltas_built(
    parts: list[tuple[int, str]], further: list[int], *, differs: bool, text: str
) -> None:
    """A part that is not named keeps its text; one that the final form does not have is dropped."""
    made, _ = transcript("a")
    made.grow(made.entries["a"], 0, "Hello")

    assert made.settle(made.entries["a"], parts, further) is differs
    assert (made.entries["a"].text(), made.characters) == (text, len(text))


def test_text_that_no_delta_built_never_differs() -> None:
    """A later final form may correct an earlier one."""
    made, _ = transcript("a")
    made.write(made.entries["a"], 0, "Hello")

    assert not made.settle(made.entries["a"], [(0, "Goodbye")])


def test_erased_entries_stay_without_text() -> None:
    """Their order is no content."""
    made, _ = transcript("a", "b")
    made.write(made.entries["a"], 0, "Hello")
    made.erase()

    assert (texts(made), made.characters) == ([("a", ""), ("b", "")], 0)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "place", "remove", "grow", "write", "settle"]),
        st.sampled_from("abcde"),
        st.integers(0, 3),
        st.integers(0, 400),
    ),
    max_size=40,
)


@given(STEPS, st.booleans())
def test_any_steps_keep_the_transcript_within_its_limits(
    steps: list[tuple[str, str, int, int]], newest_last: bool
) -> None:
    """The order names each entry once, the characters are counted exactly, and both limits hold."""
    made, _ = transcript(newest_last=newest_last, transcript_bytes=1024, items=3)
    for step, key, index, length in steps:
        entry = made.entries.get(key)
        if step == "remove":
            made.remove(key)
        elif entry is None:
            made.add(key, Entry())
        elif step == "place":
            made.place(key, "abcde"[index])
        elif step == "grow":
            made.grow(entry, index, "x" * length)
        elif step == "write":
            made.write(entry, index, "y" * length)
        elif step == "settle":
            made.settle(entry, [(index, "z" * length)], [part for part in entry.parts if part > index])

        assert sorted(made.order) == sorted(made.entries)
        assert len(made.order) <= 3
        assert made.characters == sum(entry.length() for entry in made.entries.values()) <= 1024
