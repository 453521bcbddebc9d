"""The page of the real thing: of the demo, while it runs, and of an audit log that is served."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.operations.browsing import window
from tests.processes import PATIENCE_SECONDS, STENO, steno

TOKEN = "the-token-of-a-test"
RECORDING = Path(__file__).parents[1] / "golden/barge-in/recording.jsonl"


@contextmanager
def running(*command: str | Path) -> Iterator[str]:
    """Run a command that serves the page, and yield the address that it prints."""
    environ = {**os.environ, "STENO_SERVE_TOKEN": TOKEN}
    with subprocess.Popen([*STENO, *map(str, command)], stdout=subprocess.PIPE, text=True, env=environ) as process:
        assert process.stdout is not None
        printed = (re.search(r"http://127\.0\.0\.1:\d+(?=/(?:metrics|#))", line) for line in process.stdout)
        address = next(filter(None, printed)).group()
        try:
            yield address
        finally:
            process.terminate()
            process.stdout.read()
            process.wait(PATIENCE_SECONDS)


@pytest.fixture(scope="module")
def demo() -> Iterator[str]:
    with running("demo") as address:
        yield address


def test_the_demo_is_shown(chromium: Any, demo: str) -> None:
    """Its calls and threads come by themselves, and its sources are ready."""
    with window(chromium, f"{demo}/#/?q=front-desk") as opened:
        page = opened.page
        page.locator("tbody tr").first.wait_for(timeout=1000 * PATIENCE_SECONDS)
        page.locator("#link[data-state=live]").wait_for()
        page.get_by_text("6 of 6").wait_for()
        row = page.locator("tbody tr", has_not=page.locator(".closed")).first
        before = row.inner_text()
        page.wait_for_function(
            "([row, before]) => row.innerText !== before", arg=[row.element_handle(), before], timeout=20_000
        )


def test_a_call_of_the_demo_is_followed_as_it_goes(chromium: Any, demo: str) -> None:
    """What happens is added to its timeline, and its texts are withheld from who has no token."""
    with window(chromium, f"{demo}/#/?q=front-desk&open=true") as opened:
        page = opened.page
        page.locator("tbody a.key").first.click(timeout=1000 * PATIENCE_SECONDS)
        page.locator("g.span").first.wait_for()
        spans = page.locator("g.span").count()
        page.wait_for_function(
            "(spans) => document.querySelectorAll('g.span').length > spans + 1", arg=spans, timeout=20_000
        )
        page.get_by_text("What was said is shown to who has the token").wait_for()

        assert page.get_by_text("not shown").count() > 0


def test_an_audit_log_is_served_with_its_verification(chromium: Any, tmp_path: Path) -> None:
    """A call is shown as it was, its texts to who has the token, and that its log verifies."""
    configuration = tmp_path / "steno.toml"
    configuration.write_text('[audit]\ncontent = "full"\n')
    written = steno("replay", RECORDING, "-c", configuration, "--audit", tmp_path / "audit")
    assert written.returncode == 0, written.stderr
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    with (
        running("serve", tmp_path / "audit", "--listen", "127.0.0.1:0") as address,
        window(chromium, address, extra_http_headers=bearer) as opened,
    ):
        page = opened.page
        page.get_by_text("✓ The log verifies").wait_for(timeout=1000 * PATIENCE_SECONDS)
        page.locator("tbody a.key").first.click()
        page.locator(".transcript s").first.wait_for()

        assert page.locator("g.response").count() > 0
        assert page.locator("#notice-sources").count() == 0
