"""Asks a running daemon whether it is ready. Health checks of containers run this often, so it must be quick."""

import re
import ssl
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

from steno.errors import ConfigError, ConfigFault, UsageError
from steno.regular_files import read_named

TIMEOUT_SECONDS: Final = 3.0
OK: Final = 200
RESPONSE_BYTES: Final = 64 * 1024
"""How much of a response is read."""
PORTS: Final = {"http": 80, "https": 443}
WILDCARD_HOSTS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104  # nothing listens here
"""An address that means all interfaces to the address that reaches it on this machine."""
FILE_BYTES: Final = 1024 * 1024
"""How much of a file of certificates is read."""
UNVERIFIED: Final = "(not verified: the certificate that was shown is not, or no longer, valid by {file})"

_CERTIFICATE: Final = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


class ProbeResult(Struct, frozen=True):
    """What the daemon responded, or why there was no response."""

    ready: bool
    text: str
    """The body of the response, or a sentence for the operator."""


class Trust(Struct, frozen=True):
    """Files of a client, in PEM."""

    ca_file: Path | None = None
    """Certificates that the daemon's is verified by. None: those of the system."""
    cert_file: Path | None = None
    """A certificate to show, and those above it."""
    key_file: Path | None = None
    """Its key, where that is not in `cert_file`."""

    def context(self) -> ssl.SSLContext:
        """Return what to connect with. Raises ConfigError, which names the file that cannot be used."""
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except OSError as error:  # ssl.SSLError is one
            raise _unusable(self.ca_file, error, "holds no certificates in PEM") from None
        if self.cert_file:
            try:
                context.load_cert_chain(self.cert_file, self.key_file, lambda: "")
            except OSError as error:
                raise _unusable(self.cert_file, error, "holds no certificate with its key in PEM") from None
        return context


def _unusable(file: Path | None, error: OSError, otherwise: str) -> ConfigError:
    why = otherwise if isinstance(error, ssl.SSLError) else f"cannot be read: {(error.strerror or 'error').lower()}"
    return ConfigError([ConfigFault(str(file), "", why)])


def readiness_url(address: tuple[str, int], scheme: str = "http") -> str:
    """Return the URL of `/readyz` of a daemon that listens on `address`, a host and a port."""
    host, port = address
    host = WILDCARD_HOSTS.get(host, host)
    return f"{scheme}://[{host}]:{port}/readyz" if ":" in host else f"{scheme}://{host}:{port}/readyz"


def probe(url: str, token: str | None = None, trust: Trust | None = None) -> ProbeResult:
    """Request `url` (`/readyz` where it has no path), with the `token` of `http.token` for details.

    Raises UsageError where it is no http or https URL, and ConfigError where a file of `trust` cannot be used.
    """
    parts = urlsplit(url)
    if parts.scheme not in PORTS or not parts.hostname:
        raise UsageError("the URL must begin with http:// or https:// and name a host: http://127.0.0.1:9464/readyz")
    context = (trust or Trust()).context() if parts.scheme == "https" else None
    try:
        return _asked(parts, token, context)
    except (OSError, HTTPException) as error:
        return ProbeResult(ready=False, text=unanswered(parts, error))


def probe_own(address: tuple[str, int], certificate: str, token: str | None) -> ProbeResult:
    """Request `/readyz` of the daemon at `address`, whose configuration names the file of its `certificate`.

    That certificate itself is trusted, and no other, whichever names are in it: the address is seldom among them. Where
    another one is shown, or it has expired, the daemon is asked without the token: it goes on with a former certificate
    while the file is bad, and is not ill for that.
    """
    parts = urlsplit(readiness_url(address, "https"))
    try:
        if context := pinned(certificate):
            with suppress(ssl.SSLCertVerificationError):
                return _asked(parts, token, context)
        answered = _asked(parts, None, _trusting_anybody())
    except (OSError, HTTPException) as error:
        return ProbeResult(ready=False, text=unanswered(parts, error))
    return ProbeResult(answered.ready, f"{answered.text}\n{UNVERIFIED.format(file=certificate)}")


def pinned(certificate: str) -> ssl.SSLContext | None:
    """Return what trusts the first certificate of a file, and none above it; None where there is none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the certificate itself is trusted, whoever signed it
    try:
        first = _CERTIFICATE.search(read_named(Path(certificate), FILE_BYTES).decode("ascii", errors="replace"))
        context.load_verify_locations(cadata=first[0] if first else "")
    except (OSError, ValueError):  # ssl.SSLError is an OSError
        return None
    return context


def _trusting_anybody() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _asked(url: SplitResult, token: str | None, context: ssl.SSLContext | None) -> ProbeResult:
    """Return the response. Raises OSError or HTTPException where there is none."""
    host, port = url.hostname or "", url.port or PORTS[url.scheme]
    with closing(
        HTTPSConnection(host, port, timeout=TIMEOUT_SECONDS, context=context)
        if context
        else HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
    ) as connection:
        connection.request("GET", url.path or "/readyz", headers={"Authorization": f"Bearer {token}"} if token else {})
        response = connection.getresponse()
        return ProbeResult(response.status == OK, response.read(RESPONSE_BYTES).decode(errors="replace"))


def unanswered(url: SplitResult, error: OSError | HTTPException) -> str:
    """Return what to say where nothing came back from the daemon at `url`."""
    where = f"{url.hostname}:{url.port or url.scheme}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"no answer from {where}: its certificate does not hold: {error.verify_message}; see --ca-file"
    if isinstance(error, ssl.SSLError):
        why = (error.reason or "no handshake").lower().replace("_", " ")
        hint = "; does it speak plain HTTP?" if error.reason == "WRONG_VERSION_NUMBER" else ""
        return f"no answer from {where}: TLS: {why}{hint}"
    why = (isinstance(error, OSError) and error.strerror) or type(error).__name__
    hint = "; is it http.listen of a daemon that runs?" if isinstance(error, ConnectionRefusedError) else ""
    return f"no answer from {where}: {why.lower()}{hint}"
