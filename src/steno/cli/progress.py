"""How far a command is that reads files."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def progress_over(files: Sequence[Path], title: str = "") -> Iterator[Callable[[int], None]]:
    """Yield a function to call with numbers of bytes that were read. It moves a bar on a terminal, else nothing.

    `title` stands before the bar: which one of several it is.
    """
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    from steno.app.tables import console

    named = (TextColumn("{task.description}", markup=False),) if title else ()
    columns = (*named, BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=sum(_size(file) for file in files) or None)
        yield lambda size: bar.advance(task, size)


def _size(path: Path) -> int:
    """Return how many bytes there are to read; 0 where that is not known."""
    try:
        if path.is_dir():
            return sum(each.stat().st_size for each in path.iterdir() if each.is_file())
        return path.stat().st_size if path.is_file() else 0
    except OSError:  # whoever reads it says so
        return 0
