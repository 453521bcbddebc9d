"""What needs a browser, a Prometheus or other programs of an operator's runs by `make test-operations` alone."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.operations.browsing import browser
from tests.operations.stand_in import StandIn, stand_in

ROOT = Path(__file__).parents[2]
if os.environ.get("STENO_OPERATIONS") == "all":
    collect_ignore_glob = []
    # The driver of the browser is installed apart, by the Makefile. What is here comes first.
    sys.path += map(str, (ROOT / "build/operations/browser/lib").glob("python3*/site-packages"))
else:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as started:
        yield started


@pytest.fixture
def served() -> Iterator[StandIn]:
    with stand_in() as served:
        yield served
