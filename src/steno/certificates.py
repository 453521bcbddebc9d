"""TLS on a side that listens: a certificate whose files are read again when they change.

A certificate is tried before it is used: a client that trusts it alone shakes hands with it, in memory. So one that has
expired, does not fit its key or is not meant for servers is found when it is put in place, and not by every client.
Where the new files are bad, the former certificate stays in use, and the log says which file it is, and why.
"""

import errno
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal, NoReturn, get_args

import structlog
from msgspec import Struct

from steno.config.sources.base import Tls
from steno.regular_files import read_named

Reason = Literal[
    "missing", "not_permitted", "unreadable", "malformed", "mismatch", "expired", "not_yet_valid", "unsuitable"
]
"""Why a certificate is bad: a closed list.

    missing, not_permitted, unreadable   a file is not there, or cannot be read
    malformed                            a file is no PEM, its key is encrypted, or it is weaker than the system allows
    mismatch                             the key is not that of the certificate
    expired, not_yet_valid               of the certificate, by the clock of this machine
    unsuitable                           it is not meant for servers
"""

LOOK_SECONDS: Final = 1.0
"""How often the files are looked at, at most: when a connection comes."""
AGAIN_SECONDS: Final = 10.0
"""How often a bad certificate is tried again whose files are the same: time may have made it valid."""
FILE_BYTES: Final = 1024 * 1024
"""Longest file that is read."""
STEPS: Final = 16
"""Turns of a handshake in memory. It takes three."""


class CertificateError(Exception):
    """A certificate cannot be used."""

    def __init__(self, reason: Reason, detail: str) -> None:
        """Give the `reason`, and the `detail` that names the file."""
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Rules(Struct, frozen=True):
    """What is agreed on with clients."""

    clients: Literal["required", "optional"] = "required"
    """Whether a client must show a certificate, where there is a `client_ca`. One that is shown must hold."""
    minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    maximum: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED
    """The versions of TLS."""


class _Loaded(Struct, frozen=True):
    """A certificate that is in use."""

    context: ssl.SSLContext
    expires: float
    """Until when it is valid, in Unix time."""


class ServerCertificate:
    """The certificate of one side that listens, whichever files hold it at present."""

    def __init__(
        self,
        source: str | None,
        tls: Tls,
        alpn: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
        rules: Rules | None = None,
    ) -> None:
        """Read nothing yet.

        Args:
            source: the name of the source, for the log; None where it is the HTTP face.
            tls: the files.
            alpn: protocols to agree on within TLS, the preferred one first.
            clock: seconds that never run backwards.
            rules: what is agreed on with clients.
        """
        self.loads: dict[Reason | Literal["loaded"], int] = dict.fromkeys(("loaded", *get_args(Reason)), 0)
        """How often the files were read, by outcome."""
        self._tls = tls
        self._alpn = list(alpn)
        self._clock = clock
        self._rules = rules or Rules()
        self._log = structlog.get_logger().bind(**({"source": source} if source else {"key": "http.web_config"}))
        self._loaded: _Loaded | None = None
        self._error: CertificateError | None = None
        """Why the files, as they are now, cannot be used."""
        self._signature: object = None
        """What the files looked like when they were read."""
        self._looked = self._tried = float("-inf")
        self._outlived = False
        """Whether it was logged that the certificate in use has expired."""

    @property
    def tls(self) -> Tls:
        """Its files."""
        return self._tls

    @property
    def error(self) -> CertificateError | None:
        """What is wrong with the files as they are now, whether or not a former certificate is in use."""
        return self._error

    @property
    def expires(self) -> float | None:
        """Until when the certificate in use is valid, in Unix time; None where there is none."""
        return self._loaded.expires if self._loaded else None

    @property
    def usable(self) -> bool:
        """Whether clients can be served."""
        return self._loaded is not None

    def numbers(self) -> dict[str, Mapping[tuple[str, ...], float]]:
        """Return the values by metric and labels, as a source counts them."""
        loaded = self._loaded
        return {
            "steno_tls_certificate_loads_total": {(outcome,): count for outcome, count in self.loads.items()},
            "steno_tls_certificate_expiry_timestamp_seconds": {(): loaded.expires} if loaded else {},
        }

    def context(self) -> ssl.SSLContext:
        """Return what the next connection is served with. The files are read again where they have changed.

        Raises CertificateError where there was no good certificate yet.
        """
        now = self._clock()
        if now - self._looked >= LOOK_SECONDS:
            self._looked = now
            again = self._error is not None and now - self._tried >= AGAIN_SECONDS
            if again or self._signature_now() != self._signature:
                self.reload()
        if self._loaded is None:
            reason, detail = (self._error.reason, self._error.detail) if self._error else ("missing", "was not read")
            raise CertificateError(reason, detail)
        if self._loaded.expires <= time.time() and not self._outlived:
            self._outlived = True
            self._log.error("the certificate has expired: put a new one in its place", file=self._tls.certificate)
        return self._loaded.context

    def reload(self) -> None:
        """Read the files now. Where they are bad, the former certificate stays in use."""
        self._looked = self._tried = self._clock()
        self._signature = self._signature_now()  # before it is read: what changes meanwhile is read again
        try:
            self._loaded = _load(self._tls, self._alpn, self._rules)
        except CertificateError as error:
            self.loads[error.reason] += 1
            if self._error is None or self._error.detail != error.detail:
                self._log.bind(important=True).error(
                    "the certificate cannot be used" + ("; the former one stays in use" if self._loaded else ""),
                    reason=error.reason,
                    detail=error.detail,
                )
            self._error = error
            return
        self.loads["loaded"] += 1
        self._error = None
        self._outlived = False
        self._log.info("certificate loaded", file=self._tls.certificate, expires=int(self._loaded.expires))

    def replace(self, tls: Tls | None, rules: Rules | None = None) -> None:
        """Go on with other files and rules, or with none. Where they are bad, the former certificate stays in use.

        It does not where clients must show other certificates from now on than before.
        """
        if tls is None or tls.client_ca != self._tls.client_ca:
            self._loaded = None
        if tls is None:
            return
        self._tls, self._rules = tls, rules or self._rules
        self.reload()

    def _signature_now(self) -> tuple[object, ...]:
        return tuple(signature(path) for path in _paths(self._tls))


def _paths(tls: Tls) -> Iterator[str]:
    yield tls.certificate
    yield tls.key
    if tls.client_ca:
        yield tls.client_ca


def signature(path: str) -> object:
    """Return what differs when the file at `path` is another one, or has changed, its permissions included."""
    try:
        stat = Path(path).stat()
    except OSError as error:
        return error.errno
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def inspect(tls: Tls, rules: Rules | None = None) -> float:
    """Return until when a certificate is valid, in Unix time. Raises CertificateError where it cannot be used now."""
    return _load(tls, [], rules or Rules()).expires


# Reading --------------------------------------------------------------------------------------------------


def _load(tls: Tls, alpn: list[str], rules: Rules) -> _Loaded:
    """Read the files, and try them. Raises CertificateError."""
    chain = _read(tls.certificate)
    _read(tls.key)
    authorities = _read(tls.client_ca) if tls.client_ca else None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version, context.maximum_version = rules.minimum, rules.maximum
    if alpn:
        context.set_alpn_protocols(alpn)
    try:
        context.load_cert_chain(tls.certificate, tls.key, password=_encrypted(tls.key))
    except OSError as error:  # ssl.SSLError is one
        raise _unloadable(error, tls) from None
    expires = _tried(context, chain, tls)
    if tls.client_ca and authorities is not None:
        context.verify_mode = ssl.CERT_REQUIRED if rules.clients == "required" else ssl.CERT_OPTIONAL
        _trust(context, authorities, tls.client_ca)
    return _Loaded(context, expires)


def _read(path: str) -> str:
    """Return the text of a PEM file."""
    try:
        content = read_named(Path(path), FILE_BYTES + 1)
    except OSError as error:
        reasons: Mapping[int | None, Reason] = {
            errno.ENOENT: "missing",
            errno.EACCES: "not_permitted",
            errno.EPERM: "not_permitted",
        }
        why = (error.strerror or "input error").lower()
        raise CertificateError(reasons.get(error.errno, "unreadable"), f"{path}: cannot be read: {why}") from None
    if len(content) > FILE_BYTES:
        raise CertificateError("unreadable", f"{path}: is longer than {FILE_BYTES} bytes")
    if b"-----BEGIN " not in content:
        raise CertificateError("malformed", f"{path}: is not in PEM")
    return content.decode("ascii", errors="replace")


def _encrypted(path: str) -> Callable[[], str]:
    """Return what OpenSSL calls in place of asking a terminal for the password of a key."""

    def refuse() -> NoReturn:
        raise CertificateError("malformed", f"{path}: is encrypted: store the key without a password")

    return refuse


def _unloadable(error: OSError, tls: Tls) -> CertificateError:
    """Return why the certificate and its key could not be loaded together."""
    code = getattr(error, "reason", None) or ""
    if code == "KEY_VALUES_MISMATCH":
        return CertificateError("mismatch", f"{tls.key}: is not the key of {tls.certificate}")
    if code.endswith(("_TOO_SMALL", "_TOO_WEAK")):
        return CertificateError("malformed", f"{tls.certificate}: {code.lower().replace('_', ' ')}")
    # OpenSSL does not say which file it was.
    return CertificateError("malformed", f"{_other_than_pem(tls)}: holds no valid PEM")


def _other_than_pem(tls: Tls) -> str:
    """Return the file that is wrong: the certificate, unless it can be read by itself."""
    with suppress(OSError, CertificateError):
        probe = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        probe.load_verify_locations(cadata=_read(tls.certificate))
        return tls.key
    return tls.certificate


def _trust(context: ssl.SSLContext, authorities: str, path: str) -> None:
    try:
        context.load_verify_locations(cadata=authorities)
    except (ssl.SSLError, ValueError):
        raise CertificateError("malformed", f"{path}: holds no valid certificates") from None


def _tried(context: ssl.SSLContext, chain: str, tls: Tls) -> float:
    """Shake hands with `context` in memory, as a client does that trusts `chain`; return until when it is valid."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the certificate itself is trusted, whoever signed it
    _trust(client, chain, tls.certificate)
    try:
        shown = _handshake(context, client).getpeercert()
    except ssl.SSLCertVerificationError as error:
        raise CertificateError(_unverified(error), f"{tls.certificate}: {error.verify_message}") from None
    except ssl.SSLError as error:
        why = (error.reason or "no handshake is possible").lower().replace("_", " ")
        raise CertificateError("unsuitable", f"{tls.certificate}: {why}") from None
    return float(ssl.cert_time_to_seconds(str((shown or {}).get("notAfter"))))


def _unverified(error: ssl.SSLCertVerificationError) -> Reason:
    """Return the reason for what OpenSSL's verification calls by a number."""
    reasons: Mapping[int, Reason] = {9: "not_yet_valid", 10: "expired"}
    return reasons.get(error.verify_code, "unsuitable")


def _handshake(context: ssl.SSLContext, client: ssl.SSLContext) -> ssl.SSLObject:
    """Return the client's side of a handshake of the two. Raises SSLError."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    serving = context.wrap_bio(up, down, server_side=True)
    asking = client.wrap_bio(down, up)
    for _ in range(STEPS):
        try:
            asking.do_handshake()
        except ssl.SSLWantReadError:
            with suppress(ssl.SSLWantReadError):
                serving.do_handshake()
        else:
            return asking
    raise ssl.SSLError("no handshake is possible")
