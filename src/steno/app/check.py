"""What `steno check` finds beyond the form of a configuration: what it names and cannot be read, and what is not meant.

Nothing is connected to. A file may stand on another machine than the one that checks, so these are warnings.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import msgspec
from msgspec import Struct

from steno.addresses import is_loopback
from steno.admin.web_config import read_web_config
from steno.app.access import LENIENT
from steno.certificates import CertificateError, inspect
from steno.config import (
    Config,
    Connect,
    Http,
    ListenSource,
    ProxySource,
    SecretRef,
    Tls,
    audit_directory,
    read_secret,
)
from steno.errors import ConfigError
from steno.sources.listen.tokens import read_tokens
from steno.sources.trust import client_context

PROVIDERS: Final = ("api.openai.com", ".openai.azure.com", ".cognitiveservices.azure.com", "api.x.ai")
"""Hosts at which a URL with a model opens a session of its own, instead of showing somebody else's."""
EVERYWHERE: Final = ("0.0.0.0", "::")  # noqa: S104  # it is compared with
"""All addresses of the machine, loopback among them."""


class Warned(Struct, frozen=True):
    """What is to be looked at."""

    key: str
    message: str


def warnings(config: Config, environ: Mapping[str, str]) -> Iterator[Warned]:
    """Yield what is to be looked at in `config`, in the order of its tables."""
    yield from _of_table(config.http, "http")
    yield from _of_face(config.http)
    yield from _of_table(config.audit, "audit")
    yield from _of_folder(audit_directory(config.audit, environ))
    for source in config.sources:
        at = f"sources.{source.name}"
        yield from _of_table(source, at)
        if isinstance(source, Connect):
            yield from _of_url(source, at)
        if isinstance(source, (ListenSource, ProxySource)):
            yield from _of_clear_text(source, at)
        if isinstance(source, ProxySource):
            yield from _of_upstream(source, at)


def _of_table(table: Struct, at: str) -> Iterator[Warned]:
    """Yield what cannot be read of the secrets, files and certificates that a table names."""
    for field in msgspec.structs.fields(table):
        value, key = getattr(table, field.name), f"{at}.{field.name}"
        if field.name == "ca_file" and value is not None:
            yield from _unread(key, client_context, value)
        elif field.name == "tokens" and value is not None:
            yield from _unread(key, read_tokens, value)
        elif field.name == "path" and value != "-":
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
    elif Path(path).is_dir():
        yield Warned(key, f"{path}: is a folder")
    elif not os.access(path, os.R_OK):
        yield Warned(key, f"{path}: cannot be read: permission denied")


def _of_tls(tls: Tls, key: str) -> Iterator[Warned]:
    try:
        inspect(tls)
    except CertificateError as error:
        yield Warned(key, error.detail)


def _of_face(http: Http) -> Iterator[Warned]:
    """Yield what strangers could read of the HTTP face, and what nobody could."""
    if http.web_config:
        yield from _of_web_config(http.web_config)
    if http.lenient:
        yield Warned("http.anonymous", LENIENT)
    if not http.private and http.token is None and http.web_config is None and http.anonymous is not True:
        yield Warned(
            "http.token", f"is not set, and {http.listen} is not loopback: nobody may read more than probes do"
        )
    if not http.private and http.token is not None and http.web_config is None:
        yield Warned(
            "http.web_config", f"is not set, and {http.listen} is not loopback: the token can be read on the way"
        )


def _of_web_config(path: str) -> Iterator[Warned]:
    """Yield what is wrong with the web configuration, and with the files that it names."""
    try:
        found = read_web_config(Path(path))
        inspect(found.tls, found.rules)
    except ConfigError as error:
        for fault in error.faults:
            yield Warned("http.web_config", f"{fault.file}: {fault.key + ': ' if fault.key else ''}{fault.message}")
    except CertificateError as error:
        yield Warned("http.web_config", error.detail)


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


def _of_clear_text(source: ListenSource | ProxySource, at: str) -> Iterator[Warned]:
    if source.tls is None and not source.private:
        what = "tokens and frames" if isinstance(source, ListenSource) else "keys of applications and frames"
        yield Warned(f"{at}.tls", f"is not set, and {source.listen} is not loopback: {what} can be read on the way")


def _of_upstream(source: ProxySource, at: str) -> Iterator[Warned]:
    parts = urlsplit(source.upstream)
    host, port = source.address
    named = (parts.hostname or "").lower()
    same = named == host.lower() or (is_loopback(named) and (is_loopback(host) or host in EVERYWHERE))
    if same and port == (parts.port or (443 if parts.scheme == "https" else 80)):
        yield Warned(f"{at}.upstream", "is the address of this source itself: each request would come back for ever")
    if parts.path.rstrip("/").endswith("/v1"):
        yield Warned(
            f"{at}.upstream",
            "ends in /v1, and the path of a request is appended to it: leave /v1 to the base URL of the application, "
            "or /v1/v1 is asked for",
        )
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        yield Warned(f"{at}.upstream", "is http://: keys of applications and frames can be read on the way")
