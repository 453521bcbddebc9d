"""What `steno top` draws, for terminals of any size."""

from collections.abc import Sequence
from decimal import Decimal

import pytest
from rich.cells import cell_len

from steno.app.terminal import REPLACEMENT
from steno.app.top.drawing import HELP, Shown, age, columns, lines, number, seconds, snapshot
from steno.app.top.look import Look
from steno.app.top.mirror import Figures
from steno.view.rows import Latency, Row, ToolCalls
from tests.app.top.rows import row

FIGURES = Figures(
    ready=2, sources=2, problems=(), open=2, ended=1, cost=Decimal("1.23456"), unpriced=0, worst=1.25
)  # fmt: skip


def shown(
    rows: Sequence[Row],
    look: Look | None = None,
    *,
    figures: Figures = FIGURES,
    problem: str | None = None,
    lost: bool = False,
) -> Shown:
    return Shown(
        rows=rows,
        ages=lambda row: row.age_seconds,
        figures=figures,
        look=look or Look(),
        address="127.0.0.1:9464",
        problem=problem,
        lost=lost,
    )


def drawn(given: Shown, width: int = 80, height: int = 10) -> list[str]:
    return [line.plain for line in lines(given, width, height)]


CALLS = [
    row("relay/1700000000000000/1", age_seconds=7.4),
    row(
        "relay/call-2",
        state="tool",
        age_seconds=3725.0,
        tool_calls=ToolCalls(1, 12, 2),
        unpriced={"unknown_model": 1},
        turn_latency_seconds=Latency(None, None),
    ),
]


def test_a_screen_of_80_columns() -> None:
    """Every line fits, and the columns that matter are all there."""
    assert drawn(shown(CALLS, Look(order="latency"))) == [
        "steno top  127.0.0.1:9464  2 of 2 sources ready",
        "2 open, 1 ended   cost 1.2346 USD   worst latency 1.25s",
        "",
        "state      conversation                age turns  ▼worst   tools tokens     cost",
        "speaking   relay/…/1                    7s     3   1.25s       2   1250   0.0125",
        "tool       relay/call-2            1:02:05     3       - 12 x2 …   1250   0.013+",
        "",
        "",
        "",
        "2 shown, by latency   q quit  ? help  s sort  r reverse  / filter  a ended too",
    ]


def test_what_is_wrong_stands_above_the_table() -> None:
    """A daemon that is gone, or sources that are not ready."""
    figures = Figures(
        ready=0, sources=1, problems=(("desk", "refused"),), open=0, ended=0, cost=Decimal(0), unpriced=3, worst=None
    )

    assert drawn(shown([], figures=figures))[:5] == [
        "steno top  127.0.0.1:9464  0 of 1 sources ready",
        "0 open, 0 ended   cost 0.0000 USD + 3 unpriced   worst latency -",
        "not ready: desk (refused)",
        "state      conversation               ▼age turns   worst   tools tokens     cost",
        "No conversation yet.",
    ]
    assert drawn(shown([], problem="no answer from x: refused", lost=True))[2:5:2] == [
        "NO DAEMON, trying again: no answer from x: refused",
        "No conversation is open: a shows those that have ended.",
    ]
    assert drawn(shown([], Look(text="x"), problem="many follow it"))[2:5:2] == [
        "many follow it",
        "No conversation matches the filter: Esc clears it.",
    ]


@pytest.mark.parametrize("width", [1, 10, 30, 40, 60, 80, 100, 130, 200, 500])
@pytest.mark.parametrize("height", [1, 3, 6, 24])
def test_every_line_fits_every_terminal(width: int, height: int) -> None:
    """Whatever stands in the rows: wide letters take two places."""
    rows = [row("relay/" + "話" * 50, model="模" * 30, labels={"team": "x" * 99}), *CALLS] * 20
    for look in (Look(), Look(help=True), Look(typing=True, text="x" * 100), Look(place=30)):
        found = drawn(shown(rows, look, problem="p" * 999), width, height)
        assert len(found) == height
        assert max(map(cell_len, found)) <= width


def test_more_room_brings_more_columns() -> None:
    """Those that matter stay for longest, and the name keeps its room."""
    heads = {width: " ".join(column.head for column in columns(width)) for width in (20, 50, 80, 100, 200)}

    assert heads == {
        20: "state conversation",
        50: "state conversation age cost",
        80: "state conversation age turns worst tools tokens cost",
        100: "state conversation age turns worst tools tokens cost trouble",
        200: "state conversation source labels model age turns last worst cut off tools tokens cost trouble",
    }
    assert all(column.width >= 20 for width in (50, 80, 100) for column in columns(width)[1:2])


def test_names_are_data() -> None:
    """An escape sequence in a key, a model, a source or a label reaches no terminal."""
    evil = "\x1b[2J\x07\u202e"
    hostile = row(evil, source=evil, model=evil, labels={"team": evil})
    given = shown([hostile], Look(text=evil), problem=evil)
    for found in (drawn(given, 250), [line.plain for line in snapshot(given, None)]):
        text = "".join(found)
        assert text.isprintable()
        assert f"{REPLACEMENT}[2J{REPLACEMENT}{REPLACEMENT}" in text


def test_a_snapshot_has_all_rows_and_whole_names() -> None:
    """As scripts want it: what they read there, they can ask for."""
    key = "relay/1700000000000000/" + "x" * 200
    found = [line.plain for line in snapshot(shown([row(key), *CALLS * 50]), None)]

    assert found[0].startswith("steno top")
    assert len(found) == 4 + 101
    assert key in found[4].split()
    assert all(len(line.plain) <= 80 for line in snapshot(shown([row(key)]), 80))


def test_places_are_told_where_not_all_rows_fit() -> None:
    foot = drawn(shown(CALLS * 10, Look(place=4, text="rel", turned=True)), 120)[-1]

    assert foot.startswith("5-9 of 20, by age reversed  filter: rel   q quit")


def test_help_fits_a_usual_terminal() -> None:
    assert len(HELP.splitlines()) <= 24 - 4
    assert max(map(len, HELP.splitlines())) <= 80


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (9999, "9999"),
        (10_000, "10.0k"),
        (99_960, "100k"),
        (1_234_567, "1.2M"),
        (5e12, "5.0T"),
        (1e30, "many"),
    ],
)
def test_numbers_fit_five_places(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text", "old"),
    [
        (0.4, "0.40s", "0s"),
        (9.996, "10.0s", "10s"),
        (59.97, "1:00", "1:00"),
        (245, "4:05", "4:05"),
        (3725, "1:02:05", "1:02:05"),
        (273_600, "3d04h", "3d04h"),
    ],
)
def test_durations_are_short(value: float, text: str, old: str) -> None:
    assert (seconds(value), age(value)) == (text, old)
