"""Who may ask a daemon for what over HTTP, as its configuration says at present."""

from typing import Final

import msgspec
import structlog

from steno.admin.authorization import Authorization, ClientRule, Policy
from steno.admin.server import HANDSHAKE_SHARE
from steno.admin.tls_face import TlsFace
from steno.config import Http

LENIENT: Final = (
    "is not set, and listen is not loopback: /metrics is answered without a token, which the next version refuses; "
    "set it to false to refuse that now (Prometheus sends the token by `authorization`), or to true to let anybody read"
)
METRICS: Final = "/metrics"


def policy(http: Http) -> Policy:
    """Return who may read without being authorized."""
    lenient = (METRICS,) if http.lenient else ()
    return Policy(private=http.private, anonymous=http.anonymous is True, lenient=lenient)


class Access:
    """The authorization of a daemon's HTTP face. The address that it is bound to stays; all else may be set anew."""

    def __init__(self, http: Http) -> None:
        """Let `http` decide. Raises ConfigError where the web configuration is wrong."""
        self._http = http
        self.tls = TlsFace(http.web_config) if http.web_config else None
        """TLS of the face, where there is any."""
        clients = self.tls.clients if self.tls else ClientRule
        self.authorization = Authorization(http.token, policy(http), clients)

    @property
    def scheme(self) -> str:
        """Of the URLs of the face."""
        return "https" if self.tls else "http"

    def connections(self, descriptors: int) -> int:
        """Return how many connections there may be for so many descriptors: handshakes of TLS hold some beside them."""
        return descriptors * HANDSHAKE_SHARE // (HANDSHAKE_SHARE + 1) if self.tls else descriptors

    def reload(self, http: Http) -> None:
        """Let `http` decide from now on. Whether there is TLS stays as it is, and so does where it listens."""
        web_config = http.web_config or self._http.web_config if self.tls else None
        self._http = msgspec.structs.replace(http, listen=self._http.listen, web_config=web_config)
        if self.tls and http.web_config and http.web_config != self.tls.path:
            self.tls.replace(http.web_config)
        self.authorization.token = http.token
        self.authorization.policy = policy(self._http)

    def log_start(self) -> None:
        """Warn where strangers can read what the next version will not show them."""
        if self._http.lenient:
            structlog.get_logger().warning(f"http.anonymous {LENIENT}", listen=self._http.listen)
