"""Errors that an operator can mend, as a small tree. Each branch has its own exit code.

    StenoError              70   the root, to catch; never raised itself
      UsageError            64   the command line asks for something that cannot be done
      DataError             65   the input is not what it should be (a recording, an audit log)
      UnavailableError      69   something that is needed is not available: a port taken, a folder not writable
      ConfigError           78   the configuration is wrong; holds every fault of it

The codes are those of BSD's sysexits. A service manager can restart after 69, which a restart may mend, and not after
64, 65 and 78. A message says what to do next, and never repeats what may be a secret.
"""

from collections.abc import Iterable
from typing import ClassVar

from msgspec import Struct


class StenoError(Exception):
    """Something outside of the program is wrong, and the message says what.

    The command line prints the message without a traceback and exits with `exit_code`.
    """

    exit_code: ClassVar[int] = 70


class UsageError(StenoError):
    """The command line asks for something that cannot be done."""

    exit_code = 64


class DataError(StenoError):
    """The input is not what it should be."""

    exit_code = 65


class UnavailableError(StenoError):
    """Something that is needed is not available, and may be later."""

    exit_code = 69


class ConfigFault(Struct, frozen=True):
    """One thing that is wrong in the configuration, on one line: `FILE: key.path: what is wrong`."""

    file: str
    """The file, or the place outside any file, such as `$NAME`."""

    key: str
    """The path of the key, such as `sources.relay.url`; empty where the fault is not of a single key."""

    message: str
    """What is wrong and what would be right. Never repeats the value that was found."""

    def __str__(self) -> str:
        return ": ".join(part for part in (self.file, self.key, self.message) if part)


class ConfigError(StenoError):
    """The configuration is wrong. The message has all its faults, one line each."""

    exit_code = 78

    def __init__(self, faults: Iterable[ConfigFault]) -> None:
        self.faults = tuple(faults)
        super().__init__(self.faults)

    def __str__(self) -> str:
        return "\n".join(str(fault) for fault in self.faults)

    def in_file(self, file: str) -> "ConfigError":
        """Return the error with `file` in the faults that name no file."""
        return ConfigError(ConfigFault(fault.file or file, fault.key, fault.message) for fault in self.faults)
