"""TLS of the HTTP face: the web configuration file and the files that it names, all read again when they change.

A web configuration that is wrong leaves the former one in use, as a certificate does that is bad; the log says why. At
the start a wrong one is refused, as any configuration. A bad certificate is not: nothing can be asked of the daemon
until it is mended, but it goes on recording.
"""

import ssl
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import structlog

from steno.admin.authorization import ClientRule
from steno.admin.web_config import WebConfig, plain_name, read_web_config
from steno.certificates import ServerCertificate, signature
from steno.errors import ConfigError

ALPN: Final = ("http/1.1",)
LOOK_SECONDS: Final = 1.0
"""How often the web configuration file is looked at, at most: when a connection comes."""


class TlsFace:
    """What clients of the HTTP face are served with."""

    def __init__(self, path: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Read the web configuration file at `path`. Raises ConfigError where it is wrong; the certificate may be bad.

        `clock` has seconds that never run backwards.
        """
        self.path = path
        self._clock = clock
        self._looked = clock()
        self._signature = signature(path)
        self._config = read_web_config(Path(path))
        self._certificate = ServerCertificate(None, self._config.tls, ALPN, clock, self._config.rules)
        self._certificate.reload()

    @property
    def expires(self) -> float | None:
        """Until when the certificate in use is valid, in Unix time; None where there is none that can be used."""
        return self._certificate.expires

    def clients(self) -> ClientRule:
        """Return what is asked of the certificates of clients."""
        return ClientRule(self._config.clients == "required", self._config.names)

    def context(self) -> ssl.SSLContext:
        """Return what the next connection is served with. Raises CertificateError where no certificate can be used."""
        now = self._clock()
        if now - self._looked >= LOOK_SECONDS:
            self._looked = now
            if signature(self.path) != self._signature:
                self.replace(self.path)
        return self._certificate.context()

    def replace(self, path: str) -> None:
        """Go on with the web configuration file at `path`. Where it is wrong, the former one stays in use."""
        self.path, self._signature = path, signature(path)
        try:
            config = read_web_config(Path(path))
        except ConfigError as error:
            structlog.get_logger().bind(important=True).error(
                "the web configuration is wrong; the former one stays in use", faults=list(map(str, error.faults))
            )
            return
        self._use(config)

    def _use(self, config: WebConfig) -> None:
        self._config = config
        self._certificate.replace(config.tls, config.rules)


def names_of(tls: ssl.SSLObject | None) -> frozenset[str] | None:
    """Return the names in the certificate that a client has shown and that holds; None where it has shown none."""
    shown = tls.getpeercert() if tls else None
    if not shown:
        return None
    names: Iterable[tuple[str, str]] = shown.get("subjectAltName", ())  # type: ignore[assignment]  # pairs, always
    return frozenset(plain_name(name) for _, name in names)
