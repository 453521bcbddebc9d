"""Who may act over the HTTP face, or is shown details: who sends the token of `http.token`."""

import hmac

import structlog
from starlette.requests import Request

from steno.config.secret import read_secret
from steno.config.secret_ref import SecretRef
from steno.errors import ConfigError


class Authorization:
    """Compares bearer tokens with the configured one, which is read again for each request: it may be exchanged."""

    def __init__(self, token: SecretRef | None) -> None:
        """Allow who sends `token`; nobody where there is none. The attribute may be changed."""
        self.token = token

    def allows(self, request: Request) -> bool:
        """Return whether `request` has the token in its `Authorization` header, as `Bearer TOKEN`."""
        scheme, _, sent = request.headers.get("authorization", "").partition(" ")
        expected = self._expected()
        if scheme.lower() != "bearer" or expected is None:
            return False
        return hmac.compare_digest(sent.strip().encode(), expected.encode())

    def _expected(self) -> str | None:
        try:
            return read_secret(self.token) if self.token else None
        except ConfigError as error:
            structlog.get_logger().warning("http.token cannot be read: nobody may act over HTTP", reason=str(error))
            return None
