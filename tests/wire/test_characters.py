"""What is no UTF-8 is found in a frame of any length, and halves of characters are replaced in place."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.limits import HALF_CHARACTERS
from steno.wire.characters import _CHUNK_BYTES, is_utf8, replace_lone_surrogates


@pytest.mark.parametrize("offset", range(-4, 1))
def test_a_character_may_stand_where_two_chunks_meet(offset: int) -> None:
    """Long frames are decoded in chunks."""
    payload = b"a" * (_CHUNK_BYTES + offset) + "\U0001f600".encode() + b"a"
    assert [is_utf8(payload), is_utf8(payload[:-3]), is_utf8(payload + b"\xff")] == [True, False, False]


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (rb'"\ud83d"', rb'"\ufffd"'),
        (rb'"\uDE00 \ud83d"', rb'"\ufffd \ufffd"'),
        (rb'"\ud83d\ude00\ud83d"', rb'"\ud83d\ude00\ufffd"'),
        (rb'"\ud83d\ud83d\ude00"', rb'"\ufffd\ud83d\ude00"'),
        (rb'"\\ud83d\ude00"', rb'"\\ud83d\ufffd"'),
        (rb'"\\\ud83d"', rb'"\\\ufffd"'),
        (rb'"\\ud83d"', rb'"\\ud83d"'),
        (rb'"ud83d\ud83d"', rb'"ud83d\ufffd"'),
        (rb'"\ud83d\\ude00"', rb'"\ufffd\\ude00"'),
        (b'"' + rb"\\" * 3_000 + rb'\ud83d"', b'"' + rb"\\" * 3_000 + rb'\ufffd"'),
        (b'"' + rb"\ud83d\ude00" * 120 + rb'\ud83d"', b'"' + rb"\ud83d\ude00" * 120 + rb'\ufffd"'),
    ],
    ids=lambda text: repr(text[:30]),
)
def test_half_a_character_is_replaced_in_as_many_bytes(payload: bytes, expected: bytes) -> None:
    assert replace_lone_surrogates(payload) == expected


def test_what_needs_no_repair_is_the_same_object() -> None:
    """So that a caller sees that nothing was replaced."""
    for payload in (b'"a"', rb'"\n"', rb'"\ud83d\ude00"', rb'"\\ud83d"'):
        assert replace_lone_surrogates(payload) is payload


def test_too_many_halves_are_none() -> None:
    """Each takes a step of its own."""
    assert replace_lone_surrogates(rb"\ud83d" * (HALF_CHARACTERS - 1)) == rb"\ufffd" * (HALF_CHARACTERS - 1)
    assert replace_lone_surrogates(rb"\ud83d" * HALF_CHARACTERS) is None


@given(st.text(alphabet=st.sampled_from('\\u\ud83d\ude00ad"0'), max_size=30))
def test_any_text_is_repaired_as_a_codec_would(text: str) -> None:
    """The codec of UTF-16 replaces the same halves."""
    payload = json.dumps(text).encode()
    repaired = replace_lone_surrogates(payload)
    assert repaired is not None
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    assert json.loads(repaired) == re.sub("[\ud800-\udfff]", "\ufffd", whole)
