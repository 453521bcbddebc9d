"""The parts of conversations: steps in order of time, ids, pieces of text, sound."""

import base64
import re
from array import array
from random import Random

import pytest

from steno.simulate.steps import Ids, Schedule, Step, audio_base64, pieces


def test_a_schedule_yields_steps_in_order_of_time() -> None:
    schedule = Schedule()
    schedule.add(0.5, {"n": 2})
    schedule.add(0.25, {"n": 1})
    schedule.add(0.5, {"n": 3})
    schedule.add(2.0, {"n": 4})

    early = list(schedule.pop(before=2.0))
    schedule.add(1.5, {"n": 5})
    rest = list(schedule.pop())

    assert early == [Step(0.25, {"n": 1}), Step(0.25, {"n": 2}), Step(0.0, {"n": 3})]
    assert rest == [Step(1.0, {"n": 5}), Step(0.5, {"n": 4})]


def test_ids_look_like_real_ones() -> None:
    ids = Ids(Random(1))

    assert re.fullmatch(r"event_[0-9A-Za-z]{21}", ids.dated("event", 1_790_000_000))
    assert re.fullmatch(r"call_[0-9A-Za-z]{16}", ids.call())
    assert re.fullmatch(r"run_[0-9A-Za-z]{24}", ids.plain("run"))


def test_a_realtime_id_begins_with_its_second() -> None:
    ids = Ids(Random(1))
    second = 1_576_800_000 + 61 + 62 * 10

    assert ids.dated("item", second)[5:10] == "000Az"
    assert ids.dated("item", second + 1.9)[5:10] == "000B0"


@pytest.mark.parametrize(("delta", "length"), [("", 16), (",", 15), (" Hello", 10), ("x" * 16, 16), ("x" * 20, 12)])
def test_deltas_are_padded_to_blocks(delta: str, length: int) -> None:
    assert len(Ids(Random(1)).padding(delta)) == length


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("Well, it's half-past ten.", ["Well", ",", " it's", " half-past", " ten", "."]),
        ('{"city":"Delft"}', ['{"', "city", '":"', "Delft", '"}']),
        ("a = 1\nb = 2\n", ["a", " ", "=", " 1", "\nb", " ", "=", " 2", "\n"]),
        ("", []),
    ],
)
def test_the_pieces_of_a_text_are_the_text(text: str, cut: list[str]) -> None:
    assert pieces(text) == cut
    assert "".join(cut) == text


@pytest.mark.parametrize("length_ms", [0, 20, 50, 200, 1000, 1500])
def test_sound_has_its_length(length_ms: int) -> None:
    samples = array("h", base64.b64decode(audio_base64(900, length_ms)))

    assert len(samples) == 24 * length_ms


def test_sound_continues_where_it_stopped() -> None:
    halves = [base64.b64decode(audio_base64(start, 100)) for start in (950, 1050)]

    assert b"".join(halves) == base64.b64decode(audio_base64(950, 200))
    assert max(array("h", halves[1])) > 1000
