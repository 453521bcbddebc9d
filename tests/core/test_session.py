"""The life of a session: that it nears its end, expired, or was cancelled is reported once."""

import pytest

from steno.core.facts import (
    Fact,
    SessionCancelled,
    SessionExpired,
    SessionNearsEnd,
    SessionOpened,
    UpstreamErred,
)
from tests.core.helpers import BEGIN, Play, cloud_event, event, run, session

NOW = BEGIN // 1_000_000
"""Unix seconds."""


def ends(play: Play) -> list[tuple[int, Fact]]:
    """Each fact about an end, with the second at which it was so."""
    kinds = SessionNearsEnd | SessionExpired | SessionCancelled
    return [((origin.at or 0) // 1_000_000 - NOW, fact) for origin, fact in play.emitted if isinstance(fact, kinds)]


def pass_by(play: Play, seconds: int) -> None:
    """Let so many seconds pass in silence."""
    play.wait(seconds * 1000)
    play.pipeline.tick(play.now or 0)


def near(left: int, kind: str = "realtime", key: str = "sess_1") -> SessionNearsEnd:
    return SessionNearsEnd(session_id=key, kind=kind, seconds_left=left)


@pytest.mark.parametrize("steps", [[1] * 3700, [3700], [3000, 290, 300, 110]])
def test_facts_of_the_end_have_the_second_that_was_due(steps: list[int]) -> None:
    """Whether ticks come each second or once after a silence."""
    play = Play()
    play.say(session(expires_at=NOW + 3600))
    for seconds in steps:
        pass_by(play, seconds)

    assert ends(play) == [
        (3300, near(300)),
        (3540, near(60)),
        (3600, SessionExpired(session_id="sess_1", kind="realtime")),
    ]


def test_the_next_session_of_a_name_has_an_end_of_its_own() -> None:
    """That the one before expired says nothing of it, nor does an error that it reports."""
    play = Play(conversation="desk-3")
    play.say(session(expires_at=NOW + 3600), event("error", error={"code": "session_expired"}))
    again = play.open("relay/1790000000000000/2", "desk-3")
    play.say(session("sess_2", expires_at=NOW + 400), event("error", error={"code": "server_error"}), on=again)
    pass_by(play, 150)

    assert ends(play) == [
        (0, SessionExpired(session_id="sess_1", kind="realtime")),
        (100, near(300, key="sess_2")),
    ]


def test_new_deadline_counts_anew() -> None:
    """A session with more time is not near its end any more."""
    play = Play()
    play.say(session(expires_at=NOW + 100))
    pass_by(play, 45)
    play.say(session(kind="session.updated", expires_at=NOW + 400))
    pass_by(play, 60)

    assert ends(play) == [(40, near(60)), (100, near(300))]


def test_thresholds_before_the_first_report_lead_to_no_fact() -> None:
    """A session that is first reported in its last minute only expires."""
    play = Play()
    play.say(session(expires_at=NOW + 30))
    pass_by(play, 31)

    assert ends(play) == [(30, SessionExpired(session_id="sess_1", kind="realtime"))]


@pytest.mark.parametrize("expires_at", [0, None, -5, 10**15])
def test_time_that_cannot_be_one_is_no_deadline(expires_at: int | None) -> None:
    """Client secrets have zero."""
    play = Play()
    play.say(session(expires_at=expires_at))
    pass_by(play, 10000)

    assert ends(play) == []


def test_expiry_is_reported_once() -> None:
    """Though an error, the close and the deadline report it."""
    play = Play()
    play.say(session(expires_at=NOW + 3600))
    play.wait(3_600_500)
    play.say(event("error", error={"code": "session_expired", "type": "invalid_request_error", "message": "Over."}))
    play.pipeline.stream_closed(play.stream, play.now, 1001, expired=True)

    assert [fact for _, fact in ends(play)].count(SessionExpired(session_id="sess_1", kind="realtime")) == 1


@pytest.mark.parametrize(
    ("code", "effect"),
    [
        ("response_cancel_not_active", "benign"),
        ("session_expired", "ends_session"),
        ("insufficient_quota", "final"),
        ("something_new", "unknown"),
    ],
)
def test_error_has_an_effect(code: str, effect: str) -> None:
    """Benign ones, final ones, and those that end a session are distinguished."""
    play = Play()
    play.say(event("error", error={"code": code}))

    (erred,) = play.of(UpstreamErred)
    assert isinstance(erred, UpstreamErred)
    assert erred.effect == effect


CHATKIT = {"object": "chatkit.session", "id": "cksess_1", "expires_at": NOW + 600, "status": "active", "user": "u"}


@pytest.mark.parametrize(("status", "fact"), [("expired", SessionExpired), ("cancelled", SessionCancelled)])
def test_chatkit_session_ends_by_its_status(status: str, fact: type[Fact]) -> None:
    """The deadline leads to no second fact."""
    play = Play()
    play.say(CHATKIT, {**CHATKIT, "status": status})
    pass_by(play, 700)

    assert [type(end) for _, end in ends(play)] == [fact]


def test_client_secret_has_its_own_deadline() -> None:
    """In the GA reply and in the beta one."""
    play = Play()
    play.say({"value": "ek_1", "expires_at": NOW + 600, "session": {"id": "sess_1", "expires_at": 0}})
    play.say({"object": "realtime.session", "id": "sess_2", "client_secret": {"value": "ek_2", "expires_at": NOW + 60}})

    opened = [fact for fact in play.facts if isinstance(fact, SessionOpened)]
    assert [(fact.session_id, fact.kind, fact.expires_at) for fact in opened] == [
        ("sess_1", "client_secret", NOW + 600),
        ("sess_2", "client_secret", NOW + 60),
    ]


def test_reply_and_session_of_one_id_are_one_conversation() -> None:
    """Whichever of the two comes first."""
    bare = {"object": "realtime.session", "id": "sess_1", "client_secret": {"value": "ek_2", "expires_at": NOW + 60}}
    for events in ([bare, session("sess_1")], [session("sess_1"), bare], [session("sess_1"), bare, session("sess_1")]):
        play = Play()
        play.say(*events)
        assert len(play.pipeline.registry.conversations) == 1
        assert [type(fact) for fact in play.facts if isinstance(fact, SessionOpened)] == [SessionOpened]


def test_envelope_names_the_conversation_of_a_session() -> None:
    """A relay that passes replies on names them so."""
    play = Play()
    secret = {"value": "ek_1", "expires_at": NOW + 600, "session": {"id": "sess_1", "model": "m"}}
    play.say(cloud_event(secret, "call-1"), cloud_event(session("sess_1"), "call-1"), cloud_event(CHATKIT, "call-2"))

    assert list(play.pipeline.registry.conversations) == ["relay/call-1", "relay/call-2"]


def test_ended_session_is_not_found_by_its_id() -> None:
    """An event after the end is about another conversation."""
    play = Play()
    play.say(session("sess_1"), session("sess_2"))
    play.pipeline.registry.settle(play.stream)
    play.say({"object": "realtime.session", "id": "sess_1"})

    assert list(play.pipeline.registry.conversations) == [f"{play.stream.name}#2", f"{play.stream.source}/sess_1"]


def test_sessions_and_runs_report_what_ends_soon() -> None:
    """Within a number of seconds."""
    play = Play()
    play.say(session(expires_at=NOW + 200), run("queued", expires_at=NOW + 30))
    states = play.pipeline.registry.conversations.values()
    ending = {within: [kind for state in states for kind in state.ending(within, BEGIN)] for within in (60, 300)}

    assert ending == {60: ["run"], 300: ["realtime", "run"]}
