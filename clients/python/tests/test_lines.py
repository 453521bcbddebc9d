import base64
import json
import random

from steno_tap.lines import close_line, frame_line, gap_line

AT = 1_790_000_000_123_456_789
WHEN = "2026-09-21T14:13:20.123456Z"


def test_any_payload_comes_back_and_none_passes_for_a_member() -> None:
    hostile = ['{"a":1},"dir":"sent"', '","dir":"close"', "\\", '"', "\u2028\x00\x7f", "", "Zoë 🙂", '{"type":"x"}\n']
    generator = random.Random(3)
    hostile += [generator.randbytes(generator.randrange(40)).decode("latin-1") for _ in range(500)]
    hostile += [payload + "A" * 2000 + payload for payload in hostile]
    for payload in hostile:
        for form in (payload, payload.encode()):
            line = json.loads(frame_line(AT, "received", form))
            assert line == {"dir": "received", "at": WHEN, "text": payload}


def test_bytes_that_are_no_text_come_back() -> None:
    line = json.loads(frame_line(AT, "sent", b"\xff\xfe"))

    assert line == {"dir": "sent", "at": WHEN, "base64": base64.b64encode(b"\xff\xfe").decode()}


def test_half_a_character_is_no_reason_to_fail() -> None:
    assert json.loads(frame_line(AT, "sent", "a\ud800b"))["text"] == "a?b"


def test_gaps_and_closes() -> None:
    assert json.loads(gap_line(AT, 3, 120, "queue_full")) == {
        "dir": "gap",
        "at": WHEN,
        "frames": 3,
        "bytes": 120,
        "reason": "queue_full",
    }
    assert json.loads(close_line(AT, None, 'over "there"')) == {
        "dir": "close",
        "at": WHEN,
        "code": None,
        "reason": 'over "there"',
    }
