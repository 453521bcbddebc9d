"""Structure is what stands outside of strings, however they are written, and it is counted the same way everywhere."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.limits import NESTING_DEPTH, STRUCTURE_ELEMENTS
from steno.wire import structure
from steno.wire.structure import refused, too_deep
from tests.core import helpers

MANY = STRUCTURE_ELEMENTS + 1
TEXTS = [
    b"," * MANY,
    b"[]," * MANY,
    rb"\"," * MANY,
    rb"\\," * MANY,
    rb"\n\"," * MANY,
    b"," * MANY + rb"\\\"",
    "é,".encode() * MANY,
]
"""Texts with more commas than a frame may have."""


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: repr(text[:12]))
@pytest.mark.parametrize("few", [0, structure._FEW_QUOTES], ids=["few quotes are counted too", "few quotes are not"])
def test_a_text_is_no_structure(text: bytes, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tool's output of a million commas is one string, whichever way the strings are found."""
    monkeypatch.setattr(structure, "_FEW_QUOTES", few)
    assert refused(b'{"type":"x","new":"' + text + b'"}') is None


@pytest.mark.parametrize(
    "payload",
    [
        b"[" + b"1," * MANY + b"1]",
        b"[" + b"[]," * (MANY // 2) + b"1]",
        b"[" + b'"[",' * MANY + b"1]",
        b"{" + rb'"\"":"\\",' * MANY + b'"a":1}',
        b'{"a":"' + b"x" * 100 + b'","b":[' + b"{}," * (MANY // 2) + b"1]}",
    ],
    ids=lambda payload: repr(payload[:20]),
)
@pytest.mark.parametrize("few", [0, structure._FEW_QUOTES], ids=["few quotes are counted too", "few quotes are not"])
def test_structure_is_counted_whatever_it_consists_of(
    payload: bytes, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Elements, members, lists and objects count alike."""
    monkeypatch.setattr(structure, "_FEW_QUOTES", few)
    assert refused(payload) == "too_complex"


def test_structure_at_the_limit_is_let_through() -> None:
    """The limit is the last number that is accepted."""
    assert refused(b"[" + b"1," * (STRUCTURE_ELEMENTS - 1) + b"1]") is None
    assert refused(b"[" + b"1," * STRUCTURE_ELEMENTS + b"1]") == "too_complex"


def test_depth_is_found_in_a_long_payload_and_in_a_short_one() -> None:
    """Brackets in a text nest nothing."""
    deep = b'{"a":"' + b"[" * 500 + b'","b":' + b"[" * NESTING_DEPTH + b"]" * NESTING_DEPTH + b"}"
    assert [too_deep(deep), refused(deep)] == [True, "too_deep"]
    flat = deep.replace(b"[" * NESTING_DEPTH + b"]", b"[" * (NESTING_DEPTH - 1))
    assert [too_deep(flat), refused(flat)] == [False, None]


@given(helpers.JSON)
def test_what_stands_outside_of_strings_is_found_by_any_way(value: Any) -> None:
    """Both ways agree with a decoder that puts nothing into strings."""
    payload = json.dumps(value).encode()
    emptied = json.dumps(_without_text(value)).encode()
    marks = bytes(set(range(256)) - set(b",[]{}"))
    assert b"".join(structure._parts_outside(payload)).translate(None, marks) == emptied.translate(None, marks)


@given(st.text(alphabet='\\",[]{}nu', max_size=40), st.text(alphabet='\\",[]{}nu', max_size=40))
def test_both_ways_to_leave_strings_out_agree(one: str, other: str) -> None:
    """Escapes are the hard part: a backslash may be escaped itself."""
    payload = json.dumps([one, {other: one}, ["", other]]).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(structure, "_FEW_QUOTES", 0)
        quick = structure._outside_strings(payload, payload.translate(None, structure._NO_MARK))
    slow = b"".join(structure._parts_outside(payload))
    marks = bytes(set(range(256)) - set(b",[]{}"))
    assert quick is not None
    assert quick.translate(None, marks) == slow.translate(None, marks) == b"[,{},[,]]"


def _without_text(value: Any) -> Any:
    """Return `value` with its strings emptied; names of members become different empty-like ones."""
    if isinstance(value, dict):
        return {str(number): _without_text(member) for number, member in enumerate(value.values())}
    if isinstance(value, list):
        return [_without_text(element) for element in value]
    return "" if isinstance(value, str) else value
