"""The value of a secret, read from the place that the configuration names. No message repeats it.

A secret is read when it is needed, not with the configuration: a token may change while the daemon runs.
"""

import os
import re
from pathlib import Path
from typing import Final

from steno.config.secret_ref import SecretRef
from steno.errors import ConfigError, ConfigFault
from steno.regular_files import read_named

SECRET_BYTES: Final = 64 * 1024
"""Longest secret that is read. Servers refuse shorter headers already; the limit is for a file that is none."""


def read_secret(ref: SecretRef) -> str:
    """Return a secret, without the one newline that an editor writes after it.

    Raises ConfigError, which names the file or the variable, where it is missing, empty, or not printable ASCII on one
    line.
    """
    place, value = _from_file(ref.file) if ref.file is not None else _from_environment(ref.env or "")
    secret = re.sub(r"\r?\n\Z", "", value)
    if not secret:
        raise _failure(place, "is empty")
    if re.search(r"[^\t -~]", secret):
        # A line break would begin another header. Beyond ASCII, servers differ in how they decode a header.
        raise _failure(place, "must be one line of printable ASCII")
    return secret


def _from_file(file: str) -> tuple[str, str]:
    try:
        content = read_named(Path(file), SECRET_BYTES + 1)
    except OSError as error:
        raise _failure(file, f"cannot be read: {(error.strerror or 'input error').lower()}") from None
    if len(content) > SECRET_BYTES:
        raise _failure(file, f"is longer than {SECRET_BYTES} bytes")
    return file, _decoded(content, file)


def _decoded(content: bytes, file: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise _failure(file, "is not UTF-8") from None


def _from_environment(name: str) -> tuple[str, str]:
    value = os.environ.get(name)
    if value is None:
        raise _failure(f"${name}", "is not set")
    return f"${name}", value


def _failure(place: str, message: str) -> ConfigError:
    return ConfigError([ConfigFault(place, "", message)])
