"""`steno attach`: asks a running daemon to follow a call, to list the calls that it follows, or to end that.

The daemon is asked by its control socket, in the folder of its audit log: whoever owns the log may. Or by a URL, with
the token of `http.token`.
"""

import json
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import SplitResult, quote, urlsplit

import msgspec

from steno.admin.probe import Trust, unanswered
from steno.amounts import amount
from steno.app.control_client import SOCKET, ask
from steno.attachments import (
    ATTACHMENTS_PATH,
    REQUEST_RULES,
    Attachment,
    AttachmentList,
    AttachRequest,
    ErrorAnswer,
)
from steno.config import SecretRef, read_secret
from steno.errors import UnavailableError, UsageError

TIMEOUT_SECONDS: Final = 30.0
ANSWER_BYTES: Final = 16 * 1024 * 1024
"""How much of an answer is read: a list of thousands of calls has some MB."""
SUCCESS: Final = 300
NEGATIVE: Final = frozenset({"not_followed", "already_followed", "other_shard"})
"""Refusals that are an answer: exit 1."""
LATER: Final = frozenset({"too_many_requests", "too_many_calls", "unavailable"})
"""Refusals that may not be there later: exit 69."""

S = TypeVar("S")


class Answer(NamedTuple):
    """What a daemon answered."""

    status: int
    body: bytes


Ask = Callable[[str, str, bytes | None], Answer]
"""Sends a method, a path and a body to a daemon. Raises UnavailableError where there is no answer."""


class NegativeAnswerError(Exception):
    """The daemon says no, which is an answer."""


def by_socket(directory: Path) -> Ask:
    """Return what asks the daemon that writes the audit log in `directory`."""

    def send(method: str, path: str, body: bytes | None) -> Answer:
        answered = ask(directory, method, path, body, ANSWER_BYTES)
        if answered is None:
            raise UnavailableError(
                f"no daemon listens on {directory / SOCKET}: start it with `steno run`, or name another one by --url"
            )
        return Answer(*answered)

    return send


def by_url(url: str, token_file: Path | None, trust: Trust | None = None) -> Ask:
    """Return what asks the daemon whose HTTP face is at `url`, with the token in `token_file`, over TLS by `trust`.

    Raises UsageError where `url` is no URL, and ConfigError where a file cannot be used.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query:
        raise UsageError(
            "the URL must begin with http:// or https:// and name a host and no query: http://127.0.0.1:9464"
        )
    token = read_secret(SecretRef(file=str(token_file))) if token_file else None
    context = (trust or Trust()).context() if parts.scheme == "https" else None
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})

    def send(method: str, path: str, body: bytes | None) -> Answer:
        try:
            with closing(_connection(parts, context)) as connection:
                connection.request(method, parts.path.rstrip("/") + path, body, headers)
                response = connection.getresponse()
                return Answer(response.status, response.read(ANSWER_BYTES))
        except (OSError, HTTPException) as error:
            raise UnavailableError(unanswered(parts, error)) from error

    return send


def _connection(url: SplitResult, context: ssl.SSLContext | None) -> HTTPConnection:
    if context is None:
        return HTTPConnection(url.hostname or "", url.port, timeout=TIMEOUT_SECONDS)
    return HTTPSConnection(url.hostname or "", url.port, timeout=TIMEOUT_SECONDS, context=context)


# What is asked --------------------------------------------------------------------------------------------


def attach(send: Ask, call_id: str, labels: Mapping[str, str], source: str | None) -> str:
    """Ask for a call to be followed; return a line that says what came of it. Raises as `_read`."""
    try:
        request = msgspec.convert({"call_id": call_id, "labels": labels, "source": source}, AttachRequest)
    except msgspec.ValidationError:
        raise UsageError(REQUEST_RULES) from None
    answered = send("POST", ATTACHMENTS_PATH, msgspec.json.encode(request))
    attachment = _read(answered, Attachment)
    return f"{attachment.call_id}: followed by {attachment.source}{_already(answered, attachment)}"


def _already(answered: Answer, attachment: Attachment) -> str:
    return "" if answered.status == 201 else f" already, since {attachment.since}"  # noqa: PLR2004  # Created


def end(send: Ask, call_id: str) -> str:
    """Ask that a call is followed no more; return a line that says what came of it. Raises as `_read`."""
    attachment = _read(send("DELETE", f"{ATTACHMENTS_PATH}/{quote(call_id, safe='')}", None), Attachment)
    return f"{attachment.call_id}: {attachment.source} follows it no more, after {amount(attachment.frames, 'frame')}"


def listed(send: Ask) -> tuple[Attachment, ...]:
    """Return the calls that are followed. Raises as `_read`."""
    return _read(send("GET", ATTACHMENTS_PATH, None), AttachmentList).attachments


def _read(answered: Answer, kind: type[S]) -> S:
    """Return the body of a response.

    Raises NegativeAnswerError where the answer is no, UsageError where the request was wrong, and UnavailableError
    where it may be answered later, or the daemon is of another version.
    """
    try:
        if answered.status < SUCCESS:
            return msgspec.json.decode(answered.body, type=kind)
        error = msgspec.json.decode(answered.body, type=ErrorAnswer).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise UnavailableError(
            "the daemon does not know this request: it is of another version of steno than the command, or no steno"
        ) from None
    if error.code in NEGATIVE:
        raise NegativeAnswerError(error.message)
    if error.code == "unauthorized":
        raise UsageError("the token is missing, or not that of the daemon's http.token: name its file by --token-file")
    raise (UnavailableError if error.code in LATER else UsageError)(error.message)


COLUMNS: Final = ("call", "source", "since", "by", "state", "frames", "labels", "problem")


def table(attachments: tuple[Attachment, ...]) -> Iterator[str]:
    """Yield the calls that are followed as lines of a table. No id is cut: `--end` needs it whole."""
    rows = [COLUMNS, *map(_row, attachments)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()


def _row(each: Attachment) -> tuple[str, ...]:
    problem = " ".join(filter(None, (each.problem.reason, each.problem.detail))) if each.problem else ""
    labels = " ".join(f"{name}={text}" for name, text in each.labels.items())
    texts = (each.call_id, each.source, each.since, each.by, each.state, str(each.frames), labels, problem)
    return tuple(json.dumps(text, ensure_ascii=False)[1:-1] for text in texts)  # on one line, whatever others chose


def labels_of(pairs: tuple[str, ...]) -> dict[str, str]:
    """Return the labels that `NAME=TEXT` arguments name. Raises UsageError where one has another form."""
    labels: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or name in labels:
            raise UsageError("a label is NAME=TEXT, and each name is given once: --label team=sales")
        labels[name] = text
    return labels
