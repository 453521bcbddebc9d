"""The beta protocol: the same session with other names, and a flat shape.

A session keeps the GA shape. `to_beta` rewrites what goes to a client of the beta protocol, `from_beta` what comes from
it.
"""

from typing import Any, Final

from steno.simulate.interactive.handlers import Event, Handler, update_session

_NAMES: Final = {
    "conversation.item.added": "conversation.item.created",
    "response.output_text.delta": "response.text.delta",
    "response.output_text.done": "response.text.done",
    "response.output_audio.delta": "response.audio.delta",
    "response.output_audio.done": "response.audio.done",
    "response.output_audio_transcript.delta": "response.audio_transcript.delta",
    "response.output_audio_transcript.done": "response.audio_transcript.done",
}
_DROPPED: Final = frozenset({"conversation.item.done"})
_PARTS: Final = {"output_text": "text", "output_audio": "audio"}
_FROM_PARTS: Final = {beta: ga for ga, beta in _PARTS.items()}
_FORMATS: Final = {"audio/pcm": "pcm16", "audio/pcmu": "g711_ulaw", "audio/pcma": "g711_alaw"}
_FROM_FORMATS: Final = {beta: ga for ga, beta in _FORMATS.items()}
_TEMPERATURE: Final = 0.8
_TRANSCRIPTION_UPDATE: Final = "transcription_session.update"

# From the session to the client.


def to_beta(event: Event) -> Event | None:
    """Return a server event as the beta protocol has it, or None where it has none."""
    kind = event["type"]
    if kind in _DROPPED:
        return None
    changed = {**event, "type": _NAMES.get(kind, kind)}
    if "session" in event:
        changed["session"] = beta_session(event["session"])
        changed["type"] = f"transcription_{kind}" if event["session"]["type"] == "transcription" else kind
    if "response" in event:
        changed["response"] = _response(event["response"])
    if "item" in event:
        changed["item"] = _item(event["item"])
    return changed


def beta_session(session: Event) -> Event:
    """Return a session in the flat shape."""
    heard = session["audio"]["input"]
    flat = {
        "id": session["id"],
        "object": session["object"],
        "expires_at": session["expires_at"],
        "input_audio_noise_reduction": heard["noise_reduction"],
        "turn_detection": heard["turn_detection"],
        "input_audio_format": _FORMATS[heard["format"]["type"]],
        "input_audio_transcription": heard["transcription"],
        "client_secret": None,
        "include": session["include"],
    }
    if session["type"] == "transcription":
        return flat
    spoken = session["audio"]["output"]
    return flat | {
        "model": session["model"],
        "modalities": _modalities(session["output_modalities"]),
        "instructions": session["instructions"],
        "voice": spoken["voice"],
        "output_audio_format": _FORMATS[spoken["format"]["type"]],
        "tools": session["tools"],
        "tool_choice": session["tool_choice"],
        "temperature": _TEMPERATURE,
        "max_response_output_tokens": session["max_output_tokens"],
        "speed": spoken["speed"],
        "tracing": session["tracing"],
    }


def _modalities(output: list[str]) -> list[str]:
    return ["audio", "text"] if output == ["audio"] else list(output)


def _response(response: Event) -> Event:
    spoken = response["audio"]["output"]
    return {
        "object": response["object"],
        "id": response["id"],
        "status": response["status"],
        "status_details": response["status_details"],
        "output": [_item(item) for item in response["output"]],
        "conversation_id": response["conversation_id"],
        "modalities": _modalities(response["output_modalities"]),
        "voice": spoken["voice"],
        "output_audio_format": _FORMATS[spoken["format"]["type"]],
        "temperature": _TEMPERATURE,
        "max_output_tokens": response["max_output_tokens"],
        "usage": response["usage"],
        "metadata": response["metadata"],
    }


def _item(item: Event) -> Event:
    changed = {"id": item["id"], "object": "realtime.item", **item}
    if isinstance(item.get("content"), list):
        changed["content"] = [{**part, "type": _PARTS.get(part["type"], part["type"])} for part in item["content"]]
    return changed


# From the client to the session.


def from_beta(event: Event) -> Event:
    """Return a client event as the session takes it. What makes no sense is left to the session."""
    changed = dict(event)
    if isinstance(event.get("session"), dict):
        kind = "transcription" if event.get("type") == _TRANSCRIPTION_UPDATE else "realtime"
        changed["session"] = ga_session(event["session"], kind)
    if isinstance(event.get("response"), dict):
        changed["response"] = _ga_response(event["response"])
    if isinstance(event.get("item"), dict):
        changed["item"] = _ga_item(event["item"])
    return changed


def ga_session(flat: Event, kind: str = "realtime") -> Event:
    """Return a flat session in the nested shape. Members that it does not know stay, to be refused."""
    ignored = {"client_secret", "temperature", *(("modalities",) if kind == "transcription" else ())}
    rest = {name: value for name, value in flat.items() if name not in ignored}
    heard = _moved(
        rest,
        input_audio_format="format",
        input_audio_transcription="transcription",
        input_audio_noise_reduction="noise_reduction",
        turn_detection="turn_detection",
    )
    return {"type": kind, **_ga_output(rest, {"input": heard} if heard else {})}


def _ga_response(flat: Event) -> Event:
    rest = {name: value for name, value in flat.items() if name != "temperature"}
    if isinstance(rest.get("input"), list):
        rest["input"] = [_ga_item(item) if isinstance(item, dict) else item for item in rest["input"]]
    return _ga_output(rest, {})


def _ga_output(rest: Event, audio: Event) -> Event:
    """Return what the options of a session and of a response have in common in the nested shape."""
    spoken = _moved(rest, output_audio_format="format", voice="voice", speed="speed")
    if spoken:
        audio["output"] = spoken
    if audio:
        rest["audio"] = audio
    rest |= _moved(rest, max_response_output_tokens="max_output_tokens")
    if "modalities" in rest:
        modalities = rest.pop("modalities")
        both = isinstance(modalities, list) and "audio" in modalities
        rest["output_modalities"] = ["audio"] if both else modalities
    return rest


def _moved(source: Event, **names: str) -> Event:
    """Remove members from `source`, and return them under their new names."""
    found = {new: source.pop(old) for old, new in names.items() if old in source}
    if isinstance(found.get("format"), str):
        found["format"] = {"type": _FROM_FORMATS.get(found["format"], found["format"])}
    return found


def _ga_item(item: Event) -> Event:
    if not isinstance(item.get("content"), list) or item.get("role") != "assistant":
        return item
    return {**item, "content": [_ga_part(part) for part in item["content"]]}


def _ga_part(part: Any) -> Any:
    if not isinstance(part, dict) or part.get("type") not in ("text", "audio"):
        return part
    return {**part, "type": _FROM_PARTS[part["type"]]}


ALIASES: Final[dict[str, Handler]] = {_TRANSCRIPTION_UPDATE: update_session}
"""Client events of the beta protocol alone."""
