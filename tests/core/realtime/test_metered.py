"""Translation sessions, which are billed as a whole: by what their end reports, or it is unknown."""

from typing import Any

import pytest

from steno.core import facts
from steno.core.billing.prices import parse
from steno.core.facts import Cost, CostLine, Fact
from tests.core.helpers import NO_USAGE, UNPRICED, USAGE, Event, Play, cloud_event, created, done, event, session

MODEL = "gpt-realtime-translate"
PRICES = parse(
    b'{"schema":"steno.prices/1","version":"3","date":"2026-02-01",'
    b'"models":{"gpt-realtime-translate":{"input_cost_per_minute":0.06}}}'
)


def translation(key: str = "sess_1", kind: str = "session.created", **members: Any) -> Event:
    return event(kind, session={"id": key, "type": "translation", "model": MODEL, "audio": {}, **members})


def begun(*, conversation: str | None = None) -> Play:
    """A translation session, at a made-up price."""
    play = Play(conversation=conversation)
    play.pipeline.registry.prices = PRICES
    play.say(translation())
    return play


def finished(status: str = "closed", cost: Cost | None = NO_USAGE, **members: Any) -> facts.SessionFinished:
    told = {
        "session_id": "sess_1",
        "kind": "translation",
        "reason": None,
        "model": MODEL,
        "seconds": None,
        "tokens": (),
    }
    return facts.SessionFinished(status=status, cost=cost, **{**told, **members})


def by_minutes(usd: str, seconds: str) -> Cost:
    line = CostLine(rate="0.06", per="minute", quantity=seconds)
    return Cost(usd=usd, model=MODEL, table_version="3", lines=(line,))


def billed(said: list[Fact]) -> tuple[str | None, tuple[facts.Unpriced, ...]]:
    """What the conversation cost that closed."""
    (closed,) = [fact for fact in said if isinstance(fact, facts.ConversationClosed)]
    return closed.cost_usd, closed.unpriced


UNKNOWN = (None, (facts.Unpriced("no_usage", 1),))


@pytest.mark.parametrize("members", [{"type": "translation"}, {"audio": {"output": {"language": "pt"}}}])
def test_its_kind_is_its_own(members: Event) -> None:
    """It has no responses, and is no realtime session. Where its type is not reported, its language is."""
    play = Play()
    (_, opened) = play.say(event("session.created", session={"id": "sess_1", "model": MODEL, **members}))
    assert isinstance(opened, facts.SessionOpened)
    assert opened.kind == play.state().session_life.kind == "translation"


@pytest.mark.parametrize(
    ("usage", "seconds", "usd"),
    [
        ({"input_seconds": 90.5, "output_seconds": 71.25}, 90.5, "0.0905"),
        ({"seconds": 12}, 12.0, "0.012"),
        ({"type": "duration", "seconds": 30, "input_tokens": 9, "output_tokens": 9}, 30.0, "0.03"),
    ],
)
def test_it_is_billed_by_the_seconds_of_its_end(usage: Event, seconds: float, usd: str) -> None:
    """And only once, however often its end is reported."""
    play = begun()
    assert play.say(event("session.closed", usage=usage, reason="close_requested")) == [
        finished(cost=by_minutes(usd, f"{seconds:g}"), seconds=seconds, reason="close_requested")
    ]
    assert play.say(event("session.closed", usage=usage)) == [
        facts.EventRejected(event="session.closed", reason="repeated")
    ]
    assert play.line()["totals"]["seconds"] == [{"model": MODEL, "seconds": f"{seconds:g}"}]
    assert billed(play.close()) == (usd, ())


def test_a_session_that_begins_after_one_that_was_closed_is_another() -> None:
    """Also where the one before was not seen to begin, and has no name to tell it by."""
    play = Play()
    play.pipeline.registry.prices = PRICES
    play.say(event("session.closed", usage={"seconds": 0}), translation())
    assert play.state().session_life.status == "active"
    assert play.say(event("session.closed", usage={"seconds": 60})) == [
        finished(cost=by_minutes("0.06", "60"), seconds=60.0)
    ]
    assert billed(play.close()) == ("0.06", ())


def test_audio_in_a_session_of_another_kind_changes_nothing() -> None:
    """That kind is known."""
    play = Play()
    play.say(session())
    play.say(event("session.input_audio_buffer.append", audio="AAAA"), sent=True)
    assert (play.state().session_life.kind, billed(play.close())) == ("realtime", ("0", ()))


@pytest.mark.parametrize("usage", [None, {}, {"output_seconds": 4}, {"seconds": -1}])
def test_an_end_without_a_usage_is_unknown(usage: Event | None) -> None:
    """Nobody counted what was heard."""
    play = begun()
    assert play.say(event("session.closed", usage=usage)) == [finished()]
    assert billed(play.close()) == UNKNOWN


@pytest.mark.parametrize("shutdown", [False, True])
def test_it_is_unknown_too_where_its_stream_ends(shutdown: bool) -> None:
    """The end of the session comes, or it does not."""
    play = begun()
    said = play.close(code=1006, shutdown=shutdown)
    assert said[0] == finished("abandoned")
    assert billed(said) == UNKNOWN


def test_a_session_that_replaces_it_ends_it() -> None:
    """On its stream another conversation begins, and it ends with that at the latest; under its name it goes on."""
    play = begun()
    play.say(translation("sess_2"))
    said = play.close()
    assert said[0] == finished("abandoned")
    assert [(closed.cost_usd, closed.unpriced) for closed in said if isinstance(closed, facts.ConversationClosed)] == [
        UNKNOWN,
        UNKNOWN,
    ]

    named = begun(conversation="booth-7")
    again = named.open("relay/1790000000000000/2", "booth-7")
    assert named.say(translation("sess_2"), on=again)[0] == finished("abandoned")
    named.say(event("session.closed", usage={"seconds": 60}), on=again)
    totals = named.line("relay/booth-7")["totals"]
    assert (totals["cost_usd"], totals["unpriced"]) == (None, {"no_usage": 1})


def test_a_client_that_sends_it_audio_shows_that_it_is_one() -> None:
    """Its beginning was not seen, and its model is not known."""
    play = Play()
    play.say(event("session.input_audio_buffer.append", audio="AAAA"), sent=True)
    assert billed(play.close()) == UNKNOWN


@pytest.mark.parametrize("audio", [[], [event("session.input_audio_buffer.append", audio="AAAA")]])
@pytest.mark.parametrize(("usage", "seconds", "reason"), [({"seconds": 5}, 5.0, "no_model"), (None, None, "no_usage")])
def test_its_end_shows_that_too(audio: list[Event], usage: Event | None, seconds: float | None, reason: str) -> None:
    """What it heard was not free."""
    late = Play()
    late.pipeline.registry.prices = PRICES
    late.say(*audio, sent=True)
    assert late.of(facts.SessionFinished) == []
    late.say(event("session.closed", usage=usage))
    assert late.of(facts.SessionFinished) == [
        finished(session_id=None, model=None, seconds=seconds, cost=Cost(unpriced=reason))
    ]


def test_it_is_over_when_it_is_closed() -> None:
    """No deadline is reported after that, audio that is still under way begins no other, and nor does its stream."""
    play = begun()
    play.say(translation(kind="session.updated", expires_at=1_790_000_400))
    play.say(event("session.closed", usage={"seconds": 60}))
    play.say(event("session.input_audio_buffer.append", audio="AAAA"), sent=True)
    play.wait(500_000)
    assert play.tick() == []
    assert billed(play.close()) == ("0.06", ())


def test_a_session_that_was_announced_and_never_begun_costs_nothing() -> None:
    """Its client secret was made; nothing was said."""
    play = Play()
    secret = {"value": "ek_1", "expires_at": 1_790_000_600}
    play.say(cloud_event({**secret, "session": {"id": "sess_1", "type": "translation", "model": MODEL}}, "booth-7"))
    assert play.line("relay/booth-7")["totals"]["cost_usd"] == "0"
    assert play.state("relay/booth-7").session_life.kind == "client_secret"


def test_a_session_whose_responses_are_billed_is_not_billed_again() -> None:
    """A server may close a realtime session with the sum of it."""
    play = Play()
    play.say(session(), created(), done(usage=USAGE))
    assert play.say(event("session.closed", usage={**USAGE})) == [
        finished(kind="realtime", model="gpt-realtime", cost=None)
    ]
    assert [each["tokens"] for each in play.line()["totals"]["tokens"]] == [16, 32, 4, 8, 10, 30]


def test_a_session_that_was_not_seen_to_begin_and_has_responses_is_not_one_of_translation() -> None:
    """They are billed, and its end says nothing more."""
    play = Play()
    play.say(created(), done(usage={"input_tokens": 0, "output_tokens": 0}))
    assert play.say(event("session.closed")) == [finished(session_id=None, kind="realtime", model=None, cost=None)]
    assert billed(play.close()) == ("0", ())


def test_a_session_of_which_nothing_else_is_billed_is_billed_by_its_end() -> None:
    """Whatever its kind: nobody else reported it."""
    play = Play()
    play.say(session())
    assert play.say(event("session.closed", usage={"seconds": 5})) == [
        finished(kind="realtime", model="gpt-realtime", seconds=5.0, cost=UNPRICED)
    ]


def test_prices_are_those_of_its_beginning() -> None:
    """A list that is loaded while it runs is for the next one."""
    play = begun()
    play.pipeline.registry.prices = None
    play.say(event("session.closed", usage={"seconds": 60}))
    assert play.line()["totals"]["cost_usd"] == "0.06"
