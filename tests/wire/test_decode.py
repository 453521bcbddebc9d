"""Bytes in, an event out: what is an event, what drifts, and what is none."""

import json
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steno.core.families import FAMILIES
from steno.limits import (
    HALF_CHARACTERS,
    ID_CHARACTERS_MAX,
    LIST_ELEMENTS,
    MEMBERS_TRIED,
    NESTING_DEPTH,
    STRUCTURE_ELEMENTS,
    TOKENS_MAX,
)
from steno.wire import (
    Drifted,
    Embedded,
    Enveloped,
    Malformed,
    PairedEvent,
    TypedEvent,
    Unknown,
    assistants,
    chatkit,
    realtime,
    responses,
    responses_objects,
    responses_output,
    sessions,
)
from steno.wire import realtime_objects as objects
from steno.wire.base import MalformedReason
from steno.wire.decode import Decoded, StreamDecoder
from steno.wire.responses_base import ResponsesEvent
from steno.wire.usage import Usage
from tests.core import helpers
from tests.core.responses.frames import connection
from tests.vocabulary import BARE_EVENTS, CLIENT_EVENTS, NAMES, decode, second_look


def _of_responses() -> StreamDecoder:
    decoder = FAMILIES.decoder.of("responses")
    assert decoder is not None
    return decoder


RESPONSES = _of_responses()
ON_STREAMS = [decoder for name in FAMILIES.names if (decoder := FAMILIES.decoder.of(name)) is not None]
"""Decodes on streams of the family."""


def names(text: str) -> list[str]:
    return text.split()


GA_SERVER = names("""
    session.created session.updated conversation.created
    conversation.item.added conversation.item.created conversation.item.done conversation.item.retrieved
    conversation.item.truncated conversation.item.deleted
    conversation.item.input_audio_transcription.delta conversation.item.input_audio_transcription.completed
    conversation.item.input_audio_transcription.segment conversation.item.input_audio_transcription.failed
    input_audio_buffer.speech_started input_audio_buffer.speech_stopped input_audio_buffer.committed
    input_audio_buffer.cleared input_audio_buffer.timeout_triggered input_audio_buffer.dtmf_event_received
    output_audio_buffer.started output_audio_buffer.stopped output_audio_buffer.cleared
    response.created response.done response.output_item.added response.output_item.done
    response.content_part.added response.content_part.done
    response.output_text.delta response.output_text.done
    response.output_audio_transcript.delta response.output_audio_transcript.done
    response.output_audio.delta response.output_audio.done
    response.function_call_arguments.delta response.function_call_arguments.done
    mcp_list_tools.in_progress mcp_list_tools.completed mcp_list_tools.failed
    response.mcp_call_arguments.delta response.mcp_call_arguments.done
    response.mcp_call.in_progress response.mcp_call.completed response.mcp_call.failed
    rate_limits.updated error
""")

BETA_SERVER = names("""
    transcription_session.created transcription_session.updated
    response.text.delta response.text.done response.audio_transcript.delta response.audio_transcript.done
    response.audio.delta response.audio.done
""")

CLIENT = names("""
    session.update input_audio_buffer.append input_audio_buffer.commit input_audio_buffer.clear
    output_audio_buffer.clear conversation.item.create conversation.item.retrieve conversation.item.delete
    conversation.item.truncate response.create response.cancel transcription_session.update
""")

TRANSLATION = names("""
    session.closed session.input_transcript.delta session.output_transcript.delta session.output_audio.delta
    session.input_audio_buffer.append session.close
""")

LIVE_SERVER = names("""
    session.started session.updated session.closed session.paused session.resumed session.usage.updated
    session.input_audio.muted session.input_audio.unmuted
    session.input_transcript.delta session.output_transcript.delta session.output_audio.delta
    session.instructions.appended session.thinking.appended session.commentary.appended
    session.output_audio.fixture.playing session.output_audio.fixture.played
    session.delegation.created response.event decision.event decision.item.created decision.item.deleted
    transport.dtmf.received transport.dtmf.sent transport.ringing transport.answered transport.failed
    info error
""")

LIVE_CLIENT = names("""
    session.start session.update session.close
    session.input_audio.append session.input_audio.mute session.input_audio.unmute session.output_audio.fixture.play
    session.instructions.append session.thinking.append session.commentary.append
    decision.create decision.item.create decision.item.delete response.item.create response.create
    transport.dtmf.send
""")
"""Two of them upstream says as well: to a sideband the audio of the caller, in saved events a key that was sent."""

ASSISTANTS = names("""
    thread.created
    thread.run.created thread.run.queued thread.run.in_progress thread.run.requires_action thread.run.completed
    thread.run.incomplete thread.run.failed thread.run.cancelling thread.run.cancelled thread.run.expired
    thread.run.step.created thread.run.step.in_progress thread.run.step.delta thread.run.step.completed
    thread.run.step.failed thread.run.step.cancelled thread.run.step.expired
    thread.message.created thread.message.in_progress thread.message.delta thread.message.completed
    thread.message.incomplete
    error done
""")

RESPONSES_SERVER = names("""
    response.created response.queued response.in_progress response.completed response.failed response.incomplete
    response.output_item.added response.output_item.done response.content_part.added response.content_part.done
    response.output_text.delta response.output_text.done response.output_text.annotation.added
    response.refusal.delta response.refusal.done response.reasoning_text.delta response.reasoning_text.done
    response.reasoning_summary_part.added response.reasoning_summary_part.done
    response.reasoning_summary_text.delta response.reasoning_summary_text.done response.compaction.compacting
    response.audio.delta response.audio.done response.audio.transcript.delta response.audio.transcript.done
    response.function_call_arguments.delta response.function_call_arguments.done
    response.custom_tool_call_input.delta response.custom_tool_call_input.done
    response.mcp_call_arguments.delta response.mcp_call_arguments.done
    response.mcp_call.in_progress response.mcp_call.completed response.mcp_call.failed
    response.mcp_list_tools.in_progress response.mcp_list_tools.completed response.mcp_list_tools.failed
    response.code_interpreter_call_code.delta response.code_interpreter_call_code.done
    response.code_interpreter_call.in_progress response.code_interpreter_call.interpreting
    response.code_interpreter_call.completed
    response.web_search_call.in_progress response.web_search_call.searching response.web_search_call.completed
    response.file_search_call.in_progress response.file_search_call.searching response.file_search_call.completed
    response.image_generation_call.in_progress response.image_generation_call.generating
    response.image_generation_call.partial_image response.image_generation_call.completed
    response.shell_call_command.added response.shell_call_command.delta response.shell_call_command.done
    response.shell_call_output_content.delta response.shell_call_output_content.done
    response.steer.accepted response.steer.pending response.steer.failed error
""")

RESPONSES_BESIDE = names("""
    response.done codex.rate_limits codex.response.metadata keepalive
    response.apply_patch_call_operation_diff.delta response.apply_patch_call_operation_diff.done
""")
"""Seen, and not of the public API."""

RESPONSES_CLIENT = names("response.create response.steer")

BARE = names("""
    realtime.session realtime.client_secret chatkit.session
    thread thread.deleted thread.run thread.run.step thread.message
""")


def told(value: Any) -> Decoded:
    return decode(json.dumps(value).encode())


# Every event has its Struct -------------------------------------------------------------------------------------


def test_the_lists_are_as_long_as_the_published_ones() -> None:
    """Realtime has 46 GA server events, 11 client events and one of beta; Assistants 24 events and `done`.

    Responses has 62 and 2; Live has 30 that upstream sends, and 16 that its clients do.
    """
    assert (len(GA_SERVER), len(CLIENT), len(ASSISTANTS)) == (46, 11 + 1, 24 + 1)
    assert (len(RESPONSES_SERVER), len(RESPONSES_CLIENT)) == (62, 2)
    assert (len(LIVE_SERVER), len(LIVE_CLIENT)) == (30 - 2, 16)


@pytest.mark.parametrize("name", [*GA_SERVER, *BETA_SERVER, *CLIENT, *TRANSLATION])
def test_every_realtime_event_is_known_by_its_type(name: str) -> None:
    """No published event is unknown, and it may come with nothing but its type."""
    event = told({"type": name})
    assert isinstance(event, TypedEvent)
    assert NAMES[type(event)] == name


@pytest.mark.parametrize("name", [*RESPONSES_SERVER, *RESPONSES_BESIDE, *RESPONSES_CLIENT])
def test_every_event_of_responses_is_known_by_its_type(name: str) -> None:
    """With a number that its events have, or on a stream of the family."""
    for event in (told({"type": name, "sequence_number": 7}), RESPONSES.decode(b'{"type":"%b"}' % name.encode())):
        assert isinstance(event, ResponsesEvent)
        assert NAMES[type(event)] == name


@pytest.mark.parametrize("name", [*LIVE_SERVER, *LIVE_CLIENT])
def test_every_live_event_is_known_on_a_stream_of_that_family(name: str) -> None:
    """Whatever other family has an event of the name."""
    on_stream = FAMILIES.decoder.of("live")
    assert on_stream is not None
    event = on_stream.decode(json.dumps({"type": name}).encode())
    assert FAMILIES.of_event[type(event)].name == "live"  # type: ignore[index]  # nothing else has a family
    assert NAMES[type(event)] == name  # type: ignore[index]


@pytest.mark.parametrize("name", ASSISTANTS)
def test_every_assistants_event_is_known_by_its_pair(name: str) -> None:
    """The name stands outside of the object, and the object may be empty."""
    event = told({"event": name, "data": {}})
    assert isinstance(event, PairedEvent)
    assert NAMES[type(event)] == name


def test_nothing_else_is_decoded() -> None:
    """Whatever has a Struct is on a list above, so that no event is invented here."""
    realtime = [*GA_SERVER, *BETA_SERVER, *CLIENT, *TRANSLATION]
    responses = [*RESPONSES_SERVER, *RESPONSES_BESIDE, *RESPONSES_CLIENT]
    live = [*LIVE_SERVER, *LIVE_CLIENT]
    assert sorted(NAMES.values()) == sorted([*realtime, *ASSISTANTS, *BARE, *live, *responses])
    assert sorted(NAMES[kind] for kind in CLIENT_EVENTS) == sorted([*CLIENT, *TRANSLATION[-2:], *RESPONSES_CLIENT])
    assert sorted(NAMES[kind] for kind in BARE_EVENTS) == sorted(BARE)


@pytest.mark.parametrize("kind", NAMES)
def test_every_event_says_what_it_is(kind: type[msgspec.Struct]) -> None:
    """A reader of the code finds the meaning of an event where it is declared."""
    assert "__doc__" in vars(kind)
    assert kind.__doc__


# What an event is -----------------------------------------------------------------------------------------------


def test_members_are_read_and_unknown_ones_are_no_error() -> None:
    """Upstream adds members as it likes."""
    event = told(
        {
            "event_id": "event_1",
            "type": "response.output_text.delta",
            "response_id": "resp_1",
            "item_id": "item_1",
            "output_index": 0,
            "content_index": 2,
            "delta": "Hi",
            "obfuscation": "x8Fq",
            "new": {"deep": [1, None]},
        }
    )
    expected = realtime.TextDelta(
        event_id="event_1",
        response_id="resp_1",
        item_id="item_1",
        output_index=0,
        content_index=2,
        delta="Hi",
    )
    assert expected == event


def test_null_is_absent() -> None:
    """Every member may be null: no dialect agrees with another on which are."""
    nothing = {"item_id": None, "previous_item_id": None, "event_id": None, "item": None}
    assert realtime.ItemAdded() == told({"type": "conversation.item.added", **nothing})
    assert realtime.AudioDelta() == told({"type": "response.output_audio.delta", "delta": None})


def test_a_beta_event_is_the_event_that_it_became() -> None:
    """Where the name alone changed, a reducer need not tell the two apart."""
    event = told({"type": "response.audio_transcript.delta", "delta": "Hi"})
    assert isinstance(event, realtime.TranscriptDelta)
    assert realtime.BetaTranscriptDelta(delta="Hi") == event


def test_a_type_that_is_not_known_is_an_event_all_the_same() -> None:
    """It is named, and the next release of upstream breaks nothing."""
    assert Unknown(type="ping", family="realtime") == told({"type": "ping", "timestamp": 1})
    assert Unknown(type="thread.item.added", family="chatkit") == told({"type": "thread.item.added"})
    assert Unknown(type="thread.run.paused", family="assistants") == told({"event": "thread.run.paused", "data": {}})
    assert Unknown(type=" error", family="realtime") == told({"type": " error"})


def test_the_type_may_stand_anywhere_and_escaped() -> None:
    """Not every server writes the type first."""
    expected = realtime.SpeechStarted(item_id="i")
    assert expected == told({"item_id": "i", "type": "input_audio_buffer.speech_started"})
    assert expected == decode(rb'{ "item_id":"i", "\u0074ype":"input_audio_buffer.speech_\u0073tarted" }')


def test_a_key_on_the_telephone_is_no_pair() -> None:
    """The DTMF event has a member `event`, which is the key that was pressed."""
    name = "input_audio_buffer.dtmf_event_received"
    assert realtime.DtmfReceived(received_at=5) == told({"event": "9", "type": name, "received_at": 5})


def test_of_two_members_of_one_name_the_last_stands() -> None:
    """As every JSON reader has it, whichever of our two looks at it."""
    expected = realtime.ItemDeleted(item_id="b")
    twice = b'{"type":"conversation.item.deleted","item_id":"a","item_id":"b"}'
    assert expected == decode(twice)
    assert expected == decode(b'{"type":"error","item_id":"b","type":"conversation.item.deleted"}')


def test_numbers_that_nobody_reads_may_be_as_large_as_they_like() -> None:
    """They stay in the bytes."""
    expected = realtime.RealtimeError()
    for number in ("1e999", "-1e999", "9" * 5000, "-" + "9" * 5000, "0." + "9" * 5000):
        assert expected == decode(b'{"type":"error","new":%s}' % number.encode())


# The order in which forms are tried -----------------------------------------------------------------------------

CLOUD = {"specversion": "1.0", "id": "1", "source": "s"}
PAIR = {"event": "thread.run.queued", "data": {"id": "run_1"}}
OBJECT = {"object": "realtime.session", "id": "sess_1"}
SECRET = {"value": "ek_1", "expires_at": 5, "session": {"id": "sess_2"}}
TYPED = {"type": "session.created"}


def test_a_cloud_event_goes_before_everything() -> None:
    """What `specversion` stands on is an envelope, whatever else stands on it."""
    event = told({**SECRET, **OBJECT, **TYPED, "event": "done", **CLOUD, "data": TYPED})
    inner = realtime.SessionCreated()
    assert Enveloped(event=inner, payload=b'{"type": "session.created"}', id="1", source="s") == event


def test_then_a_pair() -> None:
    """Both `event` and `data` make one; a type beside them is not looked at."""
    expected = assistants.RunQueued(data=assistants.ThreadRun(id="run_1"))
    assert expected == told({**SECRET, **OBJECT, **TYPED, **PAIR})
    assert expected == told({**PAIR, **TYPED, **OBJECT, **SECRET})


def test_then_a_known_object() -> None:
    """A bare object is known by what it says it is."""
    session = objects.RealtimeSessionCreateResponse(object="realtime.session", id="sess_1", type="session.created")
    assert sessions.SessionSeen(session=session) == told({**OBJECT, **TYPED})
    timed = msgspec.structs.replace(session, expires_at=5)
    assert sessions.SessionSeen(session=timed) == told({**SECRET, **OBJECT, **TYPED})


def test_then_a_client_secret() -> None:
    """Three members make one, and its value is not among what is decoded."""
    session = objects.RealtimeSessionCreateResponse(id="sess_2")
    assert sessions.ClientSecretSeen(session=session, expires_at=5) == told({**SECRET, **TYPED})


def test_then_a_type() -> None:
    """Half of another form is no such form."""
    created = realtime.SessionCreated()
    assert created == told({**TYPED, "event": "done"})
    assert created == told({"event": "done", **TYPED})
    assert created == told({**TYPED, "data": {}})
    assert created == told({**TYPED, "value": "x", "expires_at": 5})
    assert created == told({**TYPED, "object": "list"})


def test_an_object_that_is_not_known_is_named() -> None:
    """It has a discriminator, and even where that is the name of an event it is none."""
    assert Unknown(type="list", family="realtime") == told({"object": "list", "data": []})
    assert Unknown(type="session.created", family="realtime") == told({"object": "session.created"})


def test_events_of_the_responses_api_are_not_taken_for_their_namesakes() -> None:
    """They are counted by a sequence number, and differ in their members."""
    event = {"type": "response.output_text.delta", "item_id": "msg_1", "delta": "Hi"}
    assert told(event) == realtime.TextDelta(item_id="msg_1", delta="Hi")
    assert told({**event, "sequence_number": 4}) == responses_output.TextDelta(
        item_id="msg_1", delta="Hi", sequence_number=4
    )
    assert told({**event, "event_id": "e", "response_id": "r", "sequence_number": 4}) == told(
        {**event, "sequence_number": 4}
    )
    assert told({"type": "response.new", "sequence_number": 5}) == Unknown(type="response.new", family="responses")


@pytest.mark.parametrize(
    ("event", "family"),
    [
        ({"type": "response.created", "response": {"id": "r", "object": "response"}}, "responses"),
        ({"type": "response.created", "response": {"id": "r", "object": "realtime.response"}}, "realtime"),
        ({"type": "response.created", "response": {"id": "r"}}, None),
        ({"type": "response.created", "event_id": "e", "response": {"id": "r"}}, "realtime"),
        ({"type": "response.output_text.delta", "response_id": "r", "item_id": "i", "delta": "x"}, "realtime"),
        ({"type": "response.output_item.done", "output_index": 0, "item": {"id": "i"}}, None),
        ({"type": "error", "error": {"code": "x"}}, None),
        ({"type": "error", "error": {"code": "x"}, "status": 400}, "responses"),
        ({"type": "error", "error": {"code": "x"}, "stream_id": "a"}, "responses"),
        ({"type": "error", "code": "x", "message": "y"}, "responses"),
        ({"type": "error", "event_id": "e", "error": {"code": "x"}, "status": 400}, "realtime"),
        ({"type": "response.create"}, None),
        ({"type": "response.create", "response": {"instructions": "x"}}, "realtime"),
        ({"type": "response.create", "model": "m", "input": "x"}, "responses"),
        ({"type": "response.create", "previous_response_id": "r"}, "responses"),
        ({"type": "response.create", "stream_id": "a", "generate": False}, "responses"),
    ],
)
def test_what_two_families_call_alike_is_told_by_its_members(event: dict[str, Any], family: str | None) -> None:
    """Without any that tells, it is of the family of its stream."""
    for decoder in (FAMILIES.decoder, RESPONSES):
        told_by: Any = decoder.decode(json.dumps(event).encode())
        assert FAMILIES.of_event[type(told_by)].name == (family or decoder.family)


@pytest.mark.parametrize(
    ("name", "members", "family"),
    [
        ("response.create", {}, "live"),
        ("response.create", {"input": "x"}, "responses"),
        ("response.create", {"generate": False}, "responses"),
        ("response.create", {"response": {}}, "realtime"),
        ("error", {"error": {"code": "x"}}, "live"),
        ("error", {"error": {"code": "x"}, "status": 400}, "responses"),
        ("error", {"event_id": "e", "error": {"code": "x"}, "status": 400}, "live"),
    ],
)
def test_on_a_live_stream_too_an_event_is_told_by_its_members(name: str, members: dict[str, Any], family: str) -> None:
    """A backend is asked to go on without any."""
    decoder = FAMILIES.decoder.of("live")
    assert decoder is not None
    told_by: Any = decoder.decode(json.dumps({"type": name, **members}).encode())
    assert FAMILIES.of_event[type(told_by)].name == family


def test_a_pair_whose_data_names_itself_is_that_event() -> None:
    """Server-sent events have both names. Of a name that pairs have too, the data tells."""
    data = {"type": "error", "code": "x", "message": "y", "sequence_number": 3}
    expected = responses.ResponsesError(code="x", message="y", sequence_number=3)
    for frame in (
        {"event": "error", "data": data},
        {"event": "error", "data": json.dumps(data)},
        f"event: error\ndata: {json.dumps(data)}\n\n",
    ):
        payload = frame.encode() if isinstance(frame, str) else json.dumps(frame).encode()
        told_by = decode(payload)
        assert isinstance(told_by, Embedded)
        assert (told_by.event, json.loads(told_by.payload)) == (expected, data)
    plain = {"event": "response.queued", "data": {"response": {"id": "r"}}}
    assert told(plain) == Embedded(
        event=responses.Queued(response=responses_objects.Response(id="r")),
        payload=b'{"response": {"id": "r"}}',
    )
    assert isinstance(told({"event": "error", "data": {"error": {"message": "Gone."}}}), assistants.StreamError)
    assert isinstance(told({"event": "error", "data": {"type": "server_error"}}), assistants.StreamError)


def test_a_bare_response_of_the_responses_api_is_its_beginning_or_its_end() -> None:
    """Its status tells which."""
    for status, kind in (("in_progress", responses.InProgress), ("completed", responses.Done)):
        event = told({"id": "r", "object": "response", "status": status})
        assert event == kind(response=responses_objects.Response(id="r", object="response", status=status))


def test_bare_objects_come_as_events() -> None:
    """What a REST reply holds is read as what it is: five objects, and what goes with them."""
    run = assistants.BareRun(data=assistants.ThreadRun(id="run_1", object="thread.run"))
    object_ = assistants.RunStepObject(id="step_1", object="thread.run.step", type="tool_calls")
    step = assistants.BareStep(data=object_)
    note = assistants.BareMessage(data=assistants.Message(id="msg_1", object="thread.message"))
    thread = assistants.BareThread(data=assistants.Thread(id="thread_1", object="thread"))
    chat = chatkit.ChatKitSessionSeen(
        session=chatkit.ChatKitSession(id="cksess_1", object="chatkit.session", client_secret="***")
    )
    assert [run, step, note, thread, chat] == [
        told({"id": "run_1", "object": "thread.run"}),
        told({"id": "step_1", "object": "thread.run.step", "type": "tool_calls"}),
        told({"id": "msg_1", "object": "thread.message"}),
        told({"id": "thread_1", "object": "thread"}),
        told({"id": "cksess_1", "object": "chatkit.session", "client_secret": "ek_1"}),
    ]


@pytest.mark.parametrize("secret", ["ek_1", {"value": "ek_1", "expires_at": 5}, ["ek_1"], 7])
@pytest.mark.parametrize("kind", ["chatkit.session", "realtime.session"])
def test_no_struct_carries_a_client_secret(kind: str, secret: object) -> None:
    """Whatever its form, it is gone once the object is decoded."""
    seen = told({"id": "sess_1", "object": kind, "client_secret": secret})
    assert "ek_1" not in repr(seen)


def test_run_has_all_its_members_as_a_library_type() -> None:
    """Those that are not declared stand in `extra`, with secrets hidden."""
    payload = b'{"id":"run_1","status":"queued","top_p":0.5,"tool_resources":{"api_key":"sk-1234567890"},"extra":1}'
    run = assistants.read_thread_run(payload)
    assert (run.id, run.status) == ("run_1", "queued")
    assert run.extra == {"top_p": 0.5, "tool_resources": {"api_key": "***"}, "extra": 1}
    with pytest.raises(ValueError, match="Expected `object`"):
        assistants.read_thread_run(b"[]")


def test_a_bare_response_is_its_beginning_or_its_end() -> None:
    """Its status tells which."""
    bare = {"object": "realtime.response", "id": "resp_1"}
    response = objects.RealtimeResponse(object="realtime.response", id="resp_1")
    begun = msgspec.structs.replace(response, status="in_progress")
    ended = msgspec.structs.replace(response, status="completed")
    assert realtime.ResponseCreated(response=begun) == told({**bare, "status": "in_progress"})
    assert realtime.ResponseDone(response=ended) == told({**bare, "status": "completed"})
    odd = Drifted(event=realtime.ResponseDone(response=response), members=1)
    assert odd == told({**bare, "status": ["in_progress"]})


# Envelopes ------------------------------------------------------------------------------------------------------


def test_an_envelope_gives_its_subject_its_time_and_the_bytes_in_it() -> None:
    """Spacing inside of it is upstream's own, and stays."""
    data = b'{ "type": "input_audio_buffer.cleared" }'
    payload = (
        b'{"specversion":"1.0","id":"7","source":"//relay","subject":"call-1","time":"2026-11-21T10:00:00Z",'
        b'"sequence":"12","datacontenttype":"application/json","data":%s}' % data
    )
    assert decode(payload) == Enveloped(
        event=realtime.InputCleared(),
        payload=data,
        id="7",
        source="//relay",
        subject="call-1",
        time="2026-11-21T10:00:00Z",
        sequence="12",
    )


@pytest.mark.parametrize(
    ("data", "inner"),
    [
        ({"type": "ping"}, Unknown(type="ping", family="realtime")),
        ({"event": "done", "data": "[DONE]"}, assistants.StreamDone(data="[DONE]")),
        ({"type": "error", "error": 5}, Drifted(event=realtime.RealtimeError(), members=1)),
        ({"type": "error", "event_id": 5}, Malformed(reason="bad_identifier")),
        ("[DONE]", Malformed(reason="not_object")),
        (None, Malformed(reason="not_object")),
        ({}, Malformed(reason="no_discriminator")),
        ({**CLOUD, "data": TYPED}, Malformed(reason="bad_envelope")),
    ],
)
def test_what_is_in_an_envelope_is_decoded_as_if_it_came_alone(data: Any, inner: Any) -> None:
    """But for another envelope: two are a mistake."""
    event = told({**CLOUD, "data": data})
    assert isinstance(event, Enveloped)
    assert inner == event.event


def test_attributes_that_name_nothing_may_be_of_any_type() -> None:
    """An envelope whose time is a number still carries its event."""
    data = b'{"type":"session.created"}'
    expected = Enveloped(event=realtime.SessionCreated(), payload=data, id="1", source="s")
    envelope = b'{"specversion":"1.0","id":"1","source":"s","subject":null,"time":%b,"sequence":%b,"data":%b}'
    for odd in (b"null", b"1e999", b"9" * 5000, b"[{}]", b"true", b'""', b"1.5"):
        event = decode(envelope % (odd, odd.replace(b'""', b"{}"), data))
        assert event == expected
    assert decode(envelope % (b"5", b"12", data)) == msgspec.structs.replace(expected, sequence=12)


# What is none ---------------------------------------------------------------------------------------------------


def deep(brackets: int) -> bytes:
    inner = brackets - 1
    return b'{"type":"error","new":' + b"[" * inner + b"]" * inner + b"}"


MALFORMED: list[tuple[bytes, MalformedReason]] = [
    (b'{"type":"error","new":"\xff"}', "not_utf8"),
    (b'{"type":"error","new\xc3":1}', "not_utf8"),
    (b'{"type":"error","new":"\xed\xa0\x80"}', "not_utf8"),
    (b'{"type":"input_audio_buffer.append","audio":"\xc0\xaf"}', "not_utf8"),
    ('{"type":"error"}'.encode("utf-16"), "not_utf8"),
    (b"", "not_json"),
    (b" ", "not_json"),
    (b"ping", "not_json"),
    (b"[DONE]", "not_json"),
    (b'\xef\xbb\xbf{"type":"error"}', "not_json"),
    (b'{"type":"error"', "not_json"),
    (b'{"type":"error",', "not_json"),
    (b'{"type":"error"}}', "not_json"),
    (b'{"type":"error"}{"type":"error"}', "not_json"),
    (b'{"type":"error","new":NaN}', "not_json"),
    (b'{"type":"error","new":-Infinity}', "not_json"),
    (b'{"type":"error","new":01}', "not_json"),
    (b"{'type':'error'}", "not_json"),
    (b'{"type":"error","new":"\n"}', "not_json"),
    (rb'{"type":"error","new":"\q"}', "not_json"),
    (b"{" * 50, "not_json"),
    (b"[]", "not_object"),
    (b'[{"type":"error"}]', "not_object"),
    (b'"x"', "not_object"),
    (b"1", "not_object"),
    (b"1e999", "not_object"),
    (b"9" * 5000, "not_object"),
    (b"null", "not_object"),
    (b"true", "not_object"),
    (b"{}", "no_discriminator"),
    (b'{"type":null}', "no_discriminator"),
    (b'{"type":""}', "no_discriminator"),
    (b'{"type":5}', "no_discriminator"),
    (b'{"type":["error"]}', "no_discriminator"),
    (b'{"type":{"type":"error"}}', "no_discriminator"),
    (b'{"event":5,"data":{}}', "no_discriminator"),
    (b'{"event":"done"}', "no_discriminator"),
    (b'{ "event":"done" }', "no_discriminator"),
    (b'{"data":{"type":"error"}}', "no_discriminator"),
    (b'{"value":"ek_1","expires_at":5}', "no_discriminator"),
    (deep(NESTING_DEPTH + 1), "too_deep"),
    (deep(5_000), "too_deep"),
    (b'{"new":' * 201 + b"1" + b"}" * 201, "too_deep"),
    (b"[" * 201 + b"]" * 201, "too_deep"),
    (b"[" * 5_000, "too_deep"),
    (b'{"type":"response.output_audio.delta","new":' + b"[" * 200 + b"]" * 200 + b"}", "too_deep"),
    (b'{"event":"done","data":' + b"[" * 200 + b"]" * 200 + b"}", "too_deep"),
    (b'{"specversion":"1.0","data":' + b"[" * 200 + b"]" * 200 + b"}", "too_deep"),
    (b"[" + b"1," * STRUCTURE_ELEMENTS + b"1]", "too_complex"),
    (b'{"type":"error","new":[' + b"{}," * STRUCTURE_ELEMENTS + b"1]}", "too_complex"),
    (b'{"type":"error","new":"' + rb"\ud83d " * HALF_CHARACTERS + b'"}', "too_complex"),
    (b'{"type":"error","event_id":5}', "bad_identifier"),
    (b'{"type":"response.output_text.delta","response_id":["resp_1"]}', "bad_identifier"),
    (b'{"type":"response.output_text.delta","item_id":{"id":"item_1"}}', "bad_identifier"),
    (b'{"type":"conversation.item.added","item":{"id":false}}', "bad_identifier"),
    (b'{"type":"response.done","response":{"id":1e999}}', "bad_identifier"),
    (b'{"type":"response.done","response":{"output":[{"id":"a"},{"call_id":7}]}}', "bad_identifier"),
    (b'{"event":"thread.run.created","data":{"thread_id":0}}', "bad_identifier"),
    (b'{"object":"thread.run","id":0}', "bad_identifier"),
    (b'{"specversion":"1.0","id":"1","source":"s"}', "bad_envelope"),
    (b'{"specversion":"1.0","id":1,"source":"s","data":{"type":"error"}}', "bad_envelope"),
    (b'{"specversion":"1.0","id":"1","source":"s","subject":5,"data":{"type":"error"}}', "bad_envelope"),
    (b'{"specversion":"0.3","id":"1","source":"s","data":{"type":"error"}}', "bad_envelope"),
    (b'{"specversion":1.0,"id":"1","source":"s","data":{"type":"error"}}', "bad_envelope"),
]


@pytest.mark.parametrize(("payload", "reason"), MALFORMED, ids=lambda value: repr(value)[:60])
def test_what_is_no_event_says_why(payload: bytes, reason: MalformedReason) -> None:
    """The reason is one of our own words, so that nothing hostile gets into a metric or a log."""
    assert Malformed(reason=reason) == decode(payload)


def test_a_text_of_a_million_commas_is_a_text() -> None:
    """Structure is counted outside of strings."""
    text = "," * 1_000_000
    event = {"type": "response.output_text.delta", "delta": text, "item_id": "item_1"}
    assert told(event) == realtime.TextDelta(item_id="item_1", delta=text)


def test_every_reason_has_a_play() -> None:
    """The list of reasons is closed, and none of them is dead."""
    assert set(get_args(MalformedReason)) == {reason for _, reason in MALFORMED}


def test_the_deepest_nesting_that_is_taken() -> None:
    """The limit is ours, not the decoder's, and brackets in words are none."""
    assert realtime.RealtimeError() == decode(deep(NESTING_DEPTH))
    brackets = json.dumps("[" * 500 + '\\"{').encode()
    assert realtime.RealtimeError() == decode(b'{"type":"error","new":%s}' % brackets)
    assert realtime.RealtimeError() == decode(b'{"type":"error","new":[%s[]]}' % (b"[]," * 500))


def test_a_member_by_the_name_of_our_own_drifts_as_any_other() -> None:
    """A name that nobody sends may be sent all the same."""
    run = {"id": "run_1", "status": 5, "steno:extra": {"a": 1}}
    read = assistants.ThreadRun(id="run_1", extra={"a": 1})
    assert told({"event": "thread.run.created", "data": run}) == Drifted(
        event=assistants.RunCreated(data=read), members=1
    )


# What is bounded ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("further", [1, 5_000])
def test_a_list_that_is_too_long_reads_as_its_first_elements(further: int) -> None:
    """The others are counted as drift. The event stands, and with it what follows the list."""
    items = [{"id": f"item_{number}"} for number in range(LIST_ELEMENTS + further)]
    response = {"id": "resp_1", "output": items, "usage": {"input_tokens": 7}}
    read = objects.RealtimeResponse(
        id="resp_1",
        output=tuple(objects.Item(id=f"item_{number}") for number in range(LIST_ELEMENTS)),
        usage=Usage(input_tokens=7),
    )
    expected = Drifted(event=realtime.ResponseDone(response=read), members=further)
    assert told({"type": "response.done", "response": response}) == expected


def test_a_list_of_the_greatest_length_is_read_whole() -> None:
    """Nothing of it drifts."""
    limits = [{"name": "tokens"}] * LIST_ELEMENTS
    read = (realtime.RateLimit(name="tokens"),) * LIST_ELEMENTS
    assert told({"type": "rate_limits.updated", "rate_limits": limits}) == realtime.RateLimitsUpdated(rate_limits=read)


def test_members_are_tried_one_by_one_up_to_a_bound() -> None:
    """Past it a list is left out from there on, and the event stands with what was read before and after."""
    session = {"id": "sess_1", "tools": [{"name": number} for number in range(2 * MEMBERS_TRIED)], "model": "m"}
    decoded = told({"type": "session.created", "session": session})
    assert isinstance(decoded, Drifted)
    assert isinstance(decoded.event, realtime.SessionCreated)
    assert decoded.event.session is not None
    assert (decoded.event.session.id, decoded.event.session.model) == ("sess_1", "m")
    assert 0 < len(decoded.event.session.tools or ()) <= MEMBERS_TRIED / 2
    assert decoded.members == 2 * MEMBERS_TRIED


# What drifts ----------------------------------------------------------------------------------------------------

DRIFTS: list[tuple[dict[str, Any], Any]] = [
    (
        {"type": "input_audio_buffer.speech_started", "item_id": "i", "audio_start_ms": "soon"},
        Drifted(event=realtime.SpeechStarted(item_id="i"), members=1),
    ),
    (
        {"type": "response.output_audio.delta", "response_id": "r", "delta": 5},
        Drifted(event=realtime.AudioDelta(response_id="r"), members=1),
    ),
    (
        {"type": "response.output_text.delta", "delta": ["a"], "content_index": -1, "output_index": 1.5},
        Drifted(event=realtime.TextDelta(), members=3),
    ),
    (
        {"type": "response.done", "response": {"id": "r", "status_details": "unimplemented", "status": "completed"}},
        Drifted(event=realtime.ResponseDone(response=objects.RealtimeResponse(id="r", status="completed")), members=1),
    ),
    (
        {"type": "response.done", "response": {"id": "r", "output": [{"id": "a"}, 5, None, {"id": "b", "role": 1}]}},
        Drifted(
            event=realtime.ResponseDone(
                response=objects.RealtimeResponse(id="r", output=(objects.Item(id="a"), objects.Item(id="b")))
            ),
            members=3,
        ),
    ),
    (
        {"type": "response.done", "response": {"usage": {"input_tokens": -1, "output_tokens": 7}}},
        Drifted(
            event=realtime.ResponseDone(response=objects.RealtimeResponse(usage=Usage(output_tokens=7))),
            members=1,
        ),
    ),
    (
        {"type": "response.done", "response": {"usage": {"input_tokens": TOKENS_MAX + 1, "total_tokens": True}}},
        Drifted(
            event=realtime.ResponseDone(response=objects.RealtimeResponse(usage=Usage())),
            members=2,
        ),
    ),
    (
        {"type": "response.created", "response": [1]},
        Drifted(event=realtime.ResponseCreated(), members=1),
    ),
    (
        {"type": "session.updated", "session": {"id": "s", "voice": {"name": "a", "type": 5}, "tools": {}}},
        Drifted(
            event=realtime.SessionUpdated(
                session=objects.RealtimeSessionCreateResponse(id="s", voice=objects.Voice(name="a"))
            ),
            members=2,
        ),
    ),
    (
        {"type": "rate_limits.updated", "rate_limits": [{"name": "tokens", "remaining": "none"}]},
        Drifted(event=realtime.RateLimitsUpdated(rate_limits=(realtime.RateLimit(name="tokens"),)), members=1),
    ),
    (
        {
            "type": "conversation.item.input_audio_transcription.completed",
            "item_id": "i",
            "usage": {"type": "duration", "seconds": -3, "input_tokens": -5},
        },
        Drifted(
            event=realtime.TranscriptionCompleted(item_id="i", usage=Usage(type="duration")),
            members=2,
        ),
    ),
    (
        {"event": "thread.run.created", "data": {"id": "run_1", "usage": "free", "metadata": {"a": 1}}},
        Drifted(event=assistants.RunCreated(data=assistants.ThreadRun(id="run_1")), members=2),
    ),
    (
        {"event": "thread.run.created", "data": "broken"},
        Drifted(event=assistants.RunCreated(), members=1),
    ),
    (
        {"object": "chatkit.session", "id": "c", "workflow": {"version": 2}},
        Drifted(
            event=chatkit.ChatKitSessionSeen(
                session=chatkit.ChatKitSession(id="c", object="chatkit.session", workflow=chatkit.ChatKitWorkflow())
            ),
            members=1,
        ),
    ),
]


@pytest.mark.parametrize(("event", "expected"), DRIFTS)
def test_a_member_of_a_wrong_type_reads_as_absent(event: dict[str, Any], expected: Drifted) -> None:
    """Its neighbours stay, and how many were left out is told."""
    assert expected == told(event)


@pytest.mark.parametrize("number", ["1e999", "-1e999", "9" * 5000, "1" + "0" * 40, "1e300"])
def test_a_number_that_cannot_be_meant_reads_as_absent(number: str) -> None:
    """It could neither be added up nor be written down."""
    payload = b'{"type":"conversation.item.truncated","item_id":"i","audio_end_ms":%s}' % number.encode()
    assert Drifted(event=realtime.ItemTruncated(item_id="i"), members=1) == decode(payload)


# Whatever the bytes are -----------------------------------------------------------------------------------------

FRAMES = [
    *helpers.voice_session(),
    *helpers.assistants_streams(),
    *connection(),
    *({"event": each["type"], "data": each} for each in connection()),
    *({"type": "error", "error": {"code": "x"}, **sign} for sign in ({}, {"status": 400}, {"event_id": "e"})),
    {**CLOUD, "data": TYPED},
    OBJECT,
    SECRET,
    PAIR,
]


def test_a_generated_frame_decodes_to_itself() -> None:
    """The frames that the properties start from are events, without drift."""
    kinds = {type(told(frame)) for frame in FRAMES}
    assert not kinds & {Malformed, Drifted}


@settings(deadline=None)  # a busy machine is no fault
@given(st.binary() | st.binary().map(lambda junk: b'{"type":"error","new":' + junk + b"}"))
def test_any_bytes_decode_without_raising(payload: bytes) -> None:
    """A frame is input, and input raises nothing."""
    _sound(payload)


@settings(deadline=None)  # a busy machine is no fault
@given(
    helpers.JSON
    | st.fixed_dictionaries(
        {"type": st.sampled_from(GA_SERVER)}, optional={"item": helpers.JSON, "response": helpers.JSON}
    )
)
def test_any_json_decodes_without_raising(value: Any) -> None:
    """Nor does anything that is JSON, NaN and lone surrogates included."""
    _sound(json.dumps(value).encode())


@settings(deadline=None)  # a busy machine is no fault
@given(helpers.mutated(FRAMES))
def test_any_mutation_of_a_frame_decodes_without_raising(payload: bytes) -> None:
    """Nor does anything that is nearly an event."""
    _sound(payload)


def _sound(payload: bytes) -> None:
    first = decode(payload)
    assert first == decode(payload)
    if isinstance(first, Malformed):
        assert first.reason in get_args(MalformedReason)
    if type(first) in NAMES:
        assert first == second_look(payload, decode, within=True, unfolded=True), "both looks see the same event"
    for decoder in ON_STREAMS:
        event = decoder.first_look(payload)
        known = event is None or event == second_look(payload, decode, decoder.family, within=True, unfolded=True)
        assert known, "so they do on a stream of any family"


@pytest.mark.parametrize("member", ["id", "source", "subject"])
def test_an_envelope_with_an_identifier_that_is_too_long_is_none(member: str) -> None:
    """Memory is keyed by what an envelope is known by."""
    envelope = {"specversion": "1.0", "id": "7", "source": "//relay", "data": {"type": "ping"}}
    assert isinstance(told({**envelope, member: "x" * ID_CHARACTERS_MAX}), Enveloped)
    assert told({**envelope, member: "x" * (ID_CHARACTERS_MAX + 1)}) == Malformed(reason="bad_envelope")
