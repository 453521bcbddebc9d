"""A simulated call, from its first word to its end."""

from tests.simulate.interactive.plays import Play, kinds

PLAYED = "output_audio_buffer"


def call() -> Play:
    play = Play(call_id="rtc_1")
    assert play.sent == []  # a sideband has no session.created
    play.session.join()
    return play


def test_a_caller_speaks_is_answered_and_hangs_up() -> None:
    play = call()

    play.rest()

    assert play.session.ended
    begun = [event["response"]["id"] for event in play.sent if event["type"] == "response.created"]
    assert len(begun) == 5
    for kind in ("started", "stopped"):
        assert [event["response_id"] for event in play.sent if event["type"] == f"{PLAYED}.{kind}"] == begun
    assert {event["response"]["status"] for event in play.sent if event["type"] == "response.done"} == {"completed"}


def test_a_call_begins_once() -> None:
    play = call()
    play.session.join()
    play.rest()

    assert sum(event["type"] == "input_audio_buffer.speech_started" for event in play.sent) == 5


def test_what_the_caller_hears_can_be_stopped() -> None:
    play = call()
    play.until(f"{PLAYED}.started")
    play.until("response.done")

    cleared = play.send("output_audio_buffer.clear")
    again = play.send("output_audio_buffer.clear")

    assert kinds(cleared) == [f"{PLAYED}.cleared"]
    assert again == []
    assert f"{PLAYED}.stopped" not in kinds(play.until("response.created"))


def test_a_response_that_is_cancelled_is_heard_as_far_as_it_was_sent() -> None:
    play = call()
    play.until(f"{PLAYED}.started")

    play.send("response.cancel")

    assert f"{PLAYED}.stopped" in kinds(play.until(f"{PLAYED}.stopped"))
