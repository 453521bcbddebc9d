"""What the keys of `steno top` do, and which rows are shown in which order."""

from functools import reduce

import pytest

from steno.app.top.look import FILTER_CHARACTERS, ORDERS, Look, chosen, clamped, keys_of, pressed
from steno.view.rows import Latency
from tests.app.top.rows import row

ROWS, PAGE = 25, 10


def after(keys: str, look: Look | None = None) -> Look:
    return reduce(lambda now, key: pressed(now, key, ROWS, PAGE), keys_of(keys), look or Look())


@pytest.mark.parametrize(
    ("sent", "keys"),
    [
        ("sr", ["s", "r"]),
        ("\x1b[A\x1bOB\x1b[5~\x1b[6~\x1b[H\x1b[4~", ["up", "down", "page up", "page down", "home", "end"]),
        ("\x1b", ["escape"]),
        ("\x1bq", ["escape", "q"]),
        ("\x1b[1;5Aq\x1b[", ["q"]),
        ("\r\x7f\x15é\x00", ["enter", "rub out", "clear", "é"]),
    ],
)
def test_keys_are_read_as_terminals_send_them(sent: str, keys: list[str]) -> None:
    """Also those of application mode. What is unknown, or cut off, is no key."""
    assert keys_of(sent) == keys


@pytest.mark.parametrize(
    ("keys", "place"),
    [
        ("\x1b[B\x1b[Bj", 3),
        ("\x1b[A", 0),
        (" ", 10),
        ("  \x1b[B", 15),
        ("Gk", 14),
        ("Gg", 0),
        ("\x1b[6~\x1b[6~\x1b[5~", 5),
    ],
)
def test_places_stay_within_the_rows(keys: str, place: int) -> None:
    assert after(keys).place == place


def test_a_place_behind_the_last_row_comes_back() -> None:
    """Conversations end, and terminals grow."""
    assert [clamped(Look(place=15), rows, PAGE).place for rows in (25, 12, 3, 0)] == [15, 2, 0, 0]


def test_the_order_goes_round_and_turns() -> None:
    """`s` goes through all orders and comes back; a new order is not turned, and begins at the top."""
    assert after("s" * len(ORDERS)) == Look()
    assert after("sS") == Look()
    assert after("jrs") == Look(order="recent")
    assert after("r").turned
    assert not after("rr").turned


def test_a_filter_is_typed() -> None:
    """While it is, letters are no commands. Enter keeps it; Esc clears it, then and later."""
    assert after("/sqr") == Look(text="sqr", typing=True)
    assert after("/sqr\x7f\r") == Look(text="sq")
    assert after("/sqr\r\x1b") == after("/sqr\x1b") == after("/sq\x15\r") == Look()
    assert after("/\x1b[Ax\r") == Look(text="x")
    assert len(after("/" + "x" * 500).text) == FILTER_CHARACTERS


def test_help_goes_with_any_key() -> None:
    """And `q` ends the program from there too."""
    assert after("?").help
    assert after("?x") == Look()
    assert after("?q").over
    assert after("q").over


CALLS = [
    row("a", opened_at=10.0, cost_usd="0.5", errors=1),
    row("b", opened_at=30.0, cost_usd="10", turn_latency_seconds=Latency(None, None)),
    row("c", opened_at=20.0, cost_usd=None, turn_latency_seconds=Latency(1.0, 9.0), gaps=2, source="Front"),
    row("d", opened_at=40.0, open=False, state="closed"),
]


@pytest.mark.parametrize(
    ("look", "keys"),
    [
        (Look(), "bca"),
        (Look(turned=True), "acb"),
        (Look(ended=True), "dbca"),
        (Look(order="cost"), "bac"),
        (Look(order="cost", turned=True), "abc"),
        (Look(order="latency"), "cab"),
        (Look(order="trouble"), "cab"),
        (Look(order="conversation"), "abc"),
        (Look(text="FRONT"), "c"),
        (Look(text="team"), ""),
        (Look(text="sales", order="conversation"), "abc"),
    ],
)
def test_rows_are_chosen_and_sorted(look: Look, keys: str) -> None:
    """Costs by their value, not their text. What is not known stands last, in both directions."""
    assert "".join(each.key for each in chosen(CALLS, look)) == keys


def test_every_order_sorts() -> None:
    assert all(len(chosen(CALLS, Look(order=order, ended=True))) == len(CALLS) for order in ORDERS)
