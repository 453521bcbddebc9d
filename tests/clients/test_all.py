"""The unchanged clients that only `make test-clients` installs."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.clients import plays
from tests.clients.environments import chromium, node, python
from tests.clients.harness import Client

WITH_TAPS: Final[dict[str, Callable[[], Client]]] = {
    "openai-node": lambda: node("openai_node.mjs"),
    "openai-agents": lambda: python("agents", "agents_session.py"),
    "livekit": lambda: python("livekit", "livekit_session.py"),
    "pipecat": lambda: python("pipecat", "pipecat_service.py"),
}
CLIENTS: Final = {**WITH_TAPS, "chromium": chromium}
"""A browser can show no token, so no tap is made for one."""


@pytest.mark.parametrize("name", CLIENTS)
def test_passes_the_proxy(name: str, tmp_path: Path, record_property: plays.Record) -> None:
    plays.passes_the_proxy(CLIENTS[name](), tmp_path, record_property)


@pytest.mark.parametrize("name", WITH_TAPS)
def test_is_tapped(name: str, tmp_path: Path, record_property: plays.Record) -> None:
    plays.is_tapped(WITH_TAPS[name](), tmp_path, record_property)
