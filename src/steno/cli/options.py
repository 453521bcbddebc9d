"""What commands are made with, and what several take: the configuration file, files of any kind, and those of TLS."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from steno.errors import ConfigError, ConfigFault

if TYPE_CHECKING:
    from steno.config import Http

R = TypeVar("R")

# Whether a file can be read is said by who reads it, with the right exit code; what is written need not be readable.
FILE: Final = click.Path(path_type=Path, allow_dash=True, readable=False)
FILE_PATH: Final = click.Path(path_type=Path, readable=False)
CONFIG = click.option("-c", "--config", "config_file", type=FILE, help="Configuration file.")


def command(short: str, *examples: str) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a function a command.

    Args:
        short: what it does, for the list of commands: it stands on one line of 80 characters.
        examples: command lines that its help ends with.
    """
    heading = "Example:" if len(examples) == 1 else "Examples:"
    return click.command(short_help=short, epilog="\b\n" + "\n  ".join([heading, *examples]))


def TLS(command: Callable[..., R]) -> Callable[..., R]:  # noqa: N802  # as CONFIG, it stands above commands
    """Add the options of a client that speaks TLS."""
    for option in (
        click.option("--key-file", type=FILE_PATH, help="The key of --cert-file, where that does not hold it."),
        click.option("--cert-file", type=FILE_PATH, help="With an https URL: a certificate to show."),
        click.option("--ca-file", type=FILE_PATH, help="With an https URL: certificates to trust, not the system's."),
    ):
        command = option(command)
    return command


def PROCESS(command: Callable[..., R]) -> Callable[..., R]:  # noqa: N802  # as CONFIG, it stands above commands
    """Add the options of one of several processes with the same file."""
    for option in (
        click.option("--http-listen", metavar="ADDRESS", help="In place of http.listen of the file."),
        click.option("--shard", metavar="I/N", help="Be the I-th of N processes with this file: read its part."),
    ):
        command = option(command)
    return command


def config_file_at(explicit: Path | None) -> Path:
    """Return where the configuration is. Raises ConfigError where there is none."""
    from steno.config import STANDARD_PLACES, find

    found = find(explicit, os.environ)
    if found is None:
        places = ", ".join(("-c FILE", "$STENO_CONFIG", *map(str, STANDARD_PLACES)))
        raise ConfigError([ConfigFault("steno", "", f"no configuration found; looked for {places}")])
    return found


@contextmanager
def faults_in(path: Path | None) -> Iterator[None]:
    """Name the configuration file in the faults of those who know the configuration and not its file."""
    try:
        yield
    except ConfigError as error:
        raise error.in_file(str(path or "")) from None


def token_of(http: "Http") -> str | None:
    """Return the token of the configuration, for details; None where there is none, or where it is not ours to read."""
    from steno.config import read_secret

    try:
        return read_secret(http.token) if http.token else None
    except ConfigError:
        return None
