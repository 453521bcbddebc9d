"""The web configuration file of `http.web_config`: TLS in the form of Prometheus' exporter-toolkit.

Operators know that form. What steno has is read; what it has not is refused with what to use instead, so that nobody
believes to be protected by a key that does nothing. Files are found beside the web configuration file, as the
toolkit has it.
"""

import ssl
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, Literal

from msgspec import Struct

from steno.certificates import Rules
from steno.config.sources.base import Tls
from steno.errors import ConfigError, ConfigFault

Clients = Literal["none", "optional", "required"]
"""Whether clients show certificates."""

AUTH_TYPES: Final[Mapping[str, Clients]] = {
    "": "none",
    "NoClientCert": "none",
    "VerifyClientCertIfGiven": "optional",
    "RequireAndVerifyClientCert": "required",
}
VERSIONS: Final = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}

TLS: Final = "tls_server_config"
PATHS: Final = ("cert_file", "key_file", "client_ca_file")
KNOWN: Final = (*PATHS, "client_auth_type", "client_allowed_sans", "min_version", "max_version")
IGNORED: Final = ("prefer_server_cipher_suites",)
"""Keys that do nothing: Go, and so the toolkit, ignores them as well."""
EMPTY: Final[tuple[object, ...]] = (None, "", [], {})
"""Values of keys that programs write where there is nothing to say."""
INSTEAD: Final[Mapping[str, str]] = {
    "basic_auth_users": "is not supported: use the token of http.token, or certificates of clients",
    "rate_limit": "is not supported: clients are bounded without it",
    "http_server_config.headers": "is not supported: steno sets the headers that browsers need",
    f"{TLS}.cert": "is not supported: name a file by cert_file",
    f"{TLS}.key": "is not supported: name a file by key_file",
    f"{TLS}.client_ca": "is not supported: name a file by client_ca_file",
    f"{TLS}.cipher_suites": "is not supported: leave it out, and OpenSSL's configuration on this machine decides",
    f"{TLS}.curve_preferences": "is not supported: leave it out, and OpenSSL's configuration on this machine decides",
}
"""Keys of the toolkit that steno has not, and what to use instead."""


class WebConfig(Struct, frozen=True):
    """What a web configuration file says."""

    tls: Tls
    clients: Clients
    names: frozenset[str] | None
    """Names one of which the certificate of a client must have; None for any."""
    minimum: ssl.TLSVersion
    maximum: ssl.TLSVersion

    @property
    def rules(self) -> Rules:
        """What is agreed on in a handshake. A certificate that must be shown is asked for later: probes need none."""
        return Rules("optional", self.minimum, self.maximum)


def read_web_config(path: Path) -> WebConfig:
    """Return what the file at `path` says. Raises ConfigError, which names file and key, where it is wrong."""
    from steno.admin.web_config_file import parsed  # noqa: PLC0415  # PyYAML is a thirtieth of a start without TLS

    document = parsed(path)
    if not isinstance(document, dict):
        raise ConfigError([ConfigFault(str(path), "", f"must be a mapping with the key {TLS}")])
    faults = [ConfigFault(str(path), key, message) for key, message in _faults(document)]
    if faults:
        raise ConfigError(faults)
    table = document[TLS]
    certificate, key, authorities = (_beside(path, table.get(name)) for name in PATHS)
    names = table.get("client_allowed_sans")
    return WebConfig(
        Tls(certificate=certificate or "", key=key or "", client_ca=authorities),
        AUTH_TYPES[table.get("client_auth_type") or ""],
        frozenset(map(plain_name, names)) if names else None,
        VERSIONS[table.get("min_version") or "TLS12"],
        VERSIONS[table.get("max_version") or "TLS13"],
    )


def plain_name(name: str) -> str:
    """Return a name of a certificate as it is compared: an address has many spellings."""
    try:
        return str(ip_address(name))
    except ValueError:
        return name


def _beside(path: Path, name: str | None) -> str | None:
    return str(path.parent / name) if name else None


# What may be wrong ----------------------------------------------------------------------------------------


def _faults(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield keys, and what is wrong with them. No value is repeated: it may be a secret in the wrong place."""
    for key, value in document.items():
        if key == "http_server_config" and isinstance(value, dict):
            yield from _http_faults(value)
        elif key == "http_server_config" and value is not None:
            yield key, "must be a mapping"
        elif key not in {TLS, "http_server_config"} and value not in EMPTY:
            yield str(key), INSTEAD.get(key, f"is unknown: known is {TLS}")
    table = document.get(TLS)
    if not isinstance(table, dict):
        yield TLS, "must be there, with cert_file and key_file: without TLS leave http.web_config out"
        return
    for key in table:
        if key not in KNOWN and key not in IGNORED and table[key] not in EMPTY:
            yield f"{TLS}.{key}", INSTEAD.get(f"{TLS}.{key}", f"is unknown: known are {', '.join(KNOWN)}")
    for key, fault in _tls_faults(table):
        yield f"{TLS}.{key}", fault


def _http_faults(table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        at = f"http_server_config.{key}"
        if key == "http2":
            if value is not False:
                yield at, "must be false: steno speaks HTTP/1.1"
        elif value not in EMPTY:
            yield at, INSTEAD.get(at, "is unknown")


def _tls_faults(table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key in ("cert_file", "key_file"):
        if not table.get(key):
            yield key, "must be there"
    for key in PATHS:
        if key in table and not isinstance(table[key], str):
            yield key, "must be a path"
    for key, fault in (("min_version", _no_version), ("max_version", _no_version), ("client_auth_type", _no_type)):
        if message := fault(table.get(key) or ""):
            yield key, message
    if table.get("min_version") == "TLS13" and table.get("max_version") == "TLS12":
        yield "max_version", "must not be below min_version"
    yield from _client_faults(table)


def _no_version(value: object) -> str | None:
    return None if value in ("", *VERSIONS) else "must be TLS12 or TLS13: older ones are broken"


def _no_type(value: object) -> str | None:
    if isinstance(value, str) and value in AUTH_TYPES:
        return None
    return f"must be {', '.join(filter(None, AUTH_TYPES))}: a certificate that nobody verifies says nothing"


def _client_faults(table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    asked = table.get("client_auth_type") or ""
    verified = isinstance(asked, str) and AUTH_TYPES.get(asked, "none") != "none"
    if verified and not table.get("client_ca_file"):
        yield "client_ca_file", "must be there, with the certificates by which clients are verified"
    if not verified and table.get("client_ca_file"):
        yield "client_auth_type", "must be set where there is a client_ca_file"
    names = table.get("client_allowed_sans")
    if names == [] and verified:  # the toolkit lets nobody in
        yield "client_allowed_sans", "must name somebody: leave it out to allow each certificate that is verified"
    elif not isinstance(names or [], list) or not all(isinstance(each, str) for each in names or []):
        yield "client_allowed_sans", "must be a list of names"
    elif names and not verified:
        yield "client_allowed_sans", "needs a client_auth_type that verifies certificates"
