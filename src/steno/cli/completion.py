"""The command that makes a shell know the others: completion. And what it completes beside options and files."""

import os
from typing import TYPE_CHECKING, Final

import click

from steno.cli.options import command
from steno.errors import StenoError

if TYPE_CHECKING:
    from steno.config import Config

SHELLS: Final = ("bash", "zsh", "fish")


@command(
    "Print a script that completes what is typed in a shell.",
    'eval "$(steno completion bash)"',
    "steno completion fish > ~/.config/fish/completions/steno.fish",
)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print a script for SHELL, with which the Tab key completes commands, options, their values, files and sources.

    bash: put the first example into ~/.bashrc. zsh: the same with zsh into ~/.zshrc, after compinit. fish: run the
    second example once.
    """
    from click.shell_completion import get_completion_class

    script = get_completion_class(shell)
    if script is None:  # the choice above has its names
        raise click.UsageError(f"no script for {shell}")
    click.echo(script(click.get_current_context().find_root().command, {}, "steno", "_STENO_COMPLETE").source())


def source_names(context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Return the configured sources whose names begin so; none where the configuration cannot be read."""
    try:
        config = _config(context)
    except StenoError:
        return []
    return [source.name for source in config.sources if source.name.startswith(begun)]


def _config(context: click.Context) -> "Config":
    from steno.config import Config, find, load

    found = find(context.params.get("config_file"), os.environ)
    return load(found) if found else Config()


def order_names(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Return the orders of `steno top` that begin so."""
    from steno.app.top.look import ORDERS

    return [name for name in ORDERS if name.startswith(begun)]
