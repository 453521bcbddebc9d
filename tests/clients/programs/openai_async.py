"""The `openai` SDK with asyncio."""

import asyncio
import os

import openai
from play import SHAPES, play


async def talk(connection, steps):
    """Have the conversation, and return how many events came."""
    count, event = 0, None
    while True:
        try:
            kind, what = steps.send(event)
        except StopIteration:
            return count
        event = None
        if kind == "send":
            await connection.send(what)
            continue
        while event is None or event["type"] != what:
            event = (await connection.recv()).to_dict()
            count += 1


async def main():
    """Connect as the environment says."""
    async with openai.AsyncOpenAI() as client, client.realtime.connect(model="gpt-realtime") as connection:
        if os.environ.get("STENO_TAP_URL"):
            from steno_tap import Tap

            async with Tap() as tap:
                tap(connection)
                print(await talk(connection, play(**SHAPES["realtime"])))
                await connection.close()
        else:
            print(await talk(connection, play(**SHAPES["realtime"])))


asyncio.run(main())
