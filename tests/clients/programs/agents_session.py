"""`openai-agents`: a realtime session that hears, and calls a function of the application."""

import asyncio
import os

from agents import function_tool
from agents.realtime import RealtimeAgent, RealtimeRunner
from agents.tracing import set_tracing_disabled
from play import loud, silent


@function_tool
def find_aisle(article: str) -> str:
    """Say where an article is."""
    return f"{article}: aisle 9, left"


SETTINGS = {
    "model_name": "gpt-realtime",
    "input_audio_transcription": {"model": "gpt-4o-mini-transcribe"},
    "turn_detection": {"type": "server_vad", "interrupt_response": True},
}


async def until(session, kind):
    """Wait for the end of a turn, or for another event of the session."""
    async for event in session:
        if event.type == kind:
            return


async def configured(session):
    """Wait until the provider has taken both configurations that are sent at the beginning."""
    count = 0
    async for event in session:
        if event.type == "raw_model_event" and event.data.type == "raw_server_event":
            count += event.data.data["type"] == "session.updated"
        if count == len(("of the connection", "of the agent")):
            return


async def talk(session):
    """Have the conversation. It speaks first: later it would truncate an answer by the time that passed."""
    await configured(session)
    await session.send_audio(loud(1000))
    await session.send_audio(silent(900))
    await until(session, "agent_end")
    await session.send_message("Please find the aisle of Marmalade")
    await until(session, "agent_end")  # it has called the function
    await until(session, "agent_end")


async def main():
    """Connect as the environment says."""
    set_tracing_disabled(disabled=True)
    agent = RealtimeAgent(name="till", instructions="Be brief.", tools=[find_aisle])
    runner = RealtimeRunner(agent, config={"model_settings": SETTINGS})
    url = f"{os.environ['STENO_CLIENT_WS']}/realtime?model=gpt-realtime"
    session = await runner.run(model_config={"api_key": os.environ["OPENAI_API_KEY"], "url": url})
    if os.environ.get("STENO_TAP_URL"):
        from steno_tap import Tap

        async with Tap() as tap, tap.agents(session):
            await talk(session)
    else:
        async with session:
            await talk(session)


asyncio.run(main())
