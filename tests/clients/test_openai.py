"""The unchanged `openai` SDK for Python: sync, async, beta namespace, plain HTTP, responses, Live."""

from pathlib import Path
from typing import Final

import pytest

from tests.clients import plays
from tests.clients.environments import python

WEBSOCKETS: Final = [
    ("openai_sync.py", "realtime"),
    ("openai_sync.py", "beta"),
    ("openai_async.py",),
    ("openai_responses.py",),
]
PROGRAMS: Final = [*WEBSOCKETS, ("openai_http.py",), ("openai_responses_http.py",), ("openai_live.py",)]


@pytest.mark.parametrize("program", PROGRAMS, ids=" ".join)
def test_passes_the_proxy(program: tuple[str, ...], tmp_path: Path, record_property: plays.Record) -> None:
    plays.passes_the_proxy(python("openai", *program), tmp_path, record_property)


@pytest.mark.parametrize("program", WEBSOCKETS, ids=" ".join)
def test_is_tapped(program: tuple[str, ...], tmp_path: Path, record_property: plays.Record) -> None:
    plays.is_tapped(python("openai", *program), tmp_path, record_property)
