"""Frames in whatever parts they come: what passes are the same bytes, what is read along are the same messages."""

import tracemalloc
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from steno.sources.proxy.frames import Budget, CloseFrame, FrameReader, close_payload, control_frame

PLENTY = 1 << 30


def reader(
    *, masked: bool, longest_message: int = PLENTY, longest_read: int = PLENTY, budget: int = PLENTY
) -> FrameReader:
    return FrameReader(masked=masked, longest_message=longest_message, longest_read=longest_read, budget=Budget(budget))


messages = st.lists(
    st.tuples(
        st.sampled_from([Opcode.TEXT, Opcode.BINARY]),
        st.lists(st.binary(max_size=300), min_size=1, max_size=4),
        st.lists(st.tuples(st.sampled_from([Opcode.PING, Opcode.PONG]), st.binary(max_size=125)), max_size=2),
    ),
    max_size=6,
)


@given(messages, st.booleans(), st.lists(st.integers(0, 4000)), st.integers(0, 400))
def test_any_parts_give_the_same(
    said: list[tuple[Opcode, list[bytes], list[tuple[Opcode, bytes]]]], masked: bool, cuts: list[int], longest: int
) -> None:
    """The library writes the frames; control frames stand between the fragments."""
    wire, passing, pings = b"", b"", []
    for opcode, fragments, controls in said:
        for at, fragment in enumerate(fragments):
            kind = opcode if at == 0 else Opcode.CONT
            data = Frame(kind, fragment, fin=at == len(fragments) - 1).serialize(mask=masked)
            wire += data
            passing += data
            for control, payload in controls:
                wire += Frame(control, payload).serialize(mask=masked)
                if control is Opcode.PING:
                    pings.append(payload)
    frames = reader(masked=masked, longest_read=longest)
    edges = sorted({0, len(wire), *(min(cut, len(wire)) for cut in cuts)})
    passed = [frames.take(wire[start:end]) for start, end in pairwise(edges)]
    assert b"".join(part for each in passed for part in each.forward) == passing
    whole = [b"".join(fragments) for _, fragments, _ in said]
    assert [message for each in passed for message in each.messages] == [m for m in whole if len(m) <= longest]
    assert [why for each in passed for why in each.unfed] == ["frame_too_big" for m in whole if len(m) > longest]
    assert (passed[-1].pings if passed and pings and len(passed) == 1 else None) in (None, *pings)
    assert all(each.fault is None and each.close is None for each in passed)
    assert frames.left == 0
    assert frames._budget.held == 0


@given(st.binary(max_size=200), st.booleans())
def test_whatever_comes_nothing_raises(data: bytes, masked: bool) -> None:
    frames = reader(masked=masked, longest_message=1000)
    for at in range(0, len(data), 7):
        passed = frames.take(data[at : at + 7])
        if passed.fault or passed.close is not None:
            break
    frames.drop()
    assert frames._budget.held == 0


def test_a_message_that_is_too_long_is_refused_at_its_first_bytes() -> None:
    frames = reader(masked=False, longest_message=1000)
    passed = frames.take(b"\x82\x7e\x03\xe9")
    assert (passed.fault, passed.forward) == (1009, [])
    fragments = reader(masked=False, longest_message=1000)
    assert fragments.take(b"\x02\x7e\x03\xe8" + bytes(1000)).fault is None
    assert fragments.take(b"\x80\x01").fault == 1009
    assert reader(masked=False).take(b"\x82\x7f" + b"\xff" * 8).fault == 1009


def test_what_comes_before_a_fault_passes() -> None:
    good = Frame(Opcode.TEXT, b"good").serialize(mask=False)
    passed = reader(masked=False).take(good + b"\xf1\x00")
    assert (passed.forward, passed.messages, passed.fault) == ([good], [b"good"], 1002)


def test_what_is_held_is_given_back() -> None:
    budget = Budget(1000)
    one, two = (FrameReader(masked=False, longest_message=PLENTY, longest_read=PLENTY, budget=budget) for _ in range(2))
    head = b"\x82\x7e\x02\x58"
    one.take(head + bytes(500))
    assert budget.held == 500
    two.take(head + bytes(590))
    assert budget.held == 500
    assert two.take(bytes(10)).unfed == ["memory"]
    assert one.take(bytes(100)).messages == [bytes(600)]
    assert budget.held == 0
    assert two.take(head + bytes(600)).messages == [bytes(600)]


def test_control_frames() -> None:
    mask = b"abcd"
    assert control_frame(9, b"hi", None) == Frame(Opcode.PING, b"hi").serialize(mask=False)
    frames = reader(masked=True)
    assert frames.take(control_frame(9, b"hi", mask)).pings == b"hi"
    assert frames.take(control_frame(8, close_payload(4001, "é"), mask)).close == close_payload(4001, "é")
    assert CloseFrame.of(close_payload(4001, "é")) == CloseFrame(4001, "é")
    assert CloseFrame.of(b"") == CloseFrame(1005, "")
    assert CloseFrame.of(b"\x03") == CloseFrame(1005, "")


def test_a_message_of_very_many_pieces_takes_no_more_than_its_length() -> None:
    """Of a hostile sender: fragments of a byte, and frames that come byte by byte."""
    pieces = 100_000
    fragments = Frame(Opcode.BINARY, b"x", fin=False).serialize(mask=False) + b"\x00\x01x" * pieces
    trickled = Frame(Opcode.BINARY, bytes(pieces)).serialize(mask=False)
    tracemalloc.start()
    try:
        one = reader(masked=False)
        for at in range(0, len(fragments), 30):
            one.take(fragments[at : at + 30])
        two = reader(masked=False)
        for at in range(len(trickled) - 1):
            two.take(trickled[at : at + 1])
        assert one._budget.held == pieces + 1
        assert tracemalloc.get_traced_memory()[0] < 10 * pieces
    finally:
        tracemalloc.stop()
