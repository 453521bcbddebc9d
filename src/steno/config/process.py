"""What one of several processes with the same file has for itself: a part of the sources, and its own HTTP address.

A source that accepts on a port that is shared (`reuse_port`) runs in each of them, as does one of `kind = "attach"`,
which follows the calls of its shard. Any other source runs in one of them: that of its name.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from steno.config.fields import listen_fault
from steno.config.schema import Config
from steno.errors import UsageError
from steno.limits import SHARDS
from steno.shards import Shard


class Process(Struct, frozen=True):
    """What the command line says of this process. `Process()` has all of the file."""

    shard: Shard | None = None
    http_listen: str | None = None
    """In place of `http.listen` of the file."""

    @classmethod
    def of(cls, shard: str | None, http_listen: str | None) -> "Process":
        """Read the values of `--shard` and `--http-listen`. Raises UsageError where one is wrong."""
        found = None if shard is None else Shard.parse(shard)
        if shard is not None and found is None:
            raise UsageError(f"--shard must be I/N, with I from 1 to N and N at most {SHARDS}: --shard 2/4")
        fault = None if http_listen is None else listen_fault(http_listen)
        if fault:
            raise UsageError(f"--http-listen {fault}")
        return cls(found, http_listen)

    def tables(self, data: dict[str, Any]) -> dict[str, Any]:
        """Return the tables of a file, which may be wrong in any way, with the address of this process."""
        http = data.get("http", {})
        if self.http_listen is None or not isinstance(http, dict):
            return data
        return {**data, "http": {**http, "listen": self.http_listen}}

    def part(self, config: Config) -> Config:
        """Return `config` with the sources that run in this process alone."""
        left_out = {name for name, _ in self.elsewhere(config)}
        return msgspec.structs.replace(
            config, sources=tuple(source for source in config.sources if source.name not in left_out)
        )

    def elsewhere(self, config: Config) -> Iterator[tuple[str, int]]:
        """Yield the sources of `config` that run in another process, by name, and the number of their shard."""
        for source in config.sources:
            if self.shard and not source.everywhere and not self.shard.has(source.name):
                yield source.name, self.shard.of(source.name)
