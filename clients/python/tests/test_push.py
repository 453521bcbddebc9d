import json
import threading
import time
from collections.abc import Callable

import pytest

from steno_tap import Tap, push
from tests.servers import Mute, Refusal, Steno, closed_port, shapes, texts, until

MakeTap = Callable[..., Tap]
FIRST = '{"type":"session.created","event_id":"event_1"}'
SECOND = '{"type":"response.create"}'


def test_frames_arrive_with_direction_time_and_bytes(make_tap: MakeTap, steno: Steno) -> None:
    odd = '{ "type" : "x", "text": "Grüße \\u00fc \\" \\n" }'
    tap = make_tap(steno.url)
    before = time.time()
    tap.send(FIRST, "received")
    tap.send(SECOND.encode(), "sent")
    tap.send({"type": "input_audio_buffer.commit"}, "sent")
    tap.send(odd)
    tap.send(b"\xff\x00")

    assert tap.close()
    steno.settled()
    [arrived] = steno.pushes
    assert shapes(arrived.lines) == [
        {"dir": "received", "text": FIRST},
        {"dir": "sent", "text": SECOND},
        {"dir": "sent", "text": '{"type":"input_audio_buffer.commit"}'},
        {"dir": "received", "text": odd},
        {"dir": "received", "base64": "/wA="},
    ]
    times = [line["at"] for line in arrived.lines]
    assert times == sorted(times)
    assert times[0] >= time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(before))
    assert arrived.close_code == 1000


def test_each_conversation_has_a_connection_and_its_name(make_tap: MakeTap, steno: Steno) -> None:
    tap = make_tap(steno.url, conversation="shop")
    first, second = tap.conversation("call 1/ä&x=y"), tap.conversation()
    first.send(FIRST)
    second.send(SECOND)
    first.close(1000, "bye")

    assert tap.close()
    steno.settled(2)
    found = {push.query["conversation"]: shapes(push.lines) for push in steno.pushes}
    assert found == {
        "call 1/ä&x=y": [{"dir": "received", "text": FIRST}, {"dir": "close", "code": 1000, "reason": "bye"}],
        "shop": [{"dir": "received", "text": SECOND}],
    }


def test_the_token_is_shown_and_nothing_else_of_the_application(make_tap: MakeTap, steno: Steno) -> None:
    tap = make_tap(steno.url, token="t0ken")
    tap.send(FIRST)

    assert tap.close()
    steno.settled()
    headers = steno.pushes[0].headers
    assert headers["authorization"] == "Bearer t0ken"
    assert sorted(headers) == [
        "authorization",
        "connection",
        "host",
        "sec-websocket-key",
        "sec-websocket-version",
        "upgrade",
        "user-agent",
    ]


def test_a_long_frame_arrives_whole(make_tap: MakeTap, steno: Steno) -> None:
    long = json.dumps({"type": "response.output_audio.delta", "delta": "A" * 3_000_000})
    tap = make_tap(steno.url)
    tap.send(long)

    assert tap.close()
    steno.settled()
    assert texts(steno.lines) == [long]


def test_frames_wait_for_a_steno_that_comes_later(make_tap: MakeTap, steno: Steno) -> None:
    steno.kill()
    tap = make_tap(steno.url)
    tap.send(FIRST)
    tap.send(SECOND, "sent")
    steno.start()

    assert tap.close()
    steno.settled()
    assert texts(steno.lines) == [FIRST, SECOND]


def test_what_has_no_room_meanwhile_is_a_gap_in_its_place(make_tap: MakeTap, steno: Steno) -> None:
    steno.kill()
    tap = make_tap(steno.url, queue_bytes=1000)
    for number in range(5):
        tap.send(f'{{"n":{number}}}')
    steno.start()
    steno.wait(lambda: len(steno.lines) == 4)
    tap.send('{"n":5}')

    assert tap.close()
    steno.settled()
    assert shapes(steno.lines) == [
        {"dir": "received", "text": '{"n":0}'},
        {"dir": "received", "text": '{"n":1}'},
        {"dir": "received", "text": '{"n":2}'},
        {"dir": "gap", "frames": 2, "bytes": 14, "reason": "disconnected"},
        {"dir": "received", "text": '{"n":5}'},
    ]


def test_a_server_that_never_reads_costs_the_bound_and_no_time(make_tap: MakeTap, steno: Steno) -> None:
    steno.reads.clear()
    frame = json.dumps({"type": "x", "pad": "A" * 50_000})
    tap = make_tap(steno.url, queue_bytes=1_000_000)
    tap.send(FIRST)
    steno.wait(lambda: steno.pushes)
    for _ in range(1000):  # 50 MB: more than all buffers of two sockets
        tap.send(frame)

    assert tap._pusher.budget.used_bytes <= 1_000_000 + 1000
    steno.reads.set()
    assert tap.close(20)
    steno.settled()
    gaps = [line for line in steno.lines if line["dir"] == "gap"]
    assert {gap["reason"] for gap in gaps} == {"queue_full"}
    assert len(texts(steno.lines)) + sum(gap["frames"] for gap in gaps) == 1001
    assert sum(len(text) for text in texts(steno.lines)) + sum(gap["bytes"] for gap in gaps) == (
        len(FIRST) + 1000 * len(frame)
    )


def test_a_connection_that_breaks_leaves_a_gap_of_what_was_not_confirmed(make_tap: MakeTap) -> None:
    with Mute() as mute:
        tap = make_tap(f"ws://127.0.0.1:{mute.port}")
        conversation = tap.conversation()
        for _ in range(20):
            conversation.send(FIRST)
        until(lambda: conversation.queue.in_flight.frames == 20)
    until(lambda: conversation.queue.in_flight.frames == 0)
    conversation.send(SECOND, "sent")
    with Steno(port=mute.port) as steno:
        assert tap.close()
        steno.settled()
        assert shapes(steno.lines) == [
            {"dir": "gap", "frames": 20, "bytes": 20 * len(FIRST), "reason": "disconnected"},
            {"dir": "sent", "text": SECOND},
        ]


@pytest.mark.parametrize("status", [401, 403, 404, 400, 429, 503, 500])
def test_a_refusal_is_tried_again_and_logged_once(
    make_tap: MakeTap, steno: Steno, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    steno.refusal = Refusal(status, '{"error":{"code":"refused","message":"no: t0ken"}}')
    tap = make_tap(steno.url, token="t0ken")
    tap.send(FIRST)
    steno.wait(lambda: len(steno.refused) > 2)
    steno.refusal = None

    assert tap.close()
    steno.settled()
    assert texts(steno.lines) == [FIRST]
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warnings == [
        f'cannot push to steno, trying again: it answers {status} {{"error":{{"code":"refused","message":"no: ***"}}}}'
    ]


def test_a_server_that_asks_for_a_wait_gets_it(make_tap: MakeTap, steno: Steno) -> None:
    steno.refusal = Refusal(503, headers={"Retry-After": "1"})
    tap = make_tap(steno.url)
    tap.send(FIRST)
    steno.wait(lambda: steno.refused)
    refused_at = time.monotonic()
    steno.refusal = None

    assert tap.close()
    steno.settled()
    assert time.monotonic() - refused_at >= 0.9
    assert len(steno.refused) == 1


@pytest.mark.parametrize("code", [1001, 1008, 1009, 1011, 1013])
def test_a_close_by_the_server_is_a_reason_to_connect_again(make_tap: MakeTap, steno: Steno, code: int) -> None:
    def close_once(connection, _):
        steno.on_line = lambda *_: None
        connection.close(code, "reason")

    steno.on_line = close_once
    tap = make_tap(steno.url)
    tap.send(FIRST)
    steno.wait(lambda: steno.pushes and steno.pushes[0].close_code)
    tap.send(SECOND)

    assert tap.close()
    steno.settled(2)
    assert [push.close_code for push in steno.pushes] == [code, 1000]
    assert texts(steno.lines)[-1] == SECOND


def test_a_peer_without_a_word_is_given_up(make_tap: MakeTap, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(push, "PING_SECONDS", 0.03)
    monkeypatch.setattr(push, "SILENCE_SECONDS", 0.05)
    with Mute() as mute:
        tap = make_tap(f"ws://127.0.0.1:{mute.port}")
        tap.send(FIRST)
        until(lambda: mute.accepted == 2)


def test_an_absent_steno_ends_with_the_time_that_close_gives_it(make_tap: MakeTap) -> None:
    with closed_port() as port:
        tap = make_tap(f"ws://127.0.0.1:{port}")
        tap.send(FIRST)
        assert not tap.close(0.05)
    assert not [thread for thread in threading.enumerate() if thread.name == "steno-tap"]


def test_an_ended_conversation_lingers_for_its_time_only(make_tap: MakeTap, caplog: pytest.LogCaptureFixture) -> None:
    with closed_port() as port:
        tap = make_tap(f"ws://127.0.0.1:{port}", linger_seconds=0.05)
        conversation = tap.conversation()
        conversation.send(FIRST)
        thread = tap._pusher._thread
        assert thread is not None
        conversation.close()
        thread.join(10)
        assert not thread.is_alive()
        assert tap._pusher.budget.used_bytes == 0
    assert "1 frames (47 bytes) of a conversation that has ended did not reach steno" in caplog.text
    assert not tap.close(0)
