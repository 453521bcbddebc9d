"""LiveKit's OpenAI realtime plugin as a library: a session of its model, without their server."""

import asyncio
import os

from livekit import rtc
from livekit.agents import llm
from livekit.plugins import openai
from play import loud, silent


@llm.function_tool
async def find_aisle(article: str) -> str:
    """Say where an article is."""
    return f"{article}: aisle 9, left"


def frame(sound):
    """Return sound as LiveKit has it."""
    return rtc.AudioFrame(sound, 24000, 1, len(sound) // 2)


class Listener:
    """Waits for events of the provider."""

    def __init__(self, session):
        """Listen to `session`."""
        self._events = asyncio.Queue()
        session.on("openai_server_event_received", self._events.put_nowait)

    async def until(self, kind):
        """Return the next event of a type."""
        while (event := await self._events.get())["type"] != kind:
            pass
        return event


async def talk(session):
    """Have the conversation."""
    listener = Listener(session)
    await session.update_tools([find_aisle])
    await listener.until("session.updated")  # the first, of two
    context = llm.ChatContext.empty()
    context.add_message(role="user", content="Please find the aisle of Marmalade")
    await session.update_chat_ctx(context)
    session.generate_reply()
    done = await listener.until("response.done")
    call = done["response"]["output"][0]
    context = session.chat_ctx.copy()
    output = llm.FunctionCallOutput(call_id=call["call_id"], name="find_aisle", output="aisle 9, left", is_error=False)
    context.items.append(output)
    await session.update_chat_ctx(context)
    session.generate_reply()
    await listener.until("response.done")
    session.push_audio(frame(loud(1000)))
    session.push_audio(frame(silent(900)))
    await listener.until("response.done")


async def main():
    """Connect as the environment says."""
    model = openai.realtime.RealtimeModel(
        model="gpt-realtime", base_url=os.environ["OPENAI_BASE_URL"], api_key=os.environ["OPENAI_API_KEY"]
    )
    session = model.session()
    if os.environ.get("STENO_TAP_URL"):
        from steno_tap import Tap

        async with Tap() as tap:
            await talk(tap.livekit(session))
            await session.aclose()
    else:
        await talk(session)
        await session.aclose()
    await model.aclose()


asyncio.run(main())
