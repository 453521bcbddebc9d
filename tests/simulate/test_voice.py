"""A simulated voice session: its events, their order, their times, and its usage."""

import base64
import json
from functools import cache
from itertools import pairwise
from random import Random
from typing import Any

import msgspec
import pytest

from steno.simulate.steps import Step
from steno.simulate.voice import session
from tests.simulate.shapes import Event, recorded, shapes

STARTED_AT = 1_790_000_000
SEEDS = range(24)
TRANSCRIPTION = "conversation.item.input_audio_transcription"

ANSWERED_TURN = [
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
    "conversation.item.added",
    "conversation.item.done",
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    "response.output_audio_transcript.delta",
    "response.output_audio.delta",
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
]
"""The events of a turn in order, each delta once, transcription left out."""


@cache
def steps(seed: int) -> tuple[Step, ...]:
    return tuple(session(Random(seed), STARTED_AT))


def events(seed: int, kind: str = "") -> list[Event]:
    return [step.event for step in steps(seed) if kind in ("", step.event["type"])]


def timed(seed: int) -> list[tuple[float, Event]]:
    now, found = 0.0, []
    for step in steps(seed):
        now = round(now + step.after_seconds, 3)
        found.append((now, step.event))
    return found


def responses(seed: int, status: str = "") -> list[dict[str, Any]]:
    ended = [event["response"] for event in events(seed, "response.done")]
    return [response for response in ended if status in ("", response["status"])]


def of_response(seed: int, response_id: str) -> list[Event]:
    return [
        event for event in events(seed) if event.get("response_id", event.get("response", {}).get("id")) == response_id
    ]


def kinds_once(stream: list[Event]) -> list[str]:
    """Return the types in order, each delta once and transcription left out."""
    order: list[str] = []
    for event in stream:
        kind = event["type"]
        if not kind.startswith(TRANSCRIPTION) and not (kind.endswith(".delta") and kind in order):
            order.append(kind)
    return order


# The same seed gives the same session.


def test_a_session_is_a_function_of_its_seed_and_its_start() -> None:
    again = tuple(session(Random(1), STARTED_AT))
    later = tuple(session(Random(1), STARTED_AT + 100))

    assert again == steps(1)
    assert steps(2) != steps(1)
    assert later != steps(1)
    assert [step.after_seconds for step in later] == [step.after_seconds for step in again]


def test_a_session_draws_from_its_own_random_numbers() -> None:
    rng = Random(5)
    frames = session(rng, STARTED_AT)
    first = next(frames).event
    Random(6).random()

    assert [first, *(step.event for step in frames)] == events(5)


# What happens.


@pytest.mark.parametrize("seed", SEEDS)
def test_every_kind_of_turn_happens_within_the_first_16_seconds(seed: int) -> None:
    early = [event for at, event in timed(seed) if at <= 16.0]
    kinds = {event["type"] for event in early}
    outcomes = {event["response"]["status"] for event in early if event["type"] == "response.done"}
    items = {event["item"]["type"] for event in early if event["type"] == "conversation.item.done"}

    assert outcomes == {"completed", "cancelled", "incomplete", "failed"}
    assert items == {"message", "function_call", "function_call_output"}
    assert kinds >= {
        "session.created",
        "session.updated",
        f"{TRANSCRIPTION}.delta",
        f"{TRANSCRIPTION}.completed",
        "conversation.item.truncated",
        "rate_limits.updated",
        "session.presence.updated",
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_a_session_takes_18_to_25_seconds(seed: int) -> None:
    assert 18.0 <= sum(step.after_seconds for step in steps(seed)) <= 25.0


def test_sessions_differ_in_model_limit_transcription_outcome_and_order() -> None:
    configured = [events(seed, "session.updated")[0]["session"] for seed in SEEDS]
    details = [response["status_details"] for seed in SEEDS for response in responses(seed)]
    transcribed = [event["usage"]["type"] for seed in SEEDS for event in events(seed, f"{TRANSCRIPTION}.completed")]
    orders = {tuple(response["status"] for response in responses(seed))[:5] for seed in SEEDS}

    assert {session["model"] for session in configured} == {"gpt-realtime", "gpt-realtime-2.1"}
    assert {type(session["max_output_tokens"]) for session in configured} == {int, str}
    assert len({session["instructions"] for session in configured}) == 3
    assert set(transcribed) == {"tokens", "duration"}
    assert {each.get("reason") for each in details if each} == {
        "turn_detected",
        "max_output_tokens",
        "content_filter",
        None,
    }
    assert {each["error"]["code"] for each in details if each and "error" in each} == {
        None,
        "rate_limit_exceeded",
    }
    assert len(orders) > 5


def test_the_session_is_created_then_configured() -> None:
    created, updated = events(1)[:2]

    assert (created["type"], updated["type"]) == ("session.created", "session.updated")
    assert created["session"]["expires_at"] == STARTED_AT + 3600
    assert created["session"]["id"] == updated["session"]["id"]
    assert created["session"]["tools"] == []
    assert updated["session"]["tools"][0]["type"] == "function"
    assert updated["session"]["audio"]["input"]["turn_detection"]["type"] == "server_vad"


@pytest.mark.parametrize("seed", SEEDS)
def test_ids_are_unique_and_frames_are_small(seed: int) -> None:
    ids = [event["event_id"] for event in events(seed)]

    assert len(set(ids)) == len(ids)
    assert all(len(event_id) == len("event_") + 21 for event_id in ids)
    assert max(len(msgspec.json.encode(event)) for event in events(seed)) < 64 * 1024


# The order of a turn.


@pytest.mark.parametrize("seed", SEEDS)
def test_the_last_turn_of_a_session_is_answered_in_order(seed: int) -> None:
    stream = events(seed)
    begins = max(n for n, event in enumerate(stream) if event["type"] == "input_audio_buffer.speech_started")
    turn = [kind for kind in kinds_once(stream[begins:]) if kind != "rate_limits.updated"]

    assert turn == ANSWERED_TURN


def test_a_recorded_turn_has_the_same_order() -> None:
    stream = recorded("rt-openai-ga__pydantic-openai_ws__test_audio_in_server_vad_turn.jsonl")

    assert kinds_once(stream)[2:] == ANSWERED_TURN


@pytest.mark.parametrize("seed", SEEDS)
def test_every_item_follows_the_one_before_it(seed: int) -> None:
    added = events(seed, "conversation.item.added")
    committed = {event["item_id"]: event["previous_item_id"] for event in events(seed, "input_audio_buffer.committed")}

    assert [event["previous_item_id"] for event in added] == [
        None,
        *(before["item"]["id"] for before in added[:-1]),
    ]
    assert all(
        event["previous_item_id"] == committed.get(event["item"]["id"], event["previous_item_id"]) for event in added
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_deltas_add_up_to_the_ended_item(seed: int) -> None:
    for response in responses(seed):
        of_it = of_response(seed, response["id"])
        for item in response["output"]:
            mine = [event for event in of_it if event.get("item_id") == item["id"]]
            said = "".join(event["delta"] for event in mine if event["type"].endswith(("script.delta", "ments.delta")))
            text = item["arguments"] if item["type"] == "function_call" else item["content"][0]["transcript"]

            assert said == text


@pytest.mark.parametrize("seed", SEEDS)
def test_a_function_call_is_answered_with_its_output(seed: int) -> None:
    call = next(item for response in responses(seed) for item in response["output"] if item["type"] == "function_call")
    stream = [event for event in events(seed) if not event["type"].endswith(".delta")]
    done = next(n for n, event in enumerate(stream) if call in event.get("response", {}).get("output", []))
    after = [event for event in stream[done + 1 :] if event["type"].startswith(("conversation.item.a", "response."))]

    assert isinstance(json.loads(call["arguments"]), dict)
    assert after[0]["item"]["type"] == "function_call_output"
    assert after[0]["item"]["call_id"] == call["call_id"]
    assert after[1]["type"] == "response.created"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_caller_who_interrupts_cancels_the_answer_and_truncates_it_to_what_was_heard(seed: int) -> None:
    (cancelled,) = responses(seed, "cancelled")
    (truncated,) = events(seed, "conversation.item.truncated")
    of_it = of_response(seed, cancelled["id"])
    first, *_, last = [n for n, event in enumerate(events(seed)) if event in of_it]
    sent_ms = sum(audio_ms(event) for event in of_it)

    assert cancelled["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    assert cancelled["output"][0]["status"] == "incomplete"
    assert cancelled["usage"]["output_tokens"] > 0
    assert "input_audio_buffer.speech_started" in [event["type"] for event in events(seed)[first:last]]
    assert truncated["item_id"] == cancelled["output"][0]["id"]
    assert 0 < truncated["audio_end_ms"] < sent_ms
    assert events(seed).index(truncated) > last


@pytest.mark.parametrize("seed", SEEDS)
def test_a_failed_response_has_no_output_and_no_tokens(seed: int) -> None:
    (failed,) = responses(seed, "failed")

    assert failed["output"] == []
    assert failed["usage"]["total_tokens"] == 0
    assert failed["status_details"]["type"] == "failed"
    assert responses(seed)[0]["status"] != "failed"


@pytest.mark.parametrize("seed", SEEDS)
def test_an_incomplete_response_stops_exactly_at_its_limit(seed: int) -> None:
    (incomplete,) = responses(seed, "incomplete")
    limit = incomplete["max_output_tokens"]
    reason = incomplete["status_details"]["reason"]

    assert reason == ("content_filter" if limit == "inf" else "max_output_tokens")
    if limit != "inf":
        assert incomplete["usage"]["output_tokens"] == limit
        assert max(response["usage"]["output_tokens"] for response in responses(seed)) == limit


@pytest.mark.parametrize("seed", SEEDS)
def test_rate_limits_of_tokens_follow_a_response(seed: int) -> None:
    for before, event in pairwise(events(seed)):
        if event["type"] == "rate_limits.updated":
            (limit,) = event["rate_limits"]
            used = limit["limit"] - limit["remaining"]

            assert before["type"] == "response.done" or before["type"].startswith(TRANSCRIPTION)
            assert limit["name"] == "tokens"
            assert used >= 0
            assert limit["reset_seconds"] == round(used * 60 / limit["limit"], 3)


# Times.


def audio_ms(event: Event) -> int:
    """Return the length of an audio delta in milliseconds: 16 bit mono PCM at 24 kHz."""
    if event["type"] != "response.output_audio.delta":
        return 0
    samples, odd = divmod(len(base64.b64decode(event["delta"], validate=True)), 2)
    assert not odd
    return samples // 24


@pytest.mark.parametrize("seed", SEEDS)
def test_callers_speak_for_about_a_second(seed: int) -> None:
    spoken = [(at, event) for at, event in timed(seed) if event["type"].startswith("input_audio_buffer.speech_")]
    for (started_at, started), (stopped_at, stopped) in zip(spoken[::2], spoken[1::2], strict=True):
        assert started["item_id"] == stopped["item_id"]
        assert 0.69 < stopped_at - started_at < 1.51
        assert 0 <= started["audio_start_ms"] < stopped["audio_end_ms"]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_model_answers_within_a_second(seed: int) -> None:
    stopped_at = None
    for at, event in timed(seed):
        if event["type"] == "input_audio_buffer.speech_stopped":
            stopped_at = at
        elif event["type"] in ("response.output_audio.delta", "response.function_call_arguments.delta"):
            assert stopped_at is None or 0.35 <= at - stopped_at < 0.9
            stopped_at = None
        elif event["type"] == "response.done":
            stopped_at = None


@pytest.mark.parametrize("seed", SEEDS)
def test_audio_arrives_faster_than_it_is_played(seed: int) -> None:
    for response in responses(seed, "completed"):
        mine = of_response(seed, response["id"])
        deltas = [(at, audio_ms(event)) for at, event in timed(seed) if event in mine and audio_ms(event)]
        if len(deltas) > 2:
            took_ms = (deltas[-1][0] - deltas[0][0]) * 1000
            assert took_ms < sum(length for _, length in deltas) / 2


# Usage.


@pytest.mark.parametrize("seed", SEEDS)
def test_usage_adds_up(seed: int) -> None:
    for usage in (response["usage"] for response in responses(seed)):
        read, written = usage["input_token_details"], usage["output_token_details"]
        cached = read["cached_tokens_details"]

        assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
        assert usage["input_tokens"] == read["text_tokens"] + read["audio_tokens"] + read["image_tokens"]
        assert usage["output_tokens"] == written["text_tokens"] + written["audio_tokens"]
        assert read["cached_tokens"] == sum(cached.values())
        assert all(0 <= cached[modality] <= read[modality] for modality in cached)


@pytest.mark.parametrize("seed", SEEDS)
def test_input_grows_and_later_turns_read_from_the_cache(seed: int) -> None:
    charged = [response["usage"] for response in responses(seed) if response["status"] != "failed"]
    read = [usage["input_tokens"] for usage in charged]
    cached = [usage["input_token_details"]["cached_tokens"] for usage in charged]

    assert read == sorted(set(read))
    assert cached[0] == 0
    assert cached[1:] == sorted(cached[1:])
    assert cached[-1] > 0


@pytest.mark.parametrize("seed", SEEDS)
def test_spoken_audio_is_charged_by_its_length(seed: int) -> None:
    for response in responses(seed):
        sent_ms = sum(audio_ms(event) for event in of_response(seed, response["id"]))

        assert response["usage"]["output_token_details"]["audio_tokens"] == sent_ms // 50


@pytest.mark.parametrize("seed", SEEDS)
def test_transcription_is_charged_by_tokens_or_by_duration(seed: int) -> None:
    for usage in (event["usage"] for event in events(seed, f"{TRANSCRIPTION}.completed")):
        if usage["type"] == "duration":
            assert usage["seconds"] >= 1
        else:
            assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
            assert usage["input_tokens"] == sum(usage["input_token_details"].values())


# Shape.


def test_frames_have_the_members_and_the_order_of_recorded_ones() -> None:
    real = shapes((event["type"], event) for event in recorded("rt-openai-ga__*.jsonl"))
    documented = shapes((event["type"], event) for event in recorded("docs__realtime_ga_server.jsonl"))
    ours = shapes((event["type"], event) for seed in SEEDS for event in events(seed))

    unlike = {path: members - real[path] for path, members in ours.items() if members - real[path]}
    named = {path: {tuple(sorted(one)) for one in documented[path]} for path in unlike}
    invented = {
        path: members for path, members in unlike.items() if {tuple(sorted(one)) for one in members} - named[path]
    }

    # No recording has these: an unknown type, and the reason why a response did not complete.
    assert set(invented) == {
        ("session.presence.updated",),
        ("session.presence.updated", "presence"),
        ("response.done", "response", "status_details:cancelled"),
        ("response.done", "response", "status_details:incomplete"),
        ("response.done", "response", "status_details:failed"),
        ("response.done", "response", "status_details:failed", "error:server_error"),
        ("response.done", "response", "status_details:failed", "error:invalid_request_error"),
    }
    # Only the documentation has these.
    assert set(unlike) - set(invented) == {
        ("conversation.item.truncated",),
        (f"{TRANSCRIPTION}.completed", "usage:tokens"),
        (f"{TRANSCRIPTION}.completed", "usage:tokens", "input_token_details"),
    }
