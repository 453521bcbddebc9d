"""Who may act over the HTTP face, or is shown details: what a request shows of who sends it.

It may be the token of `http.token`, a cookie that was got for it (`sessions`), or the certificate of a client that the
web configuration allows.
"""

import hmac
from collections.abc import Callable, Collection
from typing import Any, Final, Literal

import structlog
from msgspec import Struct
from starlette.requests import HTTPConnection

from steno.admin.attempts import Attempts
from steno.admin.sessions import Sessions, cookie_name
from steno.config.secret import read_secret
from steno.config.secret_ref import SecretRef
from steno.errors import ConfigError

Verdict = Literal["allowed", "missing", "wrong", "throttled"]
"""What a request shows of who sends it.

    allowed     it is authorized
    missing     it shows nothing that counts
    wrong       its token is not that of `http.token`
    throttled   its address has sent too many wrong tokens, and its own was not looked at
"""

CERTIFICATE: Final = "steno.certificate"
"""Where a connection keeps the names of its client's certificate, which was verified: a set, which may be empty."""
_VERDICT: Final = "steno.verdict"


class ClientRule(Struct, frozen=True):
    """What is asked of the certificates of clients."""

    required: bool = False
    """Whether each client must show one."""
    names: frozenset[str] | None = None
    """The names one of which it must have; None for any."""


class Policy(Struct, frozen=True):
    """Who may read without being authorized."""

    private: bool = False
    """The daemon listens on loopback alone: whoever is on the machine may read."""
    anonymous: bool = False
    """Anybody may read, wherever the daemon listens."""
    lenient: Collection[str] = ()
    """Paths that anybody may still read, until a later version."""

    def readable(self, path: str) -> bool:
        """Return whether anybody may read `path`."""
        return self.private or self.anonymous or path in self.lenient


class Authorization:
    """Looks at what requests show. Its attributes may be set anew while it runs."""

    def __init__(
        self,
        token: SecretRef | None,
        policy: Policy | None = None,
        clients: Callable[[], ClientRule] = ClientRule,
        attempts: Attempts | None = None,
    ) -> None:
        """Allow who shows what counts.

        Args:
            token: where the token is, which is read again for each request: it may be exchanged. None: nobody has one.
            policy: who may read without; absent, nobody.
            clients: returns what is asked of the certificates of clients at present.
            attempts: counts wrong tokens.
        """
        self.token = token
        self.policy = policy or Policy()
        self.sessions = Sessions()
        self._clients = clients
        self._attempts = attempts or Attempts()

    @property
    def clients(self) -> ClientRule:
        """What is asked of the certificates of clients."""
        return self._clients()

    def allows(self, request: HTTPConnection) -> bool:
        """Return whether `request` is authorized."""
        return self.verdict(request) == "allowed"

    def still_reads(self, request: HTTPConnection) -> bool:
        """Return whether who was let in to read may still do: the token may be another one by now, the session over.

        What cannot be looked at, since the address is throttled, stays as it was.
        """
        return self.policy.readable(request.scope["path"]) or self._judge(request) in ("allowed", "throttled")

    def verdict(self, request: HTTPConnection) -> Verdict:
        """Return what `request` shows. It is looked at once, so that a wrong token counts once."""
        state: dict[str, Any] = request.scope.setdefault("state", {})
        if _VERDICT not in state:
            state[_VERDICT] = self._judge(request)
        verdict: Verdict = state[_VERDICT]
        return verdict

    def certified(self, request: HTTPConnection) -> bool:
        """Return whether the client of `request` has shown a certificate that counts."""
        shown: frozenset[str] | None = request.scope.get("state", {}).get(CERTIFICATE)
        names = self.clients.names
        return shown is not None and (names is None or not names.isdisjoint(shown))

    def presented(self, token: str, address: str) -> Verdict:
        """Return whether `token` is the right one, sent from `address`."""
        if self._attempts.exhausted(address):
            return "throttled"
        expected = self._expected()
        if expected is None:  # no guess can be right, and whoever has the token is not to pay for that
            return "wrong"
        if hmac.compare_digest(token.strip().encode(), expected.encode()):
            return "allowed"
        self._attempts.wrong(address)
        return "wrong"

    def _judge(self, request: HTTPConnection) -> Verdict:
        if self.certified(request) or self._in_session(request):
            return "allowed"
        scheme, _, sent = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or self.token is None:
            return "missing"
        return self.presented(sent, address_of(request))

    def _in_session(self, request: HTTPConnection) -> bool:
        cookie = request.cookies.get(cookie_name(request.headers.get("host", "")))
        expected = self._expected() if cookie else None
        return bool(cookie) and expected is not None and self.sessions.holds(cookie or "", expected)

    def _expected(self) -> str | None:
        try:
            return read_secret(self.token) if self.token else None
        except ConfigError as error:
            structlog.get_logger().warning("http.token cannot be read: nobody may act over HTTP", reason=str(error))
            return None


def address_of(request: HTTPConnection) -> str:
    """Return the address of the other end; "" where it has none."""
    return request.client.host if request.client else ""
