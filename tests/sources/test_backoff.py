"""Waits between attempts: random below a bound that doubles, and not shorter than the server asks for."""

import random

from hypothesis import given
from hypothesis import strategies as st

from steno.sources.backoff import Backoff
from steno.sources.retry_after import RETRY_AFTER_SECONDS


class Highest(random.Random):
    """Draws the bound itself, so that a test can see it."""

    def uniform(self, a: float, b: float) -> float:
        return b


def test_bound_doubles_up_to_the_most() -> None:
    """Each failure doubles the bound, until it is at the most."""
    backoff = Backoff(0.5, 5, Highest())

    waits = [backoff.wait() for _ in range(6)]

    assert waits == [0.5, 1, 2, 4, 5, 5]


def test_success_begins_anew() -> None:
    """After a good connection the first wait is short again."""
    backoff = Backoff(0.5, 60, Highest())
    backoff.wait()
    backoff.wait()

    backoff.succeeded()

    assert backoff.wait() == 0.5


def test_server_may_ask_for_longer_within_reason() -> None:
    """A Retry-After is respected up to a limit."""
    backoff = Backoff(0.5, 60, Highest())

    assert [backoff.wait(7), backoff.wait(86_400)] == [7, RETRY_AFTER_SECONDS]


@given(st.integers(0, 2**32), st.integers(1, 2_000))
def test_wait_is_never_above_the_most(seed: int, failures: int) -> None:
    """After any number of failures the wait lies between zero and the most."""
    backoff = Backoff(0.5, 60, random.Random(seed))

    assert all(0 <= backoff.wait() <= 60 for _ in range(failures))
