"""What `steno check` finds: what `steno run` would refuse (`check_start`), and what is legal and surely not meant.

`steno run` starts with the latter all the same, since the trouble of one source is not that of the others. Nothing is
connected to.
"""

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import msgspec
from msgspec import Struct

from steno.addresses import is_loopback
from steno.admin.web_config import read_web_config
from steno.amounts import amount
from steno.app.access import LENIENT
from steno.app.check_start import refused
from steno.app.findings import Finding
from steno.audit.setup import policy_of, redactor_of
from steno.certificates import CertificateError, inspect
from steno.config import (
    AttachSource,
    Audit,
    Config,
    Connect,
    Http,
    ListenSource,
    Otel,
    ProxySource,
    SecretRef,
    Tls,
    read_secret,
)
from steno.errors import ConfigError
from steno.sources.listen.tokens import read_tokens
from steno.sources.trust import client_context

PROVIDERS: Final = ("api.openai.com", ".openai.azure.com", ".cognitiveservices.azure.com", "api.x.ai")
"""Hosts at which a URL with a model opens a session of its own, instead of showing somebody else's."""
ONES_OWN: Final = ("/live/sessions", "/responses")
"""Ends of paths at which a websocket serves who has opened it, and nobody joins that of somebody else."""
EVERYWHERE: Final = ("0.0.0.0", "::")  # noqa: S104  # it is compared with
"""All addresses of the machine, loopback among them."""
DAY_SECONDS: Final = 86_400
SOON_DAYS: Final = 14
"""A certificate that ends within these is warned of."""
STOPPED_SECONDS: Final = 35.0
"""How long the unit `deploy/steno.service` waits for the daemon to stop."""
DRAINED_SECONDS: Final = 3660.0
"""The same of `deploy/steno@.service`, which is for proxies."""


def found(
    config: Config, environ: Mapping[str, str], state: Path | None, record: Path | None
) -> tuple[list[Finding], list[Finding]]:
    """Return warnings, and what `steno run` would refuse with the same configuration, environment and options.

    Raises ConfigError, with faults that name no file, where the redaction is wrong in itself, whatever else there is.
    """
    redactor_of(config.audit)
    every = [*refused(config, environ, state, record), *warnings(config)]
    return [each for each in every if not each.fatal], [each for each in every if each.fatal]


def warnings(config: Config, now: float | None = None) -> Iterator[Finding]:
    """Yield what is to be looked at in `config`, in the order of its tables. `now` is Unix time, for certificates."""
    at_present = time.time() if now is None else now
    yield from _of_table(config.http, "http", at_present)
    yield from _of_face(config.http)
    yield from _of_audit(config.audit, at_present)
    yield from _of_limits(config)
    yield from _of_table(config.otel, "otel", at_present)
    yield from _of_collector(config.otel)
    if not config.sources:
        yield Finding("sources", "there are none, so that nothing comes: name one under [[sources]]")
    for source in config.sources:
        at = f"sources.{source.name}"
        yield from _of_table(source, at, at_present)
        if isinstance(source, Connect):
            yield from _of_url(source, at)
        if isinstance(source, (ListenSource, ProxySource)):
            yield from _of_clear_text(source, at)
        if isinstance(source, ProxySource):
            yield from _of_upstream(source, at)


def _of_table(table: Struct, at: str, now: float) -> Iterator[Finding]:
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
            yield from _of_value(value, key, now)


def _of_value(value: Any, key: str, now: float) -> Iterator[Finding]:
    if isinstance(value, SecretRef):
        yield from _unread(key, read_secret, value)
    elif isinstance(value, Tls):
        yield from _of_tls(value, key, now)
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _of_value(inner, f"{key}.{name}", now)
    elif isinstance(value, tuple):
        for number, inner in enumerate(value):
            yield from _of_value(inner, f"{key}[{number}]", now)


def _unread(key: str, read: Any, value: Any) -> Iterator[Finding]:
    try:
        read(value)
    except ConfigError as error:
        for fault in error.faults:
            yield Finding(key, f"{fault.file}: {fault.message}")


def _unreadable_file(key: str, path: str) -> Iterator[Finding]:
    if not Path(path).exists():
        yield Finding(key, f"{path}: does not exist")
    elif Path(path).is_dir():
        yield Finding(key, f"{path}: is a folder")
    elif not os.access(path, os.R_OK):
        yield Finding(key, f"{path}: cannot be read: permission denied")


def _of_tls(tls: Tls, key: str, now: float) -> Iterator[Finding]:
    try:
        days = int((inspect(tls) - now) // DAY_SECONDS)
    except CertificateError as error:
        yield Finding(key, error.detail)
        return
    if days < SOON_DAYS:
        yield Finding(key, f"{tls.certificate}: expires in {amount(days, 'day')}: put a new one in its place")


def _of_face(http: Http) -> Iterator[Finding]:
    """Yield what strangers could read of the HTTP face, and what nobody could."""
    if http.web_config:
        yield from _of_web_config(http.web_config)
    if http.lenient:
        yield Finding("http.anonymous", LENIENT)
    if not http.private and http.token is None and http.web_config is None and http.anonymous is not True:
        yield Finding(
            "http.token", f"is not set, and {http.listen} is not loopback: nobody may read more than probes do"
        )
    if not http.private and http.token is not None and http.web_config is None:
        yield Finding(
            "http.web_config", f"is not set, and {http.listen} is not loopback: the token can be read on the way"
        )


def _of_web_config(path: str) -> Iterator[Finding]:
    """Yield what is wrong with the web configuration, and with the files that it names."""
    try:
        found = read_web_config(Path(path))
        inspect(found.tls, found.rules)
    except ConfigError as error:
        for fault in error.faults:
            place = f"{fault.file}: {fault.key}: " if fault.key else f"{fault.file}: "
            yield Finding("http.web_config", place + fault.message, fatal=True)
    except CertificateError as error:
        yield Finding("http.web_config", error.detail)


def _of_audit(audit: Audit, now: float) -> Iterator[Finding]:
    """Yield what has no effect, or another one than it says, and what cannot be read of the place for heads."""
    if audit.anchor:
        yield from _of_table(audit.anchor, "audit.anchor", now)
    policy = policy_of(audit)
    for name in ("patterns", "regions"):
        if getattr(audit, name) and not policy.redacts:
            yield Finding(f"audit.{name}", 'has no effect: audit.content redacts nothing; set it to "redacted"')
    if audit.content_files and audit.content == "none":
        yield Finding("audit.content_files", 'has no effect: audit.content is "none", so that no content is kept')
    if audit.retention_days is not None and audit.retention_days * DAY_SECONDS < audit.segment_seconds:
        yield Finding(
            "audit.retention_days",
            f"is shorter than audit.segment_seconds ({audit.segment_seconds:g}): a segment goes as a whole, and stays "
            "until it is closed",
        )


def _of_collector(otel: Otel) -> Iterator[Finding]:
    """Yield what is not meant of where is sent to by OTLP."""
    parts = urlsplit(otel.endpoint or "")
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        what = "headers, numbers and names of models and tools"
        yield Finding("otel.endpoint", f"is http://, and not loopback: {what} can be read on the way")
    if otel.endpoint and not (otel.metrics or otel.spans):
        yield Finding("otel.endpoint", "has no effect: neither otel.metrics nor otel.spans is on")
    if otel.ca_file and parts.scheme == "http":
        yield Finding("otel.ca_file", "has no effect: otel.endpoint is http://")


def _of_limits(config: Config) -> Iterator[Finding]:
    """Yield limits that contradict each other, or those of the service manager."""
    calls = max((source.drain_seconds for source in config.sources if isinstance(source, ProxySource)), default=0.0)
    unit, seconds = ("steno@.service", DRAINED_SECONDS) if calls else ("steno.service", STOPPED_SECONDS)
    if config.limits.drain_seconds + calls > seconds:
        yield Finding(
            "limits.drain_seconds",
            f"comes to {config.limits.drain_seconds + calls:g} seconds with drain_seconds of the sources: raise "
            f"TimeoutStopSec= of the unit too, which is {seconds:g} in the {unit} that steno comes with",
        )
    for source in config.sources:
        for key in ("connections", "calls"):
            most = getattr(source, key, 0)
            if most > config.limits.conversations:
                yield Finding(
                    f"sources.{source.name}.{key}",
                    f"is more than limits.conversations ({config.limits.conversations}): open ones would be evicted",
                )
        if isinstance(source, AttachSource) and source.start_seconds < source.open_timeout_seconds:
            yield Finding(
                f"sources.{source.name}.start_seconds",
                f"is shorter than one attempt may take (open_timeout_seconds, {source.open_timeout_seconds:g})",
            )


def _of_url(source: Connect, at: str) -> Iterator[Finding]:
    parts = urlsplit(source.url)
    host, query = parts.hostname or "", parse_qs(parts.query)
    at_provider = any(host == each or (each.startswith(".") and host.endswith(each)) for each in PROVIDERS)
    if at_provider and "model" in query and "call_id" not in query:
        yield Finding(
            f"{at}.url",
            "opens a session of its own at the provider, which is billed and shows nobody's calls: name a running call "
            'by call_id=, or use a source of kind "proxy", "listen" or "attach"',
        )
    elif at_provider and parts.path.rstrip("/").endswith(ONES_OWN):
        yield Finding(
            f"{at}.url",
            "opens a websocket of its own at the provider, which shows nobody's events: use a source of kind "
            '"proxy" or "listen", or for Live sessions "attach"',
        )


def _of_clear_text(source: ListenSource | ProxySource, at: str) -> Iterator[Finding]:
    if source.tls is None and not source.private:
        what = "tokens and frames" if isinstance(source, ListenSource) else "keys of applications and frames"
        yield Finding(f"{at}.tls", f"is not set, and {source.listen} is not loopback: {what} can be read on the way")


def _of_upstream(source: ProxySource, at: str) -> Iterator[Finding]:
    parts = urlsplit(source.upstream)
    host, port = source.address
    named = (parts.hostname or "").lower()
    same = named == host.lower() or (is_loopback(named) and (is_loopback(host) or host in EVERYWHERE))
    if same and port == (parts.port or (443 if parts.scheme == "https" else 80)):
        yield Finding(f"{at}.upstream", "is the address of this source itself: each request would come back for ever")
    if parts.path.rstrip("/").endswith("/v1"):
        yield Finding(
            f"{at}.upstream",
            "ends in /v1, and the path of a request is appended to it: leave /v1 to the base URL of the application, "
            "or /v1/v1 is asked for",
        )
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        yield Finding(f"{at}.upstream", "is http://: keys of applications and frames can be read on the way")
