"""A provider on loopback that sends the frames of a recording.

    send.py FILE [CONNECTIONS RATE FRAMES]

To one client it sends all of them as fast as they are read. To many it deals out whole sessions. Each is brought to
somewhere in its midst; when a line comes on standard input, that many frames follow on each, at a rate a second.

It prints the port; `begun`, where many clients are in the midst of their sessions; and `sent` when each client has
answered a ping behind its last frame. At the next line on standard input it closes all connections and ends.

Frames are written to the transport as they go over the wire, since this process must be faster than what is measured.
"""

import asyncio
import struct
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Final

import msgspec
from websockets.asyncio.server import ServerConnection, serve

CHUNK_BYTES: Final = 256 * 1024
"""Written at a time: more than any receiver reads at once."""
BEGUN_FRAMES: Final = 100
"""How far a session has come at most when its frames begin to count."""
SHORT: Final = 126
MEDIUM: Final = 1 << 16


class _Line(msgspec.Struct):
    data: msgspec.Raw = msgspec.Raw(b"")


def payloads(file: Path) -> Iterator[bytes]:
    """Yield the payloads of a recording, and an empty one at the end of each connection."""
    decode = msgspec.json.Decoder(_Line).decode
    with file.open("rb") as lines:
        for line in lines:
            yield bytes(decode(line).data)


def framed(payload: bytes) -> bytes:
    """Return a text message as a server sends it: one frame, not masked."""
    size = len(payload)
    if size < SHORT:
        return struct.pack("!BB", 0x81, size) + payload
    if size < MEDIUM:
        return struct.pack("!BBH", 0x81, SHORT, size) + payload
    return struct.pack("!BBQ", 0x81, SHORT + 1, size) + payload


def hands(recorded: Iterable[bytes], connections: int, frames: int) -> list[list[bytes]]:
    """Deal out whole sessions, until each connection has more than `frames`."""
    dealt: list[list[bytes]] = [[]]
    for payload in recorded:
        if payload:
            dealt[-1].append(framed(payload))
        elif len(dealt[-1]) > frames:
            if len(dealt) == connections:
                return dealt
            dealt.append([])
    raise SystemExit("the recording is too short for so many connections")


async def fast(connection: ServerConnection, frames: Iterable[bytes]) -> None:
    """Send as fast as it is read."""
    chunk = bytearray()
    for frame in frames:
        chunk += frame
        if len(chunk) >= CHUNK_BYTES:
            connection.transport.write(bytes(chunk))
            chunk.clear()
            while connection.transport.get_write_buffer_size() > CHUNK_BYTES:  # noqa: ASYNC110  # it has no event
                await asyncio.sleep(0.001)
    connection.transport.write(bytes(chunk))


async def paced(connection: ServerConnection, frames: Iterable[bytes], rate: float, first: float) -> None:
    """Send at a rate, from the loop's time `first` on."""
    loop = asyncio.get_running_loop()
    for number, frame in enumerate(frames):
        await asyncio.sleep(first + number / rate - loop.time())
        connection.transport.write(frame)


async def one(clients: list[ServerConnection], file: Path) -> None:
    """Send everything to one client."""
    await fast(clients[0], map(framed, filter(None, payloads(file))))


async def many(clients: list[ServerConnection], dealt: list[list[bytes]], rate: float, frames: int) -> None:
    """Bring many sessions into their midst, wait, and let them go on, out of step."""
    rng = Random(0)
    begins = [rng.randint(1, min(BEGUN_FRAMES, len(hand) - frames)) for hand in dealt]
    for client, hand, begin in zip(clients, dealt, begins, strict=True):
        await fast(client, hand[:begin])
    await read_by_all(clients)
    say("begun")
    await told()
    first = asyncio.get_running_loop().time()
    async with asyncio.TaskGroup() as tasks:
        for number, (client, hand, begin) in enumerate(zip(clients, dealt, begins, strict=True)):
            step = number / len(clients) / rate
            tasks.create_task(paced(client, hand[begin : begin + frames], rate, first + step))


async def read_by_all(clients: list[ServerConnection]) -> None:
    """Wait until each client has read all that was sent."""
    for client in clients:
        await (await client.ping())


async def told() -> None:
    """Wait for a line on standard input."""
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def main(file: Path, connections: int = 1, rate: float = 0, frames: int = 0) -> None:
    """Send each client its frames, and end when told."""
    dealt = hands(payloads(file), connections, frames) if rate else []
    arrived: asyncio.Queue[ServerConnection] = asyncio.Queue()

    async def handle(connection: ServerConnection) -> None:
        arrived.put_nowait(connection)
        await connection.wait_closed()

    async with serve(handle, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        say(str(next(iter(server.sockets)).getsockname()[1]))
        clients = [await arrived.get() for _ in range(connections)]
        await (many(clients, dealt, rate, frames) if rate else one(clients, file))
        await read_by_all(clients)
        say("sent")
        await told()
        for client in clients:
            await client.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *map(int, sys.argv[2:])))
