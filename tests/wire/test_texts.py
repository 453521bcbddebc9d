"""Events that came as a text within their frame: which are read, and which are what they seem."""

import base64
import json
from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steno.limits import NESTING_DEPTH, STRUCTURE_ELEMENTS
from steno.wire import Drifted, Embedded, Enveloped, Event, Malformed, Unknown, assistants, realtime
from steno.wire.texts import LINES_MAX
from tests.core import helpers
from tests.core.helpers import Play
from tests.vocabulary import decode

CLOUD: Final = {"specversion": "1.0", "id": "1", "source": "//relay", "subject": "call-1"}
PAIRS: Final = helpers.assistants_streams()
FRAMES: Final = [*PAIRS, *helpers.voice_session(), {"object": "chatkit.session", "id": "chat_1"}]


def encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


# Forms ----------------------------------------------------------------------------------------------------------


def as_text(frame: dict[str, Any]) -> bytes:
    """The whole frame is a JSON text."""
    return encoded(json.dumps(frame))


def in_base64(frame: dict[str, Any]) -> bytes:
    return encoded({**CLOUD, "data_base64": base64.b64encode(encoded(frame)).decode()})


def in_cloud_event(frame: dict[str, Any]) -> bytes:
    return encoded({**CLOUD, "datacontenttype": "application/json", "data": json.dumps(frame)})


def as_lines(frame: dict[str, Any]) -> bytes:
    """The lines of a server-sent event."""
    if "event" not in frame:
        return b"id: 7\ndata: %b\n\n" % encoded(frame)
    data = frame["data"]
    return b"event: %b\ndata: %b\n\n" % (
        frame["event"].encode(),
        data.encode() if isinstance(data, str) else encoded(data),
    )


def with_text(frame: dict[str, Any]) -> bytes:
    """The data of a pair is a JSON text."""
    return encoded({**frame, "data": json.dumps(frame["data"])} if isinstance(frame.get("data"), dict) else frame)


def with_text_in_cloud_event(frame: dict[str, Any]) -> bytes:
    return b'%b,"data":%b}' % (encoded(CLOUD)[:-1], with_text(frame))


BARE: Final = (as_text, as_lines, with_text)
ENVELOPED: Final = (in_base64, in_cloud_event, with_text_in_cloud_event)


@pytest.mark.parametrize("form", BARE)
def test_a_frame_that_came_as_a_text_is_the_event_in_it(form: Callable[[dict[str, Any]], bytes]) -> None:
    """With the bytes of that, so that what is kept of an object is as it came."""
    for frame in FRAMES:
        plain, came = decode(encoded(frame)), decode(form(frame))
        if isinstance(came, Embedded):
            assert (came.event, json.loads(came.payload)) == (plain, frame)
        else:  # what is no known event has no object, and a pair without one is plain
            assert came == plain
    assert sum(isinstance(decode(form(frame)), Embedded) for frame in FRAMES) >= len(PAIRS) - 2


@pytest.mark.parametrize("form", ENVELOPED)
def test_an_envelope_may_hold_its_event_as_a_text(form: Callable[[dict[str, Any]], bytes]) -> None:
    """Or in base64, or as a pair whose data is a text."""
    for frame in FRAMES:
        came = decode(form(frame))
        assert isinstance(came, Enveloped)
        assert came.subject == "call-1"
        assert came.event == decode(encoded(frame))
        assert isinstance(came.event, Unknown) or json.loads(came.payload) == frame


@pytest.mark.parametrize("form", [as_text, as_lines, with_text])
def test_a_stream_of_texts_leads_to_the_same_conversation(form: Callable[[dict[str, Any]], bytes]) -> None:
    """Facts and state, the kept objects in it too."""
    plain, texts = Play(), Play()
    for frame in PAIRS:
        plain.feed(encoded(frame))
        texts.feed(form(frame))
    assert texts.emitted == plain.emitted
    assert texts.rejected == plain.rejected
    assert texts.pipeline.source("relay").drifted == 0
    assert [helpers.line_of(each) for each in states(texts)] == [helpers.line_of(each) for each in states(plain)]


def states(play: Play) -> list[Any]:
    return list(play.pipeline.registry.conversations.values())


def test_a_text_of_an_envelope_is_an_envelope() -> None:
    frame = {**CLOUD, "data": {"type": "input_audio_buffer.cleared"}}
    assert decode(as_text(frame)) == decode(encoded(frame))


@pytest.mark.parametrize("name", [None, "message"])
@pytest.mark.parametrize("frame", FRAMES)
def test_the_data_of_an_event_without_a_name_is_read_by_itself(frame: dict[str, Any], name: str | None) -> None:
    """As an object, and as a text: most servers of typed events give them no name."""
    for data in (frame, json.dumps(frame)):
        came = decode(encoded({"event": name, "data": data}))
        assert (came.event if isinstance(came, Embedded) else came) == decode(encoded(frame))
        assert not isinstance(came, Embedded) or json.loads(came.payload) == frame


def test_an_event_without_a_name_holds_no_other_one() -> None:
    """Nor is what has no event in it one."""
    within = {"event": None, "data": {"type": "error"}}
    assert decode(encoded({"event": None, "data": within})) == Malformed(reason="no_discriminator")
    for data in (None, 5, "x", "[DONE]"):
        assert decode(encoded({"event": None, "data": data})) == Malformed(reason="not_object")


# What is not read -----------------------------------------------------------------------------------------------

QUEUED: Final = '{"id":"run_1"}'


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (json.dumps(json.dumps({"type": "error"})), Malformed(reason="not_object")),
        (json.dumps({"event": "thread.run.queued", "data": QUEUED}), Drifted(event=assistants.RunQueued(), members=1)),
        ("{}", Malformed(reason="no_discriminator")),
        ("[DONE]", Malformed(reason="not_object")),
        ('{"type":"error"', Malformed(reason="not_object")),
        ('{"type":"error"} {"type":"error"}', Malformed(reason="not_object")),
        ('{"type":"error","event_id":5}', Malformed(reason="bad_identifier")),
        ('{"type":"new"}', Unknown(type="new", family="realtime")),
        ('{"new":' * 201 + "1" + "}" * 201, Malformed(reason="too_deep")),
        ("event: done\ndata: {}", Malformed(reason="not_object")),
    ],
)
def test_a_text_is_read_one_level_deep(frame: str, expected: Any) -> None:
    """And only where it is an object. What that turns out to be is what the frame is."""
    came = decode(encoded(frame))
    assert (came.event if isinstance(came, Embedded) else came) == expected


@pytest.mark.parametrize(
    "data",
    ["broken", "", "null", "[1]", json.dumps(QUEUED), '{"id":"a"}},"x":{', '{"id":"a"} {"id":"b"}', '{"id":"\n"}'],
)
def test_data_that_holds_no_object_reads_as_absent(data: str) -> None:
    """As any member of an unexpected type does. It cannot break out of its frame."""
    frame = {"event": "thread.run.queued", "data": data}
    assert decode(encoded(frame)) == Drifted(event=assistants.RunQueued(), members=1)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (b"event: done\ndata: [DONE]\n\n", Embedded),
        (b"data: [DONE]\n\n", Malformed),
        (b"event: done\n\n", Malformed),
        (b": ping\n\n", Malformed),
        (b"event: thread.run.queued\ndata: {}\n\nevent: thread.run.queued\ndata: {}\n\n", Malformed),
        (b'event: thread.run.queued\r\nid: 3\r\nretry: 5\r\n: new\r\ndata: {"id":\r\ndata:"a"}\r\n', Embedded),
        (b'event: response.done\ndata: {"type":"response.done"}', Embedded),
        (b'event: response.new\ndata: {"type":"response.new","sequence_number":5}', Unknown),
        (b"event: thread.run.queued\ndata: {}\nsomething: else\n", Malformed),
        (b'data: "{\\"type\\":\\"error\\"}"', Malformed),
        (b"\n" * LINES_MAX + b"data: {}", Malformed),
        (b"data:\n" * (LINES_MAX + 1), Malformed),
        (b"\xef\xbb\xbfevent: done\ndata: [DONE]\n\n", Embedded),
        (b"\r\n\nevent: done\ndata: [DONE]\n\n", Embedded),
        (b"event: done\ndata: [DONE]\n\n: ping\n\n: ping\n\n", Embedded),
        (b": ping\n\nevent: done\ndata: [DONE]\n\n", Embedded),
        (b"event: done\n\ndata: [DONE]\n\n", Malformed),  # the first event has no data, the second has no name
    ],
)
def test_one_server_sent_event_is_read(lines: bytes, expected: type[Any]) -> None:
    """A message that holds several is none: a frame counts once."""
    assert type(decode(lines)) is expected


@pytest.mark.parametrize("coded", ["", "?", "e30", "é", 5, None, base64.b64encode(b"").decode()])
def test_an_envelope_without_data_is_none(coded: Any) -> None:
    assert decode(encoded({**CLOUD, "data_base64": coded})) == Malformed(reason="bad_envelope")


@pytest.mark.parametrize("data", [b"\xff", b"audio", b"[]"])
def test_data_in_base64_that_is_no_event_says_why(data: bytes) -> None:
    came = decode(encoded({**CLOUD, "data_base64": base64.b64encode(data).decode()}))
    assert isinstance(came, Enveloped)
    assert came.event == decode(data)


def test_half_a_character_in_a_text_is_replaced() -> None:
    """The escape may stand in the frame, or in the text."""
    for frame in (r'{"type":"error","error":{"message":"\ud83d"}}', r'"{\"type\":\"error\",\"new\":\"\\ud83d\"}"'):
        text = frame if frame.startswith('"') else json.dumps(frame)
        assert isinstance(decode(text.encode()), Embedded)


def test_brackets_in_a_text_nest_as_in_a_frame() -> None:
    """The limit is that of the text."""
    inner = '{"type":"error","new":' + "[" * (NESTING_DEPTH - 1) + "]" * (NESTING_DEPTH - 1) + "}"
    assert decode(encoded(inner)) == Embedded(event=realtime.RealtimeError(), payload=inner.encode())


@settings(deadline=None)  # a busy machine is no fault
@given(helpers.mutated(FRAMES), st.sampled_from([True, False]))
def test_any_text_is_what_its_content_is(payload: bytes, blanks: bool) -> None:
    """Nothing raises, and no event is made up."""
    text = payload.decode(errors="replace")
    came = decode(encoded(f" {text}\n" if blanks else text))
    plain = decode(text.encode())
    if isinstance(came, Embedded):
        assert came.event == plain
    elif isinstance(plain, Event | Drifted):
        pytest.fail("an event was not read")
    assert not isinstance(came, Event), "an event has the bytes that it was decoded from"


@pytest.mark.parametrize("form", [as_text, in_base64, in_cloud_event, as_lines, with_text_in_cloud_event])
def test_what_came_as_a_text_is_bounded_in_its_structure_too(form: Callable[[dict[str, Any]], bytes]) -> None:
    """Nobody could count it while it was a text."""
    decoded = decode(form({"type": "error", "new": [1] * (STRUCTURE_ELEMENTS + 1)}))

    assert (decoded.event if isinstance(decoded, Enveloped) else decoded) == Malformed(reason="too_complex")
