"""The object that an event carries, as the bytes that came."""

import json

import pytest

from steno.wire import Drifted, Enveloped, raw_object
from steno.wire.base import PairedEvent, TypedEvent
from steno.wire.realtime import TextDelta
from tests.vocabulary import decode


def kept(payload: bytes) -> bytes:
    event = decode(payload)
    if isinstance(event, Enveloped):
        payload, event = event.payload, event.event
    if isinstance(event, Drifted):
        event = event.event
    assert isinstance(event, TypedEvent | PairedEvent)
    return raw_object(event, payload)


OBJECT = '{ "new" : [1.10, 1e999, 12345678901234567890123], "id":"x" ,"caf\u00e9":"\\u00e9\\/", "object":null}'.encode()


@pytest.mark.parametrize(
    "envelope",
    [
        b'{"type":"response.created","response":%b}',
        b'{"type":"response.done","event_id":"e","response":%b,"usage":{}}',
        b'{ "response" : %b , "type" : "response.done" }',
        rb'{"type":"response.done","\u0072esponse":%b}',
        b'{"type":"response.done","response":{"id":"y"},"response":%b}',
        b'{"type":"session.created","session":%b}',
        b'{"session":%b,"type":"session.updated"}',
        b'{"type":"transcription_session.updated","session":%b}',
        b'{"value":"ek_1","expires_at":5,"session":%b}',
        b'{"event":"thread.run.completed","data":%b}',
        b'{"event":"thread.run.step.completed","data":%b}',
        b'{"data":%b,"event":"thread.message.created"}',
        b'{"specversion":"1.0","id":"1","source":"s","data":{"type":"response.done","response":%b}}',
        b'{"type":"response.done","event_id":null,"usage":5,"response":%b}',
    ],
)
def test_the_bytes_are_those_that_came(envelope: bytes) -> None:
    """Spacing, escapes, the digits of numbers and the order of members are upstream's, known or not."""
    assert kept(envelope % OBJECT) == OBJECT


@pytest.mark.parametrize(
    "bare",
    [
        b'{"object":"realtime.response", "id":"resp_1","status":"completed"}',
        rb'{"object":"realtime.response", "id":"resp_1","status":"completed","new":"\ud83d"}',
        b'{"id":"resp_1","object":"realtime.response","status":"in_progress"}',
        b'{"object":"thread.run", "id":"run_1", "new":1.10}',
        b'{"object":"thread.run.step", "id":"step_1"}',
        b'{"object":"thread.message", "id":"msg_1"}',
        b'{"object":"thread", "id":"thread_1"}',
        b'{"object":"realtime.session", "id":"sess_1"}',
        b'{"object":"chatkit.session", "id":"cksess_1"}',
    ],
)
def test_a_bare_object_is_its_own_whole(bare: bytes) -> None:
    """There is nothing around it."""
    assert kept(bare) == bare


def test_half_a_character_stays_as_it_came() -> None:
    """Which is read as U+FFFD: a server may cut a character in two where it cuts a text."""
    half = rb'{"id":"resp_1","status":"completed","new":"\\ud83d \ud83d","pair":"\ud83d\ude00"}'
    assert kept(b'{"type":"response.done","response":%b}' % half) == half
    delta = decode(rb'{"type":"response.output_text.delta","delta":"a\uDE00b\ud83d\ude00\\ud83d"}')
    assert isinstance(delta, TextDelta)
    assert delta.delta == "a\ufffdb\U0001f600\\ud83d"


def test_it_is_a_copy() -> None:
    """What is kept for an hour must not keep a frame of megabytes alive."""
    payload = b'{"type":"response.done","new":"%b","response":{"id":"x"}}' % (b"x" * 100_000)
    assert kept(payload) == b'{"id":"x"}'
    assert type(kept(payload)) is bytes


def test_what_carries_no_object_has_none() -> None:
    """An event of bare members is kept nowhere."""
    assert kept(json.dumps({"type": "response.output_text.delta", "delta": "Hi"}).encode()) == b""
