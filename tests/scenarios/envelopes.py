"""Scenarios of relays: conversations in CloudEvents, several on one stream, and sessions as bare objects."""

import heapq
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import accumulate, count
from random import Random
from typing import Any, Final

from steno.simulate.assistants import complete, start, write
from steno.simulate.assistants_objects import Desk
from steno.simulate.assistants_scripts import OFFICES
from steno.simulate.steps import Ids, Step
from steno.simulate.voice_usage import no_usage
from tests.scenarios.scenario import LINE, Scenario, scenario, type_in, voice

Timed = tuple[float, int, str, dict[str, Any]]
"""The second at which an event is due, its rank among equals, the name of its conversation, and the event."""

_RELAY: Final = "//relay.example/calls"


def _call(rng: Random, started_at: int) -> Iterator[Step]:
    """Yield a short call: a question, and a response that is cancelled before it has output."""
    s = voice(rng, started_at)
    s.open()
    type_in(s, LINE)
    response = s.begin_response(s.now)
    s.end_response(s.now + 0.2, response, "cancelled", {"reason": "client_cancelled"}, usage=no_usage())
    yield from s.steps(to_the_end=True)


def _run(rng: Random, started_at: int) -> Iterator[Step]:
    desk = Desk(rng, started_at, rng.choice(OFFICES))
    thread = desk.new_thread()
    run = desk.new_run(thread, [])
    yield from start(desk, run)
    usage = yield from write(desk, thread, run, "It is done.")
    yield from complete(desk, run, [usage])


def _due(subject: str, steps: Iterable[Step], numbers: Iterator[int]) -> list[Timed]:
    steps = list(steps)
    times = accumulate(step.after_seconds for step in steps)
    return [(round(at, 3), next(numbers), subject, step.event) for at, step in zip(times, steps, strict=True)]


def _enveloped(started_at: int, *conversations: list[Timed]) -> Iterator[Step]:
    """Yield the events of conversations as CloudEvents of one stream, in order of time."""
    before = 0.0
    for number, (at, _, subject, event) in enumerate(heapq.merge(*conversations), start=1):
        yield Step(round(at - before, 3), _cloud_event(number, subject, started_at + at, event))
        before = at


def _cloud_event(number: int, subject: str, at: float, event: dict[str, Any]) -> dict[str, Any]:
    family = "assistants" if "event" in event else "realtime"
    return {
        "specversion": "1.0",
        "id": f"{number:06d}",
        "source": _RELAY,
        "type": f"example.relay.{family}",
        "subject": subject,
        "time": datetime.fromtimestamp(round(at, 3), UTC).isoformat(timespec="milliseconds"),
        "datacontenttype": "application/json",
        "sequence": f"{number}",
        "data": event,
    }


def cloud_events(rng: Random, started_at: int) -> Iterator[Step]:
    """Two voice sessions and a thread share one stream of CloudEvents; the subject says which is which."""
    numbers = count()
    calls = [_due(name, _call(rng, started_at), numbers) for name in ("call-a", "call-b")]
    thread = _due("desk-1", _run(rng, started_at), numbers)
    yield from _enveloped(started_at, *calls, thread)


def _one_call(rng: Random, started_at: int) -> list[Step]:
    return list(_enveloped(started_at, _due("call-a", _call(rng, started_at), count())))


def cloud_events_with_a_gap(rng: Random, started_at: int) -> Iterator[Step]:
    """Two CloudEvents were lost, and the sequence has a gap."""
    steps = _one_call(rng, started_at)
    yield from (step for n, step in enumerate(steps) if n not in (2, 3))


def cloud_events_twice(rng: Random, started_at: int) -> Iterator[Step]:
    """A relay delivers CloudEvents again, with the same source and id, later and among others."""
    steps = _one_call(rng, started_at)
    again = {5: 2, len(steps) - 1: len(steps) - 2}
    for n, step in enumerate(steps):
        yield step
        if n in again:
            yield Step(0.01, steps[again[n]].event)


def cloud_event_ids_of_two_sources(rng: Random, started_at: int) -> Iterator[Step]:
    """Two relays number their CloudEvents alike: one id of two sources is not the same event."""
    for step in _one_call(rng, started_at):
        yield step
        other = {"source": f"{_RELAY}-2", "subject": "call-b", "data": {**step.event["data"], "event_id": None}}
        yield Step(0.001, {**step.event, **other})


def cloud_event_of_another_century(rng: Random, started_at: int) -> Iterator[Step]:
    """A relay's clock is wrong: one time is 90 years back, one a day ahead, and one is no time."""
    times = {2: "1936-01-01T00:00:00Z", 4: None, 5: "half past ten"}
    ahead = datetime.fromtimestamp(started_at + 86_400, UTC).isoformat()
    for n, step in enumerate(_one_call(rng, started_at)):
        stated = times.get(n, step.event["time"]) or ahead
        yield Step(step.after_seconds, {**step.event, "time": stated})


def cloud_events_without_subject(rng: Random, started_at: int) -> Iterator[Step]:
    """CloudEvents name no conversation, so it is that of the stream."""
    for step in _one_call(rng, started_at):
        yield Step(step.after_seconds, {name: value for name, value in step.event.items() if name != "subject"})


# Sessions as bare objects: replies that a relay forwards -----------------------------------------------------


def beta_session_reply(rng: Random, started_at: int) -> Iterator[Step]:
    """The reply to the creation of a beta session, whose client secret is an object."""
    yield Step(
        0.1,
        {
            "id": Ids(rng).dated("sess", started_at),
            "object": "realtime.session",
            "model": "gpt-4o-realtime-preview-2024-12-17",
            "expires_at": 0,
            "modalities": ["audio", "text"],
            "instructions": "Be brief.",
            "voice": "alloy",
            "input_audio_format": "pcm16",
            "output_audio_format": "pcm16",
            "input_audio_transcription": None,
            "turn_detection": {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300},
            "tools": [],
            "tool_choice": "auto",
            "temperature": 0.8,
            "max_response_output_tokens": 512,
            "client_secret": {"value": "ek_simulated0000beta", "expires_at": started_at + 60},
        },
    )


def client_secret_reply(rng: Random, started_at: int) -> Iterator[Step]:
    """The reply to the creation of a client secret: the session's own `expires_at` is 0, the key's is not."""
    s = voice(rng, started_at)
    s.open()
    session = next(s.steps(to_the_end=True)).event["session"] | {"expires_at": 0}
    yield Step(0.1, {"value": "ek_simulated0000ga", "expires_at": started_at + 600, "session": session})


def chatkit_session(rng: Random, started_at: int) -> Iterator[Step]:
    """A ChatKit session is active and expires later; its variables have different types."""
    workflow = {
        "id": Ids(rng).plain("wf"),
        "version": None,
        "state_variables": {"plan": "gold", "seats": 4, "trial": False, "discount": 0.15},
        "tracing": {"enabled": True},
    }
    titling = {"automatic_thread_titling": {"enabled": True}}
    session = {
        "id": Ids(rng).plain("cksess"),
        "object": "chatkit.session",
        "status": "active",
        "expires_at": started_at + 600,
        "client_secret": "ek_simulated0000chatkit",
        "workflow": workflow,
        "user": "user-417",
        "rate_limits": {"max_requests_per_1_minute": 10},
        "max_requests_per_1_minute": 10,
        "chatkit_configuration": {**titling, "file_upload": {"enabled": False}, "history": {"enabled": True}},
    }
    yield Step(0.1, session)
    yield Step(600.0, {**session, "status": "expired"})


SCENARIOS: Final[tuple[Scenario, ...]] = (
    scenario(cloud_events),
    scenario(cloud_events_with_a_gap),
    scenario(cloud_events_twice),
    scenario(cloud_event_ids_of_two_sources),
    scenario(cloud_event_of_another_century),
    scenario(cloud_events_without_subject),
    scenario(beta_session_reply),
    scenario(client_secret_reply),
    scenario(chatkit_session),
)
