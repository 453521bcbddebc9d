"""`kind = "connect"`: a websocket that the daemon opens, reads, and opens again when it ends. See `dialing`."""

from collections.abc import Coroutine
from typing import Any

import structlog

from steno.config.sources.connect import Connect
from steno.sources.backoff import Backoff
from steno.sources.dialing import DialCounters, DialLoop, Target
from steno.sources.protocols import Problem
from steno.sources.stream_session import StreamSessions
from steno.sources.websocket import conversation_name


class ConnectSource:
    """One configured connection, over all its streams. It is ready while it is connected."""

    __slots__ = ("_config", "_loop", "counters", "name")

    def __init__(self, config: Connect, sessions: StreamSessions) -> None:
        """Connect as `config` says, and begin streams by `sessions`."""
        self.name = config.name
        self.counters = DialCounters()
        self._config = config
        self._loop = DialLoop(_target(config), config.name, self.counters, sessions, self._log)

    def _log(self) -> Any:
        return structlog.get_logger().bind(source=self.name)

    @property
    def ready(self) -> bool:
        """Whether it is connected."""
        return self._loop.connected

    @property
    def problem(self) -> Problem | None:
        """Why the last attempt failed, while it is not connected."""
        return None if self.ready else self._loop.problem

    def run(self) -> Coroutine[Any, Any, None]:
        """Connect and read, again and again, until `stop`."""
        return self._loop.run(Backoff(self._config.backoff_seconds, self._config.backoff_max_seconds))

    async def stop(self) -> None:
        """Close the connection as going away, and connect no more."""
        await self._loop.stop()

    async def reconfigure(self, config: Connect) -> None:
        """Leave the connection, and make the next one as `config` says."""
        self._config = config
        await self._loop.redial(_target(config))


def _target(config: Connect) -> Target:
    return Target(
        url=config.url,
        shown=config.masked_url,
        endpoint=config,
        subprotocols=config.subprotocols,
        conversation=conversation_name(config.url),
    )
