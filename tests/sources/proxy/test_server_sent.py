"""Server-sent events come out the same, wherever the bytes were cut."""

import json
import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.core.families import FAMILIES
from steno.sources.proxy import server_sent
from steno.sources.proxy.server_sent import Event, EventStream, frame_of
from steno.wire.assistants import RunCompleted
from steno.wire.base import Malformed, Unknown
from steno.wire.fallback import Embedded

TEXT = (
    b'\xef\xbb\xbfevent: thread.run.queued\r\ndata: {"id": "run_5",\r\ndata:  "object": "thread.run"}\r\n\r\n'
    b": keep-alive\r\r"
    b"id: 7\rretry: 100\rdata:unnamed\r\r\n"
    b'event: thread.message.delta\ndata: {"id":"msg_\xc3\xa9"}\n\n'
    b"event: nothing\n\n"
    b"data\n\n"
    b"event: done\ndata: [DONE]\n\n"
)
EVENTS = [
    Event(b"thread.run.queued", b'{"id": "run_5",\n "object": "thread.run"}'),
    Event(b"", b"unnamed"),
    Event(b"thread.message.delta", b'{"id":"msg_\xc3\xa9"}'),
    Event(b"", b""),
    Event(b"done", b"[DONE]"),
]


def events_of(parts: list[bytes], most: int = 1 << 20) -> tuple[list[Event], int]:
    stream = EventStream(most)
    found = [event for part in parts for event in stream.feed(part)]
    return found + stream.end(), stream.too_long


def cut(text: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(place, len(text)) for place in places), len(text)]
    return [text[start:end] for start, end in pairwise(edges)]


@given(st.lists(st.integers(0, len(TEXT)), max_size=20))
def test_the_cuts_do_not_matter(places: list[int]) -> None:
    """Between CR and LF, in a character, in the byte order mark, or anywhere."""
    assert events_of(cut(TEXT, places)) == (EVENTS, 0)


def test_every_byte_by_itself() -> None:
    assert events_of([TEXT[i : i + 1] for i in range(len(TEXT))]) == (EVENTS, 0)


@pytest.mark.parametrize("text", [b"event: done\ndata: x\n", b"event: done\ndata: x", b"event: done\rdata: x\r"])
def test_the_last_event_needs_no_empty_line(text: bytes) -> None:
    """Upstream said it."""
    assert events_of([text]) == ([Event(b"done", b"x")], 0)


@given(st.lists(st.integers(0, 400), max_size=8))
def test_an_event_that_is_too_long_is_passed_over_and_counted(places: list[int]) -> None:
    """Those around it are read, and no more of it is held than is allowed."""
    text = b"data: a\n\n" + b"data: " + b"x" * 300 + b"\ndata: y\n\ndata: b\n\n"
    stream = EventStream(100)
    found, held = [], []
    for part in cut(text, places):
        found += stream.feed(part)
        held.append(stream.held)

    assert (found, stream.too_long, max(held) <= 100) == ([Event(b"", b"a"), Event(b"", b"b")], 1, True)


def test_a_line_without_end_takes_no_memory() -> None:
    stream = EventStream(1000)
    for _ in range(1000):
        stream.feed(b"data: " + b"x" * 1000)

    assert (stream.held, len(stream._line)) == (0, 1)


def test_comments_do_not_make_an_event_long() -> None:
    """Servers send them for hours to keep a connection."""
    assert events_of([b": still here\n"] * 100 + [b"data: a\n\n"], most=50) == ([Event(b"", b"a")], 0)


def test_an_event_of_very_many_lines_is_too_long() -> None:
    found, too_long = events_of([b"data:\n" * (server_sent.LINES_MAX + 5), b"\ndata: a\n\n"])

    assert (found, too_long) == ([Event(b"", b"a")], 1)


# As frames ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "frame"),
    [
        (Event(b"thread.created", b'{"id":"thread_1"}'), b'{"event":"thread.created","data":{"id":"thread_1"}}'),
        (Event(b"a.b", b'{"type":"a.b","x":1}'), b'{"type":"a.b","x":1}'),
        (Event(b"a.b", b'{"type":"a.bc"}'), b'{"event":"a.b","data":{"type":"a.bc"}}'),
        (Event(b"done", b"[DONE]"), b'{"event":"done","data":"[DONE]"}'),
        (Event(b"error", b'{"a":1},"event":"x"'), b'{"event":"error","data":"{\\"a\\":1},\\"event\\":\\"x\\""}'),
        (Event(b'a"b', b"1"), b'{"event":"a\\"b","data":"1"}'),
        (Event(b"\xff", b"{}"), '{"event":"�","data":{}}'.encode()),
        (Event(b"x", b"\xff"), b'{"event":"x","data":\xff}'),
        (Event(b"x", b'{"a":"\\ud800"}'), b'{"event":"x","data":"{\\"a\\":\\"\\\\ud800\\"}"}'),
        (Event(b"", b'{"type":"ping"}'), b'{"type":"ping"}'),
        (Event(b"", b" [DONE]"), None),
    ],
)
def test_the_frame_of_an_event(event: Event, frame: bytes | None) -> None:
    """Nothing in the data gets out of its member."""
    assert frame_of(event) == frame


@pytest.mark.parametrize(
    ("event", "decoded"),
    [
        (Event(b"thread.run.completed", b'{"id":"run_5","thread_id":"thread_5"}'), RunCompleted),
        (Event(b"agent.turn", b"{}"), Unknown),
        (Event(b"x", b"\xff"), Malformed),
        (Event(b"thread.run.completed", b'{"id":"run_5","x":"\\ud800"}'), RunCompleted),
    ],
)
def test_the_decoder_knows_the_frame(event: Event, decoded: type) -> None:
    frame = frame_of(event)
    assert frame
    found = FAMILIES.decoder.decode(frame)

    assert isinstance(found.event if isinstance(found, Embedded) else found, decoded)


@given(st.binary(max_size=60), st.binary(max_size=20))
def test_a_frame_is_one_object_with_these_members(data: bytes, name: bytes) -> None:
    """Whatever the bytes are, as long as they are UTF-8."""
    frame = frame_of(Event(b"n" + name, data))
    assert frame
    try:
        data.decode()
    except UnicodeDecodeError:
        return
    assert list(json.loads(frame)) == ["event", "data"]


def test_a_line_in_a_million_parts_takes_no_more_than_its_length() -> None:
    stream = EventStream(1_000_000)
    stream.feed(b"data: ")
    tracemalloc.start()
    for _ in range(100_000):
        assert stream.feed(b"x" * 2) == []
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert stream.held == 200_006
    assert taken < 400_000
    assert stream.feed(b"\n\n") == [Event(b"", b"x" * 200_000)]
