"""What a session and a response may be configured with, and what is refused."""

from typing import Any

import pytest

from steno.simulate.interactive.configuration import new_session, response_options, updated
from steno.simulate.interactive.errors import EventRefusedError

SESSION = new_session("gpt-realtime")


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("output_modalities", ["text", "audio"], "invalid_value"),
        ("output_modalities", "text", "invalid_value"),
        ("instructions", 7, "invalid_type"),
        ("modalities", ["text"], "unknown_parameter"),
        ("temperature", 0.8, "unknown_parameter"),
        ("tools", {}, "invalid_type"),
        ("tools", [{}] * 129, "invalid_value"),
        ("tools[0].name", None, "missing_required_parameter"),
        ("tools[0].type", "knife", "invalid_value"),
        ("tool_choice", "maybe", "invalid_value"),
        ("max_output_tokens", "much", "invalid_value"),
        ("max_output_tokens", 0, "invalid_value"),
        ("max_output_tokens", True, "invalid_type"),
        ("audio.input.format.type", "audio/mpeg", "invalid_value"),
        ("audio.input.turn_detection.type", "clairvoyance", "invalid_value"),
        ("audio.input.turn_detection.threshold", 2, "invalid_value"),
        ("audio.input.turn_detection.eagerness", "low", "unknown_parameter"),
        ("audio.input.transcription.model", 7, "invalid_type"),
        ("audio.output.speed", 9, "invalid_value"),
        ("audio.output.voice", None, "invalid_type"),
        ("include", [7], "invalid_type"),
    ],
)
def test_a_wrong_value_is_refused_with_its_path(path: str, value: Any, code: str) -> None:
    with pytest.raises(EventRefusedError) as refused:
        updated(SESSION, {"type": "realtime", **nested(path, value)})

    assert refused.value.code == code
    assert (refused.value.param or "").removesuffix("[0]") == f"session.{path}"


def nested(path: str, value: Any) -> dict[str, Any]:
    """Return the object that has `value` at `path`; a missing member where it is None and a name is required."""
    name, _, rest = path.partition(".")
    if name == "tools[0]":
        return {"tools": [{} if value is None else {"name": "x", rest: value}]}
    return {name: nested(rest, value) if rest else value}


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({"instructions": ""}, {"instructions": SESSION["instructions"]}),
        ({"model": "gpt-realtime-mini"}, {"model": "gpt-realtime-mini"}),
        ({"tool_choice": {"type": "function", "name": "x"}}, {"tool_choice": {"type": "function", "name": "x"}}),
        ({"max_output_tokens": 12}, {"max_output_tokens": 12}),
        ({"tracing": "auto", "truncation": "disabled"}, {"tracing": "auto", "truncation": "disabled"}),
        ({"reasoning": {"effort": "low"}, "parallel_tool_calls": False}, {}),
        ({"tools": [{"type": "mcp", "server_label": "x"}]}, {"tools": [{"type": "mcp", "server_label": "x"}]}),
    ],
)
def test_what_is_accepted_is_shown(change: dict[str, Any], shown: dict[str, Any]) -> None:
    assert updated(SESSION, {"type": "realtime", **change}) == {**SESSION, **shown}


def test_parts_of_the_sound_are_filled_with_their_defaults() -> None:
    heard = {
        "format": {"type": "audio/pcmu"},
        "transcription": {"model": "whisper-1"},
        "turn_detection": {"type": "semantic_vad", "eagerness": "low"},
    }

    audio = updated(SESSION, {"type": "realtime", "audio": {"input": heard}})["audio"]

    assert audio["output"] == SESSION["audio"]["output"]
    assert audio["input"] == {
        "format": {"type": "audio/pcmu"},
        "transcription": {"model": "whisper-1", "language": None, "prompt": None},
        "noise_reduction": None,
        "turn_detection": {
            "type": "semantic_vad",
            "eagerness": "low",
            "create_response": True,
            "interrupt_response": True,
        },
    }


def test_a_response_takes_what_it_does_not_name_from_the_session() -> None:
    plain = response_options(SESSION, None)
    own = response_options(
        SESSION, {"instructions": "Sing.", "audio": {"output": {"voice": "cedar"}}, "tool_choice": "none"}
    )

    assert (plain.voice, plain.instructions, plain.own_instructions) == ("alloy", SESSION["instructions"], False)
    assert (own.voice, own.instructions, own.own_instructions) == ("cedar", "Sing.", True)
    assert (own.format, own.max_output_tokens, own.in_band) == (plain.format, "inf", True)


def test_what_is_null_in_a_response_is_not_asked_for() -> None:
    nulls: dict[str, Any] = dict.fromkeys(
        ("instructions", "tools", "tool_choice", "output_modalities", "max_output_tokens", "audio", "conversation")
    )

    assert response_options(SESSION, nulls) == response_options(SESSION, None)


@pytest.mark.parametrize("metadata", [{"a": 1}, {str(n): "x" for n in range(17)}, []])
def test_metadata_is_bounded(metadata: Any) -> None:
    with pytest.raises(EventRefusedError):
        response_options(SESSION, {"metadata": metadata})
