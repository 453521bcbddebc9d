"""`python -m steno` is the command `steno`."""

from typing import NoReturn

from steno.app.descriptors import open_standard
from steno.cli import main as command_line


def main() -> NoReturn:
    """Run the command that the arguments name, and exit."""
    open_standard()
    command_line()


if __name__ == "__main__":
    main()
