"""Read a realtime stream by the SDK as OpenLLMetry instruments it; its spans go nowhere.

    build/peers/openllmetry/bin/python benchmarks/programs/openllmetry.py ws://127.0.0.1:PORT/v1

It reads until the connection ends, then prints how many events came, and the seconds of CPU since the first.
"""

import asyncio
import resource
import sys

from openai import AsyncOpenAI
from opentelemetry.instrumentation.openai import OpenAIInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


def cpu() -> float:
    """Return the seconds of CPU that this process has taken, user and system."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def main(url: str) -> None:
    """Read all of it."""
    provider = TracerProvider()
    exporter = InMemorySpanExporter()
    provider.add_span_processor(BatchSpanProcessor(exporter))
    OpenAIInstrumentor().instrument(tracer_provider=provider)
    client = AsyncOpenAI(api_key="none", base_url=url.replace("ws://", "http://"), websocket_base_url=url)
    began, count = 0.0, 0
    # The names of the beta are those that it knows.
    async with client.beta.realtime.connect(model="gpt-realtime") as connection:
        async for _ in connection:
            began = began or cpu()
            count += 1
    provider.force_flush()
    sys.stdout.write(f"{count} {cpu() - began} {len(exporter.get_finished_spans())}\n")


asyncio.run(main(sys.argv[1]))
