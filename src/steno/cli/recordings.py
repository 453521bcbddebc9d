"""The command that reads recordings: replay."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from steno.cli.options import CONFIG, FILE, FILE_PATH, command, faults_in
from steno.cli.progress import progress_over
from steno.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from steno.app.replay import Summary


@command(
    "Feed recordings through the daemon's own pipeline.",
    "steno replay recordings/*.jsonl --state state.jsonl --metrics metrics.txt",
    "zcat call.jsonl.gz | steno replay -",
)
@click.argument("files", nargs=-1, required=True, type=FILE)
@CONFIG
@click.option("--state", type=FILE, help="Write the state of all conversations here, as JSON lines.")
@click.option("--metrics", type=FILE, help="Write the metrics of the conversations here, as Prometheus text.")
@click.option("--audit", type=FILE_PATH, help="Write an audit log into this folder.")
@click.option("--prices", type=FILE, help="Price everything by this list, over the one that is shipped.")
@click.option("--strict", is_flag=True, help="Exit 65 when a line was malformed.")
def replay(
    files: tuple[Path, ...],
    config_file: Path | None,
    state: Path | None,
    metrics: Path | None,
    audit: Path | None,
    prices: Path | None,
    strict: bool,
) -> None:
    """Feed recordings (a frame a line, `-` is standard input) through the daemon's own pipeline.

    Unlike the daemon, replay keeps every object and evicts nothing for the sake of memory: it may take about as much
    memory as the recordings are long, several times that for texts that are not ASCII. To bound it, or to compare with
    what a daemon kept, set limits.memory_bytes and limits.kept_objects in the configuration (-c).

    A file that is compressed is refused: zcat FILE | steno replay -. Exit 65 when every line of a file was malformed.
    """
    from steno.app import replay as replaying
    from steno.app.price_list import configured_prices, load_prices
    from steno.app.tables import console
    from steno.config import find, load, parse

    if state is not None and state == metrics and str(state) == "-":
        raise UsageError("only one output can go to standard output")
    found = find(config_file, os.environ)
    config = load(found, replaying.DEFAULTS) if found else parse("", "", replaying.DEFAULTS)
    outputs = replaying.Outputs(state, metrics, audit)
    table = load_prices(prices, "--prices") if prices else configured_prices(config.prices)
    with faults_in(found), progress_over(files) as progress:
        summary = replaying.replay(files, config, outputs, table, sys.stdin.buffer, progress)
    taken = Path("-") in (state, metrics)
    _show(console(stderr=taken), summary)
    replaying.refuse_unread(summary, strict=strict)


def _show(terminal: "Console", summary: "Summary") -> None:
    """Print the summary of a replay."""
    from steno.app.tables import conversation_table, counted, outcome_lines

    terminal.print(conversation_table(summary.rows, "conversations", terminal.width, summary.total))
    for line in (f"{'frames':<11}{summary.frames}", *outcome_lines(summary.total)):
        terminal.print(line, soft_wrap=True)
    for heading, counts in (
        ("unknown event types", summary.unknown),
        ("malformed", summary.malformed),
        ("out of place", summary.rejected),
    ):
        if counts:
            terminal.print(f"{heading}: {counted(counts)}", soft_wrap=True)
