"""What the tests share: a steno that listens, short waits, and that nothing is left behind."""

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from steno_tap import Tap, backoff
from tests.servers import Steno

logging.getLogger("websockets").setLevel(logging.CRITICAL)


@pytest.fixture
def steno() -> Iterator[Steno]:
    with Steno() as server:
        yield server


@pytest.fixture
def make_tap() -> Iterator[Callable[..., Tap]]:
    """Return a maker of taps that are closed in the end, whatever becomes of the test."""
    taps: list[Tap] = []

    def make(*args: Any, **options: Any) -> Tap:
        taps.append(Tap(*args, **options))
        return taps[-1]

    yield make
    for tap in taps:
        tap.close(0)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the waits between attempts."""
    monkeypatch.setattr(backoff, "FIRST_SECONDS", 0.01)
    monkeypatch.setattr(backoff, "LONGEST_SECONDS", 0.02)
    monkeypatch.setattr(backoff, "SLOW_SECONDS", 0.02)


@pytest.fixture(autouse=True)
def nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail where a thread of the tap survives its test."""
    yield
    left = [thread for thread in threading.enumerate() if thread.name.startswith("steno-tap")]
    for thread in left:
        thread.join(0 if "resolver" in thread.name else 5)
    assert not [thread.name for thread in left if thread.is_alive() and "resolver" not in thread.name]
