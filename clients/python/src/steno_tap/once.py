"""What the tap has to say, through the standard library's logging: once a kind, since it must not fill a log."""

import logging
from typing import Final

LOGGER: Final = logging.getLogger("steno_tap")


class OnceLog:
    """Warnings of one tap. The second of a kind, and all further ones, are of level debug."""

    def __init__(self) -> None:
        self._kinds: set[str] = set()

    def report(self, kind: str, message: str, *values: object) -> None:
        """Log `message`. It holds no token and no frame."""
        level = logging.DEBUG if kind in self._kinds else logging.WARNING
        self._kinds.add(kind)
        LOGGER.log(level, message, *values)

    def again(self, kind: str) -> None:
        """Warn of `kind` once more when it comes again: it had ended."""
        self._kinds.discard(kind)
