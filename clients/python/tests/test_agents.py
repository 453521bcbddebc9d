"""`openai-agents` against a scripted provider: its realtime session, unmodified but for the tap."""

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from agents.realtime import RealtimeAgent, RealtimeRunner
from agents.tracing import set_tracing_disabled

from steno_tap import Tap, agents
from tests.provider import Provider
from tests.servers import Steno

MakeTap = Callable[..., Tap]
set_tracing_disabled(disabled=True)


def parsed(texts: list[str]) -> list[Any]:
    return [json.loads(text) for text in texts]


def arrived(steno: Steno, direction: str) -> list[Any]:
    return [json.loads(line["text"]) for line in steno.lines if line["dir"] == direction]


async def talk(tap: Tap, provider: Provider, reached: str) -> None:
    runner = RealtimeRunner(RealtimeAgent(name="till", instructions="Be brief."))
    session = await runner.run(model_config={"url": f"ws://{provider.host}", "api_key": "sk-of-the-application"})
    async with tap.agents(session):
        await session.send_message("Which aisle is the tea in?")
        async for event in session:
            if event.type == "raw_model_event" and event.data.type == reached:
                break


def test_both_directions_of_a_session(make_tap: MakeTap, steno: Steno) -> None:
    tap = make_tap(steno.url)
    with Provider() as provider:
        asyncio.run(talk(tap, provider, "turn_ended"))

    assert tap.close()
    steno.settled()
    assert len(steno.pushes) == 1
    assert arrived(steno, "received") == parsed(provider.sent)[: len(arrived(steno, "received"))]
    assert "response.done" in {event["type"] for event in arrived(steno, "received")}
    assert arrived(steno, "sent") == parsed(provider.received)
    assert "session.update" in {event["type"] for event in arrived(steno, "sent")}


def test_a_version_without_the_private_name_goes_on_with_what_is_received(
    make_tap: MakeTap, steno: Steno, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(agents, "_OPENER", "_renamed_since")
    caplog.set_level(logging.WARNING, "steno_tap")
    tap = make_tap(steno.url)
    with Provider() as provider:
        asyncio.run(talk(tap, provider, "turn_ended"))

    assert tap.close()
    steno.settled()
    assert arrived(steno, "received") == parsed(provider.sent)[: len(arrived(steno, "received"))]
    assert "response.done" in {event["type"] for event in arrived(steno, "received")}
    assert arrived(steno, "sent") == []
    warnings = [record.getMessage() for record in caplog.records if record.name == "steno_tap"]
    assert warnings == ["not tapped in this version of the library: sent events of openai-agents"]
