"""The records that a log must hold of a simulated conversation: made again from its seed, without a daemon."""

from functools import lru_cache
from random import Random
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import msgspec

from steno.app.price_list import load_prices
from steno.audit.content_policy import NONE, BodyEncoder
from steno.audit.sink import AuditSink
from steno.audit.writing.queue import Submission
from steno.config import Audit
from steno.core.frame import Frame
from steno.limits import Limits
from steno.pipeline import Pipeline
from steno.simulate.server import STORIES

SEED: Final = 7
NOW: Final = 1_790_000_000
"""The second at which each conversation begins by its own account. With the seed it decides every frame."""
AT: Final = NOW * 1_000_000
CLOSED: Final = "stream.closed"
RESUMED: Final = "stream.resumed"
SKIPPED: Final = 100
"""Connections in a row that a source may have made without recording any of it, because it was killed."""

Record = dict[str, Any]


class PlainRecord(NamedTuple):
    """A record without what differs from run to run: numbers, times, names of streams, content."""

    fact: str
    event_id: str | None
    body: Any


class Ending(NamedTuple):
    """How a stream ended."""

    frames: int
    code: int | None
    reason: str
    gap: str | None


class _Records:
    """Takes records in place of a log."""

    def __init__(self) -> None:
        self.plain: list[PlainRecord] = []

    def submit(self, record: Submission) -> None:
        assert isinstance(record, bytes)
        self.plain.append(plain(msgspec.json.decode(b"{" + record + b"}")))


def plain(record: Record) -> PlainRecord:
    """Return what a record has in common with that of another run."""
    return PlainRecord(record["fact"], record["event_id"], _plain_value(record["body"]))


def _plain_value(value: Any) -> Any:
    """Return a value without durations, and with the kind and length of content only."""
    if isinstance(value, list):
        return [_plain_value(each) for each in value]
    if not isinstance(value, dict):
        return value
    if {"kind", "length"} <= value.keys():
        return value["kind"], value["length"]
    return {name: _plain_value(inner) for name, inner in value.items() if not name.endswith("_seconds")}


@lru_cache(512)
def _frames(path: str, number: int) -> tuple[bytes, ...]:
    steps = STORIES[urlsplit(path).path].make(Random(f"{SEED}/{path}/{number}"), NOW)
    return tuple(step.payload() for step in steps)


@lru_cache(512)
def story(source: str, path: str, number: int, ending: Ending | None) -> list[PlainRecord]:
    """Return the records of the `number`-th conversation of `path`, up to its last frame where nothing ends it."""
    records = _Records()
    pipeline = Pipeline(
        Limits(), [AuditSink(records, BodyEncoder(NONE), Audit().record_bytes)], prices=load_prices(None)
    )
    stream = pipeline.stream_opened(f"{source}/0/{number}", source, AT)
    for frame in _frames(path, number)[: ending.frames if ending else None]:
        pipeline.feed(stream, Frame(frame, AT))
    if ending:
        pipeline.stream_closed(stream, AT, ending.code, shutdown=ending.reason == "shutdown", gap=ending.gap)
    return records.plain


NAMING: Final = 3
"""How many of their first records two conversations may have in common: who opened what."""


class Streams:
    """Compares the records of the streams of one source with what the provider sent, one after the other."""

    def __init__(self, source: str, path: str) -> None:
        """Expect the conversations of `path`, from the first on."""
        self._source = source
        self._path = path
        self._number = 1

    def check(self, records: list[Record]) -> None:
        """Take the records of one stream. Each fact is there once, in order, and none is missing before the last."""
        held = list(map(plain, records))
        if len(held) > 1 and held[1].fact == RESUMED:  # which stream it follows is the daemon's affair
            del held[1]
        ends = [at for at, each in enumerate(held) if each.fact == CLOSED]
        ending = Ending(**{name: held[ends[0]].body[name] for name in Ending._fields}) if ends else None
        if ends:  # the rest is about the end of the daemon
            del held[ends[0] + 1 :]
        for number in range(self._number, self._number + SKIPPED):
            expected = story(self._source, self._path, number, ending)
            if held == (expected if ending else expected[: len(held)]) or (
                not ending and self._is_ending(held, number)
            ):
                self._number = number
                return
        raise AssertionError(
            f"{self._source}: no conversation has these {len(held)} records, {held[:3]} to {held[-3:]}"
        )

    def _is_ending(self, held: list[PlainRecord], number: int) -> bool:
        """Return whether these are the records of a stream whose end was being recorded: the last one is missing."""
        if held[: NAMING + 1] != story(self._source, self._path, number, None)[: NAMING + 1]:
            return False
        endings = (
            Ending(frames, None, reason, None)
            for frames in range(len(_frames(self._path, number)), 0, -1)
            for reason in ("disconnected", "shutdown")
        )
        return any(held == story(self._source, self._path, number, ending)[: len(held)] for ending in endings)
