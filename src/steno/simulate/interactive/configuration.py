"""The configuration of a session: its members in the order of the wire, what a client may change, what a response may.

A session's configuration is a dict in the GA shape, as `session.created` shows it. It is never changed in place:
`updated` returns a new one.
"""

from typing import Any, Final

import msgspec

from steno.simulate.interactive.checks import (
    Check,
    anything,
    array,
    either,
    flag,
    members,
    nullable,
    number,
    one_of,
    text,
    thing,
    whole,
)
from steno.simulate.interactive.errors import invalid_value, missing
from steno.simulate.voice_scripts import DEFAULT_INSTRUCTIONS
from steno.simulate.voice_session import PCM, session_object

RATES: Final = {"audio/pcm": 24_000, "audio/pcmu": 8_000, "audio/pcma": 8_000}
"""The formats of sound, and the samples a second of each."""

_TOOLS_MAX: Final = 128
_METADATA_MAX: Final = 16
_TRANSCRIPTION_MODEL: Final = "gpt-4o-mini-transcribe"  # of a transcription session that names none

_VAD: Final[dict[str, dict[str, Any]]] = {
    "server_vad": {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 500,
        "idle_timeout_ms": None,
        "create_response": True,
        "interrupt_response": True,
    },
    "semantic_vad": {
        "type": "semantic_vad",
        "eagerness": "auto",
        "create_response": True,
        "interrupt_response": True,
    },
}
"""The voice detectors, with the defaults of their members."""

# What each member may be.


def _modalities(path: str, value: Any) -> Any:
    """Check the kinds of output: text or audio. The transcript of audio is not a modality of its own."""
    if value not in (["text"], ["audio"]):
        raise invalid_value(path, f'\'{path}\' has to be ["text"] or ["audio"].')
    return value


def _format(path: str, value: Any) -> Any:
    """Check a format of sound. Returns it with its rate where it shows one."""
    kind = members({"type": one_of(*RATES), "rate": whole(8_000, 24_000)}, ("type",))(path, value)["type"]
    return PCM if kind == PCM["type"] else {"type": kind}


def _turn_detection(path: str, value: Any) -> Any:
    """Check a voice detector. Returns it with all members."""
    kind = one_of(*_VAD)(f"{path}.type", thing(path, value).get("type", "server_vad"))
    known: dict[str, Check] = {
        "type": text,
        "threshold": number(0, 1),
        "prefix_padding_ms": whole(0, 10_000),
        "silence_duration_ms": whole(0, 60_000),
        "idle_timeout_ms": nullable(whole(5_000, 30_000)),
        "eagerness": one_of("low", "medium", "high", "auto"),
        "create_response": flag,
        "interrupt_response": flag,
    }
    return _VAD[kind] | members({name: known[name] for name in _VAD[kind]})(path, value)


def _transcription(path: str, value: Any) -> Any:
    known: dict[str, Check] = {name: nullable(text) for name in ("model", "language", "prompt", "delay")}
    known |= {name: nullable(array(text, 100)) for name in ("keywords", "languages")}
    return {"model": None, "language": None, "prompt": None} | members(known)(path, value)


def _tool(path: str, value: Any) -> Any:
    """Check a tool. Returns its members in the order of the wire."""
    kind = one_of("function", "mcp")(f"{path}.type", thing(path, value).get("type", "function"))
    if kind == "mcp":
        return value
    known: dict[str, Check] = {"name": text, "description": nullable(text), "parameters": nullable(thing)}
    tool = members({"type": text, **known, "strict": nullable(flag)}, ("name",))(path, value)
    return {"type": kind, **{name: tool[name] for name in known if name in tool}}


_TOOL_CHOICE: Final = either(
    str,
    one_of("auto", "none", "required"),
    members({"type": one_of("function", "mcp"), "name": text, "server_label": text}, ("type",)),
)
_VOICE: Final = either(str, text, members({"id": text}, ("id",)))
_TOKENS: Final = either(str, one_of("inf"), whole(1, 65_536))
_INPUT: Final[dict[str, Check]] = {
    "format": _format,
    "transcription": nullable(_transcription),
    "noise_reduction": nullable(members({"type": one_of("near_field", "far_field")}, ("type",))),
    "turn_detection": nullable(_turn_detection),
}
_OUTPUT: Final[dict[str, Check]] = {"format": _format, "voice": _VOICE, "speed": number(0.25, 1.5)}
_SHARED: Final[dict[str, Check]] = {
    "instructions": text,
    "tools": array(_tool, _TOOLS_MAX),
    "tool_choice": _TOOL_CHOICE,
    "max_output_tokens": _TOKENS,
    "output_modalities": _modalities,
    "prompt": nullable(thing),
    "reasoning": nullable(thing),
    "parallel_tool_calls": nullable(flag),
}
_SESSION: Final = members(
    {
        **_SHARED,
        "type": text,
        "model": text,
        "tracing": anything,
        "truncation": anything,
        "include": nullable(array(text, 10)),
        "audio": members({"input": members(_INPUT), "output": members(_OUTPUT)}),
    }
)
_TRANSCRIPTION_SESSION: Final = members(
    {"type": text, "include": nullable(array(text, 10)), "audio": members({"input": members(_INPUT)})}
)
_WITHOUT_EFFECT: Final = ("reasoning", "parallel_tool_calls")  # accepted, and not shown


# Sessions.


def new_session(model: str) -> dict[str, Any]:
    """Return the configuration of a session that nobody has configured. Its `id` and `expires_at` are still empty."""
    return session_object(
        session_id="",
        expires_at=0,
        model=model,
        output_modalities=["audio"],
        instructions=DEFAULT_INSTRUCTIONS,
        tools=[],
        max_output_tokens="inf",
        transcription=None,
        silence_ms=500,
        voice="alloy",
    )


def new_transcription_session(model: str) -> dict[str, Any]:
    """Return the configuration of a session for transcription by `model`, or by a usual one where it is empty."""
    detector = {name: value for name, value in _VAD["server_vad"].items() if not name.endswith("_response")}
    return {
        "type": "transcription",
        "object": "realtime.transcription_session",
        "id": "",
        "expires_at": 0,
        "audio": {
            "input": {
                "format": PCM,
                "transcription": {"model": model or _TRANSCRIPTION_MODEL, "language": None, "prompt": None},
                "noise_reduction": None,
                "turn_detection": detector,
            }
        },
        "include": None,
    }


def updated(session: dict[str, Any], change: Any) -> dict[str, Any]:
    """Return the configuration after `change`, the `session` of a client event. Raises `EventRefusedError`."""
    kind = thing("session", change).get("type")
    if kind is None:
        raise missing("session.type")
    if one_of("realtime", "transcription")("session.type", kind) != session["type"]:
        raise invalid_value("session.type", f"This is a session of the type '{session['type']}'.")
    checked = (_SESSION if kind == "realtime" else _TRANSCRIPTION_SESSION)("session", change)
    for name in _WITHOUT_EFFECT:
        checked.pop(name, None)
    if checked.get("instructions") == "":  # as on the wire: an empty text leaves the default
        del checked["instructions"]
    audio = {side: session["audio"][side] | checked.get("audio", {}).get(side, {}) for side in session["audio"]}
    return {**session, **checked, "audio": audio}


# One response.


class ResponseOptions(msgspec.Struct, frozen=True):
    """How one response is made: the session's configuration, with what `response.create` asks for."""

    model: str
    output_modalities: list[str]
    instructions: str
    own_instructions: bool
    """Whether the instructions are those of this response alone."""
    tools: list[dict[str, Any]]
    tool_choice: str | dict[str, Any]
    own_tool_choice: bool
    max_output_tokens: int | str
    format: dict[str, Any]
    voice: str | dict[str, Any]
    in_band: bool = True
    """Whether its items become items of the conversation."""
    metadata: dict[str, str] | None = None
    input: list[Any] | None = None
    """Items that it reads in place of the conversation."""


_RESPONSE: Final = members(
    {
        **_SHARED,
        "audio": members({"output": members(_OUTPUT)}),
        "conversation": nullable(text),
        "input": nullable(array(thing, 1_000)),
        "metadata": nullable(thing),
    }
)


def response_options(session: dict[str, Any], asked: Any) -> ResponseOptions:
    """Return the options of a response for the `response` of a client event. Raises `EventRefusedError`."""
    own = _RESPONSE("response", _named(asked))
    metadata = own.get("metadata")
    if metadata is not None:
        _check_metadata(metadata)
    output = session["audio"]["output"] | own.get("audio", {}).get("output", {})
    merged = {**session, **{name: value for name, value in own.items() if value is not None}}
    return ResponseOptions(
        model=session["model"],
        output_modalities=merged["output_modalities"],
        instructions=merged["instructions"],
        own_instructions=bool(own.get("instructions")),
        tools=merged["tools"],
        tool_choice=merged["tool_choice"],
        own_tool_choice="tool_choice" in own,
        max_output_tokens=merged["max_output_tokens"],
        format=output["format"],
        voice=output["voice"],
        in_band=own.get("conversation") != "none",
        metadata=metadata,
        input=own.get("input"),
    )


def _named(asked: Any) -> Any:
    """Return what is asked for without its nulls: some clients send each member, and null is none of their wishes."""
    if isinstance(asked, dict):
        return {name: value for name, value in asked.items() if value is not None}
    return {} if asked is None else asked


def _check_metadata(metadata: dict[str, Any]) -> None:
    if len(metadata) > _METADATA_MAX:
        raise invalid_value("response.metadata", f"'response.metadata' has more than {_METADATA_MAX} pairs.")
    for name, value in metadata.items():
        text(f"response.metadata.{name[:64]}", value)
