"""Many scrapers at once."""

import asyncio
import gzip
import threading
from collections.abc import Callable

import anyio
import pytest
from starlette.requests import Request

from steno.admin import metrics_page
from steno.admin.metrics_page import MetricsPage
from steno.metrics.formats import Form

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Rendering:
    """Renders when it is let go, and counts that."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.let_go.set()
        self.forms: list[Form] = []
        self.at_once = self.most = 0

    def __call__(self, form: Form) -> bytes:
        self.forms.append(form)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        self.let_go.wait(10)
        self.at_once -= 1
        return b"%d" % len(self.forms)


def scrape(**headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "GET", "path": "/metrics", "headers": raw})


async def asked(page: MetricsPage, *requests: Request, meanwhile: Callable[[], None]) -> list[bytes]:
    """Return the bodies of responses to requests that come at once."""
    tasks = [asyncio.create_task(page.respond(request)) for request in requests]
    for _ in range(5):
        await anyio.lowlevel.checkpoint()
    meanwhile()
    return [bytes((await task).body) for task in tasks]


async def test_who_comes_at_once_is_given_the_same_bytes() -> None:
    rendering = Rendering()
    rendering.let_go.clear()
    page = MetricsPage(rendering)

    bodies = await asked(page, *[scrape()] * 50, meanwhile=rendering.let_go.set)

    assert len({id(body) for body in bodies}) == 1
    assert rendering.forms == [Form(openmetrics=False, gzip=False)]


async def test_forms_are_rendered_one_after_the_other() -> None:
    rendering = Rendering()
    rendering.let_go.clear()
    page = MetricsPage(rendering)
    strict = "application/openmetrics-text"
    text = [scrape(), scrape(accept_encoding="gzip")]
    openmetrics = [scrape(accept=strict), scrape(accept=strict, accept_encoding="gzip")]

    await asked(page, *text, *openmetrics, meanwhile=rendering.let_go.set)

    assert (len(set(rendering.forms)), rendering.most) == (4, 1)


async def test_who_comes_later_is_given_what_is_true_then() -> None:
    page = MetricsPage(Rendering())

    assert [bytes((await page.respond(scrape())).body) for _ in range(3)] == [b"1", b"2", b"3"]


async def test_what_took_long_is_given_out_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a second, whoever asks: so scrapers cannot keep the processor busy."""
    monkeypatch.setattr(metrics_page, "COSTLY_SECONDS", 0.0)
    rendering = Rendering()
    page = MetricsPage(rendering)
    later: list[Callable[[], None]] = []
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "call_later", lambda _, call, *given: later.append(lambda: call(*given)))

    first = [bytes((await page.respond(scrape())).body) for _ in range(3)]
    for each in later:
        each()

    assert first == [b"1", b"1", b"1"]
    assert (await page.respond(scrape())).body == b"2"


async def test_who_hangs_up_takes_nothing_from_others() -> None:
    rendering = Rendering()
    rendering.let_go.clear()
    page = MetricsPage(rendering)

    gone, waits = (asyncio.create_task(page.respond(scrape())) for _ in range(2))
    await anyio.lowlevel.checkpoint()
    gone.cancel()
    await anyio.lowlevel.checkpoint()
    rendering.let_go.set()

    assert (await waits).body == b"1"
    assert gone.cancelled()


async def test_a_failure_is_that_of_one_rendering() -> None:
    answers = iter([None, gzip.compress(b"")])

    def render(_form: Form) -> bytes:
        body = next(answers)
        if body is None:
            raise RuntimeError
        return body

    page = MetricsPage(render)
    with pytest.raises(RuntimeError):
        await page.respond(scrape())

    assert (await page.respond(scrape(accept_encoding="gzip"))).headers["content-encoding"] == "gzip"
