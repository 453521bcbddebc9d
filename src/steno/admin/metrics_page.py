"""`/metrics`: rendered off the event loop, once for all who ask at the same time.

Many series take long to render, and a scraper may come with many connections. So one body is rendered at a time.
Who asks while a body of the same form is on its way is given that one: it is younger than the request is old. What took
long is given out for a second more, so that no number of scrapers keeps the processor busy. All who are given a body
share its bytes.
"""

import asyncio
from collections.abc import Callable
from time import thread_time
from typing import Final

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response

from steno.metrics.formats import Form, form_of

COSTLY_SECONDS: Final = 0.1
"""Processor time of a rendering past which it is given out again: some 10,000 series."""
SHARED_SECONDS: Final = 1.0
"""How long it is. Scrapers come every 15 seconds; people who reload a page do not notice."""

Render = Callable[[Form], bytes]


class MetricsPage:
    """Answers scrapes."""

    def __init__(self, render: Render) -> None:
        """Answer with what `render` returns. It is called in a thread, once at a time."""
        self._render = render
        self._bodies: dict[Form, asyncio.Task[bytes]] = {}
        """Bodies that are on their way, and those that are given out again."""
        self._one = asyncio.Lock()

    async def respond(self, request: Request) -> Response:
        """Return the response to a scrape, in the form that it asks for."""
        form = form_of(_header(request, "accept"), _header(request, "accept-encoding"))
        task = self._bodies.get(form)
        if task is None:
            task = self._bodies[form] = asyncio.create_task(self._body(form))
            task.add_done_callback(_look_at)
        return Response(await asyncio.shield(task), headers=form.headers)  # who hangs up takes nothing from others

    async def _body(self, form: Form) -> bytes:
        costly = False
        try:
            async with self._one:
                body, seconds = await anyio.to_thread.run_sync(self._timed, form)
            costly = seconds >= COSTLY_SECONDS
            return body
        finally:
            if costly:
                asyncio.get_running_loop().call_later(SHARED_SECONDS, self._bodies.pop, form, None)
            else:
                del self._bodies[form]

    def _timed(self, form: Form) -> tuple[bytes, float]:
        began = thread_time()
        body = self._render(form)
        return body, thread_time() - began


def _header(request: Request, name: str) -> str:
    return ",".join(request.headers.getlist(name))


def _look_at(task: asyncio.Task[bytes]) -> None:
    """Take note of an exception, which was answered with 500 to all who waited; those may have hung up."""
    if not task.cancelled():
        task.exception()
