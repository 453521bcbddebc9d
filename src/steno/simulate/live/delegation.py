"""Tasks that the voice delegates: to a Responses model that the session runs, to the client, or to decisions.

The backend's events come inside of `response.event`. Its snapshots of a response are without instructions, tools and
output, as upstream has it. Where it calls a function, the delegation waits until the client has sent the output and
asked for the next response.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from steno.simulate.interactive.errors import invalid_value
from steno.simulate.live.configuration import DEFAULT_BACKEND, Event, request_of
from steno.simulate.live.state import Delegation, State
from steno.simulate.responses.answers import Answering, waits_for_client
from steno.simulate.responses.objects import usage
from steno.simulate.responses.request import asked_of
from steno.simulate.tasks import Task
from steno.simulate.voice_scripts import HOLDING_LINES

DELEGATIONS_MAX: Final = 1_000
"""Delegations of one session that are remembered, the newest."""
_DECIDES_SECONDS: Final = (0.15, 0.4)
_DECISION_TOKENS: Final = 120
_NOTHING: Final = "I could not find that, sorry."


def delegate(s: State, line: str) -> None:
    """Delegate what the caller has asked for, and say so."""
    target = str((s.session or {})["delegation"]["type"])
    made = Delegation(s.new_id("item"), target)
    s.delegations[made.id] = made
    if len(s.delegations) > DELEGATIONS_MAX:
        del s.delegations[next(iter(s.delegations))]
    if target == "responses":
        answering = _answering(s, made, [{"role": "user", "content": line}])
        _created(s, made, {"response_id": answering.draft.id})
        s.say(s.rng.choice(HOLDING_LINES))
        _begin(s, made, answering)
        return
    _created(s, made, {})
    s.say(s.rng.choice(HOLDING_LINES))
    if target == "decisions":
        s.begin(_decide(s, made))
    else:
        made.waits = True


def _created(s: State, made: Delegation, response: Event) -> None:
    shown = {"id": made.id, "type": "delegation", **response, "target": made.target}
    s.emit("session.delegation.created", offset_ms=s.ms, delegation=shown)


# A Responses model.


def _answering(s: State, made: Delegation, given: list[Event]) -> Answering:
    """Return the next response of a delegation, which reads what the client has given too."""
    backend = (s.session or {})["delegation"].get("responses", {})
    asked = asked_of({**request_of(backend), "input": given})
    asked.read.extend(s.given)
    s.given = []
    if made.last:
        asked.shown["previous_response_id"] = made.last.object["id"]
    return Answering(s.rng, asked, made.last, lambda: s.second, partial(_pass_on, s, made))


def _pass_on(s: State, made: Delegation, event: Event) -> None:
    """Send an event of the backend."""
    if "response" in event:
        event = {**event, "response": {**event["response"], "instructions": None, "tools": [], "output": []}}
    whose = {"delegation_id": made.id} if made.id is not None else {}
    s.emit("response.event", **whose, event=event)


def _begin(s: State, made: Delegation, answering: Answering) -> None:
    made.waits = False
    s.begin(answering.task(s.plan, partial(_ended, s, made, answering)))


def _ended(s: State, made: Delegation, answering: Answering) -> None:
    """Say what the backend has found, or wait for the client."""
    made.last = answering.kept()
    response = answering.draft.object
    if waits_for_client(response):
        made.waits = True
        return
    made.open = False
    parts = [part for item in response["output"] if item["type"] == "message" for part in item["content"]]
    s.say(" ".join(part.get("text") or part.get("refusal", "") for part in parts) or _NOTHING)


def go_on(s: State) -> None:
    """Begin the next response: of the delegation that waits, or of none."""
    if (s.session or {})["delegation"]["type"] != "responses":
        raise invalid_value("type", "Tasks of this session are not delegated to a Responses model.")
    waiting = [each for each in s.delegations.values() if each.waits]
    made = waiting[-1] if waiting else s.delegations.setdefault(None, Delegation(None, "responses"))
    _begin(s, made, _answering(s, made, []))


# Decisions.


def _decide(s: State, made: Delegation) -> Task:
    yield s.rng.uniform(*_DECIDES_SECONDS)
    made.open = False
    decide(s, delegation_id=made.id)
    s.say(s.rng.choice(s.script.exchanges).agent)


def questions(s: State) -> list[Event]:
    """Return what the session wants decided: by its delegation, else by its triggers."""
    configured: list[Event] = _decider(s).get("questions") or []
    triggers = (s.session or {}).get("triggers") or []
    return configured or [each for one in triggers for each in one["decisions"]["questions"]]


def _decider(s: State) -> Event:
    found: Event = (s.session or {})["delegation"].get("decisions") or {}
    return found


def decide(s: State, **cause: Any) -> None:
    """Answer the questions of the session. `cause` says what asked for it."""
    asked = questions(s)
    decision = {
        "answers": [_answer(s, question) for question in asked],
        "model": _decider(s).get("model", DEFAULT_BACKEND),
        "usage": usage(_DECISION_TOKENS + s.ms // 100, 0, 0, len(asked), 0, None),
    }
    s.emit("decision.event", **cause, event={"type": "decision.completed", "decision": decision})


def _answer(s: State, question: Event) -> Event:
    """Return the answer to a question: the first choice or level, with most of the probability."""
    likely = round(s.rng.uniform(0.6, 0.99), 3)
    return _ANSWERS.get(str(question.get("type")), _refused)(question, likely)


def _objects(value: Any) -> list[Event]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _predicate(question: Event, likely: float) -> Event:
    return {"name": question.get("name"), "probability": likely, "type": "predicate"}


def _choice(question: Event, likely: float) -> Event:
    values = [each.get("value") for each in _objects(question.get("choices"))]
    rest = round((1 - likely) / max(len(values) - 1, 1), 3)
    shares: list[Event] = [{"probability": rest if n else likely, "value": value} for n, value in enumerate(values)]
    first = {"choice": values[0] if values else False, "confidence": likely, "name": question.get("name")}
    return {**first, "probabilities": shares, "type": "choice"}


def _score(question: Event, likely: float) -> Event:
    labels = [each.get("label") for each in _objects(question.get("levels"))]
    rest = round((1 - likely) / max(len(labels) - 1, 1), 3)
    shares: list[Event] = [
        {"label": label, "probability": rest if n else likely, "value": n} for n, label in enumerate(labels)
    ]
    score = round(sum(share["probability"] * share["value"] for share in shares), 3)
    return {
        "confidence": likely,
        "name": question.get("name"),
        "probabilities": shares,
        "score": score,
        "type": "score",
    }


def _refused(question: Event, _likely: float) -> Event:
    return {"name": question.get("name"), "type": "refusal"}


_ANSWERS: Final[dict[str, Callable[[Event, float], Event]]] = {
    "predicate": _predicate,
    "choice": _choice,
    "score": _score,
}
