"""The HTTP side of the Realtime API: keys for one session, and calls."""

from random import Random
from typing import Any

import pytest

from steno.simulate.bodies import BODY_BYTES_MAX, form_parts
from steno.simulate.calls import answer_to
from tests.simulate.clients import STARTED_AT, Reply, request, simulated

pytestmark = pytest.mark.anyio

SECRETS, CALLS = "/v1/realtime/client_secrets", "/v1/realtime/calls"
OFFER = (
    "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 111 0\r\na=mid:a1\r\na=rtpmap:111 opus/48000/2\r\na=rtpmap:0 PCMU/8000\r\n"
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:d1\r\n"
)
FORM = (
    '--cut\r\nContent-Disposition: form-data; name="sdp"\r\nContent-Type: application/sdp\r\n\r\n{offer}\r\n'
    '--cut\r\nContent-Disposition: form-data; name="session"\r\n\r\n{session}\r\n--cut--\r\n'
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def post(path: str, body: Any = None, **headers: str) -> Reply:
    async with simulated() as running:
        return await request(running, "POST", path, body, headers=headers)


async def test_a_key_comes_with_its_session() -> None:
    session = {"type": "realtime", "model": "gpt-realtime-mini", "instructions": "Be short."}

    reply = await post(SECRETS, {"session": session, "expires_after": {"anchor": "created_at", "seconds": 60}})

    assert reply.status == 200
    assert reply.json["value"].startswith("ek_")
    assert reply.json["expires_at"] == STARTED_AT + 60
    assert {**reply.json["session"], **session} == reply.json["session"]
    assert reply.json["session"]["expires_at"] == 0


async def test_a_key_may_be_for_transcription() -> None:
    reply = await post(SECRETS, {"session": {"type": "transcription"}})

    assert reply.json["session"]["object"] == "realtime.transcription_session"


async def test_keys_differ_and_follow_from_the_seed() -> None:
    async def keys() -> list[str]:
        async with simulated() as running:
            return [(await request(running, "POST", SECRETS)).json["value"] for _ in range(3)]

    made = await keys()

    assert len(set(made)) == 3
    assert made == await keys()


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"session": {"type": "realtime", "voice": "x"}}, "session.voice"),
        ({"session": 7}, "session"),
        ({"session": {"type": "opera"}}, "session.type"),
        ({"expires_after": {"seconds": 5}}, "expires_after.seconds"),
        (b"{", None),
        (b"[]", None),
    ],
)
async def test_a_wrong_request_is_refused(body: Any, param: str | None) -> None:
    reply = await post(SECRETS, body)

    assert reply.status == 400
    assert reply.json["error"]["type"] == "invalid_request_error"
    assert reply.json["error"]["param"] == param


async def test_a_body_is_bounded() -> None:
    assert (await post(SECRETS, b" " * (BODY_BYTES_MAX + 1))).status == 413


@pytest.mark.parametrize(("path", "shown"), [("sessions", "model"), ("transcription_sessions", "turn_detection")])
async def test_beta_has_keys_of_its_own(path: str, shown: str) -> None:
    reply = await post(f"/v1/realtime/{path}", {"input_audio_transcription": {"model": "whisper-1"}})

    assert reply.json["client_secret"]["value"].startswith("ek_")
    assert reply.json["client_secret"]["expires_at"] == STARTED_AT + 60
    assert shown in reply.json
    assert reply.json["input_audio_transcription"]["model"] == "whisper-1"


async def test_the_key_is_demanded_by_http_too() -> None:
    async with simulated(key="sk-right") as running:
        wrong = await request(running, "POST", SECRETS, headers={"Authorization": "Bearer sk-wrong"})
        right = await request(running, "POST", SECRETS, headers={"Authorization": "Bearer sk-right"})

    assert (wrong.status, right.status) == (401, 200)
    assert wrong.json["error"]["code"] == "invalid_api_key"
    assert b"sk-wrong" not in wrong.body


async def test_an_offer_is_answered_with_a_call() -> None:
    reply = await post(CALLS, OFFER.encode(), **{"Content-Type": "application/sdp"})

    lines = reply.body.decode().split("\r\n")
    assert reply.status == 201
    assert reply.headers["location"].startswith("/v1/realtime/calls/rtc_")
    assert reply.headers["content-type"].startswith("application/sdp")
    assert [line for line in lines if line.startswith(("m=", "a=mid", "a=group"))] == [
        "a=group:BUNDLE a1 d1",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        "a=mid:a1",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "a=mid:d1",
    ]
    assert "a=rtpmap:111 opus/48000/2" in lines
    assert "a=rtpmap:0 PCMU/8000" not in lines


async def test_a_form_may_hold_the_session_of_a_call() -> None:
    kind = {"Content-Type": "multipart/form-data; boundary=cut"}
    async with simulated() as running:
        good = FORM.format(offer=OFFER, session='{"type":"realtime","model":"m"}').encode()
        bad = FORM.format(offer=OFFER, session='{"type":"realtime","volume":11}').encode()
        taken = await request(running, "POST", CALLS, good, headers=kind)
        refused = await request(running, "POST", CALLS, bad, headers=kind)

    assert taken.status == 201
    assert (refused.status, refused.json["error"]["param"]) == (400, "session.volume")


@pytest.mark.parametrize("kind", ["application/sdp", "multipart/form-data; boundary=cut", "multipart/form-data"])
async def test_what_is_no_offer_begins_no_call(kind: str) -> None:
    reply = await post(CALLS, b"hello", **{"Content-Type": kind})

    assert (reply.status, reply.json["error"]["param"]) == (400, "sdp")


@pytest.mark.parametrize(
    ("action", "body", "status", "ends"),
    [
        ("accept", {"type": "realtime", "instructions": "Hello."}, 200, False),
        ("accept", {"type": "realtime", "volume": 11}, 400, False),
        ("hangup", None, 200, True),
        ("reject", {"status_code": 486}, 200, True),
        ("refer", {"target_uri": "tel:+100"}, 200, True),
        ("refer", {}, 400, False),
        ("whistle", None, 404, False),
    ],
)
async def test_a_call_is_steered(action: str, body: Any, status: int, ends: bool) -> None:
    async with simulated() as running:
        begun = await request(running, "POST", CALLS, OFFER.encode(), headers={"Content-Type": "application/sdp"})
        call = begun.headers["location"]
        steered = await request(running, "POST", f"{call}/{action}", body)
        again = await request(running, "POST", f"{call}/hangup")

    assert steered.status == status
    assert again.status == (404 if ends else 200)


def test_an_offer_of_anything_has_an_answer() -> None:
    for offer in ("v=0", "v=0\r\nm=", "v=0\r\nm=video 9 X 1\r\na=mid:v", "v=0\r\n" + "m=audio 9 X 1\r\n" * 20):
        assert answer_to(offer, Random(1)).startswith("v=0\r\n")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data; boundary=cut", b"--cut\r\n\r\nno name\r\n--cut--"),
        ("multipart/form-data; boundary=cut", b"\xff\xfe"),
        ("multipart/form-data; boundary=\N{SNOWMAN}", b""),
        ("text/plain", b"x"),
    ],
)
def test_a_form_without_parts_has_none(content_type: str, body: bytes) -> None:
    assert form_parts(content_type, body) == {}


async def test_a_page_of_any_origin_may_begin_a_call() -> None:
    origin = {"Origin": "https://page.example", "Content-Type": "application/sdp"}
    asking = {**origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    async with simulated(key="sk-right") as running:
        may = await request(running, "OPTIONS", CALLS, headers=asking)
        begun = await request(running, "POST", CALLS, OFFER.encode(), headers={**origin, "api-key": "sk-right"})

    assert may.status == 200
    assert may.headers["access-control-allow-headers"] == "authorization"
    assert (begun.status, begun.headers["access-control-allow-origin"]) == (201, "*")
    assert begun.headers["access-control-expose-headers"] == "Location"
