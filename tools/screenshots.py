# ruff: noqa: INP001  # a script of the house, in no package
"""Takes the pictures of the page that the docs show: of the conversations of the demo, in a headless Chromium.

Run as `make screenshots`. The daemon runs in this process on the simulated provider for a minute, with the texts in its
log and a token. A picture changes each time, since its times do.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import anyio
import anyio.to_thread
import msgspec

from steno.app.demo import CONFIG, PROVIDER_PORT
from steno.app.serving import opened
from steno.config import parse
from steno.simulate.server import provider
from tests.operations.browsing import browser

ROOT: Final = Path(__file__).parents[1]
sys.path += map(str, (ROOT / "build/operations/browser/lib").glob("python3*/site-packages"))
IMAGES: Final = ROOT / "docs/images"
SECONDS: Final = 70.0
"""Until there are calls that have ended, calls that go on, and threads with several runs."""
MOST_BYTES: Final = 150_000
SEED: Final = 20
TOKEN: Final = "the-token-of-the-screenshots"  # noqa: S105  # of a daemon that lives for a minute, on loopback
WIDE: Final = (1280, 800)
NARROW: Final = (380, 760)


async def main() -> None:
    """Run the demo's sources for a while, and take the pictures."""
    os.environ["STENO_SCREENSHOTS_TOKEN"] = TOKEN
    async with provider(seed=SEED) as simulated:
        with tempfile.TemporaryDirectory() as folder, opened(_config(simulated.port, folder), os.environ) as daemon:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(daemon.run)
                await anyio.sleep(SECONDS)
                await anyio.to_thread.run_sync(_pictures, f"http://{daemon.address}")
                daemon.stop()


def _config(port: int, folder: str) -> Any:
    """Return the configuration of the demo, with a token, and all texts."""
    text = CONFIG.read_text().replace(f":{PROVIDER_PORT}/", f":{port}/").replace(":9464", ":0")
    text = text.replace("[http]\n", '[http]\ntoken = { env = "STENO_SCREENSHOTS_TOKEN" }\n')
    config = parse(text, str(CONFIG))
    return msgspec.structs.replace(
        config, audit=msgspec.structs.replace(config.audit, directory=folder, content="full")
    )


def _pictures(address: str) -> None:
    """Take all pictures of the page at `address`."""
    with browser() as chromium:
        for name, scheme, size, key in _wanted(chromium, address):
            page = _window(chromium, address, scheme, size)
            page.goto(f"{address}/#/conversation/{quote(key, safe='')}" if key else f"{address}/#/?sort=-turns")
            _settle(page, conversation=key is not None)
            picture = IMAGES / f"{name}.png"
            page.screenshot(path=picture)
            page.context.close()
            _shrink(picture)
            if picture.stat().st_size > MOST_BYTES:
                raise SystemExit(f"{picture} has {picture.stat().st_size} bytes, more than {MOST_BYTES}")


def _shrink(picture: Path) -> None:
    """Write a picture with 256 colours: a page has hardly more, and takes a third of the bytes."""
    from PIL import Image  # type: ignore[import-not-found]  # noqa: PLC0415  # in an environment of its own

    with Image.open(picture) as image:
        image.quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(picture, optimize=True)


def _wanted(chromium: Any, address: str) -> Iterator[tuple[str, str, tuple[int, int], str | None]]:
    """Yield the name of each picture, light or dark, its size, and the key of its conversation; None for all."""
    page = _window(chromium, address, "light", WIDE)
    rows = page.evaluate("fetch('/v1/conversations?sort=-turns').then((r) => r.json())")["conversations"]
    page.context.close()
    call = next(row["key"] for row in rows if row["family"] == "realtime" and not row["open"])
    thread = next(row["key"] for row in rows if row["family"] == "assistants" and row["turns"] > 1)
    yield "page-conversations", "light", WIDE, None
    yield "page-conversations-dark", "dark", WIDE, None
    yield "page-conversations-narrow", "light", NARROW, None
    yield "page-call", "light", WIDE, call
    yield "page-call-dark", "dark", WIDE, call
    yield "page-call-narrow", "dark", NARROW, call
    yield "page-thread", "light", WIDE, thread
    for family in ("live", "responses"):
        ended = [row for row in rows if row["family"] == family and not row["open"]]
        yield f"page-{family}", "light", WIDE, max(ended, key=lambda row: row["age_seconds"])["key"]


def _window(chromium: Any, address: str, scheme: str, size: tuple[int, int]) -> Any:
    """Return a window that has signed in."""
    viewport = dict(zip(("width", "height"), size, strict=True))
    page = chromium.new_context(viewport=viewport, color_scheme=scheme).new_page()
    page.goto(f"{address}/#token={TOKEN}")
    page.locator("tbody tr").first.wait_for()
    return page


def _settle(page: Any, *, conversation: bool) -> None:
    """Wait until there is all that a picture needs; in a call, choose the answer that was cut off."""
    if not conversation:
        page.locator("tbody tr").first.wait_for()
        return
    page.locator(".transcript li").first.wait_for()
    cut = page.locator(".transcript li.linked:has(s)")
    if cut.count():
        cut.first.click()
    page.mouse.move(2, 2)
    page.evaluate("scrollTo(0, 0)")


if __name__ == "__main__":
    IMAGES.mkdir(parents=True, exist_ok=True)
    anyio.run(main)
