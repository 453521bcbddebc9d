"""A frame as a line of a recording is read back as it was, except for its secrets."""

import io
import os
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.core.facts import MISSING
from steno.core.families import FAMILIES
from steno.core.frame import Frame
from steno.sources.recording import (
    Close,
    Gap,
    Missed,
    close_line,
    conversation_of,
    frame_line,
    frames_in,
    gap_line,
    is_reply,
    parse,
    quick,
    read_lines,
)
from steno.wire import Embedded, Malformed
from tests.vocabulary import decode
from tests.wire.test_texts import as_lines, as_text, with_text

AT = 1_767_225_600_123_456

PAYLOADS = [
    b'{"type":"ping","n":1.10}',
    b'{"type":"x","text":"two\\nlines"}',
    '{"type":"x","text":"grüße"}'.encode(),
    b"not json at all",
    b"",
    b"[" * 5_000,
    b"\xff\xfe{",
    b'{"dir":"received","data":{}}',
    b'"just a string"',
    b"event: thread.run.queued\r\ndata: {}\n\n",
]


@pytest.mark.parametrize("sent", [False, True])
@pytest.mark.parametrize("payload", PAYLOADS)
def test_frame_comes_back(payload: bytes, sent: bool) -> None:
    """Bytes, direction and time are read back as they were."""
    frame = Frame(payload, AT, sent)

    line = frame_line(frame)

    assert parse(line.removesuffix(b"\n")) == frame
    assert line.count(b"\n") == 1


@given(st.binary(max_size=200))
def test_any_payload_decodes_to_the_same_after_a_recording(payload: bytes) -> None:
    """Whatever a frame held, its recording decodes to the same."""
    back = parse(frame_line(Frame(payload, AT)).removesuffix(b"\n"))

    assert isinstance(back, Frame)
    assert decode(back.payload) == decode(payload)


@pytest.mark.parametrize("reason", sorted(MISSING))
def test_missing_frames_come_back(reason: str) -> None:
    missed = Missed(AT, 7, 700, reason)

    assert parse(gap_line(missed).removesuffix(b"\n")) == missed


@pytest.mark.parametrize(
    ("line", "missed"),
    [
        (b'{"dir":"gap","frames":1}', Missed(None, 1, 0, "other")),
        (b'{"dir":"gap","at":"soon","frames":1,"bytes":2,"reason":"the cat"}', Missed(None, 1, 2, "other")),
        (b'{"dir":"gap","frames":9007199254740992,"reason":"queue_full"}', Missed(None, 2**53, 0, "queue_full")),
    ],
)
def test_a_gap_has_a_reason_of_a_closed_list(line: bytes, missed: Missed) -> None:
    assert parse(line) == missed


@pytest.mark.parametrize("number", ["0", "-1", "9007199254740993", '"1"', '1,"bytes":-1', "1.5", "true", "null"])
def test_a_gap_of_no_number_is_a_frame_that_is_malformed(number: str) -> None:
    line = f'{{"dir":"gap","frames":{number}}}'.encode()

    assert parse(line) == Frame(line, None)


@pytest.mark.parametrize("gap", [None, "blocked", "broken_off"])
def test_end_of_a_connection_comes_back(gap: Gap | None) -> None:
    """Its code, its reason, who closed it, and why events may be missing."""
    close = Close(AT, 1011, "too slow", local=gap is None, gap=gap)

    assert parse(close_line(close).removesuffix(b"\n")) == close


def test_gap_that_is_not_in_the_list_is_none() -> None:
    """The gap becomes a label, so that the list is closed."""
    assert parse(b'{"dir":"close","code":1006,"gap":"because"}') == Close(None, 1006, "")


def test_pretty_printed_frame_is_one_line() -> None:
    """A frame with line breaks between its members becomes one line with the same members."""
    payload = msgspec.json.format(b'{"type":"x","list":[1,2]}', indent=2)

    line = frame_line(Frame(payload, None))

    assert line == b'{"dir":"received","data":{"type":"x","list":[1,2]}}\n'


def test_secrets_are_masked() -> None:
    """No line of a recording holds a secret, neither in a member of that name nor in the form of a key."""
    frames = [
        b'{"type":"session.created","session":{"client_secret":{"value":"ek_1234567890abcdef"}}}',
        b"Bearer abcdefghijklmnop is no JSON",
        b"\xffBearer abcdefghijklmnop is not UTF-8",
    ]

    lines = b"".join(frame_line(Frame(payload, None)) for payload in frames)

    assert b"ek_1234567890abcdef" not in lines
    assert b"abcdefghijklmnop" not in lines
    assert parse(lines.splitlines()[-1]) == Frame(b"\xffBearer *** is not UTF-8", None)


@pytest.mark.parametrize("form", [as_text, as_lines, with_text])
def test_secrets_are_masked_in_events_that_come_as_text(form: Callable[[dict[str, Any]], bytes]) -> None:
    """The event is the same in a replay, all that follows the secret too."""
    run = {"id": "run_1", "tools": [{"headers": {"x": "canary"}}], "metadata": {"api_key": "canary"}, "model": "m"}
    payload = form({"event": "thread.run.queued", "data": {**run, "thread_id": "thread_1"}})

    line = frame_line(Frame(payload, AT))
    came, again = decode(payload), decode(parse(line).payload)  # type: ignore[union-attr]  # it is a frame

    assert b"canary" not in line
    assert isinstance(came, Embedded)
    assert isinstance(again, Embedded)
    assert again.event.data.thread_id == "thread_1"  # type: ignore[union-attr]  # it is a run
    assert again.event.data.model == "m"  # type: ignore[union-attr]  # likewise


@pytest.mark.parametrize(
    "close",
    [
        Close(AT, 1000, ""),
        Close(AT, None, ""),
        Close(None, 1001, "the session hit the maximum duration"),
        Close(AT, 1001, "", local=True),
    ],
)
def test_close_comes_back(close: Close) -> None:
    """How a connection ended is read back as it was."""
    assert parse(close_line(close).removesuffix(b"\n")) == close


@pytest.mark.parametrize(
    "line",
    [
        b'{"type":"ping"}',
        b'{"event":"done","data":"[DONE]"}',
        b'{"dir":"sideways","data":{}}',
        b'{"dir":"received"}',
        b'{"dir":"received","base64":"?"}',
        b'{"type":"x","dir":"received"}',
        b'{"nested":{"dir":"received"}}',
    ],
)
def test_line_in_another_form_is_itself_a_frame(line: bytes) -> None:
    """A line that is not in the form of a recording is taken for a frame."""
    assert parse(line) == Frame(line, None)


def test_order_of_members_does_not_matter() -> None:
    """Other tools write the members in another order."""
    line = b'{"data":{"type":"ping"},"at":"2026-01-01T00:00:00.123456Z","dir":"sent"}'

    assert parse(line) == Frame(b'{"type":"ping"}', AT, sent=True)


@pytest.mark.parametrize("at", ['"yesterday"', "17", "null"])
def test_time_that_cannot_be_read_is_none(at: str) -> None:
    """The frame, or the line, has no time then."""
    item = parse(b'{"dir":"received","at":%b,"data":{"type":"ping"}}' % at.encode())

    assert item.at is None


def test_malformed_frame_is_malformed_for_the_same_reason_in_replay() -> None:
    """A frame that was not JSON is not JSON when it is replayed."""
    back = parse(frame_line(Frame(b"{oops", None)).removesuffix(b"\n"))

    assert isinstance(back, Frame)
    assert decode(back.payload) == Malformed(reason="not_json")


def test_first_line_names_the_conversation() -> None:
    """A call keeps its name in a recording."""
    line = frame_line(Frame(b'{"type":"ping"}', None), "rtc_1").removesuffix(b"\n")

    assert line == b'{"dir":"received","conversation":"rtc_1","data":{"type":"ping"}}'
    assert conversation_of(line) == "rtc_1"
    assert parse(line) == Frame(b'{"type":"ping"}', None)


def test_first_line_says_that_a_stream_is_a_reply() -> None:
    """Another one may go on where it ends."""
    line = frame_line(Frame(b'{"type":"ping"}', None), "rtc_1", reply=True).removesuffix(b"\n")

    assert line == b'{"dir":"received","conversation":"rtc_1","reply":true,"data":{"type":"ping"}}'
    assert (is_reply(line), conversation_of(line)) == (True, "rtc_1")
    assert parse(line) == Frame(b'{"type":"ping"}', None)


@pytest.mark.parametrize(
    "line",
    [b'{"type":"x","reply":true}', b'{"dir":"received","data":{"reply":true}}', b'{"dir":1,"reply":true}', b"\xff"],
)
def test_other_lines_are_of_no_reply(line: bytes) -> None:
    """Those of connections, and events that have such a member."""
    assert not is_reply(line)


@pytest.mark.parametrize(
    "line",
    [b'{"type":"x","conversation":"y"}', b'{"dir":"received","data":{}}', b'{"dir":1,"conversation":"y"}', b"\xff"],
)
def test_other_lines_name_no_conversation(line: bytes) -> None:
    """A line that records no name, or an event that has such a member, gives none."""
    assert conversation_of(line) is None


class CountingFile(io.BytesIO):
    """A file that knows the longest piece that was asked of it."""

    longest = 0

    def read1(self, size: int | None = -1) -> bytes:
        assert size is not None
        self.longest = max(self.longest, size)
        return super().read1(size)


TOO_LONG = b'{"dir":"close","code":1009,"reason":"","gap":"frame_too_big"}\n'


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"abc\n", [b"abc\n"]),
        (b"abcd\nabcd", [b"abcd\n", b"abcd"]),
        (b"abcde\nabc\n", [TOO_LONG, b"abc\n"]),
        (b"abc\nabcde", [b"abc\n", TOO_LONG]),
        (b"x" * 3_000 + b"\nabc\n" + b"y" * 3_000, [TOO_LONG, b"abc\n", TOO_LONG]),
        (b"\n\n", [b"\n", b"\n"]),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_line_that_is_too_long_is_the_end_of_its_connection(content: bytes, lines: list[bytes]) -> None:
    """As a frame that is too big is. No more is read at a time than a line may have."""
    file = CountingFile(content)

    assert [line for block in read_lines(file, 4) for line in block] == lines
    assert 0 < file.longest <= 4
    assert parse(TOO_LONG.rstrip()) == Close(None, 1009, "", gap="frame_too_big")


def test_a_line_of_a_pipe_is_read_while_its_writer_goes_on() -> None:
    """As `steno replay -` behind a program that says a line now and then."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe, os.fdopen(writing, "wb", buffering=0) as writer:
        lines = read_lines(pipe)
        writer.write(b"one\ntwo\nthr")
        assert next(lines) == [b"one\n", b"two\n"]
        writer.write(b"ee\n")
        assert next(lines) == [b"three\n"]


@given(st.lists(st.binary(max_size=30)), st.integers(min_value=1, max_value=40))
def test_lines_are_those_of_the_file_wherever_it_is_cut(parts: list[bytes], longest: int) -> None:
    """Whatever is read at a time, a line comes whole, with its newline, or not at all."""
    content = b"\n".join(parts)

    read = [line for block in read_lines(io.BytesIO(content), longest) for line in block]

    whole = io.BytesIO(content).readlines()
    assert read == [line if len(line.rstrip(b"\n")) <= longest else TOO_LONG for line in whole]


def test_what_is_quick_reads_the_same() -> None:
    """A line in the usual form is cut. Its frame is that of `parse`, and other lines are left to that."""
    payload = b'{"type":"x","n":{}}'
    usual = [frame_line(Frame(payload, at, sent)) for at in (0, -1, AT) for sent in (False, True)]
    assert [quick(line) for line in usual] == [parse(line.rstrip()) for line in usual]
    assert quick(payload + b"\n") == Frame(payload, None)

    for line in (
        frame_line(Frame(payload, AT), "rtc_1"),
        frame_line(Frame(payload, None)),
        frame_line(Frame(b"\xff", AT)),
        frame_line(Frame(b"[]", AT)),
        usual[0].rstrip(),
        usual[0].replace(b"Z", b"+00:00"),
        usual[0].replace(b"000000Z", b"0000_0Z"),
        usual[0].replace(b"-01T", b"-32T"),
        usual[0].replace(b"}}\n", b"} }\n"),
        usual[0].replace(b"}}\n", b"}} \n"),
        usual[0].replace(b":{", b": {"),
        close_line(Close(AT, 1000, "")),
        b"\n",
    ):
        assert quick(line) is None, line


def test_frames_are_cut_up_to_a_line_that_is_to_be_parsed() -> None:
    """Of whichever second they are, and in either direction; that line is told apart, and the next ones are left."""
    frames = [
        Frame(b'{"n":%d}' % (at % 97), at, sent) for at in (0, 999_999, 1_000_000, AT, 5) for sent in (False, True)
    ]
    bare, close, after = b'{"type":"x"}\n', close_line(Close(AT, 1000, "")), frame_line(frames[0])
    rest = iter([*map(frame_line, frames), bare, close, after])
    others: list[bytes] = []

    cut = list(frames_in(rest, len, others))

    whole = [*frames, Frame(bare[:-1], None)]
    assert cut == [(frame, len(frame.payload)) for frame in whole]
    assert (others, list(rest)) == ([close], [after])


def test_a_line_in_which_nothing_is_found_is_to_be_parsed() -> None:
    """It may not be what it looks like."""
    others: list[bytes] = []
    line = frame_line(Frame(b"{}", AT))

    assert list(frames_in(iter([line, line]), lambda _: None, others)) == []
    assert others == [line]


@given(st.lists(st.builds(Frame, st.just(b"{}"), st.none() | st.integers(-(10**9), AT), st.booleans()), max_size=9))
def test_what_is_cut_of_many_lines_is_what_is_parsed_of_each(frames: list[Frame]) -> None:
    lines = [frame_line(frame) for frame in frames]
    rest = iter(lines)
    read: list[object] = []
    while len(read) < len(lines):
        others: list[bytes] = []
        read += [frame for frame, _ in frames_in(rest, len, others)]
        read += [parse(line.rstrip()) for line in others]

    assert read == [parse(line.rstrip()) for line in lines]


@given(st.binary(max_size=40), st.sampled_from([b"", b'"dir":"sent",', b'"at":"x",', b'"data":1,']))
def test_a_line_that_is_cut_and_holds_an_event_is_what_it_looks_like(junk: bytes, member: bytes) -> None:
    """Where the payload that was cut out is an event at the first look, `parse` finds the same frame."""
    event = b'{"type":"response.create","event_id":"%b"}' % junk.replace(b"\n", b"")
    for payload in (event, event + b"," + member[:-1] + b',"x":{}', event + b"}", b"{" + member + event[1:]):
        line = b'{"dir":"received","at":"2026-01-01T00:00:00.000001Z","data":%b}\n' % payload
        frame = quick(line)
        if frame is not None and FAMILIES.decoder.first_look(frame.payload) is not None:
            assert parse(line.strip()) == frame
