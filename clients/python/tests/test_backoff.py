from datetime import datetime, timezone
from itertools import islice

import pytest

from steno_tap import backoff

NOW = datetime(2026, 5, 4, 12, 0, 0, tzinfo=timezone.utc)


def test_waits_are_spread_over_a_bound_that_doubles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "FIRST_SECONDS", 0.5)
    monkeypatch.setattr(backoff, "LONGEST_SECONDS", 30.0)
    longest = [max(waits) for waits in zip(*(islice(backoff.delays(), 8) for _ in range(2000)), strict=True)]
    shortest = [min(waits) for waits in zip(*(islice(backoff.delays(), 8) for _ in range(2000)), strict=True)]

    for bound, high, low in zip([0.5, 1, 2, 4, 8, 16, 30, 30], longest, shortest, strict=True):
        assert 0.95 * bound < high <= bound
        assert low < 0.05 * bound


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, 0),
        ("7", 7),
        ("0", 0),
        ("99999", 300),
        ("9" * 5000, 0),
        ("-1", 0),
        ("٣", 0),
        ("soon", 0),
        ("Mon, 04 May 2026 12:00:30 GMT", 30),
        ("Mon, 04 May 2026 11:00:00 GMT", 0),
        ("Mon, 04 May 2026 18:00:00 GMT", 300),
        ("Mon, 04 May 99999 18:00:00 GMT", 0),
        ("Mon, 04 May 2026 12:00:30", 0),
    ],
)
def test_retry_after(value: str | None, seconds: float) -> None:
    assert backoff.retry_after(value, NOW) == seconds
