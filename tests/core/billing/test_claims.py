"""A call that several sources follow is billed once."""

from typing import Any

import pytest

from steno.core.billing import claims
from steno.core.billing.claims import Claims
from steno.core.stream import Stream
from tests.core.helpers import STREAM, Event, Play, created, done, event, run, session

USAGE = {
    "total_tokens": 5,
    "input_tokens": 3,
    "output_tokens": 2,
    "input_token_details": {"text_tokens": 3, "audio_tokens": 0},
    "output_token_details": {"text_tokens": 2, "audio_tokens": 0},
}
OTHER = "tap/1790000000000000/1"
DUPLICATE = {"duplicate_source": 1}


def billed(play: Play, key: str) -> tuple[int, dict[str, int]]:
    """Return the tokens of a conversation, and its usages without a price for being another source's."""
    totals: dict[str, Any] = play.line(key)["totals"]
    return (
        sum(bucket["tokens"] for bucket in totals["tokens"]),
        {reason: usages for reason, usages in totals.get("unpriced", {}).items() if reason != "no_price_list"},
    )


def both(play: Play, other: Stream, *events: Event) -> None:
    """Say the same on the first stream, then on the other."""
    for each in events:
        play.say(each)
        play.say(each, on=other)


def test_one_session_of_two_sources_is_billed_to_the_first() -> None:
    play = Play()
    tap = play.open(OTHER, source="tap")

    both(play, tap, session("sess_1"), created(), done(usage=USAGE))
    play.say(created("resp_2"), done("resp_2", usage=USAGE), on=tap)
    play.say(created("resp_2"), done("resp_2", usage=USAGE))

    assert billed(play, STREAM) == (10, {})
    assert billed(play, OTHER) == (0, {"duplicate_source": 2})


def test_a_call_that_its_session_is_named_after_is_known_once() -> None:
    """Its end takes it out, and the next one of that name is billed."""
    play = Play(conversation="rtc_one")
    play.say(session("rtc_one"), created(), done(usage=USAGE))
    known = play.pipeline.registry.claims.follower("rtc_one")
    play.pipeline.registry.close_all(play.now)

    assert (known, play.pipeline.registry.claims.follower("rtc_one")) == ("relay", None)


def test_a_call_by_name_is_the_call_of_a_sideband() -> None:
    play = Play(conversation="rtc_one")
    sideband = play.open("calls/1/1", "rtc_one", source="calls")

    both(play, sideband, created(), done(usage=USAGE))

    assert billed(play, "relay/rtc_one") == (5, {})
    assert billed(play, "calls/rtc_one") == (0, DUPLICATE)


def test_who_knows_the_model_is_billed() -> None:
    """A sideband, which may come first, is not sent its session: its usages would have no price."""
    play = Play(conversation="rtc_one")
    tap = play.open(OTHER, "rtc_one", source="tap")
    play.say(created("resp_0"), done("resp_0", usage=USAGE))
    play.say(session("sess_1", model="gpt-realtime"), on=tap)

    both(play, tap, created(), done(usage=USAGE))
    play.say(done("resp_0", usage=USAGE), on=tap)

    assert billed(play, "relay/rtc_one") == (5, DUPLICATE)
    assert billed(play, "tap/rtc_one") == (5, DUPLICATE)


def test_the_other_goes_on_where_the_first_has_left() -> None:
    play = Play()
    tap = play.open(OTHER, source="tap")
    both(play, tap, session("sess_1"), created(), done(usage=USAGE))

    play.close(code=None)
    play.say(created("resp_2"), done("resp_2", usage=USAGE), on=tap)

    assert billed(play, OTHER) == (5, DUPLICATE)


def test_a_named_first_that_is_not_connected_is_replaced_and_goes_on_when_it_is() -> None:
    play = Play(conversation="rtc_one")
    sideband = play.open("calls/1/1", "rtc_one", source="calls")
    both(play, sideband, session("sess_1"))
    play.close(code=None)
    play.say(done("resp_1", usage=USAGE), on=sideband)

    again = play.open("relay/1790000000000000/2", "rtc_one")
    play.say(done("resp_1", usage=USAGE), on=again)
    play.say(done("resp_2", usage=USAGE), on=again)
    play.say(done("resp_2", usage=USAGE), on=sideband)

    assert billed(play, "relay/rtc_one") == (5, DUPLICATE)
    assert billed(play, "calls/rtc_one") == (5, DUPLICATE)


def test_where_nothing_names_the_session_the_response_does() -> None:
    play = Play()
    tap = play.open(OTHER, source="tap")

    play.say(session("sess_1"), created(), done(usage=USAGE))
    play.say(created(), done(usage=USAGE), on=tap)

    assert billed(play, OTHER) == (0, DUPLICATE)


def test_servers_may_number_the_responses_of_each_session() -> None:
    play = Play()
    tap = play.open(OTHER, source="tap")

    play.say(session("sess_1"), created(), done(usage=USAGE))
    play.say(session("sess_2"), created(), done(usage=USAGE), on=tap)

    assert billed(play, STREAM) == billed(play, OTHER) == (5, {})


def test_within_a_source_nothing_is_compared() -> None:
    play = Play()
    second = play.open("relay/1790000000000000/2")

    play.say(created(), done(usage=USAGE))
    play.say(created(), done(usage=USAGE), on=second)

    assert billed(play, "relay/1790000000000000/2") == (5, {})


def test_a_session_whose_id_shows_late_is_billed_once_from_then_on() -> None:
    play = Play()
    tap = play.open(OTHER, source="tap")
    play.say(session("sess_1"))
    play.say(done("resp_0", usage=USAGE), on=tap)
    play.say(event("session.updated", session={"id": "sess_1"}), on=tap)

    play.say(done("resp_1", usage=USAGE), on=tap)
    play.say(done("resp_0", usage=USAGE), done("resp_1", usage=USAGE))

    assert billed(play, OTHER) == (5, DUPLICATE)
    assert billed(play, STREAM) == (5, DUPLICATE)


def test_a_run_is_billed_once() -> None:
    play = Play()
    tap = play.open(OTHER, source="tap")
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}

    both(play, tap, run("created"), run("completed", usage=usage))
    play.say(run("completed", "run_2", usage=usage), on=tap)

    assert billed(play, "relay/thread_1") == (5, {})
    assert billed(play, "tap/thread_1") == (5, DUPLICATE)


def test_a_transcription_is_billed_once() -> None:
    play = Play()
    tap = play.open(OTHER, source="tap")
    said = event(
        "conversation.item.input_audio_transcription.completed",
        item_id="item_1",
        content_index=0,
        transcript="hello",
        usage={"type": "tokens", **USAGE},
    )

    both(play, tap, said)

    assert billed(play, STREAM) == (5, {})
    assert billed(play, OTHER) == (0, DUPLICATE)


def test_what_is_given_up_is_unknown_once() -> None:
    play = Play()
    tap = play.open(OTHER, source="tap")
    both(play, tap, session("sess_1"), created())

    play.close(tap, code=None)
    play.close(code=None)

    first, second = play.closed
    assert (dict(first.totals.unpriced), dict(second.totals.unpriced)) == (DUPLICATE, {"no_usage": 1})


@pytest.mark.parametrize("closed", [False, True])
def test_who_follows_a_call_is_known_while_it_is_connected(closed: bool) -> None:
    play = Play(conversation="rtc_one")
    claims = play.pipeline.registry.claims
    play.say(session("sess_1"))
    before = claims.follower("rtc_one"), claims.follower("sess_1"), claims.follower("rtc_two")

    play.close(code=None if closed else 1000)

    assert before == ("relay", "relay", None)
    assert claims.follower("rtc_one") is None


def test_nothing_is_kept_of_what_has_ended() -> None:
    play = Play()
    play.say(session("sess_1"))
    play.say(session("sess_2"))
    play.close()

    assert play.pipeline.registry.claims._known == {}


def test_the_ids_of_usages_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("steno.core.billing.claims.CLAIMS", 2)
    play = Play()
    play.say(created())
    claims = Claims(set())
    alone = claims.bill(play.state(), "resp_9"), list(claims._billed)
    for source in ("relay", "tap"):
        claims.begin(source)

    assert alone == (True, [])
    assert all(claims.bill(play.state(), f"resp_{number}") for number in range(5))
    assert list(claims._billed) == ["resp_3", "resp_4"]


def test_those_that_are_known_by_one_id_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sender may give one id to all its sessions, and each usage looks at all that have it."""
    monkeypatch.setattr(claims, "CLAIMANTS", 2)
    play = Play()
    taps = [play.open(f"tap{number}/1790000000000000/1", source=f"tap{number}") for number in range(3)]
    for tap in taps:
        play.say(session("sess_1"), created(f"resp_{tap.source}"), done(f"resp_{tap.source}", usage=USAGE), on=tap)

    assert [billed(play, tap.name)[0] for tap in taps] == [5, 0, 5]
