"""What an envelope says of the event in it."""

import pytest

from steno.core.envelope import event_time
from steno.sources.recording import parse
from steno.timestamps import timestamp

RECEIVED = 1_790_000_000_000_000
"""2026-09-21T14:13:20Z."""


@pytest.mark.parametrize(
    ("stated", "seconds"),
    [
        ("2026-09-21T14:13:19Z", -1),
        ("2026-09-21t14:13:19z", -1),
        ("2026-09-21T14:12:60Z", None),
        ("2026-09-21T14:13:19.1234567Z", -0.876544),
        ("20260921T141319Z", None),
        ("2026-W39-1T14:13:19Z", None),
        ("2026-09-21T14:13Z", None),
        ("2026-09-21T14:13:19", None),
        ("2026-09-21T16:13:19+0200", None),
    ],
)
def test_a_time_is_read_alike_in_an_envelope_and_in_a_recording(stated: str, seconds: float | None) -> None:
    """Both have RFC 3339: what is taken in the one is taken in the other, and what is refused is refused."""
    expected = None if seconds is None else RECEIVED + round(seconds * 1_000_000)

    assert event_time(stated, RECEIVED) == (RECEIVED if expected is None else expected)
    assert parse(b'{"dir":"received","at":"%b","data":{}}' % stated.encode()).at == expected


def test_a_leap_second_is_the_second_after_it() -> None:
    """As POSIX has it, in an envelope as in a recording."""
    received = 1_483_228_800_000_000

    assert timestamp(event_time("2016-12-31T23:59:60Z", received - 1) or 0) == "2017-01-01T00:00:00.000000Z"
