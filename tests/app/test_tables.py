"""Tables for people, whose rows may hold upstream's names."""

from decimal import Decimal

from steno.app.tables import Row, counted, outcome_lines, row_of, sum_of
from tests.core.helpers import Play, created, done, event, run, session


def test_names_from_upstream_cannot_move_the_cursor() -> None:
    """An escape sequence in the name of a type does not reach the terminal."""
    assert counted({"\x1b[2Jping": 2}) == "\N{REPLACEMENT CHARACTER}[2Jping 2"


def test_only_the_most_frequent_are_named() -> None:
    """A stream that invents types does not fill the screen."""
    text = counted({f"type-{number:02}": number for number in range(1, 21)})

    assert text.startswith("type-20 20, type-19 19")
    assert text.endswith("type-09 9, and 8 more")


def test_long_names_are_cut() -> None:
    """One long name does not fill the screen either."""
    assert counted({"x" * 300: 1}) == "x" * 60 + " 1"


def test_costs_are_summed_exactly_and_what_is_unpriced_is_counted() -> None:
    """The sum is of what has a price; beside it stands how many usages have none, and why."""
    priced, unpriced = (
        Row("replay/x", "realtime", "open", 1, {}, {}, {}, 1, 0, 1, Decimal(cost), reasons, None)
        for cost, reasons in (("0.1", {}), ("0.2", {"unknown_model": 2}))
    )

    assert outcome_lines(sum_of([priced, unpriced]))[-2:] == [
        "cost       unknown, at least 0.3 USD",
        "unpriced   2 unknown_model",
    ]


def test_what_is_in_progress_is_said_beside_the_cost() -> None:
    """A recording may end in the middle: what has begun then is no usage yet, and the cost is not all of it."""
    play = Play()
    play.say(session(audio={"input": {"transcription": {"model": "whisper-1"}}}), created())
    play.say(event("input_audio_buffer.committed", item_id="item_1"), run("queued"))
    play.say(event("session.created", session={"id": "sess_2", "type": "translation"}), on=play.open("relay/2"))
    rows = [row_of(state) for state in play.pipeline.registry.conversations.values()]

    assert outcome_lines(sum_of(rows))[-1] == "cost       0 USD, without 4 in progress"

    play.say(done())
    (row,) = [row_of(play.state())]
    assert outcome_lines(row)[-2:] == ["cost       unknown, without 1 in progress", "unpriced   1 no_usage"]
