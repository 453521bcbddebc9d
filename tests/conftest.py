"""How deep the tests go: fast at every turn, or deep by hand with `make test-deep`."""

import os
from typing import Final

import pytest
from hypothesis import settings

DEEP: Final = os.environ.get("STENO_TESTS") == "deep"
"""The one place where that is read."""

settings.register_profile("fast", settings.default, max_examples=100)
settings.register_profile("deep", settings.default, max_examples=2_000)
# For `make coverage`: the same examples in every run, however slow they are.
settings.register_profile("repeatable", settings.default, max_examples=100, derandomize=True, deadline=None)
settings.load_profile("deep" if DEEP else "fast")


@pytest.fixture
def deep() -> bool:
    """Tell whether a test has time to be thorough."""
    return DEEP
