"""The simulated provider in a process, at a second that stands still: two conversations have the same bytes.

    python -m tests.clients.provider SPEED [CERTIFICATE KEY]

prints its port, and ends with its standard input.
"""

import asyncio
import ssl
import sys
from typing import Final

from steno.simulate.server import provider

STARTED_AT: Final = 1_790_000_000
SEED: Final = 41


async def serve(speed: float, context: ssl.SSLContext | None) -> None:
    """Run it until standard input ends."""
    async with provider(seed=SEED, speed=speed, now=lambda: STARTED_AT, tls=context) as running:
        sys.stdout.write(f"{running.port}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


def main() -> None:
    """Run it as the command line says."""
    context = None
    if len(sys.argv) > 2:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*sys.argv[2:4])
    asyncio.run(serve(float(sys.argv[1]), context))


if __name__ == "__main__":
    main()
