"""Receives all messages of some websockets by the bare library, until they are closed: `receive.py URL CONNECTIONS`."""

import asyncio
import sys
from contextlib import suppress

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed


async def receive(url: str) -> None:
    """Receive from one connection, each message as the bytes that came."""
    async with connect(url, max_size=None, proxy=None) as connection:
        with suppress(ConnectionClosed):
            while True:
                await connection.recv(decode=False)


async def main(url: str, connections: int) -> None:
    """Receive from all of them at once."""
    async with asyncio.TaskGroup() as tasks:
        for number in range(connections):
            tasks.create_task(receive(f"{url}/{number}"))


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
