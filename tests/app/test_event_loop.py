"""The loop waits for no thread for long."""

import sys

from steno.app.event_loop import TURN_SECONDS, short_turns


def test_threads_take_short_turns_while_the_daemon_runs() -> None:
    """And the former ones after it."""
    before = sys.getswitchinterval()
    with short_turns():
        during = sys.getswitchinterval()
    assert (during, sys.getswitchinterval()) == (TURN_SECONDS, before)
