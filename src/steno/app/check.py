"""What `steno check` finds beyond the form of a configuration: what it names and cannot be read, and what is not meant.

Nothing is connected to. A file may stand on another machine than the one that checks, so these are warnings.
"""

import os
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import msgspec
from msgspec import Struct

from steno.config import Config, Connect, SecretRef, Tls, audit_directory, read_secret
from steno.errors import ConfigError
from steno.sources.trust import client_context

PROVIDERS: Final = ("api.openai.com", ".openai.azure.com", ".cognitiveservices.azure.com", "api.x.ai")
"""Hosts at which a URL with a model opens a session of its own, instead of showing somebody else's."""


class Warned(Struct, frozen=True):
    """What is to be looked at."""

    key: str
    message: str


def warnings(config: Config, environ: Mapping[str, str]) -> Iterator[Warned]:
    """Yield what is to be looked at in `config`, in the order of its tables."""
    yield from _of_table(config.http, "http")
    yield from _of_table(config.audit, "audit")
    yield from _of_folder(audit_directory(config.audit, environ))
    for source in config.sources:
        at = f"sources.{source.name}"
        yield from _of_table(source, at)
        if isinstance(source, Connect):
            yield from _of_url(source, at)


def _of_table(table: Struct, at: str) -> Iterator[Warned]:
    """Yield what cannot be read of the secrets, files and certificates that a table names."""
    for field in msgspec.structs.fields(table):
        value, key = getattr(table, field.name), f"{at}.{field.name}"
        if field.name == "ca_file" and value is not None:
            yield from _unread(key, client_context, value)
        elif field.name in {"tokens", "path"} and value not in (None, "-"):
            yield from _unreadable_file(key, value)
        else:
            yield from _of_value(value, key)


def _of_value(value: Any, key: str) -> Iterator[Warned]:
    if isinstance(value, SecretRef):
        yield from _unread(key, read_secret, value)
    elif isinstance(value, Tls):
        yield from _of_tls(value, key)
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _of_value(inner, f"{key}.{name}")
    elif isinstance(value, tuple):
        for number, inner in enumerate(value):
            yield from _of_value(inner, f"{key}[{number}]")


def _unread(key: str, read: Any, value: Any) -> Iterator[Warned]:
    try:
        read(value)
    except ConfigError as error:
        for fault in error.faults:
            yield Warned(key, f"{fault.file}: {fault.message}")


def _unreadable_file(key: str, path: str) -> Iterator[Warned]:
    if not Path(path).exists():
        yield Warned(key, f"{path}: does not exist")
    elif not os.access(path, os.R_OK):
        yield Warned(key, f"{path}: cannot be read: permission denied")


def _of_tls(tls: Tls, key: str) -> Iterator[Warned]:
    missing = [*_unreadable_file(f"{key}.certificate", tls.certificate), *_unreadable_file(f"{key}.key", tls.key)]
    yield from missing
    if tls.client_ca is not None:
        yield from _unread(f"{key}.client_ca", client_context, tls.client_ca)
    if missing:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tls.certificate, tls.key, password="")
    except (ssl.SSLError, OSError) as error:
        yield Warned(key, f"the certificate and the key are none, or do not belong together: {_reason(error)}")


def _reason(error: OSError) -> str:
    reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
    return (reason or "unknown").lower().replace("_", " ")


def _of_folder(folder: Path | None) -> Iterator[Warned]:
    """Yield why the folder of the audit log cannot be written, where that shows without trying."""
    if folder is None:  # systemd sets it for the daemon alone
        return
    standing = next((each for each in (folder, *folder.parents) if each.exists()), None)
    if standing is None or not standing.is_dir():
        yield Warned("audit.directory", f"{standing or folder}: is no folder")
    elif not os.access(standing, os.W_OK | os.X_OK):
        yield Warned("audit.directory", f"{standing}: cannot be written: permission denied")


def _of_url(source: Connect, at: str) -> Iterator[Warned]:
    parts = urlsplit(source.url)
    host, query = parts.hostname or "", parse_qs(parts.query)
    if any(host == each or (each.startswith(".") and host.endswith(each)) for each in PROVIDERS) and (
        "model" in query and "call_id" not in query
    ):
        yield Warned(
            f"{at}.url",
            "opens a session of its own at the provider, which is billed and shows nobody's calls: name a running call "
            'by call_id=, or use a source of kind "proxy", "listen" or "attach"',
        )
