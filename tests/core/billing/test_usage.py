"""Usage in disjoint buckets, which add up to what upstream reported."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steno.core.billing import usage
from steno.core.billing.usage import UNREPORTED, Measured
from steno.core.facts import CacheWrite, Tokens
from steno.limits import TOKENS_MAX
from steno.wire.usage import CompletionUsage, ResponseUsage, Usage

Buckets = list[tuple[str, str, bool, int]]


def shown(buckets: tuple[Tokens, ...]) -> Buckets:
    assert {each.model for each in buckets} <= {"m"}
    return [(each.direction, each.modality, each.cached, each.tokens) for each in buckets]


def measured(**reported: Any) -> Measured:
    return usage.measure(msgspec.convert(reported, Usage), "m")


def of(**reported: Any) -> Buckets:
    return shown(measured(**reported).tokens)


def of_run(**reported: Any) -> Buckets:
    return shown(usage.measure(msgspec.convert(reported, CompletionUsage), "m").tokens)


# Responses ------------------------------------------------------------------------------------------------------


def test_each_token_is_in_one_bucket() -> None:
    """Cached tokens, which upstream counts as input, are not counted as fresh ones."""
    cached = {"text_tokens": 4, "audio_tokens": 8, "image_tokens": 0}
    details = {"text_tokens": 20, "audio_tokens": 35, "image_tokens": 5, "cached_tokens": 12}
    buckets = of(
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
    assert (usage.measure(None, "m").tokens, of(), of(**zeros)) == ((), [], [])


def test_model_may_be_unknown() -> None:
    """The tokens count all the same."""
    assert usage.measure(Usage(input_tokens=5), None).tokens == (Tokens(None, "input", "unknown", False, 5),)


def test_modality_is_unknown_without_details() -> None:
    """It is not guessed from the kind of session."""
    assert of(input_tokens=60, output_tokens=40) == [
        ("input", "unknown", False, 60),
        ("output", "unknown", False, 40),
    ]


def test_tokens_that_details_leave_out_are_unknown() -> None:
    """They need not name each modality."""
    buckets = of(
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
    buckets = of(
        input_tokens=10,
        input_token_details={"text_tokens": 20},
        output_tokens=10,
        output_token_details={"text_tokens": 6, "audio_tokens": 6},
    )
    assert buckets == [("input", "unknown", False, 10), ("output", "unknown", False, 10)]


def test_details_stand_for_a_missing_sum() -> None:
    """Some servers send only these."""
    buckets = of(input_token_details={"text_tokens": 20, "audio_tokens": 5}, output_token_details={"text_tokens": 3})
    assert buckets == [("input", "text", False, 20), ("input", "audio", False, 5), ("output", "text", False, 3)]


def test_reasoning_is_part_of_the_text() -> None:
    """Counting it again would be wrong."""
    buckets = of(output_tokens=10, output_token_details={"text_tokens": 10, "reasoning_tokens": 7})
    assert buckets == [("output", "text", False, 10)]


def test_cached_count_belongs_to_the_only_modality_with_input() -> None:
    """Where there is one, its split is known."""
    buckets = of(input_tokens=60, input_token_details={"text_tokens": 60, "audio_tokens": 0, "cached_tokens": 20})
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
    buckets = of(input_tokens=60, input_token_details=details)
    assert buckets == [("input", "unknown", False, 40), ("input", "unknown", True, 20)]


def test_cached_split_stands_for_a_missing_count() -> None:
    """As the split of the input does."""
    details = {"text_tokens": 20, "audio_tokens": 40, "cached_tokens_details": {"audio_tokens": 10}}
    buckets = of(input_tokens=60, input_token_details=details)
    assert buckets == [("input", "text", False, 20), ("input", "audio", False, 30), ("input", "audio", True, 10)]


def test_cached_tokens_do_not_exceed_the_input() -> None:
    """No count is negative, whatever upstream reports."""
    buckets = of(input_tokens=10, input_token_details={"text_tokens": 10, "cached_tokens": 50})
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
    assert of_run() == []


# Transcriptions -------------------------------------------------------------------------------------------------


def test_transcription_by_tokens_has_buckets() -> None:
    """The modality of the input is reported, that of the output is not."""
    buckets = of(
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
    assert of(input_tokens=13) == [("input", "unknown", False, 13)]


def test_transcription_by_duration_has_no_buckets() -> None:
    """It is billed by seconds."""
    assert measured(type="duration", seconds=3) == Measured(seconds=3.0, whole=True)


# The Responses API ----------------------------------------------------------------------------------------------


def of_response(**reported: Any) -> Measured:
    return usage.measure(msgspec.convert(reported, ResponseUsage), "m")


@pytest.mark.parametrize(
    ("details", "writes"),
    [
        ({"cached_tokens": 4}, ()),
        ({"cached_tokens": 4, "cache_write_tokens": 6}, (CacheWrite("30m", 6),)),
        ({"cached_tokens": 4, "cache_write_tokens": 6, "cache_write_tokens_details": {}}, (CacheWrite("30m", 6),)),
        (
            {"cache_write_tokens": 6, "cache_write_tokens_details": {"ttl_30m_tokens": 2, "ttl_12h_tokens": 4}},
            (CacheWrite("30m", 2), CacheWrite("12h", 4)),
        ),
        ({"cache_write_tokens_details": {"ttl_12h_tokens": 6}}, (CacheWrite("12h", 6),)),
        ({"cache_write_tokens": 0, "cache_write_tokens_details": {"ttl_30m_tokens": 0, "ttl_12h_tokens": 0}}, ()),
    ],
)
def test_what_is_written_to_the_cache_is_part_of_the_fresh_input(
    details: dict[str, Any], writes: tuple[CacheWrite, ...]
) -> None:
    """It changes no bucket. Where upstream does not say for how long, it is the shorter time."""
    found = of_response(input_tokens=10, output_tokens=5, total_tokens=15, input_tokens_details=details)

    cached = details.get("cached_tokens", 0)
    hits = [("input", "unknown", True, cached)] if cached else []
    assert shown(found.tokens) == [("input", "unknown", False, 10 - cached), *hits, ("output", "unknown", False, 5)]
    assert (found.whole, found.writes, found.contradictory) == (True, writes, False)


@pytest.mark.parametrize(
    ("details", "cached"),
    [
        ({"cached_tokens": 11}, 10),
        ({"cached_tokens": 4, "cache_write_tokens": 7}, 4),
        ({"cached_tokens": 4, "cache_write_tokens": 2, "cache_write_tokens_details": {"ttl_12h_tokens": 3}}, 4),
        ({"cached_tokens": 4, "cache_write_tokens": 3, "cache_write_tokens_details": {"ttl_12h_tokens": 2}}, 4),
    ],
)
def test_a_usage_that_contradicts_itself_is_not_whole(details: dict[str, Any], cached: int) -> None:
    """Its buckets add up to the sum all the same."""
    found = of_response(input_tokens=10, output_tokens=0, input_tokens_details=details)

    fresh = [("input", "unknown", False, 10 - cached)] if cached < 10 else []
    assert shown(found.tokens) == [*fresh, ("input", "unknown", True, cached)]
    assert (found.whole, found.writes, found.contradictory) == (False, (), True)


# Units ----------------------------------------------------------------------------------------------------------


BOTH: dict[str, Any] = {"input_tokens": 8, "output_tokens": 3, "seconds": 2.5}


@pytest.mark.parametrize(
    ("reported", "unit"),
    [
        ({**BOTH, "type": "tokens"}, "tokens"),
        ({**BOTH, "type": "duration"}, "seconds"),
        (BOTH, "tokens"),
        ({**BOTH, "type": "characters"}, "tokens"),
        ({"input_tokens": 0, "output_tokens": 0, "seconds": 2.5}, "seconds"),
        ({"seconds": 2.5}, "seconds"),
        ({"total_tokens": 0, "seconds": 2.5}, "seconds"),
    ],
)
def test_a_usage_has_the_unit_that_its_type_names(reported: dict[str, Any], unit: str) -> None:
    """Without one: tokens where any are counted, else the duration."""
    found = measured(**reported)
    assert found.whole
    assert (found.seconds, bool(found.tokens)) == ((2.5, False) if unit == "seconds" else (None, True))


@pytest.mark.parametrize(
    "reported", [{"type": "tokens", "seconds": 2.5}, {**BOTH, "type": "duration", "seconds": None}]
)
def test_a_unit_that_is_named_and_not_reported_is_unknown(reported: dict[str, Any]) -> None:
    """The other one is not what it is billed by."""
    assert measured(**reported) == UNREPORTED


# What was reported ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reported",
    [
        {},
        {"type": "tokens"},
        {"type": "duration"},
        {"total_tokens": 12},
        {"input_token_details": {"cached_tokens": 4}},
        {"output_token_details": {"reasoning_tokens": 4}},
    ],
)
def test_a_usage_that_says_nothing_is_unknown(reported: dict[str, Any]) -> None:
    """A total tells neither direction."""
    assert (measured(**reported), usage.measure(None, "m")) == (UNREPORTED, UNREPORTED)


@pytest.mark.parametrize(
    ("reported", "buckets"),
    [
        ({"input_tokens": 9}, [("input", "unknown", False, 9)]),
        ({"output_token_details": {"audio_tokens": 9}}, [("output", "audio", False, 9)]),
        ({"input_tokens": 9, "total_tokens": 8}, [("input", "unknown", False, 9)]),
    ],
)
def test_half_a_usage_counts_and_is_not_whole(reported: dict[str, Any], buckets: Buckets) -> None:
    """The tokens were used; what the rest was is unknown."""
    assert (of(**reported), measured(**reported).whole) == (buckets, False)


@pytest.mark.parametrize(
    ("reported", "buckets"),
    [
        ({"input_tokens": 9, "total_tokens": 12}, [("input", "unknown", False, 9), ("output", "unknown", False, 3)]),
        ({"output_tokens": 3, "total_tokens": 12}, [("input", "unknown", False, 9), ("output", "unknown", False, 3)]),
        ({"input_tokens": 9, "total_tokens": 9}, [("input", "unknown", False, 9)]),
        ({"total_tokens": 0}, []),
        ({"input_tokens": 0, "output_tokens": 0}, []),
        ({"type": "duration", "seconds": 0}, []),
    ],
)
def test_a_total_leaves_the_other_side(reported: dict[str, Any], buckets: Buckets) -> None:
    """Zeros are reported: nothing was used."""
    assert (of(**reported), measured(**reported).whole) == (buckets, True)


# Reasoning ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reported", "buckets"),
    [
        # Beside the text, inside the output.
        (
            {
                "output_tokens": 61,
                "output_token_details": {"text_tokens": 0, "audio_tokens": 40, "reasoning_tokens": 21},
            },
            {"text": 21, "audio": 40},
        ),
        (
            {
                "output_tokens": 64,
                "output_token_details": {"text_tokens": 3, "audio_tokens": 40, "reasoning_tokens": 21},
            },
            {"text": 24, "audio": 40},
        ),
        # Beside the whole output, as the total proves.
        (
            {
                "output_tokens": 43,
                "total_tokens": 74,
                "output_token_details": {"text_tokens": 3, "audio_tokens": 40, "reasoning_tokens": 21},
            },
            {"text": 24, "audio": 40},
        ),
        # Inside the text.
        (
            {
                "output_tokens": 61,
                "output_token_details": {"text_tokens": 21, "audio_tokens": 40, "reasoning_tokens": 21},
            },
            {"text": 21, "audio": 40},
        ),
        # No sum proves where it stands.
        (
            {
                "output_tokens": 66,
                "output_token_details": {"text_tokens": 0, "audio_tokens": 40, "reasoning_tokens": 21},
            },
            {"audio": 40, "unknown": 26},
        ),
    ],
)
def test_reasoning_is_text_where_the_sum_proves_it(reported: dict[str, Any], buckets: dict[str, int]) -> None:
    """It is never counted twice."""
    found = of(input_tokens=10, input_token_details={"text_tokens": 10}, **reported)
    assert {modality: tokens for way, modality, _, tokens in found if way == "output"} == buckets


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
    buckets = of(
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
    buckets = of(input_tokens=inputs, input_token_details=details)
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
    buckets = of(input_tokens=inputs, output_tokens=outputs, input_token_details=details)
    sound(buckets)
    assert total(buckets, "input") == (split_of(details) if inputs is None else inputs)
    assert total(buckets, "output") == (outputs or 0)


WRITTEN = st.none() | st.fixed_dictionaries({}, optional={"ttl_30m_tokens": COUNT, "ttl_12h_tokens": COUNT})
READ = st.none() | st.fixed_dictionaries(
    {}, optional={"cached_tokens": COUNT, "cache_write_tokens": COUNT, "cache_write_tokens_details": WRITTEN}
)


@settings(deadline=None)  # a busy machine is no fault
@given(COUNT, COUNT, COUNT, READ, st.none() | st.fixed_dictionaries({}, optional={"reasoning_tokens": COUNT}))
def test_any_usage_of_the_responses_api_adds_up(
    inputs: int | None,
    outputs: int | None,
    whole: int | None,
    read: dict[str, Any] | None,
    written: dict[str, Any] | None,
) -> None:
    """What was written is never more than what is fresh, and what contradicts itself is never whole."""
    found = of_response(
        input_tokens=inputs,
        output_tokens=outputs,
        total_tokens=whole,
        input_tokens_details=read,
        output_tokens_details=written,
    )
    buckets = shown(found.tokens)
    sound(buckets)
    assert inputs is None or total(buckets, "input") == (0 if whole == 0 and not inputs else inputs)
    fresh = sum(tokens for way, _, cached, tokens in buckets if way == "input" and not cached)
    assert sum(write.tokens for write in found.writes) <= fresh
    assert all(write.tokens > 0 for write in found.writes)
    assert not (found.contradictory and (found.whole or found.writes))
