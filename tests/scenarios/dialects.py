"""Scenarios of dialects: one turn as the beta protocol, a sideband, Azure, compatible servers and relays send it."""

from collections.abc import Iterator
from random import Random
from typing import Any, Final

from steno.simulate.steps import Step
from steno.simulate.voice_session import VoiceSession
from steno.simulate.voice_turns import answer, hear, utter
from tests.scenarios.scenario import ANSWER, LINE, Scenario, changed, scenario, type_in, voice, voice_scenario

Event = dict[str, Any]

_BETA_NAMES: Final = {
    "conversation.item.added": "conversation.item.created",
    "response.output_text.delta": "response.text.delta",
    "response.output_text.done": "response.text.done",
    "response.output_audio.delta": "response.audio.delta",
    "response.output_audio.done": "response.audio.done",
    "response.output_audio_transcript.delta": "response.audio_transcript.delta",
    "response.output_audio_transcript.done": "response.audio_transcript.done",
}
_DTMF: Final = "input_audio_buffer.dtmf_event_received"


def _turn(rng: Random, started_at: int, **setup: Any) -> Iterator[Step]:
    """Yield one turn of the GA protocol, which the scenarios below change."""
    s = voice(rng, started_at, **setup)
    s.open()
    hear(s, LINE)
    answer(s, ANSWER)
    yield from s.steps(to_the_end=True)


def _without(*kinds: str) -> Any:
    return lambda step: step.event["type"] not in kinds


# Beta and what came of it ---------------------------------------------------------------------------------------


def beta_names(rng: Random, started_at: int) -> Iterator[Step]:
    """A turn in the names and objects of the beta protocol, where an item has one event and no `done`."""
    steps = filter(_without("conversation.item.done"), _turn(rng, started_at))
    yield from changed(_in_beta, steps)


def voice_live(rng: Random, started_at: int) -> Iterator[Step]:
    """Azure Voice Live: beta names, voices that are objects, a model of its own, transcripts that cost nothing."""
    for step in changed(
        _in_voice_live, changed(_in_beta, _turn(rng, started_at, model="gpt-realtime-global-standard"))
    ):
        item = step.event.get("item") or {"role": "user"}
        if step.event["type"] != "conversation.item.done" or item["role"] == "user":
            yield step


def _in_beta(event: Event) -> Event:
    event = {**event, "type": _BETA_NAMES.get(event["type"], event["type"])}
    if "item" in event:
        event["item"] = _beta_item(event["item"])
    if "response" in event:
        event["response"] = _beta_response(event["response"])
    if "session" in event:
        event["session"] = _beta_session(event["session"])
    return event


def _beta_item(item: Event) -> Event:
    kinds = {"output_audio": "audio", "output_text": "text"}
    content = [{**part, "type": kinds.get(part["type"], part["type"])} for part in item.get("content", ())]
    return {"id": item["id"], "object": "realtime.item", **item, "content": content}


def _beta_response(response: Event) -> Event:
    response = {member: value for member, value in response.items() if member not in ("audio", "output_modalities")}
    output = [_beta_item(item) for item in response["output"]]
    beta = {"modalities": ["text", "audio"], "voice": "alloy", "output_audio_format": "pcm16", "temperature": 0.8}
    return {**response, "output": output, **beta}


def _beta_session(session: Event) -> Event:
    gone = ("type", "audio", "output_modalities", "max_output_tokens")
    heard = session["audio"]["input"]
    return {
        **{member: value for member, value in session.items() if member not in gone},
        "modalities": ["audio", "text"],
        "voice": "alloy",
        "input_audio_format": "pcm16",
        "output_audio_format": "pcm16",
        "input_audio_transcription": heard["transcription"],
        "turn_detection": heard["turn_detection"],
        "temperature": 0.8,
        "max_response_output_tokens": session["max_output_tokens"],
        "client_secret": None,
    }


def _in_voice_live(event: Event) -> Event:
    event = {"event_id": event["event_id"], **event}
    voice_object = {"voice": {"name": "alloy", "type": "openai"}, "temperature": None}
    for member in ("session", "response"):
        if member in event:
            event[member] = {**event[member], **voice_object}
    if event["type"].endswith("input_audio_transcription.completed"):
        del event["usage"]
    return event


# Compatible servers ---------------------------------------------------------------------------------------


def xai_like(rng: Random, started_at: int) -> Iterator[Step]:
    """A compatible server: pings, usage beside the response, details that are text, members and ids left out."""
    created = {
        "type": "conversation.created",
        "event_id": "0-0",
        "conversation": {"id": f"conv-{rng.randrange(1 << 64)}"},
    }
    yield Step(0.0, created)
    yield Step(0.1, {"type": "ping", "event_id": "0-1", "timestamp": started_at * 1000 + 100})
    yield from changed(
        _in_xai, filter(_without("conversation.item.done", "rate_limits.updated"), _turn(rng, started_at))
    )


def _in_xai(event: Event) -> Event:
    event = {**event, "previous_item_id": None}
    match event["type"]:
        case "session.created" | "session.updated":
            session = _beta_session(event["session"]) | {"turn_detection": {"type": None}, "temperature": -1.0}
            session |= {"input_audio_format": "not specified", "input_audio_transcription": {"model": "grok-asr"}}
            event = {"session": session, **{name: value for name, value in event.items() if name != "session"}}
        case "response.created" | "response.done":
            event["usage"] = event["response"]["usage"]
            gone = ("conversation_id", "max_output_tokens", "audio", "output_modalities", "metadata")
            kept = {member: value for member, value in event["response"].items() if member not in gone}
            details = {"status_details": "unimplemented", "usage": {}}
            event |= {"response_id": kept["id"], "response": {**kept, **details}}
        case "response.content_part.done":
            del event["part"]
        case "response.output_item.done":
            event["item"] = {name: value for name, value in event["item"].items() if name != "content"}
        case "response.output_audio.delta":
            event |= {"rid": "0b7e", "audio_duration_ms": 200, "ts": 1}
        case "conversation.item.input_audio_transcription.delta":
            event["type"] = "conversation.item.input_audio_transcription.updated"
        case "conversation.item.input_audio_transcription.completed":
            del event["usage"]
    return event


def azure(rng: Random, started_at: int) -> Iterator[Step]:
    """Azure: the GA names, each part twice (as `part` and as `content`), and no rate limits."""
    for step in filter(_without("rate_limits.updated"), _turn(rng, started_at)):
        part = step.event.get("part")
        yield step if part is None else Step(step.after_seconds, {**step.event, "content": part})


def custom_voice(s: VoiceSession) -> None:
    """The voice of a session and of its responses is an object with an id in place of a name."""
    type_in(s, LINE)
    s.begin_response(s.now)


# Relays that change events, and other transports ---------------------------------------------------------------------


def sideband(rng: Random, started_at: int) -> Iterator[Step]:
    """A stream beside a call: no session, no audio, but events of playback, once to its end and once cut."""
    s = voice(rng, started_at)
    utter(s, LINE)
    for how in ("stopped", "cleared"):
        response = answer(s, ANSWER)
        s.send(s.now - 0.3, "output_audio_buffer.started", response_id=response.id)
        s.send(s.now + 0.4, f"output_audio_buffer.{how}", response_id=response.id)
        s.now += 0.5
    yield from filter(_without("response.output_audio.delta"), s.steps(to_the_end=True))


def dtmf(rng: Random, started_at: int) -> Iterator[Step]:
    """The caller presses keys: these events have no id, and one has a space before its name."""
    s = voice(rng, started_at)
    s.open()
    yield from s.steps(to_the_end=True)
    for kind, key in ((_DTMF, "4"), (_DTMF, "#"), (f" {_DTMF}", "9")):
        yield Step(0.3, {"type": kind, "event": key, "received_at": started_at + 2})


def without_event_ids(rng: Random, started_at: int) -> Iterator[Step]:
    """A relay drops the ids of all events."""
    yield from changed(
        lambda event: {name: event[name] for name in event if name != "event_id"}, _turn(rng, started_at)
    )


def duplicate_events(rng: Random, started_at: int) -> Iterator[Step]:
    """A relay sends every tenth event and some others twice: same id, same bytes."""
    for n, step in enumerate(_turn(rng, started_at)):
        yield step
        if n % 10 == 0 or step.event["type"] in ("response.done", "input_audio_buffer.committed"):
            yield Step(0.0, step.event)


def repeated_client_ids(s: VoiceSession) -> None:
    """The client gives all its events the same id; two errors name it and are different errors."""
    for n in range(2):
        error = {"type": "invalid_request_error", "code": None, "message": f"Refused, {n}.", "param": None}
        s.send(s.now + n, "error", error={**error, "event_id": "mine"})


def unknown_event_types(s: VoiceSession) -> None:
    """Events of types that no protocol has arrive in between; some look like known ones."""
    for n, kind in enumerate(("session.presence.updated", "response.output_audio.viseme", "ping", "RESPONSE.DONE")):
        s.send(s.now + 0.1 * n, kind, response={"id": "resp_none"})
    type_in(s, LINE)


def responses_api_events(s: VoiceSession) -> None:
    """Events of the Responses API arrive: they have names of Realtime events, a number, and no id."""
    kinds = ("response.created", "response.output_text.delta", "response.function_call_arguments.done")
    type_in(s, LINE)
    for n, kind in enumerate(kinds):
        s.send(s.now + 0.1 * n, kind, sequence_number=n, response={"id": "resp_other"}, delta="Yes")


def chatkit_names(s: VoiceSession) -> None:
    """Events of a ChatKit thread arrive: one has the name of an Assistants event, under `type`."""
    for n, kind in enumerate(("thread.created", "thread.item.added", "progress_update")):
        s.send(s.now + 0.1 * n, kind, thread={"id": "cthr_1"})


SCENARIOS: Final[tuple[Scenario, ...]] = (
    scenario(beta_names),
    scenario(voice_live),
    scenario(xai_like),
    scenario(azure),
    voice_scenario(custom_voice, voice={"id": "voice_1"}),
    scenario(sideband),
    scenario(dtmf),
    scenario(without_event_ids),
    scenario(duplicate_events),
    voice_scenario(repeated_client_ids),
    voice_scenario(unknown_event_types),
    voice_scenario(responses_api_events),
    voice_scenario(chatkit_names),
)
