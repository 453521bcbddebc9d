"""How deep the tests go: fast at every turn, or deep by hand with `make test-deep`."""

import os
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

DEEP: Final = os.environ.get("STENO_TESTS") == "deep"
"""The one place where that is read."""

# Where Python was told to write no byte code, every process that a test starts would compile all of steno anew: as much
# again as its start. The wish is kept for the tree: what is compiled lies in build/, for workers and processes alike.
if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
    os.environ.setdefault("PYTHONPYCACHEPREFIX", str(Path(__file__).parents[1] / "build" / "bytecode"))

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
