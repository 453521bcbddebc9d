"""Redirects of a handshake: followed within the origin that is configured, refused to any other.

The headers of a source hold its secrets, under whatever names its upstream chose (`X-Api-Key`, `api-key`). Who answers
for the configured origin may move a path. Only the operator may say that another scheme, host or port gets the secrets.
"""

from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.uri import WebSocketURI, parse_uri

from steno.key_shapes import mask_keys

STATUSES: Final = frozenset({300, 301, 302, 303, 307, 308})
REDIRECTS: Final = 5
"""Redirects that one attempt follows. A server that sends further waits for the next attempt as after any failure."""
SHOWN_CHARACTERS: Final = 200
"""How much of an address that a server named is shown."""
_WEBSOCKET_SCHEMES: Final = {"http": "ws", "https": "wss"}
"""Many servers and proxies write the scheme of a web page into the redirect of a websocket."""


class RedirectRefusedError(InvalidHandshake):
    """The server redirects to where the source may not go."""

    def __init__(self, reason: str, target: str, advice: str) -> None:
        """Refuse `target`, as it may be shown, for `reason` of a closed list; `advice` is what the operator can do."""
        super().__init__(advice)
        self.reason = reason
        self.target = target
        self.advice = advice


class connect_within_origin(connect):  # noqa: N801  # a callable, as the library's
    """The library's `connect` with another answer to redirects."""

    def __init__(self, uri: str, **kwargs: Any) -> None:
        """Connect to `uri`; see `connect`."""
        super().__init__(uri, **kwargs)
        self._left = REDIRECTS

    def process_redirect(self, exc: Exception) -> Exception | str:
        """Return where to go, or an error. Called by the library for whatever failed in a handshake."""
        if not isinstance(exc, InvalidStatus) or exc.response.status_code not in STATUSES:
            return exc
        locations = exc.response.headers.get_all("Location")
        if not locations:
            return exc
        target = _target(self.uri, locations)
        if target is None:
            return RedirectRefusedError("redirect_refused", "", "the server redirects to what is no address")
        if _origin(parse_uri(target)) != _origin(self.ws_uri):
            advice = "secrets are not sent to another origin: if it is meant, configure it as the url of this source"
            return RedirectRefusedError("redirect_refused", shown(target), advice)
        self._left -= 1
        if self._left < 0:
            advice = f"the server redirects more than {REDIRECTS} times: configure the address where it ends"
            return RedirectRefusedError("redirect_loop", shown(target), advice)
        return target


def _target(base: str, locations: list[str]) -> str | None:
    """Return the address that a redirect names; None where there are several, or it is none to connect to."""
    if len(set(locations)) > 1:
        return None
    try:
        target = urljoin(_with_scheme(base, to_web=True), locations[0])
        target = _with_scheme(target, to_web=False)
        uri = parse_uri(target)
    except Exception:  # noqa: BLE001  # a stranger's text through two parsers: whatever they raise, it is no address
        return None
    return None if uri.username is not None else target  # a user's name would replace the header that is configured


def _with_scheme(url: str, *, to_web: bool) -> str:
    """Return `url` with the scheme of the web in place of that of a websocket, or the reverse."""
    scheme, colon, rest = url.partition(":")
    schemes = {ws: web for web, ws in _WEBSOCKET_SCHEMES.items()} if to_web else _WEBSOCKET_SCHEMES
    return schemes.get(scheme.lower(), scheme) + colon + rest


def _origin(uri: WebSocketURI) -> tuple[bool, str, int]:
    return uri.secure, uri.host.lower(), uri.port


def shown(target: str) -> str:
    """Return an address that a server named as it may be logged: no query, no key, no control character, not long."""
    parts = urlsplit(target)
    address = mask_keys(f"{parts.scheme}://{parts.netloc}{parts.path}", "***")
    plain = "".join(character if " " < character <= "~" else "?" for character in address)
    return plain if len(plain) <= SHOWN_CHARACTERS else plain[:SHOWN_CHARACTERS] + "..."
