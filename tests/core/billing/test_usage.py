"""Usage in disjoint buckets, which add up to what upstream reported."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steno.core.billing import usage
from steno.core.facts import Tokens
from steno.limits import TOKENS_MAX
from steno.wire.assistants import CompletionUsage
from steno.wire.realtime import TranscriptionUsage
from steno.wire.realtime_objects import RealtimeResponseUsage

Buckets = list[tuple[str, str, bool, int]]


def shown(buckets: tuple[Tokens, ...]) -> Buckets:
    assert {each.model for each in buckets} <= {"m"}
    return [(each.direction, each.modality, each.cached, each.tokens) for each in buckets]


def of_response(**reported: Any) -> Buckets:
    return shown(usage.of_response(msgspec.convert(reported, RealtimeResponseUsage), "m"))


def of_run(**reported: Any) -> Buckets:
    return shown(usage.of_run(msgspec.convert(reported, CompletionUsage), "m"))


def of_transcription(**reported: Any) -> Buckets:
    return shown(usage.of_transcription(msgspec.convert(reported, TranscriptionUsage), "m"))


# Responses ------------------------------------------------------------------------------------------------------


def test_each_token_is_in_one_bucket() -> None:
    """Cached tokens, which upstream counts as input, are not counted as fresh ones."""
    cached = {"text_tokens": 4, "audio_tokens": 8, "image_tokens": 0}
    details = {"text_tokens": 20, "audio_tokens": 35, "image_tokens": 5, "cached_tokens": 12}
    buckets = of_response(
        total_tokens=100,
        input_tokens=60,
        output_tokens=40,
        input_token_details={**details, "cached_tokens_details": cached},
        output_token_details={"text_tokens": 10, "audio_tokens": 30},
    )
    assert buckets == [
        ("input", "text", False, 16),
        ("input", "audio", False, 27),
        ("input", "image", False, 5),
        ("input", "text", True, 4),
        ("input", "audio", True, 8),
        ("output", "text", False, 10),
        ("output", "audio", False, 30),
    ]


def test_usage_of_no_tokens_has_no_buckets() -> None:
    """A response in progress has no usage, and one that was cut off at once has zeros."""
    zeros = {"total_tokens": 0, "input_tokens": 0, "output_tokens": 0, "input_token_details": {"cached_tokens": 0}}
    assert (usage.of_response(None, "m"), of_response(), of_response(**zeros)) == ((), [], [])


def test_model_may_be_unknown() -> None:
    """The tokens count all the same."""
    buckets = usage.of_response(RealtimeResponseUsage(input_tokens=5), None)
    assert buckets == (Tokens(None, "input", "unknown", False, 5),)


def test_modality_is_unknown_without_details() -> None:
    """It is not guessed from the kind of session."""
    assert of_response(input_tokens=60, output_tokens=40) == [
        ("input", "unknown", False, 60),
        ("output", "unknown", False, 40),
    ]


def test_tokens_that_details_leave_out_are_unknown() -> None:
    """They need not name each modality."""
    buckets = of_response(
        input_tokens=60,
        input_token_details={"text_tokens": 20},
        output_tokens=40,
        output_token_details={"audio_tokens": 30},
    )
    assert buckets == [
        ("input", "text", False, 20),
        ("input", "unknown", False, 40),
        ("output", "audio", False, 30),
        ("output", "unknown", False, 10),
    ]


def test_details_that_exceed_the_sum_are_ignored() -> None:
    """The sum is what is billed."""
    buckets = of_response(
        input_tokens=10,
        input_token_details={"text_tokens": 20},
        output_tokens=10,
        output_token_details={"text_tokens": 6, "audio_tokens": 6},
    )
    assert buckets == [("input", "unknown", False, 10), ("output", "unknown", False, 10)]


def test_details_stand_for_a_missing_sum() -> None:
    """Some servers send only these."""
    buckets = of_response(
        input_token_details={"text_tokens": 20, "audio_tokens": 5}, output_token_details={"text_tokens": 3}
    )
    assert buckets == [("input", "text", False, 20), ("input", "audio", False, 5), ("output", "text", False, 3)]


def test_reasoning_is_part_of_the_text() -> None:
    """Counting it again would be wrong."""
    buckets = of_response(output_tokens=10, output_token_details={"text_tokens": 10, "reasoning_tokens": 7})
    assert buckets == [("output", "text", False, 10)]


def test_cached_count_belongs_to_the_only_modality_with_input() -> None:
    """Where there is one, its split is known."""
    buckets = of_response(
        input_tokens=60, input_token_details={"text_tokens": 60, "audio_tokens": 0, "cached_tokens": 20}
    )
    assert buckets == [("input", "text", False, 40), ("input", "text", True, 20)]


@pytest.mark.parametrize(
    "details",
    [
        {"text_tokens": 20, "audio_tokens": 40, "cached_tokens": 20},
        {"text_tokens": 20, "cached_tokens": 20},
        {"cached_tokens": 20},
        {"text_tokens": 5, "audio_tokens": 55, "cached_tokens": 20, "cached_tokens_details": {"text_tokens": 20}},
        {"text_tokens": 20, "audio_tokens": 40, "cached_tokens": 20, "cached_tokens_details": {"text_tokens": 7}},
        {"text_tokens": 90, "cached_tokens": 20},
    ],
)
def test_cached_split_that_does_not_fit_makes_all_input_unknown(details: dict[str, Any]) -> None:
    """A split that is half known would add up and be wrong."""
    buckets = of_response(input_tokens=60, input_token_details=details)
    assert buckets == [("input", "unknown", False, 40), ("input", "unknown", True, 20)]


def test_cached_split_stands_for_a_missing_count() -> None:
    """As the split of the input does."""
    details = {"text_tokens": 20, "audio_tokens": 40, "cached_tokens_details": {"audio_tokens": 10}}
    buckets = of_response(input_tokens=60, input_token_details=details)
    assert buckets == [("input", "text", False, 20), ("input", "audio", False, 30), ("input", "audio", True, 10)]


def test_cached_tokens_do_not_exceed_the_input() -> None:
    """No count is negative, whatever upstream reports."""
    buckets = of_response(input_tokens=10, input_token_details={"text_tokens": 10, "cached_tokens": 50})
    assert buckets == [("input", "text", True, 10)]


# Runs -----------------------------------------------------------------------------------------------------------


def test_usage_of_a_run_has_no_modality() -> None:
    """Assistants read files and images too."""
    buckets = of_run(
        prompt_tokens=50, completion_tokens=20, total_tokens=70, prompt_token_details={"cached_tokens": 30}
    )
    assert buckets == [
        ("input", "unknown", False, 20),
        ("input", "unknown", True, 30),
        ("output", "unknown", False, 20),
    ]
    assert of_run(prompt_tokens=5, prompt_token_details={"cached_tokens": 7}) == [("input", "unknown", True, 5)]
    assert (of_run(), usage.of_run(None, "m")) == ([], ())


# Transcriptions -------------------------------------------------------------------------------------------------


def test_transcription_by_tokens_has_buckets() -> None:
    """The modality of the input is reported, that of the output is not."""
    buckets = of_transcription(
        type="tokens",
        total_tokens=22,
        input_tokens=13,
        output_tokens=9,
        input_token_details={"text_tokens": 3, "audio_tokens": 10},
    )
    assert buckets == [
        ("input", "text", False, 3),
        ("input", "audio", False, 10),
        ("output", "unknown", False, 9),
    ]
    assert of_transcription(input_tokens=13) == [("input", "unknown", False, 13)]


def test_transcription_by_duration_has_no_buckets() -> None:
    """It is billed by seconds."""
    assert (of_transcription(type="duration", seconds=3), usage.of_transcription(None, "m")) == ([], ())


# Whatever upstream says -----------------------------------------------------------------------------------------

COUNT = st.none() | st.integers(0, 60) | st.integers(0, TOKENS_MAX)
SPLIT = {"text_tokens": COUNT, "audio_tokens": COUNT, "image_tokens": COUNT}
CACHED = st.none() | st.fixed_dictionaries({}, optional=SPLIT)
INPUT = st.none() | st.fixed_dictionaries(
    {}, optional={**SPLIT, "cached_tokens": COUNT, "cached_tokens_details": CACHED}
)
OUTPUT = st.none() | st.fixed_dictionaries({}, optional={**SPLIT, "reasoning_tokens": COUNT})


def total(buckets: Buckets, direction: str) -> int:
    return sum(tokens for way, _, _, tokens in buckets if way == direction)


def split_of(details: dict[str, Any] | None) -> int:
    return sum((details or {}).get(name) or 0 for name in SPLIT)


def sound(buckets: Buckets) -> None:
    places = [(way, modality, cached) for way, modality, cached, _ in buckets]
    assert len(places) == len(set(places)), "a bucket stands once"
    assert all(tokens > 0 for _, _, _, tokens in buckets)
    assert {way for way, _, _ in places} <= {"input", "output"}
    assert {modality for _, modality, _ in places} <= {"text", "audio", "image", "unknown"}


@settings(deadline=None)  # a busy machine is no fault
@given(COUNT, COUNT, INPUT, OUTPUT)
def test_any_usage_of_a_response_adds_up(
    inputs: int | None, outputs: int | None, input_details: dict[str, Any] | None, output_details: dict[str, Any] | None
) -> None:
    """To the reported sum, or to the split where no sum is reported."""
    buckets = of_response(
        input_tokens=inputs,
        output_tokens=outputs,
        input_token_details=input_details,
        output_token_details=output_details,
    )
    sound(buckets)
    assert total(buckets, "input") == (split_of(input_details) if inputs is None else inputs)
    assert total(buckets, "output") == (split_of(output_details) if outputs is None else outputs)


@settings(deadline=None)  # a busy machine is no fault
@given(COUNT, INPUT)
def test_any_cached_count_adds_up(inputs: int | None, details: dict[str, Any] | None) -> None:
    """To the reported one, up to the input."""
    buckets = of_response(input_tokens=inputs, input_token_details=details)
    reported = (details or {}).get("cached_tokens")
    cached = split_of((details or {}).get("cached_tokens_details")) if reported is None else reported
    assert sum(tokens for _, _, hit, tokens in buckets if hit) == min(cached, total(buckets, "input"))


@settings(deadline=None)  # a busy machine is no fault
@given(COUNT, COUNT, st.none() | st.fixed_dictionaries({}, optional={"cached_tokens": COUNT}))
def test_any_usage_of_a_run_adds_up(prompt: int | None, completion: int | None, details: dict[str, Any] | None) -> None:
    """Input and output, each."""
    buckets = of_run(prompt_tokens=prompt, completion_tokens=completion, prompt_token_details=details)
    sound(buckets)
    assert (total(buckets, "input"), total(buckets, "output")) == (prompt or 0, completion or 0)


@settings(deadline=None)  # a busy machine is no fault
@given(COUNT, COUNT, st.none() | st.fixed_dictionaries({}, optional={"text_tokens": COUNT, "audio_tokens": COUNT}))
def test_any_usage_of_a_transcription_adds_up(
    inputs: int | None, outputs: int | None, details: dict[str, Any] | None
) -> None:
    """Input and output, each."""
    buckets = of_transcription(input_tokens=inputs, output_tokens=outputs, input_token_details=details)
    sound(buckets)
    assert total(buckets, "input") == (split_of(details) if inputs is None else inputs)
    assert total(buckets, "output") == (outputs or 0)
