"""Requests to read the configuration again: one after the other, and its files in a thread.

A price list as long as LiteLLM's takes 0.1 s to read. No frame waits for it, and none for a disk that does not answer.
"""

from collections.abc import Awaitable, Callable

import anyio
import anyio.to_thread

from steno.app.price_list import configured_prices
from steno.config import Config
from steno.core.billing.prices import PriceTable


class Reloads:
    """What was asked for by SIGHUP, and is to be done. Requests that come while one is under way are one after it."""

    def __init__(self) -> None:
        """Nothing is asked for."""
        self._asked = anyio.Event()

    def ask(self) -> None:
        """Ask for a reload."""
        self._asked.set()

    async def run(self, reload: Callable[[], Awaitable[None]]) -> None:
        """Call `reload` for the requests that come."""
        while True:
            await self._asked.wait()
            self._asked = anyio.Event()
            await reload()


async def read(load: Callable[[], Config]) -> tuple[Config, PriceTable]:
    """Return the configuration that `load` reads, in a thread, and its prices. Raises ConfigError."""

    def both() -> tuple[Config, PriceTable]:
        config = load()
        return config, configured_prices(config.prices)

    return await anyio.to_thread.run_sync(both, abandon_on_cancel=True)
