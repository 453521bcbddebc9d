"""Pipecat's OpenAI realtime service against a scripted provider. Runs where its packages are installed."""

import asyncio
import logging
from collections.abc import Callable

import pytest

from steno_tap import Tap, pipecat
from tests.provider import Provider
from tests.servers import Steno, shapes, until

realtime = pytest.importorskip("pipecat.services.openai.realtime.llm", reason="Pipecat has an environment of its own")
events = pytest.importorskip("pipecat.services.openai.realtime.events")

MakeTap = Callable[..., Tap]


async def talk(tap: Tap, provider: Provider) -> None:
    from pipecat.pipeline.pipeline import Pipeline
    from pipecat.pipeline.runner import PipelineRunner
    from pipecat.pipeline.task import PipelineTask

    service = tap.pipecat(
        realtime.OpenAIRealtimeLLMService(api_key="sk-of-the-application", base_url=f"ws://{provider.host}"), "till-7"
    )
    task = PipelineTask(Pipeline([service]))
    running = asyncio.create_task(PipelineRunner(handle_sigint=False).run(task))
    await asyncio.to_thread(until, lambda: provider.sent)
    await service.send_client_event(events.ResponseCreateEvent())
    await asyncio.to_thread(until, lambda: '"response.done"' in provider.sent[-1])
    await task.cancel()
    await running


@pytest.mark.filterwarnings("default")
def test_both_directions_of_a_service(make_tap: MakeTap, steno: Steno) -> None:
    tap = make_tap(steno.url)
    with Provider() as provider:
        asyncio.run(talk(tap, provider))
        until(lambda: steno.pushes)

    assert tap.close()
    steno.settled()
    assert [line["text"] for line in steno.lines if line["dir"] == "received"] == provider.sent
    assert [line["text"] for line in steno.lines if line["dir"] == "sent"] == provider.received
    assert steno.pushes[0].query == {"conversation": "till-7"}
    assert shapes(steno.lines)[-1]["dir"] == "close"


def test_a_version_without_the_private_names_goes_on_without_the_tap(
    make_tap: MakeTap, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pipecat, "_CONNECT", "_renamed_since")
    caplog.set_level(logging.WARNING, "steno_tap")
    service = realtime.OpenAIRealtimeLLMService(api_key="sk-of-the-application")

    assert make_tap().pipecat(service) is service
    assert [record.getMessage() for record in caplog.records if record.name == "steno_tap"] == [
        "not tapped in this version of the library: Pipecat"
    ]
