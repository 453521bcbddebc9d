"""Who works on very many rests now and then, and leaves nothing out."""

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from steno.app import views
from steno.app.rests import WORK_SECONDS, rested
from steno.config import Config
from steno.pipeline import Pipeline


class Time:
    """Seconds that pass by work and by rests."""

    def __init__(self) -> None:
        self.now = 0.0
        self.rests: list[float] = []

    def clock(self) -> float:
        return self.now

    def rest(self, seconds: float) -> None:
        self.now += seconds
        self.rests.append(seconds)


def worked(seconds: float, count: int) -> list[float]:
    """Work for so long on each of so many; return the rests."""
    time, done = Time(), []
    for item in rested(range(count), time.clock, time.rest):
        time.now += seconds
        done.append(item)
    assert done == list(range(count))
    return time.rests


def test_a_little_work_is_done_without_a_rest() -> None:
    assert worked(WORK_SECONDS / 8, 7) == []
    assert worked(WORK_SECONDS, 0) == []


def test_there_is_a_rest_wherever_enough_was_worked() -> None:
    assert worked(WORK_SECONDS / 4 + 1e-6, 11) == [WORK_SECONDS, WORK_SECONDS]
    assert worked(3 * WORK_SECONDS, 2) == [WORK_SECONDS, WORK_SECONDS]


def test_all_rows_of_a_daemon_are_read_with_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    times: list[int] = []

    def counted(items: Iterable[Any]) -> Iterator[Any]:
        times.append(1)
        yield from items

    monkeypatch.setattr(views, "rested", counted)
    config, supervisor = Config(), Any
    shown = views.Views(config)
    shown.attach(Pipeline(config.limits, []), supervisor, lambda: 0)  # type: ignore[arg-type]  # no source is asked for

    assert (shown._library.rows(), shown._library.fingerprints(), len(times)) == ([], {}, 2)
