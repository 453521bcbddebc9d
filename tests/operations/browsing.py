"""A headless Chromium for tests of the page: whatever it complains about is a failure."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
ANSWERED_404: Final = "/v1/verification"
"""A live daemon has no verification to show, and the browser writes each 404 to its console."""


class Window:
    """A page of the browser, and what went wrong in it."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("console", self._written)
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))
        page.on("popup", lambda popup: self.complaints.append(f"popup: {popup.url}"))
        self.asked: list[str] = []
        page.on("request", lambda request: self.asked.append(request.url))

    def _written(self, message: Any) -> None:
        if message.type in {"error", "warning"} and not str(message.location.get("url", "")).endswith(ANSWERED_404):
            self.complaints.append(f"{message.type}: {message.text} {message.location.get('url', '')}")


@contextmanager
def browser() -> Iterator[Any]:
    """Yield a Chromium with an empty folder of its own."""
    from playwright.sync_api import sync_playwright  # type: ignore[import-not-found]  # in an environment of its own

    chromium = shutil.which("chromium")
    assert chromium, "make test-operations installs it"
    folder = Path(tempfile.mkdtemp(prefix="steno-browser-"))
    try:
        with sync_playwright() as driver:
            started = driver.chromium.launch(executable_path=chromium, args=[*FLAGS], env={"HOME": str(folder)})
            yield started
            started.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def window(started: Any, address: str, *, width: int = 1400, height: int = 900, **more: Any) -> Iterator[Window]:
    """Open `address` in a window without cookies. Whatever was complained about fails the test in the end."""
    context = started.new_context(viewport={"width": width, "height": height}, **more)
    try:
        opened = Window(context.new_page())
        opened.page.set_default_timeout(10_000)
        opened.page.goto(address)
        yield opened
        if opened.complaints:
            pytest.fail("\n".join(opened.complaints))
    finally:
        context.close()
