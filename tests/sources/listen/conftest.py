"""What holds in all plays of `kind = "listen"`."""

import pytest

from steno.sources import sockets


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave a port at once."""
    monkeypatch.setattr(sockets, "SETTLE_SECONDS", 0.01)
