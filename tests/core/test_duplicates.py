"""An event that is delivered again changes nothing, and is counted."""

import pytest

from steno.core.facts import EventsMissed
from tests.core.helpers import Play, cloud_event, created, delta, done, session

SPEECH = {"type": "input_audio_buffer.speech_started", "event_id": "event_1", "item_id": "item_1"}


def test_second_delivery_changes_nothing() -> None:
    """The same `event_id` in the same conversation is the same event."""
    play = Play()
    first = play.say(SPEECH)
    again = play.say(SPEECH)

    assert len(first) == 2
    assert again == []
    assert play.rejected == {"duplicate": 1}


def test_second_delivery_of_a_replaced_session_opens_no_third_one() -> None:
    """The session that replaced it knows the identities of its events."""
    play = Play()
    first = {**session("sess_1"), "event_id": "event_1"}
    play.say(first, {**session("sess_2"), "event_id": "event_2"})
    assert play.say(first) == []

    assert play.rejected == {"duplicate": 1}
    assert list(play.pipeline.registry.conversations) == [play.stream.name, f"{play.stream.name}#2"]


def test_an_id_that_all_events_have_is_no_identity() -> None:
    """A server that writes one `event_id` into everything loses nothing by it."""
    play = Play()
    same = {"event_id": "event_x"}
    play.say(
        {**session("sess_1"), **same},
        {**created("resp_1"), **same},
        {**delta("Good ", response_id="resp_1"), **same},
        {**delta("day", response_id="resp_1"), **same},
        {**done("resp_1"), **same},
    )

    assert play.rejected == {}
    assert [entry["text"] for entry in play.line()["transcript"]] == ["Good day"]


def test_an_id_that_all_later_events_have_loses_at_most_one() -> None:
    """Where the session had an id of its own, the second event that has the common one is still taken for the first."""
    play = Play()
    same = {"event_id": "event_x"}
    play.say({**session("sess_1"), "event_id": "event_1"})
    play.say({**created("resp_1"), **same}, {**SPEECH, **same})
    assert play.rejected == {"duplicate": 1}

    play.say({**delta("Good ", response_id="resp_1"), **same}, {**delta("day", response_id="resp_1"), **same})

    assert play.rejected == {"duplicate": 1}
    assert [entry["text"] for entry in play.line()["transcript"]] == ["Good day"]


def test_window_is_bounded() -> None:
    """An identity is forgotten past the window, and half of it more: memory does not grow with a stream."""
    play = Play(duplicates_window=2)
    events = [{**SPEECH, "event_id": f"event_{number}"} for number in (1, 2, 3, 4, 1)]
    for event in events:
        play.say(event)

    assert play.rejected == {}


@pytest.mark.parametrize("missing", [{}, {"event_id": None}])
def test_event_without_an_identity_is_never_a_duplicate(missing: dict[str, None]) -> None:
    """It may be sent twice on purpose."""
    play = Play()
    nameless = {key: value for key, value in SPEECH.items() if key != "event_id"} | missing
    for _ in range(2):
        play.say(nameless)

    assert play.rejected == {}


def test_event_id_of_a_client_is_no_identity() -> None:
    """A client numbers its events as it likes, and begins again."""
    play = Play()
    for _ in range(2):
        play.say({"type": "response.create", "event_id": "1"}, sent=True)

    assert play.rejected == {}


def test_envelope_is_identified_by_source_and_id() -> None:
    """The id alone may be another sender's."""
    play = Play()
    once = cloud_event(session("sess_1"), "call-1", id="1", source="//a")
    for frame in (once, once, cloud_event(created(), "call-1", id="1", source="//b")):
        play.say(frame)

    assert play.rejected == {"duplicate": 1}


@pytest.mark.parametrize(
    ("sequences", "missing"),
    [
        (["1", "2", "3"], []),
        (["1", "4"], [2]),
        (["0001", "0003"], [1]),
        ([1, 3], [1]),
        (["2", "1", "3"], []),
        (["1", "1", "2"], []),
        (["a", "c"], []),
        (["1", "-5", "2"], []),
        (["1", "9" * 30], []),
    ],
)
def test_gap_in_the_sequence_of_a_sender_is_reported(sequences: list[str | int], missing: list[int]) -> None:
    """Where `sequence` is a decimal number that counts up."""
    play = Play()
    for sequence in sequences:
        play.say(cloud_event(session(), "call-1", sequence=sequence))

    assert play.of(EventsMissed) == [EventsMissed(missing=number) for number in missing]
