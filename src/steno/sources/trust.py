"""Which certificates a connection that the daemon opens trusts, and the headers that it sends: read from their places.

What cannot be read is a `ConfigError` that names the file or the variable, and the key.
"""

import asyncio
import ssl
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from steno.config.secret import read_secret
from steno.config.secret_ref import SecretRef
from steno.errors import ConfigError, ConfigFault


class CaFileError(ConfigError):
    """The certificates to trust cannot be read."""


def read_headers(headers: Mapping[str, SecretRef]) -> dict[str, str]:
    """Return `headers` with their values, each read from its place now. Raises ConfigError where one cannot be read."""
    return {name: _header(name, place) for name, place in headers.items()}


def _header(name: str, place: SecretRef) -> str:
    try:
        return read_secret(place)
    except ConfigError as error:
        raise ConfigError([ConfigFault(each.file, f"headers.{name}", each.message) for each in error.faults]) from None


def expiry_of(transport: asyncio.BaseTransport) -> float | None:
    """Return until when the certificate of the server at the other end is valid, in Unix time.

    None where the connection has no TLS, or the certificate no such time.
    """
    certificate = transport.get_extra_info("peercert") or {}
    try:
        return float(ssl.cert_time_to_seconds(certificate["notAfter"]))
    except (KeyError, ValueError):
        return None


def client_context(ca_file: str | None) -> ssl.SSLContext:
    """Return a context that verifies servers by the certificates in `ca_file`, or by those of the system.

    Raises CaFileError where the file cannot be read or holds no certificate.
    """
    if ca_file is None:
        return _system_context()
    try:
        changed = Path(ca_file).stat()
        return _file_context(ca_file, changed.st_mtime_ns, changed.st_size, changed.st_ino)
    except ssl.SSLError:
        message = "holds no certificates in PEM"
    except OSError as error:
        message = f"cannot be read: {(error.strerror or 'input error').lower()}"
    raise CaFileError([ConfigFault(ca_file, "ca_file", message)])


@lru_cache(maxsize=1)
def _system_context() -> ssl.SSLContext:
    """Return the context of the system's certificates. To load them takes 20 ms, too much for each of many attempts."""
    return ssl.create_default_context()


@lru_cache(maxsize=16)
def _file_context(ca_file: str, *_version: int) -> ssl.SSLContext:
    """Return the context of a version of a file."""
    return ssl.create_default_context(cafile=ca_file)
