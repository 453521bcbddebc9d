"""The seam: every frame counts once, time goes on, and sources can be asked to wait."""

import json
from collections.abc import Iterator
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steno import wire
from steno.core import facts
from steno.core.facts import Origin
from steno.core.frame import Frame
from steno.core.stream import Stream
from steno.limits import Limits
from steno.pipeline import Pipeline
from steno.timestamps import SECOND
from steno.wire import assistants, realtime
from tests.core.helpers import (
    BEGIN,
    SOURCE,
    STREAM,
    Event,
    Play,
    assistants_streams,
    audio,
    cloud_event,
    created,
    event,
    mutated,
    run,
    session,
    voice_session,
)
from tests.vocabulary import CLIENT_EVENTS, NAMES

SENT = {NAMES[kind] for kind in CLIENT_EVENTS}


def counts(play: Play) -> dict[str, Any]:
    told = play.pipeline.source(SOURCE)
    return {
        "events": {NAMES[kind]: number for kind, number in play.pipeline.events.items()},
        "others": play.pipeline.others,
        "rejected": told.frames_rejected,
        "drifted": told.drifted,
    }


# Counting -------------------------------------------------------------------------------------------------------


def test_a_frame_counts_as_what_it_is() -> None:
    """A known event, another, or rejected with a reason; what is in an envelope as what is in it."""
    play = Play()
    play.say(session(), created(), audio(response_id=None), {"type": "ping"}, {"type": "thread.item.added"})
    play.say(event("session.update"), event("error", error=5))
    play.say(cloud_event(session(), "call-1"), cloud_event({"type": "ping"}), cloud_event([]), {"specversion": "1.0"})
    play.say({"event": "thread.run.paused", "data": {}}, run("queued"), {"object": "list"})
    play.feed(b"\xff")
    assert counts(play) == {
        "events": {"session.created": 2, "response.created": 1, "error": 1, "thread.run.queued": 1},
        "others": {"realtime": 3, "chatkit": 1, "assistants": 1},
        "rejected": {
            "unknown_response": 1,
            "unexpected_direction": 1,
            "not_object": 1,
            "bad_envelope": 1,
            "not_utf8": 1,
        },
        "drifted": 1,
    }
    assert play.stream.frames == 15


def test_many_events_are_taken_in_as_each_by_itself() -> None:
    """The same facts and the same counts, times and directions included; a mistake of ours counts what came before."""
    said = [session(), created(), audio(), audio(response_id="resp_9"), audio(), event("session.update")]
    frames = [
        Frame(json.dumps(each).encode(), BEGIN + number * SECOND if number != 3 else None, number == len(said) - 1)
        for number, each in enumerate(said)
    ]
    alone, together = Play(), Play()
    for frame in frames:
        alone.pipeline.feed(alone.stream, frame)
    look = together.pipeline.families.decoder.first_look
    events = [(frame, found) for frame in frames if (found := look(frame.payload)) is not None]

    together.pipeline.feed_events(together.stream, events)

    assert len(events) == len(frames)
    assert together.emitted == alone.emitted
    assert counts(together) == counts(alone)
    assert seen(together) == seen(alone)


def test_a_mistake_among_many_events_leaves_the_counts_of_those_before() -> None:
    play = Play()
    frame = Frame(json.dumps(session()).encode(), BEGIN)

    def events() -> Iterator[tuple[Frame, wire.Event]]:
        yield frame, realtime.SessionCreated()
        raise LookupError

    with pytest.raises(LookupError):
        play.pipeline.feed_events(play.stream, events())
    assert seen(play) == (1, len(frame.payload), 0, BEGIN)


def seen(play: Play) -> tuple[int, int, int, int | None]:
    told = play.pipeline.source(SOURCE)
    return play.stream.frames, told.received_bytes, told.sent_bytes, told.last_event_at


def test_a_frame_that_is_no_event_is_told() -> None:
    """With its length and nothing of what it says; the conversation does not notice."""
    play = Play()
    play.say(session())
    play.emitted.clear()
    play.feed(b'{"client_secret":"hunter2"')
    origin = Origin(at=BEGIN, source=SOURCE, stream=STREAM)
    assert play.emitted == [(origin, facts.FrameRejected(reason="not_json", bytes=26))]
    assert play.line()["events"] == 1


def test_bytes_count_by_direction() -> None:
    """Of every frame, whatever is in it."""
    play = Play()
    play.feed(b"12345")
    play.feed(b"123", sent=True)
    play.say({"type": "input_audio_buffer.clear"}, sent=True)
    told = play.pipeline.source(SOURCE)
    sent = len('{"type": "input_audio_buffer.clear"}')
    assert (told.received_bytes, told.sent_bytes, told.last_event_at) == (5, 3 + sent, BEGIN)


def test_sources_count_apart_and_their_streams_together() -> None:
    """What a source was is remembered when its streams are gone."""
    play = Play()
    other = play.pipeline.stream_opened("tap/1/1", "tap", play.now)
    again = play.open("relay/1/2")
    play.feed(b"[]")
    play.feed(b"[]", on=again)
    play.feed(b"", on=other)
    for stream in (play.stream, again, other):
        play.close(stream)
    rejected = {name: told.frames_rejected for name, told in play.pipeline.sources.items()}
    assert rejected == {"relay": {"not_object": 2}, "tap": {"not_json": 1}}
    assert play.pipeline.streams == {}


def test_what_ended_is_given_away() -> None:
    """Each conversation after its last fact, then the stream."""
    given: list[str] = []
    pipeline = Pipeline(
        Limits(),
        [],
        lambda state: given.append(f"conversation {state.key} {state.closed_reason}"),
        lambda stream: given.append(f"stream {stream.name} {stream.frames}"),
    )
    stream = pipeline.stream_opened(STREAM, SOURCE, None)
    pipeline.feed(stream, Frame(json.dumps(session()).encode(), None))
    pipeline.stream_closed(stream, None, 1000)
    assert given == [f"conversation {STREAM} disconnected", f"stream {STREAM} 1"]


def test_every_sink_is_told_of_every_fact_in_order() -> None:
    """One after the other, fact by fact."""
    told: list[tuple[str, str]] = []

    class Sink:
        def __init__(self, name: str) -> None:
            self.name = name

        def emit(self, origin: Origin, fact: facts.Fact) -> None:
            told.append((self.name, facts.NAMES[type(fact)]))

    pipeline = Pipeline(Limits(), [Sink("metrics"), Sink("audit")])
    stream = pipeline.stream_opened(STREAM, SOURCE, None)
    pipeline.feed(stream, Frame(json.dumps(session()).encode(), None))
    names = ["stream.opened", "conversation.opened", "session.opened"]
    assert told == [(sink, name) for name in names for sink in ("metrics", "audit")]


FRAMES: list[Event] = [
    *voice_session(),
    *assistants_streams(),
    *(cloud_event(each, "call-1") for each in voice_session()[:5]),
    *({"type": name} for name in sorted(SENT)),
    {"type": "ping"},
    {"object": "list"},
]
PAYLOAD = (
    st.sampled_from(FRAMES).map(lambda frame: json.dumps(frame).encode()) | mutated(FRAMES) | st.binary(max_size=40)
)


@settings(deadline=None)  # a busy machine is no fault
@given(st.lists(st.tuples(PAYLOAD, st.booleans(), st.integers(0, 1)), max_size=30))
def test_every_frame_counts_once(frames: list[tuple[bytes, bool, int]]) -> None:
    """Known events, others and rejected ones add up to what came, over any mix of streams and directions."""
    play = Play(conversations=2)
    streams: list[Stream] = [play.stream, play.open("relay/1790000000000000/2")]
    for payload, sent, number in frames:
        play.feed(payload, on=streams[number], sent=sent)
        play.wait(300)
    told = counts(play)
    sums = [sum(told[name].values()) for name in ("events", "others", "rejected")]
    assert sum(sums) == sum(stream.frames for stream in streams) == len(frames)
    malformed = sum(sum(stream.malformed.values()) for stream in streams)
    unknown = sum(sum(stream.unknown.values()) for stream in streams)
    assert (unknown, malformed) == (sums[1], len(play.of(facts.FrameRejected)))
    duplicates = told["rejected"].get("duplicate", 0)  # the one rejection that says no fact: all was said before
    assert sums[2] == malformed + len(play.of(facts.EventRejected)) + duplicates
    assert sum(stream.events for stream in streams) == len(frames) - malformed


# Time -----------------------------------------------------------------------------------------------------------


def ticks(play: Play, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note the seconds at which the table is told of the time."""
    told: list[int] = []
    monkeypatch.setattr(play.pipeline.registry, "tick", told.append)
    return told


def test_time_goes_on_at_whole_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever tells it, at most once each."""
    play = Play()
    told = ticks(play, monkeypatch)
    for _ in range(25):
        play.wait(100)
        play.feed(b"")
        play.tick()
    play.wait(10_400)
    play.open("relay/1/2")
    play.wait(1_000)
    play.close()
    assert told == [BEGIN + second * 1_000_000 for second in (1, 2, 12, 13)]


def test_time_does_not_run_backwards(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recording that was made before the last one ticks no second twice."""
    play = Play()
    told = ticks(play, monkeypatch)
    play.wait(5_000)
    play.feed(b"")
    play.wait(-4_000)
    play.feed(b"")
    assert told == [BEGIN + 5_000_000]


def test_without_times_there_are_no_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing says how long the silence was."""
    play = Play(timed=False)
    told = ticks(play, monkeypatch)
    play.say(session())
    play.close()
    assert told == []
    assert play.pipeline.source(SOURCE).last_event_at is None


CLEARED = event("input_audio_buffer.cleared")


@pytest.mark.parametrize(
    ("stated", "seconds"),
    [
        ("2026-09-21T14:13:20Z", 0),
        ("2026-09-21T14:13:18.5Z", -1.5),
        ("2026-09-21T16:13:21.000001+02:00", 1.000001),
        ("2026-09-21T14:18:20Z", 300),
        ("2026-09-21T14:08:20Z", -300),
        ("2026-09-21T14:18:20.000001Z", None),
        ("2026-09-21T14:08:19Z", None),
        ("1970-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00+23:59", None),
        ("9999-12-31T23:59:59-23:59", None),
        ("2026-09-21T14:13:18", None),
        ("2026-09-21", None),
        ("yesterday", None),
        ("", None),
        (1_790_000_000, None),
        (None, None),
    ],
)
def test_the_time_of_an_envelope_is_used_where_it_is_plausible(stated: Any, seconds: float | None) -> None:
    """Within a limit of when it was received; else that is believed."""
    play = Play()
    play.say(cloud_event(CLEARED, "call-1", time=stated))
    expected = BEGIN + round((seconds or 0) * 1_000_000)
    assert [origin.at for origin, _ in play.emitted] == [expected]


def test_an_envelope_is_all_there_is_where_a_recording_has_no_times() -> None:
    """What it states is then believed."""
    play = Play(timed=False)
    play.say(cloud_event(CLEARED, "call-1", time="2020-01-01T00:00:00Z"))
    assert [origin.at for origin, _ in play.emitted] == [1_577_836_800_000_000]


# Back-pressure --------------------------------------------------------------------------------------------------


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
async def test_where_there_is_room_nobody_waits() -> None:
    """A source looks at one attribute, and reads on."""
    pipeline = Pipeline(Limits(), [])
    assert pipeline.open
    with anyio.fail_after(5):
        await pipeline.room()
        pipeline.release()
        await pipeline.room()


@pytest.mark.anyio
async def test_sources_wait_until_there_is_room() -> None:
    """All of them, however often they are asked to, and a release without a hold wakes nobody too early."""
    pipeline = Pipeline(Limits(), [])
    woken: list[int] = []

    async def source(number: int) -> None:
        await pipeline.room()
        woken.append(number)

    with anyio.fail_after(5):
        for _ in range(2):
            pipeline.hold()
            pipeline.hold()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(source, 1)
                tasks.start_soon(source, 2)
                await anyio.wait_all_tasks_blocked()
                assert (pipeline.open, woken) == (False, [])
                pipeline.release()
            assert (pipeline.open, sorted(woken)) == (True, [1, 2])
            woken.clear()


@pytest.mark.anyio
async def test_who_is_woken_looks_again() -> None:
    """There may be no room any more when its turn comes."""
    pipeline = Pipeline(Limits(), [])
    pipeline.hold()
    woken: list[bool] = []

    async def source() -> None:
        await pipeline.room()
        woken.append(pipeline.open)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(source)
            await anyio.wait_all_tasks_blocked()
            pipeline.release()
            pipeline.hold()
            await anyio.wait_all_tasks_blocked()
            assert woken == []
            pipeline.release()
    assert woken == [True]


def test_a_frame_is_taken_in_even_while_there_is_no_room() -> None:
    """The queue may go over by one frame's facts: what was received is never lost."""
    play = Play()
    play.pipeline.hold()
    assert play.say(session())[0] == facts.ConversationOpened(family="realtime")


def test_the_events_that_are_counted_are_classes() -> None:
    """Names are looked up when somebody asks."""
    play = Play()
    play.say(session(), run("queued"))
    assert play.pipeline.events == {realtime.SessionCreated: 1, assistants.RunQueued: 1}
