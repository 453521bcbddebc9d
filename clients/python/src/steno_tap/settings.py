"""Where a tap pushes to, and what it shows there."""

import os
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, quote, urlencode, urlsplit

DEFAULT_URL: Final = "ws://127.0.0.1:9465"
URL_VARIABLE: Final = "STENO_TAP_URL"
TOKEN_VARIABLE: Final = "STENO_TAP_TOKEN"  # noqa: S105 - the name of a variable
TOKEN_FILE_VARIABLE: Final = "STENO_TAP_TOKEN_FILE"  # noqa: S105 - as above

QUEUE_BYTES: Final = 8 * 1024 * 1024
"""What a conversation holds at most: a minute of a call, at 128 KiB of audio a second both ways."""
TOTAL_BYTES: Final = 64 * 1024 * 1024
"""What all conversations of a tap hold at most."""
LINGER_SECONDS: Final = 10.0
"""How long a conversation that has ended is pushed at most."""

_PATH: Final = "/v1/push"
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


class TokenError(Exception):
    """There is no token where one should be. The message names the place, never the token."""


@dataclass(frozen=True)
class Settings:
    """What does not change while a tap lives."""

    url: str = ""
    """`ws://` or `wss://`; the path `/v1/push` is added where it is missing."""
    token: str | None = field(default=None, repr=False)
    token_file: str | None = None
    ack: bool = False
    """Whether items are kept until steno has them on its disk."""
    queue_bytes: int = QUEUE_BYTES
    total_bytes: int = TOTAL_BYTES
    linger_seconds: float = LINGER_SECONDS
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Raise ValueError where nothing could ever be pushed. The message shows no secret."""
        parts = self.parts
        if parts.scheme not in {"ws", "wss"} or not parts.hostname:
            raise ValueError("the URL of steno must be ws://host:port or wss://host:port")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("the URL of steno has no user, query or fragment; pass token= and conversation=")
        try:
            parts.port  # noqa: B018 - it raises where the port is no number
        except ValueError:
            raise ValueError("the URL of steno has a port that is none") from None
        if min(self.queue_bytes, self.total_bytes) <= 0:
            raise ValueError("queue_bytes and total_bytes must be positive")
        if self.token is not None:
            _checked(self.token, "token=")

    @property
    def parts(self) -> SplitResult:
        """The URL, taken apart."""
        return urlsplit(self.url)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        parts = self.parts
        return parts.hostname or "", parts.port or (443 if parts.scheme == "wss" else 80)

    @property
    def host_header(self) -> str:
        """Host and port as a request has them."""
        return self.parts.netloc

    @property
    def in_the_clear(self) -> bool:
        """Whether a token would cross a network unencrypted."""
        return self.parts.scheme == "ws" and self.address[0] not in _LOOPBACK

    def target(self, conversation: str | None, resume: str, first: int) -> str:
        """Return path and query of a push. `resume` and `first` count with `ack` alone."""
        path = quote(self.parts.path.rstrip("/"), safe="/%:@!$&'()*+,;=~-._")
        path = path if path.endswith(_PATH) else path + _PATH
        query: dict[str, str] = {} if conversation is None else {"conversation": conversation}
        if self.ack:
            query |= {"ack": "1", "resume": resume, "from": str(first)}
        return f"{path}?{urlencode(query)}" if query else path

    def read_token(self) -> str | None:
        """Return the token, read anew from its file so that a change counts. Raises TokenError."""
        if self.token_file is None:
            return self.token
        try:
            token = Path(self.token_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise TokenError(f"cannot read the token in {self.token_file}: {reason}") from None
        try:
            return _checked(token, self.token_file)
        except ValueError as error:
            raise TokenError(str(error)) from None


def _checked(token: str, where: str) -> str:
    if not token or not all("!" <= character <= "~" for character in token):
        raise ValueError(f"the token in {where} is empty or has other characters than visible ASCII")
    return token


def token_from_environment() -> tuple[str | None, str | None]:
    """Return the token and the file of the token that the environment names."""
    token_file = os.environ.get(TOKEN_FILE_VARIABLE) or None
    return (None if token_file else os.environ.get(TOKEN_VARIABLE) or None), token_file
