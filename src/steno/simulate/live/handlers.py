"""What each client event of a Live session does. A handler raises `EventRefusedError` where it has no effect."""

from collections.abc import Callable
from typing import Final

from steno.simulate.interactive.checks import nullable, one_of, text, thing
from steno.simulate.interactive.errors import EventRefusedError, invalid_value, missing
from steno.simulate.live.configuration import Event, started, updated
from steno.simulate.live.delegation import decide, go_on, questions
from steno.simulate.live.state import TICK_MS, State
from steno.simulate.live.turns import append
from steno.simulate.responses.request import entry_of

Handler = Callable[[State, Event], None]

_KEYS: Final = one_of(*"0123456789ABCD*#")
_GIVEN_MAX: Final = 1_000  # items of the client that wait for the backend


def _required(event: Event, name: str) -> object:
    if name not in event:
        raise missing(name)
    return event[name]


def start(s: State, event: Event) -> None:
    """Begin the session."""
    if s.session is not None:
        raise EventRefusedError("session_already_started", "The session has started.")
    s.session = started(_required(event, "session"), s.ids.live(s.second), s.second, websocket=not s.call)
    s.emit("session.started", session=s.session, **s.answer_to(event))


def update(s: State, event: Event) -> None:
    """Change the session."""
    s.session = updated(s.session or {}, _required(event, "session"))
    s.emit("session.updated", session=s.session, **s.answer_to(event))


def close(s: State, event: Event) -> None:
    """End the session."""
    s.close("close_requested", event)


def append_audio(s: State, event: Event) -> None:
    """Take in sound of the caller."""
    if s.call:
        raise invalid_value("type", "The sound of a call does not come by a sideband.")
    append(s, text("audio", _required(event, "audio")))


def mute(s: State, event: Event) -> None:
    """Do not hear the caller."""
    s.muted = True
    s.emit("session.input_audio.muted", **s.answer_to(event))


def unmute(s: State, event: Event) -> None:
    """Hear the caller again."""
    s.muted = False
    s.emit("session.input_audio.unmuted", **s.answer_to(event))


def _appended(kind: str, *, spoken: bool) -> Handler:
    """Return the handler of a text that is added to what the voice knows, and is `spoken`."""

    def add(s: State, event: Event) -> None:
        content = text("content", _required(event, "content"))
        delegation = nullable(text)("delegation_id", event.get("delegation_id"))
        made = s.delegations.get(delegation)
        if delegation is not None and made is None:
            raise EventRefusedError("delegation_not_found", "There is no such delegation.", "delegation_id")
        where = {"start_ms": s.ms, "end_ms": s.ms + TICK_MS}
        s.emit(f"session.{kind}.appended", **where, **s.answer_to(event))
        if spoken:
            s.say(content)
            if made:
                made.waits = made.open = False

    return add


def play_fixture(s: State, event: Event) -> None:
    """Play a sound of the client to the caller."""
    text("audio", _required(event, "audio"))
    s.emit("session.output_audio.fixture.playing", **s.answer_to(event))
    s.emit("session.output_audio.fixture.played", **s.answer_to(event))


def create_item(s: State, event: Event) -> None:
    """Hand an item to the backend: the output of a function that it has called."""
    if len(s.given) >= _GIVEN_MAX:
        raise invalid_value("item", f"Up to {_GIVEN_MAX} items may wait for the next response.")
    s.given.append(entry_of("item", thing("item", _required(event, "item"))))


def create_response(s: State, _event: Event) -> None:
    """Let the backend go on."""
    go_on(s)


def create_decision(s: State, event: Event) -> None:
    """Decide now."""
    text("event_id", _required(event, "event_id"))
    if not questions(s):
        raise invalid_value("type", "The session has no questions to decide.")
    decide(s, source_event_id=event["event_id"])


def create_decision_item(s: State, event: Event) -> None:
    """Add an item for decisions."""
    item = thing("item", _required(event, "item"))
    kept = {"id": item.get("id") or s.new_id("item"), **{name: item[name] for name in item if name != "id"}}
    s.emit("decision.item.created", item=kept, **s.answer_to(event))


def delete_decision_item(s: State, event: Event) -> None:
    """Remove an item for decisions."""
    item_id = text("item_id", _required(event, "item_id"))
    s.emit("decision.item.deleted", item_id=item_id, **s.answer_to(event))


def send_key(s: State, event: Event) -> None:
    """Press a key on the line."""
    key = _KEYS("event", _required(event, "event"))
    if not s.call:
        raise invalid_value("type", "There is no telephone line.")
    s.emit("transport.dtmf.sent", event=key, **s.answer_to(event))


HANDLERS: Final[dict[str, Handler]] = {
    "session.start": start,
    "session.update": update,
    "session.close": close,
    "session.input_audio.append": append_audio,
    "session.input_audio.mute": mute,
    "session.input_audio.unmute": unmute,
    "session.instructions.append": _appended("instructions", spoken=False),
    "session.thinking.append": _appended("thinking", spoken=False),
    "session.commentary.append": _appended("commentary", spoken=True),
    "session.output_audio.fixture.play": play_fixture,
    "response.item.create": create_item,
    "response.create": create_response,
    "decision.create": create_decision,
    "decision.item.create": create_decision_item,
    "decision.item.delete": delete_decision_item,
    "transport.dtmf.send": send_key,
}
"""Client events by type."""
