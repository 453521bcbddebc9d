"""Usage under every name that it comes by, and what is seen of a name that nobody knows."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steno.wire import Drifted, realtime
from steno.wire.admission import read_object
from steno.wire.assistants import RunEvent
from steno.wire.decode import Decoded
from steno.wire.usage import (
    CacheWrites,
    CompletionUsage,
    InputTokenDetails,
    ModalityTokens,
    OutputTokenDetails,
    ResponseInputDetails,
    ResponseUsage,
    Usage,
)
from tests.core.helpers import done, event, run, step
from tests.vocabulary import decode, second_look

HEARD = "conversation.item.input_audio_transcription.completed"
SPENT = Usage(
    total_tokens=90,
    input_tokens=70,
    output_tokens=20,
    input_token_details=InputTokenDetails(
        text_tokens=30, audio_tokens=40, cached_tokens=16, cached_tokens_details=ModalityTokens(text_tokens=16)
    ),
    output_token_details=OutputTokenDetails(text_tokens=5, audio_tokens=15, reasoning_tokens=2),
)
RESPONSES = {
    "total_tokens": 90,
    "input_tokens": 70,
    "input_tokens_details": {
        "text_tokens": 30,
        "audio_tokens": 40,
        "cached_tokens": 16,
        "cached_tokens_details": {"text_tokens": 16},
    },
    "output_tokens": 20,
    "output_tokens_details": {"text_tokens": 5, "audio_tokens": 15, "reasoning_tokens": 2},
}
COMPLETIONS = {
    "total_tokens": 90,
    "prompt_tokens": 70,
    "prompt_tokens_details": {
        "text_tokens": 30,
        "audio_tokens": 40,
        "cached_tokens": 16,
        "cached_token_details": {"text_tokens": 16},
    },
    "completion_tokens": 20,
    "completion_tokens_details": {"text_tokens": 5, "audio_tokens": 15, "reasoning_tokens": 2},
}
CAMEL = {
    "totalTokens": 90,
    "inputTokens": 70,
    "inputTokenDetails": {
        "textTokens": 30,
        "audioTokens": 40,
        "cacheReadTokens": 16,
        "cachedTokensDetails": {"textTokens": 16},
    },
    "outputTokens": 20,
    "outputTokensDetails": {"textTokens": 5, "audioTokens": 15, "reasoningTokens": 2},
}


def told(value: Any) -> Decoded:
    return decode(json.dumps(value).encode())


def of_response(usage: Any) -> tuple[Usage | None, int]:
    """Return the usage of a response, and how many members drifted."""
    return _usage_and_drift(told(done(usage=usage)))


def _usage_and_drift(decoded: Decoded) -> tuple[Usage | None, int]:
    drifted, inner = (decoded.members, decoded.event) if isinstance(decoded, Drifted) else (0, decoded)
    if isinstance(inner, RunEvent):
        return inner.data.usage if inner.data else None, drifted
    if isinstance(inner, realtime.TranscriptionCompleted):
        return inner.usage, drifted
    assert isinstance(inner, realtime.ResponseDone)
    return inner.response.usage if inner.response else None, drifted


# Spellings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("usage", [RESPONSES, COMPLETIONS, CAMEL])
def test_a_usage_is_read_under_each_common_spelling(usage: dict[str, Any]) -> None:
    """In responses and in transcriptions, and without drift: nothing of it is unknown."""
    assert of_response(usage) == (SPENT, 0)
    assert _usage_and_drift(told(event(HEARD, item_id="item_1", usage=usage))) == (SPENT, 0)


@pytest.mark.parametrize("usage", [RESPONSES, COMPLETIONS, CAMEL])
def test_a_run_and_a_step_know_the_same_spellings(usage: dict[str, Any]) -> None:
    """Their own one is a fourth: `prompt_token_details` beside `completion_tokens_details`."""
    spent = CompletionUsage(**{name: getattr(SPENT, name) for name in SPENT.__struct_fields__})
    assert _usage_and_drift(told(run("completed", usage=usage))) == (spent, 0)
    assert not isinstance(told(step("completed", usage=usage)), Drifted)


@pytest.mark.parametrize(
    ("usage", "seconds"),
    [
        ({"type": "duration", "seconds": 2.5}, 2.5),
        ({"type": "duration", "duration": 4}, 4),
        ({"input_seconds": 60.5, "output_seconds": 58}, 60.5),
        ({"durationSeconds": 7}, 7),
    ],
)
def test_a_duration_has_several_names(usage: dict[str, Any], seconds: float) -> None:
    """How long a translation spoke is no part of its bill."""
    reported, drifted = of_response(usage)
    assert (reported and reported.seconds, drifted) == (seconds, 0)


@pytest.mark.parametrize(
    ("usage", "reported"),
    [
        ({"cached_tokens": 8}, Usage(cached_tokens=8)),
        (
            {"prompt_cache_hit_tokens": 8, "prompt_cache_miss_tokens": 3},
            Usage(cached_tokens=8, prompt_cache_miss_tokens=3),
        ),
    ],
)
def test_cached_tokens_may_stand_beside_the_details(usage: dict[str, Any], reported: Usage) -> None:
    """Some servers have no details."""
    assert of_response(usage) == (reported, 0)


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"input_tokens": 70, "prompt_tokens": 70}, 70),
        ({"input_tokens": 0, "prompt_tokens": 70}, 70),
        ({"prompt_tokens": 70, "input_tokens": None}, 70),
        ({"input_tokens": 0, "prompt_tokens": None}, 0),
        ({"input_tokens": 60, "prompt_tokens": 70}, 60),
        ({"prompt_tokens": 70, "input_tokens": 60}, 60),
    ],
)
def test_of_two_spellings_the_declared_one_stands_unless_it_says_nothing(usage: dict[str, Any], tokens: int) -> None:
    """They are one number, whatever their order; a zero beside a number is a default."""
    assert of_response(usage) == (Usage(input_tokens=tokens), 0)


def test_details_under_two_spellings_are_joined_member_by_member() -> None:
    """What one leaves out, or fills with zeros, the other has; nothing is added up."""
    usage = {
        "input_token_details": {"text_tokens": 30, "cached_tokens": 0, "cached_tokens_details": {"text_tokens": 0}},
        "input_tokens_details": {"text_tokens": 30, "cached_tokens": 16, "cached_tokens_details": {"text_tokens": 16}},
        "prompt_tokens_details": {"audio_tokens": 40},
    }
    assert of_response(usage) == (Usage(input_token_details=SPENT.input_token_details), 0)


def test_a_count_may_be_written_with_a_fraction_of_nothing() -> None:
    """What has a real fraction is no count."""
    assert of_response({"input_tokens": 20.0, "output_tokens": 1e2}) == (Usage(input_tokens=20, output_tokens=100), 0)
    assert of_response({"input_tokens": 20.5, "output_tokens": 1e300}) == (Usage(), 2)


# Drift ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("usage", "drifted"),
    [
        ({"input_tokens": 5, "tokens_in": 5}, 1),
        ({"input_token_details": {"video_tokens": 5, "text_tokens": 2}}, 1),
        ({"input_token_details": {"cached_tokens_details": {"video_tokens": 5}}}, 1),
        ({"output_tokens_details": {"speech_tokens": None, "thought_tokens": 1}}, 2),
        ({"usage_by_model": {"a": 1, "b": 2}, "credits": 3}, 2),
        ({"input_tokens": -1, "input_token_details": [], "credits": 3}, 3),
    ],
)
def test_a_member_that_nobody_knows_is_counted_as_drift(usage: dict[str, Any], drifted: int) -> None:
    """At each depth, and in each family; it changes nothing else."""
    assert of_response(usage)[1] == drifted
    assert _usage_and_drift(told(event(HEARD, item_id="item_1", usage=usage)))[1] == drifted
    assert _usage_and_drift(told(run("completed", usage=usage)))[1] == drifted


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        {"input_token_details": {"grok_tokens": 0}, "billable_audio_seconds": 1, "output_audio_seconds": 2.25},
        {"completion_tokens_details": {"accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}},
        {"output_seconds": 58.5},
    ],
)
def test_what_is_harmless_is_no_drift(usage: Any) -> None:
    """It is no part of the bill, or it stands in another member as well."""
    assert of_response(usage)[1] == 0


def test_a_usage_of_its_own_spelling_is_read_at_the_first_look() -> None:
    """Only another one costs the second look, at the end of a response."""
    own = {"input_tokens": 1, "input_token_details": {"cached_tokens": 0, "cached_tokens_details": {"text_tokens": 0}}}
    read = msgspec.json.decode(json.dumps(done(usage=own)), type=realtime.ResponseDone)
    assert read == told(done(usage=own))
    with pytest.raises(msgspec.ValidationError, match="unknown field `input_tokens_details`"):
        msgspec.json.decode(json.dumps(done(usage=RESPONSES)), type=realtime.ResponseDone)


NAMES = st.sampled_from(
    [*Usage.__struct_fields__, *Usage.spellings, *InputTokenDetails.__struct_fields__, "inputTokens", "new", ""]
)
ANY = st.recursive(
    st.none() | st.integers() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.dictionaries(NAMES, inner, max_size=4) | st.lists(inner, max_size=2),
    max_leaves=12,
)


@settings(deadline=None)  # a busy machine is no fault
@given(st.dictionaries(NAMES, ANY, max_size=6))
def test_two_looks_at_any_usage_agree(usage: dict[str, Any]) -> None:
    """Whatever stands in it under whatever name, and reading it never raises."""
    payload = json.dumps(done(usage=usage)).encode()
    assert decode(payload) == second_look(payload, decode, within=False, unfolded=False)


def test_a_whole_object_is_read_leniently() -> None:
    """A member of a wrong type is left out; what is no object is none."""
    assert read_object(Usage, b'{"promptTokens":5,"total_tokens":"7"}') == Usage(input_tokens=5)
    with pytest.raises(ValueError, match="Expected `object`"):
        read_object(Usage, b"[]")


def test_a_usage_of_very_many_members_is_drift_that_nobody_looks_at() -> None:
    """Declared names are found all the same; other spellings past the bound are not tried."""
    usage = {f"x{number}": 1 for number in range(300)} | {"input_tokens": 5, "completion_tokens": 7}
    assert of_response(usage) == (Usage(input_tokens=5), 301)
    assert of_response({"-" * 100_000: 1}) == (Usage(), 1)


WRITTEN = ResponseUsage(
    input_tokens=70,
    input_token_details=ResponseInputDetails(
        cached_tokens=16,
        cache_write_tokens=20,
        cache_write_tokens_details=CacheWrites(ttl_30m_tokens=15, ttl_12h_tokens=5),
    ),
    output_tokens=20,
)


@pytest.mark.parametrize(
    ("details", "read", "written", "split"),
    [
        ("input_tokens_details", "cached_tokens", "cache_write_tokens", "cache_write_tokens_details"),
        ("inputTokensDetails", "cachedTokens", "cacheWriteTokens", "cacheWriteTokensDetails"),
        ("prompt_tokens_details", "cache_read_tokens", "cache_creation_tokens", "cache_write_tokens_details"),
        ("input_token_details", "cache_read_input_tokens", "cache_creation_input_tokens", "cache_write_tokens_details"),
    ],
)
def test_what_was_written_to_the_cache_is_read_under_its_names(
    details: str, read: str, written: str, split: str
) -> None:
    """Those of the Responses API, and those that gateways write."""
    inner = {read: 16, written: 20, split: {"ttl_30m_tokens": 15, "ttl_12h_tokens": 5}}
    reported = json.dumps({"input_tokens": 70, details: inner, "output_tokens": 20}).encode()

    assert read_object(ResponseUsage, reported) == WRITTEN


def test_what_gateways_add_to_the_usage_of_a_response_is_no_drift() -> None:
    """Their own sums, in their own money."""
    own: dict[str, Any] = {
        "cost": 1e-05,
        "cost_details": {"upstream_inference_cost": None},
        "is_byok": False,
        "cost_in_usd_ticks": 5,
        "context_details": {"input_tokens": 7},
    }
    usage = {"input_tokens": 7, "output_tokens": 2, "total_tokens": 9, **own}
    payload = json.dumps(event("response.completed", sequence_number=9, response={"id": "resp_1", "usage": usage}))
    completed = decode(payload.encode())
    assert not isinstance(completed, Drifted)
    assert completed.response.usage.input_tokens == 7  # type: ignore[union-attr]
