"""Lines for a terminal. Text is data there too: names from upstream and from a disk move no cursor."""

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import click

from steno.errors import UnavailableError

REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"


class _Watched(io.TextIOWrapper):
    """Standard output whose failures are those of the disk and no mistake of ours."""

    terminal = False
    """Whether it was a terminal at the start. One that was closed does not say so any more."""

    def write(self, text: str, /) -> int:
        with self._blamed():
            return super().write(text)

    def flush(self) -> None:
        with self._blamed():
            super().flush()

    @contextmanager
    def _blamed(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:  # its reader has gone, which is no failure
            raise
        except OSError as error:
            if self.terminal:  # it was closed: who draws on it knows what that means
                raise
            raise UnavailableError(f"cannot write standard output: {error.strerror}") from error


def watch_output() -> None:
    """Let what is printed raise UnavailableError where it cannot be written."""
    out = sys.stdout
    if type(out) is io.TextIOWrapper:  # None where the descriptor was closed, another class where tests look
        watched = _Watched(
            out.buffer,
            out.encoding,
            out.errors,
            line_buffering=out.line_buffering,
            write_through=out.write_through,
        )
        watched.terminal = out.isatty()
        sys.stdout = watched


def printable(text: str) -> str:
    """Return `text` without what a terminal would obey: control characters and those that turn text around."""
    return text if text.isprintable() else "".join(each if each.isprintable() else REPLACEMENT for each in text)


def printable_lines(text: str) -> str:
    """Return lines, each of them `printable`."""
    return "\n".join(map(printable, text.split("\n")))


def echo(text: str, *, err: bool = False) -> None:
    """Print lines to standard output, or to standard error."""
    click.echo(printable_lines(text), err=err)
