"""Lines for a terminal. Text is data there too: names from upstream and from a disk move no cursor."""

from typing import Final

import click

REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"


def printable(text: str) -> str:
    """Return `text` without what a terminal would obey: control characters and those that turn text around."""
    return text if text.isprintable() else "".join(each if each.isprintable() else REPLACEMENT for each in text)


def printable_lines(text: str) -> str:
    """Return lines, each of them `printable`."""
    return "\n".join(map(printable, text.split("\n")))


def echo(text: str, *, err: bool = False) -> None:
    """Print lines to standard output, or to standard error."""
    click.echo(printable_lines(text), err=err)
