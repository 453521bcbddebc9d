"""LiveKit's OpenAI realtime plugin against a scripted provider. Runs where its packages are installed."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from steno_tap import Tap
from tests.provider import Provider
from tests.servers import Steno, shapes

openai = pytest.importorskip("livekit.plugins.openai", reason="livekit-plugins-openai has an environment of its own")

MakeTap = Callable[..., Tap]


async def talk(tap: Tap, provider: Provider) -> None:
    model = openai.realtime.RealtimeModel(base_url=f"http://{provider.host}/v1", api_key="sk-of-the-application")
    session = tap.livekit(model.session(), "till-7")
    answered = asyncio.Event()

    def look(event: Any) -> None:
        if event["type"] == "response.done":
            answered.set()

    session.on("openai_server_event_received", look)
    session.send_event({"type": "response.create"})
    await answered.wait()
    await session.aclose()
    await model.aclose()


def test_both_directions_of_a_session(make_tap: MakeTap, steno: Steno) -> None:
    tap = make_tap(steno.url)
    with Provider() as provider:
        asyncio.run(talk(tap, provider))

    assert tap.close()
    steno.settled()
    received = [json.loads(line["text"]) for line in steno.lines if line["dir"] == "received"]
    sent = [json.loads(line["text"]) for line in steno.lines if line["dir"] == "sent"]
    assert received == [json.loads(text) for text in provider.sent]
    assert sent == [json.loads(text) for text in provider.received]
    assert steno.pushes[0].query == {"conversation": "till-7"}
    assert shapes(steno.lines)[-1] == {"dir": "close", "code": 1000, "reason": ""}
