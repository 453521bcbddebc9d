"""The configuration of a Live session: what `session.start` may say, and what `session.update` may change."""

from typing import Any, Final

from steno.simulate.interactive.checks import Check, anything, array, members, nullable, one_of, text, thing
from steno.simulate.interactive.errors import invalid_value
from steno.simulate.responses.request import asked_of

Event = dict[str, Any]

SESSION_SECONDS: Final = 7_200
"""The longest duration of a session."""
PCM: Final = {"type": "audio/pcm", "rate": 24_000}
_DEFAULT_INSTRUCTIONS: Final = "You are a voice assistant. Keep replies short and conversational."
DEFAULT_BACKEND: Final = "gpt-5.6-sol"
"""The model that delegated tasks go to, where none is named."""
_PASSED_ON: Final = ("model", "instructions", "tools", "tool_choice", "reasoning", "text")
_TARGETS: Final = ("client", "responses", "decisions")


def request_of(backend: Event) -> Event:
    """Return the request for a response of a backend, without its input."""
    asked = {name: backend[name] for name in _PASSED_ON if backend.get(name)}
    return {"model": DEFAULT_BACKEND, **asked}


def _backend(path: str, value: Any) -> Event:
    """Check a Responses model: what its requests will say."""
    asked_of(request_of(thing(path, value)))
    return dict(value)


_QUESTIONS: Final = array(thing, 100)


def _decisions(path: str, value: Any) -> Event:
    """Check a model that decides, and its questions."""
    known: dict[str, Check] = {"model": text, "questions": _QUESTIONS}
    checked: Event = members(known)(path, value)
    return checked


_DELEGATION: Final = members(
    {
        "type": one_of(*_TARGETS),
        "acknowledgement_delay_ms": anything,
        "responses": _backend,
        "decisions": _decisions,
    },
    ("type",),
)
_TRIGGER: Final = members(
    {"type": text, "event_type": text, "decisions": members({"questions": _QUESTIONS}, ("questions",))},
    ("event_type", "decisions"),
)
_FORMAT: Final = members({"type": one_of("audio/pcm", "audio/pcmu", "audio/pcma"), "rate": anything}, ("type",))
_AUDIO: Final = members({"format": nullable(_FORMAT), "output": nullable(thing)})
_STARTED: Final = members(
    {
        "model": text,
        "type": text,
        "audio": nullable(_AUDIO),
        "client": nullable(thing),
        "delegation": nullable(_DELEGATION),
        "input": nullable(array(thing, 128)),
        "instructions": nullable(text),
        "safety_identifier": nullable(text),
        "store": nullable(anything),
        "triggers": nullable(array(_TRIGGER, 2)),
    },
    ("model",),
)
_UPDATED: Final = members({"delegation": nullable(_DELEGATION), "triggers": nullable(array(_TRIGGER, 2))})


def started(asked: Any, session_id: str, second: int, *, websocket: bool) -> Event:
    """Return a session as its events show it, with the members in the order of the wire. Raises `EventRefusedError`.

    Over a websocket it has a format of sound; calls negotiate theirs.
    """
    given = {name: value for name, value in _STARTED("session", asked).items() if value is not None}
    audio: Event = {"output": {"voice": "marin"} | (given.get("audio", {}).get("output") or {})}
    if websocket:
        audio["format"] = given.get("audio", {}).get("format") or PCM
    session = {
        "id": session_id,
        "expires_at": second + SESSION_SECONDS,
        "model": given["model"],
        "instructions": given.get("instructions") or _DEFAULT_INSTRUCTIONS,
        "audio": audio,
        "delegation": _resolved(given.get("delegation")),
        "status": "active",
        "input": given.get("input", []),
    }
    if not websocket:
        plain: Event = {"data_channel": {"allowed_client_events": [], "allowed_server_events": []}}
        session["client"] = given.get("client", plain)
    return session | {name: given[name] for name in ("safety_identifier", "store", "triggers") if name in given}


def _resolved(delegation: Event | None) -> Event:
    """Return who tasks are delegated to, with what a backend has by default."""
    if delegation is None:
        return {"type": "client"}
    if delegation["type"] == "responses":
        asked = delegation.get("responses", {})
        backend: Event = {"model": DEFAULT_BACKEND, "instructions": None, "tools": [], "tool_choice": "auto"}
        return {**delegation, "responses": backend | asked}
    return delegation


def updated(session: Event, asked: Any) -> Event:
    """Return a session after a change. Raises `EventRefusedError`."""
    given = _UPDATED("session", asked)
    changed = dict(session)
    if given.get("delegation"):
        wanted, had = given["delegation"], session["delegation"]
        if wanted["type"] != had["type"]:
            raise invalid_value("session.delegation.type", "Who tasks are delegated to cannot change.")
        nested = {name: {**had.get(name, {}), **wanted[name]} for name in _TARGETS[1:] if name in wanted}
        changed["delegation"] = {**had, **wanted, **nested}
    if "triggers" in given:
        changed["triggers"] = given["triggers"] or []
    return changed
