"""Heads of the log, carried to where whoever owns it cannot rewrite them: a file, a webhook, a time-stamp authority.

Each checkpoint brings a head. A thread of its own signs it, has it stamped, and delivers it: none of that may hold the
event loop or the writing thread, nor end either. A head proves all before it, so where a place does not take one, the
newest is tried again, and one that a newer replaced is no loss. What fails is counted and logged, once until it is
over.
"""

import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from threading import Condition, Thread
from time import monotonic
from typing import Final, Literal, Protocol

import structlog
from msgspec import Struct

from steno.audit.signed_heads import HeadError, Signer, claim_of, line_of, read_signer
from steno.audit.writing.batch import ChainHead
from steno.config.schema import Anchor
from steno.config.secret import read_secret
from steno.errors import ConfigError, ConfigFault
from steno.regular_files import open_regular
from steno.timestamps import timestamp

REQUEST_SECONDS: Final = 10.0
"""How long a server may take to answer."""
RETRY_SECONDS: Final = 5.0
RETRY_SECONDS_MAX: Final = 300.0
"""Time between two attempts at a head that could not be delivered: it doubles."""
REPLY_BYTES: Final = 64 * 1024
"""Longest response of a time-stamp authority, with its certificates."""
FILE_MODE: Final = 0o640
ADDED_TO: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
"""How a file is opened: a named pipe that nobody reads is refused, not waited for."""

TIMESTAMP: Final = "timestamp"
FILE: Final = "file"
WEBHOOK: Final = "webhook"


class AnchorError(Exception):
    """A head was not delivered, or not stamped. The message repeats no secret and no answer of a server."""


class Stamps(Protocol):
    """Has a claim stamped with a time."""

    def __call__(self, claim: bytes) -> bytes:
        """Return the response of the authority, DER. Raises AnchorError."""


Deliver = Callable[[bytes], None]
"""Takes the line of a head. Raises AnchorError."""


class AnchorParts(Struct, frozen=True):
    """What a head goes through."""

    signer: Signer | None
    stamp: Stamps | None
    places: Mapping[str, Deliver]
    """Where the line goes, by kind."""


class AnchorStats:
    """What was done so far, by kind: `timestamp file webhook`."""

    def __init__(self, kinds: list[str]) -> None:
        """Begin at zero for `kinds`."""
        self.done = dict.fromkeys(kinds, 0)
        self.failed = dict.fromkeys(kinds, 0)
        self.seq = 0
        """The number of the last record whose head is everywhere that it should be."""


class Anchors:
    """Delivers heads, in a thread of its own."""

    def __init__(self, parts: AnchorParts, log_id: str) -> None:
        """Deliver heads of the log `log_id`. Nothing is done before `start`."""
        kinds = [*([TIMESTAMP] if parts.stamp else []), *parts.places]
        self.stats = AnchorStats(kinds)
        self._parts = parts
        self._log_id = log_id
        self._log = structlog.get_logger()
        self._wake = Condition()
        self._head: ChainHead | None = None
        """The newest head, as long as nobody has taken it."""
        self._ended = False
        self._failing: set[str] = set()
        """Kinds whose failure was logged, and is not over."""
        self._thread = Thread(target=self._run, name="audit anchors", daemon=True)

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()

    def submit(self, head: ChainHead) -> None:
        """Deliver `head`, in place of one that waits. Does not wait."""
        with self._wake:
            self._head = head
            self._wake.notify()

    def finish(self, head: ChainHead | None, timeout: float) -> None:
        """Deliver the last head, and end. Wait for that for `timeout` seconds at most."""
        with self._wake:
            self._head = head or self._head
            self._ended = True
            self._wake.notify()
        if self._thread.is_alive():
            self._thread.join(timeout)

    # The thread -----------------------------------------------------------------------------------------

    def _run(self) -> None:
        while (head := self._next(None)) is not None:
            self._deliver(head)

    def _next(self, seconds: float | None) -> ChainHead | None:
        """Wait for a head, for so many seconds; None where none came, or none will."""
        with self._wake:
            self._wake.wait_for(lambda: self._head is not None or self._ended, seconds)
            head, self._head = self._head, None
            return head

    def _deliver(self, head: ChainHead) -> None:
        """Deliver `head`, again and again where that fails, until a newer one replaces it or the log has ended."""
        claim = claim_of(self._log_id, head.seq, head.hash, None if head.at is None else timestamp(head.at))
        stamped, wait = self._stamped(claim), RETRY_SECONDS
        line, left = line_of(claim, self._parts.signer, stamped), dict(self._parts.places)
        while True:
            left = {kind: place for kind, place in left.items() if not self._tried(kind, place, line)}
            if not left:
                self.stats.seq = head.seq
                return
            if self._ended or self._replaced(wait):
                return
            wait = min(wait * 2, RETRY_SECONDS_MAX)

    def _replaced(self, seconds: float) -> bool:
        """Wait before the next attempt; return whether there is something else to do than that."""
        with self._wake:
            return self._wake.wait_for(lambda: self._head is not None or self._ended, seconds)

    def _stamped(self, claim: bytes) -> bytes | None:
        """Return the time stamp of `claim`; None where there is no authority, or it did not answer."""
        stamp, answers = self._parts.stamp, list[bytes]()
        if stamp is not None:
            self._tried(TIMESTAMP, lambda claim: answers.append(stamp(claim)), claim)
        return answers[0] if answers else None

    def _tried(self, kind: str, act: Deliver, line: bytes) -> bool:
        """Try `act`, count it, and log where that is news. Return whether it was done."""
        try:
            act(line)
        except AnchorError as error:
            return self._failed(kind, str(error))
        except Exception as error:  # noqa: BLE001  # an answer that nobody thought of must not end the thread
            return self._failed(kind, f"internal error: {type(error).__name__}")
        self.stats.done[kind] += 1
        if kind in self._failing:
            self._failing.discard(kind)
            self._log.warning("heads of the audit log are anchored again", kind=kind)
        return True

    def _failed(self, kind: str, reason: str) -> Literal[False]:
        self.stats.failed[kind] += 1
        if kind not in self._failing:
            self._failing.add(kind)
            self._log.error("a head of the audit log could not be anchored", kind=kind, reason=reason)
        return False


# Places ---------------------------------------------------------------------------------------------------


def file_place(path: Path) -> Deliver:
    """Return what adds lines to the file at `path`, on the disk when it returns.

    A half line at its end, of a write that was cut off, stays: the file may be one that takes no change.
    """

    def deliver(line: bytes) -> None:
        try:
            descriptor = os.open(path, ADDED_TO, FILE_MODE)
            try:
                before = os.lseek(descriptor, 0, os.SEEK_END)
                whole = line if _ends_a_line(path, before) else b"\n" + line
                if os.write(descriptor, whole) != len(whole):
                    os.ftruncate(descriptor, before)
                    raise AnchorError(f"cannot write {path}: it took a part of a line")
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise AnchorError(f"cannot write {path}: {error.strerror}") from None

    return deliver


def _ends_a_line(path: Path, size: int) -> bool:
    """Return whether a file of `size` bytes ends with a newline, as far as it may be read."""
    if size == 0:
        return True
    try:
        with open_regular(path) as file:
            file.seek(size - 1)
            return file.read(1) == b"\n"
    except OSError:
        return True


def webhook_place(anchor: Anchor) -> Deliver:
    """Return what posts lines to `anchor.webhook`, as JSON. Any status from 200 to 299 is a yes."""

    def deliver(line: bytes) -> None:
        try:
            headers = {name: read_secret(ref) for name, ref in anchor.headers.items()}
        except ConfigError as error:
            raise AnchorError(str(error)) from None
        _post(anchor.webhook or "", line, {"Content-Type": "application/json", **headers})

    return deliver


def authority(url: str) -> Stamps:
    """Return what has claims stamped by the time-stamp authority at `url` (RFC 3161 over HTTP)."""
    from rfc3161_client import HashAlgorithm, TimestampRequestBuilder, decode_timestamp_response  # noqa: PLC0415  # an extra

    def stamp(claim: bytes) -> bytes:
        request = TimestampRequestBuilder().data(claim).hash_algorithm(HashAlgorithm.SHA256).build()
        reply = _post(url, request.as_bytes(), {"Content-Type": "application/timestamp-query"})
        try:
            response = decode_timestamp_response(reply)
            right = response.status == 0 and response.tst_info.nonce == request.nonce
            imprint = response.tst_info.message_imprint.message == request.message_imprint.message
        except ValueError:
            raise AnchorError("the authority answered with something else than a time stamp") from None
        if not (right and imprint):
            raise AnchorError("the authority refused, or stamped something else")
        return reply

    return stamp


def parts_of(anchor: Anchor) -> AnchorParts:
    """Return what heads go through. Raises ConfigError, with a fault that names no file, where that cannot be."""
    try:
        signer = read_signer(Path(anchor.signing_key)) if anchor.signing_key else None
        stamp = authority(anchor.timestamp_authority) if anchor.timestamp_authority else None
    except HeadError as error:
        raise ConfigError([ConfigFault("", "audit.anchor.signing_key", str(error))]) from None
    except ModuleNotFoundError:
        message = 'signatures and time stamps need packages that are not installed: pip install "steno[anchor]"'
        raise ConfigError([ConfigFault("", "audit.anchor", message)]) from None
    places = {}
    if anchor.file:
        places[FILE] = file_place(Path(anchor.file))
    if anchor.webhook:
        places[WEBHOOK] = webhook_place(anchor)
    return AnchorParts(signer, stamp, places)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: the headers have secrets, which are for the configured server alone."""

    def redirect_request(self, *_: object) -> None:
        return None


def _post(url: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    """Post `body` and return the answer. Raises AnchorError."""
    opener = urllib.request.build_opener(_NoRedirect())
    request = urllib.request.Request(url, body, dict(headers), method="POST")  # noqa: S310  # http and https: `Anchor` says so
    began = monotonic()
    try:
        with opener.open(request, timeout=REQUEST_SECONDS) as reply:
            read = bytearray()
            while part := reply.read1(REPLY_BYTES):
                read += part
                if len(read) > REPLY_BYTES or monotonic() - began > REQUEST_SECONDS:
                    raise AnchorError("the server answered too much, or too slowly")
            return bytes(read)
    except urllib.error.HTTPError as error:
        with error:
            raise AnchorError(f"the server answered {error.code} {_phrase(error.code)}".rstrip()) from None
    except urllib.error.URLError as error:
        reason = error.reason
        raise AnchorError(f"no connection: {getattr(reason, 'strerror', None) or type(reason).__name__}") from None
    except (OSError, ValueError, http.client.HTTPException) as error:  # a redirect to nowhere is a ValueError
        raise AnchorError(f"no answer: {type(error).__name__}") from None


def _phrase(code: int) -> str:
    """Return the standard's words for a status: those of the server are its own."""
    try:
        return HTTPStatus(code).phrase
    except ValueError:
        return ""
