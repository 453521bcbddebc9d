"""How deep the tests go: fast at every turn, or deep by hand with `make test-deep`."""

import os
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

DEEP: Final = os.environ.get("STENO_TESTS") == "deep"
"""The one place where that is read."""

# A busy machine is no fault, and tests run beside each other: no example has a deadline, and none is too slow to draw.
PATIENT: Final = settings(settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("fast", PATIENT, max_examples=100)
settings.register_profile("deep", PATIENT, max_examples=2_000)
# For `make coverage`: the same examples in every run.
settings.register_profile("repeatable", PATIENT, max_examples=100, derandomize=True)
settings.load_profile("deep" if DEEP else "fast")


@pytest.fixture
def deep() -> bool:
    """Tell whether a test has time to be thorough."""
    return DEEP
