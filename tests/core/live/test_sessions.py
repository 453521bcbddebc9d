"""The life of a Live session: plays."""

from typing import Any

import pytest

from steno.core import facts
from steno.core.billing.prices import parse
from steno.core.facts import Content, Fact
from tests.core.helpers import BEGIN, NO_USAGE, UNPRICED, Play, event
from tests.core.live.plays import MODEL, SESSION, closed, heard, started, used

PRICES = parse(
    b'{"schema":"steno.prices/1","version":"1","date":"2026-11-27","models":'
    b'{"gpt-live-1":{"input_cost_per_minute":0.05,"standby_cost_per_minute":0.02}}}'
)
KEY = "relay/live_1"


def play(*events: Any, **limits: Any) -> Play:
    """A session that has begun."""
    begun = Play(**limits)
    begun.say(started(), *events)
    begun.emitted.clear()
    return begun


def metered(**changes: Any) -> facts.SessionMetered:
    """A report of the time of a session."""
    values = {"session_id": "live_1", "model": MODEL, "paused_seconds": 0.0, "cost": UNPRICED, **changes}
    return facts.SessionMetered(**values)


def finished(**changes: Any) -> facts.SessionFinished:
    """The end of a session."""
    values: dict[str, Any] = {
        "session_id": "live_1",
        "kind": "live",
        "status": "closed",
        "reason": "close_requested",
        "model": MODEL,
        "seconds": None,
        "tokens": (),
        "cost": None,
        "usage_final": True,
        **changes,
    }
    return facts.SessionFinished(**values)


def test_a_session_is_opened_and_changed() -> None:
    """The object is kept whole; who the end user is, is content."""
    begun = Play()
    assert begun.say(started(instructions="Be kind.", safety_identifier="u-1", further=[1])) == [
        facts.ConversationOpened(family="live"),
        facts.SessionOpened(
            session_id="live_1",
            model=MODEL,
            expires_at=1_790_007_200,
            kind="live",
            instructions=Content("instructions", "Be kind."),
            user=Content("user", "u-1"),
        ),
    ]
    assert begun.say(event("session.updated", session={**SESSION, "model": "gpt-live-1.1"})) == [
        facts.SessionChanged(session_id="live_1", model="gpt-live-1.1", expires_at=1_790_007_200, kind="live")
    ]
    assert begun.line(KEY)["session"] == {**SESSION, "model": "gpt-live-1.1"}
    assert begun.state(KEY).complete


def test_a_session_without_its_object_is_none() -> None:
    begun = Play()
    assert begun.say(event("session.started"))[1:] == [
        facts.EventRejected(event="session.started", reason="missing_object")
    ]


def test_each_connection_is_told_of_the_same_session() -> None:
    """The second telling says nothing new."""
    assert play().say(started()) == []


def test_a_client_that_speaks_first_begins_it() -> None:
    """Its totals are then those of all of it."""
    begun = Play()
    begun.say(event("session.start", session={"model": MODEL}), sent=True)
    begun.say(started())
    (key,) = begun.open_keys
    assert begun.state(key).complete


def test_time_is_never_summed() -> None:
    """Each report replaces the one before; what it adds is billed."""
    told = play()
    assert told.say(used(10, ratio=0.1)) == [metered(seconds=10.0, active_seconds=10.0, context_window_ratio=0.1)]
    assert told.say(used(25)) == [metered(seconds=25.0, active_seconds=15.0, cost=None)]
    assert told.say(used(25)) == [metered(seconds=25.0, active_seconds=0, paused_seconds=0, cost=None)]
    assert told.line(KEY)["totals"]["seconds"] == [{"model": MODEL, "seconds": "25"}]
    assert told.line(KEY)["usage"] == {
        "seconds": "25",
        "active_seconds": "25",
        "paused_seconds": "0",
        "usage_final": False,
        "context_window_ratio": 0.1,
    }


def test_a_decrease_changes_nothing_and_is_said() -> None:
    told = play(used(10))
    assert told.say(used(4)) == []
    assert told.line(KEY)["rejected"] == {"usage_decreased": 1}
    assert told.line(KEY)["usage"]["seconds"] == "10"


def test_standby_costs_less() -> None:
    """By hand: 60 s of $0.05 and 30 s of $0.02 a minute."""
    told = Play()
    told.pipeline.registry.prices = PRICES
    told.say(started(), used(60, active_seconds=60, paused_seconds=0))
    told.say(used(90, active_seconds=60, paused_seconds=30))
    assert told.line(KEY)["totals"]["cost_usd"] == "0.06"


def test_an_end_that_upstream_confirms() -> None:
    """What stands there is what the session used."""
    told = play(used(10))
    assert told.say(closed(12)) == [
        metered(seconds=12.0, active_seconds=2.0, cost=None),
        finished(seconds=12.0),
    ]
    assert told.line(KEY)["usage"]["usage_final"]
    assert told.say(closed(12)) == [facts.EventRejected(event="session.closed", reason="repeated")]
    assert not [fact for fact in told.close() if isinstance(fact, facts.SessionFinished)]


def test_a_connection_that_ends_confirms_nothing() -> None:
    """What was reported last is a lower bound."""
    told = play(used(10))
    assert finished(status="abandoned", reason=None, seconds=10.0, usage_final=False) in told.close()


def test_an_end_without_any_report_is_not_free() -> None:
    """Neither where upstream confirms it, nor where it does not."""
    confirmed, cut = play(), play()
    assert confirmed.say(closed()) == [finished(seconds=None, cost=NO_USAGE, usage_final=False)]
    assert finished(status="abandoned", reason=None, cost=NO_USAGE, usage_final=False) in cut.close()


def test_words_alone_are_a_session_that_is_billed() -> None:
    """A connection that joined late sees no beginning."""
    late = Play()
    late.say(heard(0, 200))
    assert [fact.status for fact in late.close() if isinstance(fact, facts.SessionFinished)] == ["abandoned"]


def test_a_request_for_a_session_is_none() -> None:
    """Where upstream refused it, nothing was used."""
    refused = Play()
    refused.say(event("session.start", session={}), sent=True)
    refused.say(event("error", error={"type": "invalid_request_error", "code": "model_not_found", "message": "No."}))
    assert not [fact for fact in refused.close() if isinstance(fact, facts.SessionFinished)]
    assert refused.closed[0].totals.cost_usd() == "0"


@pytest.mark.parametrize("reason", ["close_requested", "expired", "content", "remote_hangup", "connection_lost"])
def test_reasons(reason: str) -> None:
    assert play().say(closed(1, reason=reason))[-1] == finished(reason=reason, seconds=1.0)


def test_a_reason_that_nobody_knows() -> None:
    told = play()
    assert told.say(closed(1, reason="because"))[-1] == finished(reason="other", seconds=1.0)
    assert play().say(closed(1, reason=None))[-1] == finished(reason=None, seconds=1.0)


def test_an_expired_session_ends_its_conversation_as_that() -> None:
    told = play()
    assert facts.SessionExpired(session_id="live_1", kind="live") in told.say(closed(1, reason="expired"))
    told.close()
    assert told.closed[0].closed_reason == "session_expired"


def test_a_session_has_a_deadline() -> None:
    told = Play()
    told.say(started(expires_at=BEGIN // 1_000_000 + 61))
    told.wait(2_000)
    assert told.tick() == [facts.SessionNearsEnd(session_id="live_1", kind="live", seconds_left=60)]


def test_pauses_are_timed() -> None:
    told = play()
    assert told.say(event("session.paused")) == [facts.SessionPaused(session_id="live_1")]
    told.wait(3_000)
    assert told.say(event("session.resumed")) == [facts.SessionResumed(session_id="live_1", paused_seconds=3.0)]
    assert told.say(event("session.resumed")) == [facts.SessionResumed(session_id="live_1", paused_seconds=None)]


def test_a_caller_is_muted() -> None:
    told = play()
    said = told.say(event("session.input_audio.muted"), event("session.input_audio.unmuted"))
    assert said == [facts.InputMuted(), facts.InputUnmuted()]


def test_a_telephone_call() -> None:
    told = play()
    assert told.say(event("transport.ringing", session_id="live_1")) == [facts.CallRang(session_id="live_1")]
    told.wait(1_500)
    assert told.say(
        event("transport.answered", session_id="live_1"),
        event("transport.dtmf.received", event="1"),
        event("transport.dtmf.sent", event="2"),
        event("transport.dtmf.send", event="3"),
    ) == [
        facts.CallAnswered(session_id="live_1", ringing_seconds=1.5),
        facts.DtmfReceived(),
        facts.DtmfSent(),
        facts.DtmfSent(),
    ]
    assert told.say(event("transport.dtmf.send", event="3"), sent=True) == []


@pytest.mark.parametrize(
    ("error", "code"),
    [({"type": "call_error", "code": "busy"}, "busy"), ({"type": "call_error"}, "call_error"), (None, "unknown")],
)
def test_a_call_that_cannot_be_made(error: dict[str, str] | None, code: str) -> None:
    told = play().say(event("transport.failed", session_id="live_1", error=error))
    assert told == [facts.CallFailed(session_id="live_1", code=code)]


def test_errors() -> None:
    """What was refused, and whether another session will do better."""

    def erred(**error: str) -> list[Fact]:
        return play().say(event("error", error=error))

    assert erred(type="invalid_request_error", code="unknown_parameter", message="No such thing.") == [
        facts.UpstreamErred(
            code="unknown_parameter", kind="invalid_request_error", message=Content("message", "No such thing.")
        )
    ]
    assert erred(code="insufficient_quota") == [
        facts.UpstreamErred(code="insufficient_quota", kind=None, message=None, effect="final")
    ]
    assert play().say(event("error")) == [facts.UpstreamErred(code="unknown", kind=None, message=None)]


def test_erased_content_is_gone() -> None:
    """Times, ids and sums stay."""
    told = play(heard(0, 200, "my number"), used(3))
    told.state(KEY).erase_content()
    line = told.line(KEY)
    assert (line["session"], line["transcript"][0]["text"], line["usage"]["seconds"]) == (None, "", "3")
