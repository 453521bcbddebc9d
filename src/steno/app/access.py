"""Who may ask a daemon for what over HTTP, as its configuration says at present."""

from typing import Final

import msgspec
import structlog

from steno.admin.authorization import Authorization, Policy
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
        """Let `http` decide."""
        self._http = http
        self.authorization = Authorization(http.token, policy(http))

    def reload(self, http: Http) -> None:
        """Let `http` decide from now on."""
        self._http = msgspec.structs.replace(http, listen=self._http.listen)
        self.authorization.token = http.token
        self.authorization.policy = policy(self._http)

    def log_start(self) -> None:
        """Warn where strangers can read what the next version will not show them."""
        if self._http.lenient:
            structlog.get_logger().warning(f"http.anonymous {LENIENT}", listen=self._http.listen)
