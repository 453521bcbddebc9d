"""Holds conversations open by pushing to a `listen` source: `talk.py URL CONVERSATIONS CONNECTIONS`.

Each connection carries its share of the conversations, named by CloudEvents. Once all have begun it says `open`, and
then 200 of them speak each second, until it is killed.
"""

import asyncio
import sys
from itertools import count
from time import time
from typing import Any, Final

import msgspec
from websockets.asyncio.client import ClientConnection, connect

A_SECOND: Final = 200
WORDS: Final = "and so it goes on " * 13


def event(call: int, number: int, kind: str, **members: Any) -> bytes:
    """Return an event of a conversation."""
    named = {"specversion": "1.0", "id": f"{call}-{number}", "source": "//desk", "subject": f"call-{call}"}
    return msgspec.json.encode({**named, "data": {"type": kind, **members}})


def opening(call: int) -> list[bytes]:
    """Return the events that a conversation begins with."""
    session = {"id": f"s{call}", "object": "realtime.session", "model": f"gpt-realtime-{call % 20}"}
    message = {"id": f"i{call}", "type": "message", "role": "assistant", "content": []}
    return [
        event(call, 0, "session.created", session={**session, "expires_at": int(time()) + 3_600}),
        event(call, 1, "response.created", response={"id": f"r{call}", "status": "in_progress", "output": []}),
        event(call, 2, "response.output_item.added", response_id=f"r{call}", output_index=0, item=message),
    ]


def word(call: int, number: int) -> bytes:
    """Return a piece of what a conversation says."""
    where = {"response_id": f"r{call}", "item_id": f"i{call}", "output_index": 0, "content_index": 0}
    return event(call, number, "response.output_audio_transcript.delta", **where, delta=WORDS)


async def begin(url: str, calls: range) -> ClientConnection:
    """Return a connection on which `calls` have begun."""
    connection = await connect(url, compression=None, ping_interval=None, proxy=None)
    for call in calls:
        for payload in opening(call):
            await connection.send(payload)
    return connection


async def speak(connections: list[ClientConnection], each: int) -> None:
    """Let one conversation after the other speak."""
    for number in count(3):
        call = number * 7 % (len(connections) * each)
        await connections[call // each].send(word(call, number))
        await asyncio.sleep(1 / A_SECOND)


async def main(url: str, conversations: int, number: int) -> None:
    """Talk without end."""
    each = conversations // number
    connections = [await begin(url, range(first * each, (first + 1) * each)) for first in range(number)]
    sys.stdout.write("open\n")
    sys.stdout.flush()
    await speak(connections, each)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
