"""The command line: a function a command, a module a group of them. It parses, calls a root in `app`, and prints.

A command imports what it needs when it runs: `steno health` has to be quick. An error that an operator can mend ends in
one line.

Exit codes: 0 done; 1 the answer is no (`verify` does not hold, `health` is not ready, `erase` found nothing or left
some, `attach` finds the call elsewhere or not at all); 64 usage, 65 data, 69 unavailable, 78 configuration, as sysexits
has them.
"""

import os
import sys
from contextlib import suppress
from typing import Final, NoReturn

import click

from steno import __version__
from steno.app.terminal import printable_lines, watch_output
from steno.cli import calls, completion, daemon, logs, recordings, watching
from steno.errors import ConfigError, StenoError, UnavailableError, UsageError

INTERRUPTED: Final = 130


def main() -> NoReturn:
    """Run the command that the arguments name, and exit."""
    watch_output()
    try:
        code = cli.main(standalone_mode=False)
    except click.UsageError as error:
        _complain(f"steno: {error.format_message()} {_help(error.ctx)}\n")
        code = UsageError.exit_code
    except click.exceptions.Exit as exited:
        code = exited.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except StenoError as error:
        prefix = "" if isinstance(error, ConfigError) else "steno: "
        _complain(f"{prefix}{error}\n")
        code = error.exit_code
    except BrokenPipeError:  # the reader of our output has gone
        code = 0
    except Exception as error:  # noqa: BLE001  # a mistake of ours: its message may hold content
        from steno.app.logs import trace

        _complain(f"steno: internal error\n{trace(error)}")
        code = StenoError.exit_code
    _settle_output()
    sys.exit(code)


def _settle_output() -> None:
    """Give up what waits for standard output where it cannot be written: the interpreter would say so once more."""
    try:
        if sys.stdout:
            sys.stdout.flush()
    except (OSError, UnavailableError):
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115  # until the end of the process


def _help(context: click.Context | None) -> str:
    """Return where what is right can be read."""
    return f"See: {context.command_path if context else 'steno'} --help"


def _complain(text: str) -> None:
    """Print to standard error, which a daemon's log has taken over. Where nobody reads it, the exit code says it."""
    with suppress(OSError, AttributeError):  # it is None where the descriptor was closed
        sys.stderr.write(printable_lines(text))


@click.group(epilog="Begin with: steno demo", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="steno", message="%(prog)s %(version)s")
def cli() -> None:
    """Watch AI conversations on websockets: metrics, and an audit log that can be proved."""


for _command in (
    *(daemon.run, daemon.check, daemon.demo, daemon.simulate),
    *(watching.health, watching.top, calls.attach, recordings.replay),
    *(logs.verify, logs.export, logs.serve, logs.erase),
    completion.completion,
):
    cli.add_command(_command)
