"""A provider on loopback that sends recorded payloads: `send.py FILE CONNECTIONS RATE [wait]`.

`FILE` has a payload a line. When `CONNECTIONS` clients have come, they are dealt out: whole sessions, so that each
connection carries valid ones, RATE events a second on each; with rate 0 all of it as fast as it is read. Frames are
made beforehand, since this process must be faster than what is measured.

With `wait` it prints `ready` when all have come, and sends when it reads a line.

It prints the port, then `sent` when every client has answered a ping behind its last frame. A line on standard input
lets it close all connections and end.
"""

import asyncio
import struct
import sys
from pathlib import Path
from typing import Final

from websockets.asyncio.server import ServerConnection, serve

CHUNK_BYTES: Final = 256 * 1024
"""Written at a time: more than any receiver reads at once."""
SHORT, MEDIUM = 126, 1 << 16


def framed(payload: bytes) -> bytes:
    """Return a text message as a server sends it: one frame, not masked."""
    size = len(payload)
    if size < SHORT:
        return struct.pack("!BB", 0x81, size) + payload
    if size < MEDIUM:
        return struct.pack("!BBH", 0x81, 126, size) + payload
    return struct.pack("!BBQ", 0x81, 127, size) + payload


def dealt(payloads: list[bytes], connections: int) -> list[list[bytes]]:
    """Deal payloads out, whole sessions each: an empty line ends one."""
    hands: list[list[bytes]] = [[] for _ in range(connections)]
    hand = hands[0]
    for payload in payloads:
        if payload:
            hand.append(framed(payload))
        else:
            hand = min(hands, key=len)
    return hands


async def fast(connection: ServerConnection, frames: list[bytes]) -> None:
    """Send as fast as it is read."""
    chunk: list[bytes] = []
    size = 0
    for frame in frames:
        chunk.append(frame)
        size += len(frame)
        if size >= CHUNK_BYTES:
            await written(connection, b"".join(chunk))
            chunk, size = [], 0
    await written(connection, b"".join(chunk))


async def written(connection: ServerConnection, data: bytes) -> None:
    """Write, and wait until there is room for more."""
    connection.transport.write(data)
    while connection.transport.get_write_buffer_size() > CHUNK_BYTES:  # noqa: ASYNC110  # the library has no event
        await asyncio.sleep(0.001)


async def paced(connection: ServerConnection, frames: list[bytes], rate: float, first: float) -> None:
    """Send at a rate, from the loop's time `first` on."""
    loop = asyncio.get_running_loop()
    for number, frame in enumerate(frames):
        await asyncio.sleep(first + number / rate - loop.time())
        connection.transport.write(frame)


async def main(hands: list[list[bytes]], rate: float, *, waits: bool) -> None:
    """Send each connection its frames, and end when told."""
    connections = len(hands)
    arrived: asyncio.Queue[ServerConnection] = asyncio.Queue()

    async def handle(connection: ServerConnection) -> None:
        arrived.put_nowait(connection)
        await connection.wait_closed()

    async with serve(handle, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        say(str(next(iter(server.sockets)).getsockname()[1]))
        clients = [await arrived.get() for _ in range(connections)]
        if waits:
            say("ready")
            await told()
        begin = asyncio.get_running_loop().time() + 0.5
        async with asyncio.TaskGroup() as tasks:
            for number, (client, frames) in enumerate(zip(clients, hands, strict=True)):
                step = number / connections / rate if rate else 0
                tasks.create_task(paced(client, frames, rate, begin + step) if rate else fast(client, frames))
        for client in clients:
            await (await client.ping())
        say("sent")
        await told()
        for client in clients:
            await client.close()


async def told() -> None:
    """Wait for a line on standard input."""
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


asyncio.run(
    main(
        dealt(Path(sys.argv[1]).read_bytes().splitlines(), int(sys.argv[2])),
        float(sys.argv[3]),
        waits="wait" in sys.argv[4:],
    )
)
