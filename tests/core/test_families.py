"""A family is a value: one that is made up here goes through the whole house, which nothing else was told of."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import pytest
from msgspec import UNSET, UnsetType

from steno.audit.content_policy import NONE, BodyEncoder
from steno.audit.sink import AuditSink
from steno.core.conversation import NOTHING, Conversation, Exported
from steno.core.export import conversation_line
from steno.core.facts import Content, Fact, MessageFinished
from steno.core.families import FAMILIES, Families
from steno.core.family import Family
from steno.core.frame import Frame
from steno.core.routing import Handler, Router
from steno.core.stream import Stream
from steno.limits import Limits
from steno.metrics.exposition import replay_text
from steno.metrics.sink import Metrics
from steno.pipeline import Pipeline
from steno.wire import Event, Sign, TypedEvent, Vocabulary, decode, name_of, raw_object

AT: Final = 1_790_000_000_000_000


class Forecast(TypedEvent, frozen=True, tag="weather.forecast"):
    """The weather of a place."""

    place: str | None = None
    outlook: str | None = None


class WeatherConversation(Conversation):
    """What was forecast for one place."""

    family = "weather"

    def exported(self) -> Exported:
        """Return the last forecast as it came."""
        return Exported(messages=[self.session])


def on_forecast(state: WeatherConversation, event: Forecast, frame: Frame) -> Sequence[Fact]:
    """Keep a forecast."""
    if event.outlook is None:
        return state.reject(event, "missing_object")
    state.session = frame.payload
    outlook = Content("text", event.outlook)
    return (MessageFinished(message_id="m", run_id=None, role="assistant", status="completed", text=outlook),)


class WeatherRouter(Router):
    """Finds the conversation of a place."""

    def find(
        self, stream: Stream, event: Any, frame: Frame, name: str | None, identity: str | None
    ) -> Conversation | None:
        """Return the conversation of the place that `event` names."""
        key = f"{stream.source}/{name or event.place}"
        state = self._openings.conversations.get(key)
        if state is None:
            state = WeatherConversation(key, stream.source, stream.name, self._openings.limits, named=True)
            self._openings.open(state, stream, event, frame)
        return state


HANDLERS: Final[Mapping[type[Event], Handler]] = {Forecast: on_forecast}
WEATHER: Final = Family(
    name="weather",
    vocabulary=Vocabulary(typed=(Forecast,), prefixes=("weather.",)),
    handlers=HANDLERS,
    router=WeatherRouter,
)


class Log:
    """An audit log that keeps its records in memory."""

    def __init__(self) -> None:
        self.records: list[Any] = []

    def submit(self, record: Any) -> None:
        """Keep a record."""
        self.records.append(msgspec.json.decode(b"{" + record + b"}"))


def test_a_made_up_family_goes_through_the_whole_house() -> None:
    """Decode, conversation, drift, envelope, rejection, metrics, audit log and state: none names a family."""
    log, metrics = Log(), Metrics(100)
    audit = AuditSink(log, BodyEncoder(NONE), 16 * 1024)
    pipeline = Pipeline(Limits(), [metrics, audit], families=Families((*FAMILIES.members, WEATHER)))
    stream = pipeline.stream_opened("relay/1/1", "relay", AT)

    for event in (
        {"type": "weather.forecast", "event_id": "e1", "place": "Oslo", "outlook": "rain"},
        {"type": "weather.forecast", "event_id": "e1", "place": "Oslo", "outlook": "rain"},  # delivered again
        {"type": "weather.forecast", "event_id": "e2", "place": "Oslo", "outlook": 7},  # drifted
        {"type": "weather.warning", "event_id": "e3"},  # unknown
        {"type": "session.created", "event_id": "e4", "session": {"id": "sess_1"}},  # another family's
    ):
        pipeline.feed(stream, Frame(msgspec.json.encode(event), AT))

    assert [
        (record["fact"], record["conversation"], record["body"].get("family") or record["body"].get("reason"))
        for record in log.records
    ] == [
        ("stream.opened", None, None),
        ("conversation.opened", "relay/Oslo", "weather"),
        ("message.finished", "relay/Oslo", None),
        ("event.rejected", "relay/Oslo", "missing_object"),
        ("conversation.opened", "relay/1/1", "realtime"),
        ("session.opened", "relay/1/1", None),
    ]
    lines = replay_text(pipeline, metrics).decode().splitlines()
    assert [line for line in lines if 'family="weather"' in line and not line.endswith(" 0.0")] == [
        'steno_events_total{event="other",family="weather",source="relay"} 1.0',
        'steno_events_total{event="weather.forecast",family="weather",source="relay"} 1.0',
        'steno_conversations{family="weather",source="relay"} 1.0',
        'steno_conversations_opened_total{family="weather",source="relay"} 1.0',
    ]
    state = msgspec.json.decode(conversation_line(pipeline.registry.conversations["relay/Oslo"]))
    assert (state["family"], state["messages"], state["rejected"]) == (
        "weather",
        [{"type": "weather.forecast", "event_id": "e1", "place": "Oslo", "outlook": "rain"}],
        {"duplicate": 1, "missing_object": 1},
    )


def test_a_bare_object_of_upstream_is_whole_in_every_family() -> None:
    """What an event carries as an object can be kept as it came: the event says in which member it stands."""
    for kind in FAMILIES.of_event:
        assert kind.raw_member is None or kind.raw_member == "" or kind.raw_member in kind.__struct_fields__
    assert raw_object(Forecast(place="Oslo"), b'{"type":"weather.forecast"}') == b""


def test_two_families_do_not_share_an_event() -> None:
    """Nor two events a name: which one is meant could not be told."""

    class Rival(TypedEvent, frozen=True, tag="weather.forecast"):
        """An event of the same name."""

    rival = Family(name="rival", vocabulary=Vocabulary(typed=(Rival,)), handlers={}, router=WeatherRouter)

    with pytest.raises(ValueError, match="two families handle the same event"):
        Families((WEATHER, WEATHER_AGAIN))
    with pytest.raises(ValueError, match="two events of one form have one name"):
        Families((WEATHER, rival))


class Spoken(TypedEvent, frozen=True, tag="response.output_text.delta"):
    """An event whose name is Realtime's, too."""

    response_id: UnsetType = UNSET
    place: str | None = None


def on_spoken(state: WeatherConversation, event: Spoken, _frame: Frame) -> Sequence[Fact]:
    """Do nothing: it is counted."""
    assert (state.family, event.place) == ("weather", None)
    return NOTHING


SPOKEN: Final = Family(
    name="weather",
    vocabulary=Vocabulary(typed=(Forecast, Spoken), signs=(Sign(member="outlook", weight=1),)),
    handlers={**HANDLERS, Spoken: on_spoken},
    router=WeatherRouter,
)
MUTE: Final = b'{"type":"response.output_text.delta","delta":"x"}'
CLOUD: Final = b'{"specversion":"1.0","id":"1","source":"s","data":%b}'
FORECAST: Final = b'{"type":"weather.forecast","place":"Oslo","outlook":"rain"}'
CREATED: Final = b'{"type":"response.created","event_id":"e1","response":{"id":"r"}}'


@pytest.mark.parametrize("first", [FORECAST, CLOUD % FORECAST, b"data: " + FORECAST])
def test_an_event_of_two_families_is_of_the_one_that_its_stream_is_of(first: bytes) -> None:
    """Where nothing in it tells: the last one before it that was of one family for certain does, whatever its form."""
    pipeline = Pipeline(Limits(), [], families=Families((*FAMILIES.members, SPOKEN)))
    stream = pipeline.stream_opened("relay/1/1", "relay", AT)
    families = []
    for payload in (MUTE, first, MUTE, CLOUD % MUTE, CREATED, MUTE):
        pipeline.feed(stream, Frame(payload, AT))
        families.append(stream.decoder.family)
    assert families == ["realtime", "weather", "weather", "weather", "realtime", "realtime"]
    assert pipeline.events[Spoken] == 2


def test_a_decoder_is_compiled_when_a_stream_first_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """One for streams of which nothing is known, and one for a family whose names others have: once a process each."""
    compiled = []
    compile_kinds = decode._compiled

    def noting(kinds: Sequence[type[Event]]) -> msgspec.json.Decoder[Any]:
        compiled.append({name for name in ("weather", "session") for kind in kinds if name_of(kind).startswith(name)})
        return compile_kinds(kinds)

    monkeypatch.setattr(decode, "_compiled", noting)
    pipeline = Pipeline(Limits(), [], families=Families((*FAMILIES.members, SPOKEN)))
    counts = [len(compiled)]
    for number in range(2):
        stream = pipeline.stream_opened(f"relay/1/{number}", "relay", AT)
        for payload in (CREATED, FORECAST, MUTE, CREATED):
            pipeline.feed(stream, Frame(payload, AT))
            counts.append(len(compiled))
    assert counts == [0, 2, 3, 3, 3, 3, 3, 3, 3]
    assert compiled == [set(), {"session"}, {"weather"}]


WEATHER_AGAIN: Final = Family(name="again", vocabulary=Vocabulary(), handlers=HANDLERS, router=WeatherRouter)
