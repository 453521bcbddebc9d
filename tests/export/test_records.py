"""What all forms ask of a record."""

from typing import Any

import pytest

from steno.export.records import Record, gen_ai, log_id_of, outcome, parse, severity


def record(fact: str, body: dict[str, Any], *, seq: int = 7, conversation: str | None = "desk/call-1") -> Record:
    return Record(seq, "2026-03-01T10:00:00.250000Z", fact, conversation, "desk/s/1", "event_1", body, "ab" * 32)


@pytest.mark.parametrize(
    ("fact", "body", "expected"),
    [
        ("response.finished", {"status": "completed"}, ("info", "success")),
        ("response.finished", {"status": "cancelled"}, ("info", "unknown")),
        ("response.finished", {"status": "incomplete"}, ("warning", "failure")),
        ("response.finished", {"status": "failed"}, ("error", "failure")),
        ("run.finished", {"status": "expired"}, ("error", "failure")),
        ("tool_call.finished", {"status": "abandoned"}, ("warning", "failure")),
        ("tools.listed", {"status": "failed"}, ("error", "failure")),
        ("session.finished", {"status": "closed"}, ("info", "success")),
        ("response.finished", {"status": "incomplete", "reason": "steered"}, ("info", "unknown")),
        ("delegation.finished", {"status": "answered"}, ("info", "success")),
        ("delegation.finished", {"status": "orphaned"}, ("warning", "failure")),
        ("steer.failed", {"code": "response_not_active"}, ("warning", None)),
        ("call.failed", {"code": "busy"}, ("warning", None)),
        ("stream.closed", {"gap": None}, ("info", None)),
        ("stream.closed", {"gap": "broken_off"}, ("warning", None)),
        ("log.opened", {"recovered_bytes": 12}, ("warning", None)),
        ("log.gap", {"reason": "shed"}, ("error", "failure")),
        ("upstream.erred", {"code": "rate_limit_exceeded"}, ("error", "failure")),
        ("events.missed", {"missing": 3}, ("warning", None)),
        ("a.fact_of_next_year", {}, ("info", None)),
    ],
)
def test_severity_and_outcome(fact: str, body: dict[str, Any], expected: tuple[str, str | None]) -> None:
    made = record(fact, body)

    assert (severity(made), outcome(made)) == expected


def test_the_attributes_of_a_response() -> None:
    """Its tokens are summed by direction; what upstream did not report is left out."""
    tokens = [
        {"model": "m", "direction": direction, "modality": modality, "cached": False, "tokens": number}
        for direction, modality, number in (("input", "text", 5), ("input", "audio", 7), ("output", "audio", 11))
    ]
    body = {"response_id": "resp_1", "model": "m", "status": "completed", "reason": None, "tokens": tokens}

    assert dict(gen_ai(record("response.finished", body))) == {
        "gen_ai.conversation.id": "desk/call-1",
        "gen_ai.response.model": "m",
        "gen_ai.response.id": "resp_1",
        "gen_ai.response.finish_reasons": ["completed"],
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 11,
    }
    assert dict(gen_ai(record("response.finished", {**body, "tokens": [], "model": None}, conversation=None))) == {
        "gen_ai.response.id": "resp_1",
        "gen_ai.response.finish_reasons": ["completed"],
    }


def test_the_attributes_of_a_tool_call() -> None:
    body = {"call_id": "call_1", "kind": "function", "name": "find_room", "status": "completed"}

    assert dict(gen_ai(record("tool_call.finished", body))) == {
        "gen_ai.conversation.id": "desk/call-1",
        "gen_ai.tool.call.id": "call_1",
        "gen_ai.tool.name": "find_room",
        "gen_ai.tool.type": "function",
    }


def test_which_log_it_is() -> None:
    """The first record names it by its hash, later segments repeat that, and other records leave it as it is."""
    first, later = record("log.opened", {}, seq=1), record("log.opened", {"log_id": "cd" * 32})

    assert log_id_of(first, None) == "ab" * 32
    assert log_id_of(later, None) == "cd" * 32
    assert log_id_of(record("log.opened", {"log_id": None}), "known") == "known"
    assert log_id_of(record("stream.opened", {"log_id": "x"}), None) is None


def test_what_a_record_is_about() -> None:
    assert record("x.y", {}).source == "desk"
    assert record("x.y", {}, conversation=None).subject == "desk/s/1"


@pytest.mark.parametrize("line", [b"", b"{}\n", b"[" * 100_000, b'{"seq":"1"}', b"\xff"])
def test_a_line_that_is_no_record(line: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # whatever it says: who reads the file says where it stands
        parse(line)
