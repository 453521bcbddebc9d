# mypy: ignore-errors  # what it imports is in that environment
"""What a user would write who wants metrics and a log of a session, with the provider's SDK: `sdk_loop.py URL LOG`.

An event is counted by its type, and written as a line of JSON.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

from openai import AsyncOpenAI
from prometheus_client import Counter
from websockets.exceptions import ConnectionClosed

EVENTS = Counter("events_total", "Events by type.", ["model", "type"])
BYTES_MAX = 2**24


async def main(url: str, log: Path) -> None:
    """Read one session until it is closed."""
    client = AsyncOpenAI(api_key="none", websocket_base_url=url)
    options = {"max_size": BYTES_MAX, "proxy": None}
    manager = client.realtime.connect(model="gpt-realtime", websocket_connection_options=options)
    async with manager as connection:
        with log.open("a") as lines:
            try:
                async for event in connection:
                    EVENTS.labels("gpt-realtime", event.type).inc()
                    record = {"at": time.time(), "type": event.type, "event_id": getattr(event, "event_id", None)}
                    lines.write(f"{json.dumps(record)}\n")
            except ConnectionClosed:
                pass


asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
