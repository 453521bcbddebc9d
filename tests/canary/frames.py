"""Frames of every type that steno knows, and the conversations of the scenarios, with canaries in their strings."""

import json
import random
from collections.abc import Callable, Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

import msgspec
from msgspec import Struct, UnsetType

from steno.core.frame import Frame
from steno.simulate import assistants, voice
from steno.wire import Event, PairedEvent, responses_output
from steno.wire.base import IDENTIFYING
from tests.canary.canaries import Canaries, planted_text, unknown_members
from tests.scenarios import catalogue
from tests.vocabulary import BARE_EVENTS, CLIENT_EVENTS, NAMES, OBJECTS

AT: Final = 1_790_000_000_000_000
SECONDS: Final = AT // 1_000_000

_NAMED: Final = {kind: name for kind, name in NAMES.items() if kind not in BARE_EVENTS}
"""Events that have a name of their own on the wire."""

Fill = Callable[[str], str]


class Planter:
    """Builds values of wire types with a canary in each string."""

    def __init__(self, canaries: Canaries, identifier: Fill, *, structs_first: bool) -> None:
        """Take ids from `identifier`. Where a member may be a text or an object, `structs_first` decides."""
        self.canaries = canaries
        self._identifier = identifier
        self._structs_first = structs_first

    def struct(self, kind: type[Struct], place: str, depth: int = 0) -> dict[str, Any]:
        """Return an object with all members of `kind`, and with some that it does not declare."""
        fields = [field for field in msgspec.structs.fields(kind) if field.type is not UnsetType]
        known = {each.encode_name: self.value(each.type, f"{place}.{each.encode_name}", depth + 1) for each in fields}
        return {**unknown_members(self.canaries, place), **known}

    def value(self, annotation: Any, place: str, depth: int) -> Any:
        """Return a value of a type."""
        kind = self._chosen(annotation)
        if _is_identifier(kind):
            return self._identifier(place)
        if get_origin(kind) is Annotated:
            return self.value(get_args(kind)[0], place, depth)
        if get_origin(kind) is tuple:
            return [self.value(get_args(kind)[0], f"{place}[]", depth)]
        if get_origin(kind) is dict:
            return {self.canaries.content(f"{place}, a name"): self.value(get_args(kind)[1], f"{place}{{}}", depth)}
        if isinstance(kind, type) and issubclass(kind, Struct):
            return self.struct(kind, place, depth)
        return self._single(kind, place)

    def _single(self, kind: Any, place: str) -> Any:
        if kind is str:
            return planted_text(self.canaries, place)
        return {bool: True, int: 1, float: 1.5}.get(kind) or unknown_members(self.canaries, place)

    def _chosen(self, annotation: Any) -> Any:
        """Return one of the types that a member may have."""
        if get_origin(annotation) not in (Union, UnionType):
            return annotation
        parts = [part for part in get_args(annotation) if part not in (NoneType, UnsetType)]
        structs = [part for part in parts if isinstance(part, type) and issubclass(part, Struct)]
        others = [part for part in parts if part not in structs]
        return ((structs + others) if self._structs_first else (others + structs))[0]


def _is_identifier(kind: Any) -> bool:
    if get_origin(kind) is not Annotated:
        return False
    return any((getattr(meta, "extra", None) or {}).get(IDENTIFYING) for meta in get_args(kind)[1:])


def every_type(planter: Planter) -> Iterator[tuple[str, list[Frame]]]:
    """Yield a frame of each type of event, and of each bare object, with what it is, and with what must precede it."""
    for kind, name in _NAMED.items():
        frame = Frame(_encoded(_event(planter, kind, name)), AT, kind in CLIENT_EVENTS)
        yield name, [*_OPENING, frame] if kind in _OF_OPEN_RESPONSE else [frame]
    for name, object_ in OBJECTS.items():
        bare = planter.value(_type_of(object_.event, object_.member), f"bare {name}", 0)
        yield f"bare {name}", [Frame(_encoded({**bare, "object": name}), AT)]
    yield "bare client secret", [Frame(_encoded(_client_secret(planter)), AT)]


def _event(planter: Planter, kind: type[Event], name: str) -> dict[str, Any]:
    tag = "event" if issubclass(kind, PairedEvent) else "type"
    members = planter.struct(kind, name)
    return {tag: name, **{member: value for member, value in members.items() if member != tag}}


def _type_of(kind: type[Struct], member: str) -> Any:
    return next(field.type for field in msgspec.structs.fields(kind) if field.name == member)


def _client_secret(planter: Planter) -> dict[str, Any]:
    kind = OBJECTS["realtime.session"].event
    session = planter.value(_type_of(kind, "session"), "client secret.session", 0)
    value = planter.canaries.mark("SECRET", "client secret.value")
    return {"value": value, "expires_at": SECONDS + 600, "session": session}


def enveloped(canaries: Canaries, frame: Frame, identity: str, call: int) -> Frame:
    """Return a frame of a call in a CloudEvent, with canaries in its attributes."""
    attributes = {
        "specversion": "1.0",
        "id": identity,
        "source": f"/relay/{call}",
        "type": canaries.content("envelope.type"),
        "datacontenttype": canaries.content("envelope.datacontenttype"),
        "time": canaries.content("envelope.time"),
        "sequence": canaries.content("envelope.sequence"),
        "subject": f"call-{call}",
        **{name.lower(): value for name, value in unknown_members(canaries, "envelope").items()},
    }
    return Frame(_encoded({**attributes, "data": json.loads(frame.payload)}), AT, frame.sent)


def _encoded(value: Any) -> bytes:
    return msgspec.json.encode(value)


_OF_OPEN_RESPONSE: Final = frozenset(responses_output.OUTPUT_EVENTS)
"""Events that name no response: they are of the one in progress, and of none where none is."""
_RESPONSE: Final = {"id": "id_1", "object": "response", "status": "in_progress"}
_OPENING: Final = (
    Frame(_encoded({"type": "response.created", "sequence_number": 0, "stream_id": "id_1", "response": _RESPONSE}), AT),
)


# Stories --------------------------------------------------------------------------------------------------------

CONTENT_MEMBERS: Final = frozenset(
    {
        "transcript",
        "text",
        "delta",
        "arguments",
        "output",
        "instructions",
        "user",
        "message",
        "value",
        "refusal",
        "input",
    }
)
"""Members that hold content, wherever they stand."""


def stories() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield the events of every scenario and of the simulated provider, by name."""
    for name, scenario in catalogue.SCENARIOS.items():
        events = [step.event for step in scenario.make(random.Random(1), SECONDS) if step.event]
        if events and name != "many_unknown_types":
            yield name, events
    for name, make in (("voice", voice.session), ("assistants", assistants.stream)):
        yield name, [step.event for step in make(random.Random(1), SECONDS)][:400]


def planted(canaries: Canaries, event: Any, place: str) -> Any:
    """Return an event with a canary in each member that holds content, and in members that it did not have."""
    if isinstance(event, list):
        return [planted(canaries, each, place) for each in event]
    if not isinstance(event, dict):
        return event
    members = {name: _replanted(canaries, event, name, f"{place}.{name}") for name in event}
    return {**members, "x_secret": canaries.key(place), "password": canaries.mark("SECRET", f"{place}.password")}


def _replanted(canaries: Canaries, event: dict[str, Any], name: str, place: str) -> Any:
    value = event[name]
    if name == "metadata" and isinstance(value, dict):
        return {"note": planted_text(canaries, place), "password": canaries.mark("SECRET", f"{place}.password")}
    if name not in CONTENT_MEMBERS or not isinstance(value, str):
        return planted(canaries, value, place)
    audio = "audio.delta" in str(event.get("type"))
    return canaries.audio(place) if audio else planted_text(canaries, place)
