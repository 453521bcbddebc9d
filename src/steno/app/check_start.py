"""What `steno run` would refuse at its start, found without starting: nothing is changed, and nothing listens.

What depends on the configuration and the machine is an error. What another process may hold for a while, a port or the
log, is a warning: a service manager must not give up for good over it.
"""

import errno
import fcntl
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from steno.app.files import STANDARD
from steno.app.findings import Finding
from steno.app.price_list import configured_prices
from steno.audit.directory import LOCK
from steno.audit.setup import anchors_of, key_of
from steno.audit.writing.recovery import check_end
from steno.config import Config, ListenSource, ProxySource, audit_directory
from steno.errors import ConfigError, StenoError
from steno.otel.setup import exports_of
from steno.sources.clock import Clock
from steno.sources.sockets import SHARED, listening


def refused(config: Config, environ: Mapping[str, str], state: Path | None, record: Path | None) -> Iterator[Finding]:
    """Yield what a daemon that is started so would refuse, or is not ready by."""
    audit = config.audit
    yield from _raised("audit.key", lambda: key_of(audit.key, "key"))
    yield from _raised("audit.digest_key", lambda: key_of(audit.digest_key, "digest_key"))
    yield from _raised("audit.anchor", lambda: anchors_of(audit, None))
    yield from _raised("prices.file", lambda: configured_prices(config.prices))
    yield from _raised("otel.endpoint", lambda: exports_of(config.otel, Clock()))
    folder = audit_directory(audit, environ)
    runs = folder is not None and _is_written(folder)
    if folder is not None:
        key = "audit.directory" if audit.directory else "$LOGS_DIRECTORY"
        yield from _looked_at(folder, key, _of_log(folder, key, runs=runs))
    if audit.anchor and audit.anchor.file:
        yield from _of_anchor(Path(audit.anchor.file), folder)
    yield from _of_address("http.listen", *config.http.address, runs=runs, fatal=True)
    for source in config.sources:
        if isinstance(source, (ListenSource, ProxySource)):
            yield from _of_address(f"sources.{source.name}.listen", *source.address, runs=runs, fatal=False)
            if not (runs or source.reuse_port) and listening(*source.address) > 1:
                yield Finding(f"sources.{source.name}.reuse_port", f"{source.listen}: {SHARED}")
    if state is not None:
        yield from _looked_at(state, "--state", _of_state(state))
    if record is not None:
        yield from unwritable(record, "--record")


def _raised(key: str, do: Callable[[], object]) -> Iterator[Finding]:
    """Yield the faults that `do` raises, each about `key` where it names none itself."""
    try:
        do()
    except ConfigError as error:
        for fault in error.faults:
            yield Finding(fault.key or key, ": ".join(filter(None, (fault.file, fault.message))), fatal=True)


# Folders and files ----------------------------------------------------------------------------------------


def unwritable(folder: Path, key: str) -> Iterator[Finding]:
    """Yield why nothing can be written into `folder`, which is made where it does not exist."""
    yield from _looked_at(folder, key, _of_folder(folder, key))


def _looked_at(path: Path, key: str, findings: Iterator[Finding]) -> Iterator[Finding]:
    """Yield `findings` about `path`, and why they end early where it may not be looked at."""
    try:
        yield from findings
    except OSError as error:
        yield Finding(key, f"{error.filename or path}: {(error.strerror or 'input error').lower()}", fatal=True)


def _of_log(folder: Path, key: str, *, runs: bool) -> Iterator[Finding]:
    """Yield why the audit log cannot be written or continued."""
    if runs:
        yield Finding(
            key, f"{folder}: a steno that runs writes the log there: another one needs a folder of its own", fatal=False
        )
        return
    unwritable = list(_of_folder(folder, key))
    yield from unwritable
    if folder.is_dir() and not unwritable:
        try:
            check_end(folder)
        except StenoError as error:
            yield Finding(key, str(error), fatal=True)


def _of_anchor(file: Path, log: Path | None) -> Iterator[Finding]:
    """Yield why heads cannot be added to `file`, or prove nothing there. A daemon starts all the same."""
    key = "audit.anchor.file"
    if log is not None and file.resolve().is_relative_to(log.resolve()):
        yield Finding(key, f"{file}: is in the folder of the log: whoever can write the one can write the other")
    for each in _looked_at(file, key, _of_added_to(file, key)):
        yield Finding(each.key, each.message)


def _of_added_to(file: Path, key: str) -> Iterator[Finding]:
    if not file.exists():
        if file.parent.is_dir():
            yield from _of_folder(file.parent, key)
        else:
            yield Finding(key, f"{file.parent}: is no folder")
    elif not file.is_file():
        yield Finding(key, f"{file}: is no regular file")
    elif not os.access(file, os.W_OK):
        yield Finding(key, f"{file}: cannot be written: {_why_not(file)}")


def _is_written(folder: Path) -> bool:
    """Return whether a daemon has the lock of `folder`. One that starts in this very moment would be refused it."""
    with suppress(OSError):
        descriptor = os.open(folder / LOCK, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
    return False


def _of_folder(folder: Path, key: str) -> Iterator[Finding]:
    standing = next((each for each in (folder, *folder.parents) if each.exists()), None)
    if standing is None or not standing.is_dir():
        yield Finding(key, f"{standing or folder}: is no folder", fatal=True)
    elif not os.access(standing, os.W_OK | os.X_OK):
        yield Finding(key, f"{standing}: cannot be written: {_why_not(standing)}", fatal=True)


def _why_not(path: Path) -> str:
    """Return why a folder, or a file, cannot be written."""
    read_only = os.statvfs(path).f_flag & os.ST_RDONLY
    return os.strerror(errno.EROFS if read_only else errno.EACCES).lower()


def _of_state(path: Path) -> Iterator[Finding]:
    """Yield why `--state` cannot be written."""
    if path == STANDARD:
        return
    if path.is_dir():
        yield Finding("--state", f"{path}: is a folder", fatal=True)
    elif path.exists() and not path.is_file():
        if not os.access(path, os.W_OK):
            yield Finding("--state", f"{path}: cannot be written: {os.strerror(errno.EACCES).lower()}", fatal=True)
    elif not path.resolve().parent.is_dir():
        yield Finding("--state", f"{path.parent}: is no folder", fatal=True)
    else:
        yield from _of_folder(path.resolve().parent, "--state")


# Addresses ------------------------------------------------------------------------------------------------


def _of_address(key: str, host: str, port: int, *, runs: bool, fatal: bool) -> Iterator[Finding]:
    """Yield why a socket cannot be bound to an address.

    Args:
        key: the key that has it.
        host: an address, or a name.
        port: 0 for any free one.
        runs: whether a daemon runs with this log: the port is taken by it.
        fatal: whether the daemon would not start.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if not fatal:  # sources share their ports with a predecessor
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sock.bind((host, port))
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        if not (taken and runs):
            yield Finding(key, f"{host}:{port}: {unbindable(error, port)}", fatal=fatal and not taken)


PRIVILEGED = 1024
"""Ports below this one are for those who have a right to them."""


def unbindable(error: OSError, port: int) -> str:
    """Return why `port` of an address cannot be listened on."""
    if error.errno == errno.EADDRINUSE:
        return "is taken by a process that runs: each steno needs a port of its own"
    if error.errno == errno.EADDRNOTAVAIL:
        return "is no address of this machine"
    if error.errno == errno.EACCES and port < PRIVILEGED:
        return f"needs the right to ports below {PRIVILEGED} (AmbientCapabilities=CAP_NET_BIND_SERVICE)"
    if isinstance(error, socket.gaierror):
        return "cannot be looked up"
    return f"cannot be listened on: {(error.strerror or 'input error').lower()}"
