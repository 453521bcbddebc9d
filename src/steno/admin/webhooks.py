"""`POST /v1/webhooks/openai`: the provider says that a call has come in, and the daemon follows it.

Whoever can send to this path is a stranger, and the provider is known by its signature alone (Standard Webhooks: the
headers `webhook-id`, `webhook-timestamp` and `webhook-signature`). It sends again what was not answered by 2xx.

    signed by none of the secrets, too old, too new       401, no effect
    signed, and accepted before (the same id)              200, no effect
    signed, of a call of another shard                     200, that shard is sent it too
    signed, of a type that announces no call               200, counted
    signed, and there is no place or it comes too often    503 or 429: the next delivery of the same id has its effect
    else                                                   200, and the call is followed

The id is on the disk before the call is followed, in the same write as the call. A signature is verified by each of the
secrets of each source: so a source is found by its secret, and secrets can be exchanged.
"""

import re
import time
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Final, Literal, TypeVar, get_args

import msgspec
import structlog
from msgspec import Struct
from standardwebhooks import Webhook, WebhookVerificationError
from standardwebhooks.webhooks import EmptyWebhookSecretError
from starlette.requests import Request
from starlette.responses import Response

from steno.admin.answers import BodyError, answer, body_of, error, refusal
from steno.admin.operations import DescribedRoute, Operation, Parameter
from steno.attachments import AttachRequest, CallDesk, CallId, ErrorAnswer, RefusedError
from steno.config.secret import read_secret
from steno.config.secret_ref import SecretRef
from steno.config.sources.attach import AttachSource
from steno.errors import ConfigError, ConfigFault
from steno.limits import WEBHOOK_BYTES

PATH: Final = "/v1/webhooks/openai"
TOLERANCE_SECONDS: Final = 300
"""How far the time of a webhook may be from ours, as the package has it."""
ENCODED_PREFIX: Final = "whsec_"
REPEATED_SECONDS: Final = 60.0
"""How often a refusal with the same outcome is logged."""
SIGNATURE_CHARACTERS: Final = 1_024
"""Longest header of signatures: ten of them. Each is compared for each secret."""

ANNOUNCED: Final[Mapping[str, str]] = {
    "realtime.call.incoming": "call_id",
    "live.call.incoming": "session_id",
    "live.transport.incoming": "session_id",
    "live.transport.connected": "session_id",
}
"""Types that announce a call, and the member that has its id. One call over SIP may come as one of Realtime and as one
of Live: the provider serves the one that the application accepts, and knows no sideband of the other."""
EVENTS: Final = (
    *ANNOUNCED,
    *(f"response.{end}" for end in ("completed", "failed", "cancelled", "incomplete")),
    *(f"batch.{end}" for end in ("completed", "failed", "cancelled", "expired")),
    *(f"eval.run.{end}" for end in ("succeeded", "failed", "canceled")),
    *(f"fine_tuning.job.{end}" for end in ("succeeded", "failed", "cancelled")),
    *(f"video.{end}" for end in ("completed", "failed")),
)
"""Types that are counted by name, those that the provider documents; any other is `other`."""

Outcome = Literal[
    "attached",
    "already_attached",
    "ignored",
    "other_shard",
    "replayed",
    "forged",
    "stale",
    "malformed",
    "too_long",
    "too_slow",
    "refused",
    "secret_missing",
    "not_configured",
]
"""What became of a webhook: a closed list.

    attached          the call is followed
    already_attached  it was followed before, by this source or another
    ignored           it announces no call, or `webhook_attach` is off
    other_shard       the call belongs to another shard, at whose address the same webhook comes in
    replayed          it was accepted before
    forged            none of the secrets has signed it
    stale             it is more than 5 minutes old, or from the future
    malformed         it lacks a header, or is no event
    too_long          its body is too long
    too_slow          its body took too long, or was cut off
    refused           there was no place for the call, or too many came: it is sent again
    secret_missing    no secret could be read: it is sent again
    not_configured    no source accepts webhooks
"""

_FOLLOWED_ELSEWHERE: Final[Mapping[str, Outcome]] = {
    "already_followed": "already_attached",
    "other_shard": "other_shard",
}
"""Refusals that need no further delivery: somebody follows the call."""

S = TypeVar("S", bound=Struct)

_ID: Final = re.compile(r"[!-~]{1,256}")
_TIME: Final = re.compile(r"[1-9][0-9]{0,11}")
_SIGNATURE: Final = re.compile(r"(?:v1,)?([A-Za-z0-9+/]{43}=)")
"""A SHA-256 in base64. The package fails at a header that has anything else in it, as one of a later version."""


class Received(Struct, frozen=True):
    """What became of a webhook."""

    status: Outcome


RECEIVE: Final = Operation(
    method="POST",
    access="open",
    summary="Takes a signed webhook of the provider (Standard Webhooks), and follows the call that it announces.",
    parameters=tuple(
        Parameter(f"webhook-{name}", "What the webhook is signed with.", place="header")
        for name in ("id", "timestamp", "signature")
    ),
    answers={200: Received, **dict.fromkeys((400, 401, 404, 408, 413, 429, 503), ErrorAnswer)},
)


class _Event(Struct):
    type: str


class _Data(Struct):
    call_id: CallId | None = None
    session_id: CallId | None = None


class _Announcement(Struct):
    data: _Data


class _Headers(Struct, frozen=True):
    """What a webhook is signed by."""

    id: str
    timestamp: str
    signature: str

    def dictionary(self) -> dict[str, str]:
        """Return them as the package takes them, with those signatures that may be of the first version."""
        matches = map(_SIGNATURE.fullmatch, self.signature.split())
        signatures = " ".join(f"v1,{match[1]}" for match in matches if match)
        return {"webhook-id": self.id, "webhook-timestamp": self.timestamp, "webhook-signature": signatures}


class _NotAcceptedError(Exception):
    """A webhook has no effect."""

    def __init__(self, outcome: Outcome, status: HTTPStatus, message: str, detail: str = "") -> None:
        """Answer `status` with `message`; `detail` is for the operator alone."""
        super().__init__(message)
        self.outcome = outcome
        self.status = status
        self.message = message
        self.detail = detail


class WebhookReceiver:
    """Takes the provider's webhooks. `sources` may be set anew while it runs."""

    def __init__(self, desk: CallDesk, sources: Iterable[AttachSource], clock: Callable[[], float] = time.time) -> None:
        """Follow calls by `desk`, for those of `sources` that have a secret; `clock` is Unix time."""
        self.sources = tuple(sources)
        self._desk = desk
        self._clock = clock
        self._outcomes: dict[Outcome, int] = dict.fromkeys(get_args(Outcome), 0)
        self._events = dict.fromkeys((*EVENTS, "other"), 0)
        self._logged: dict[Outcome, float] = {}

    def route(self) -> DescribedRoute:
        """Return where webhooks come in."""
        return DescribedRoute(PATH, self._post, RECEIVE)

    def numbers(self) -> Mapping[str, Mapping[tuple[str, ...], float]]:
        """Return the process metrics: name to labels to value. Called from the thread of a scrape."""
        return {
            "steno_webhooks_total": {(outcome,): count for outcome, count in self._outcomes.items()},
            "steno_webhook_events_total": {(event,): count for event, count in self._events.items()},
        }

    # One webhook ----------------------------------------------------------------------------------------

    async def _post(self, request: Request) -> Response:
        try:
            outcome = await self._receive(request)
        except _NotAcceptedError as failed:
            self._count(failed.outcome, failed.detail or failed.message)
            return error(failed.status, failed.outcome, failed.message)
        except BodyError as failed:
            self._count("too_long" if failed.code == "body_too_long" else "too_slow", failed.message)
            return failed.answer()
        except RefusedError as refused:
            self._count("refused", refused.message)
            return refusal(refused)
        self._count(outcome)
        return answer(HTTPStatus.OK, Received(outcome))

    async def _receive(self, request: Request) -> Outcome:
        """Take in one webhook, and return what became of it."""
        accepting = [source for source in self.sources if source.all_webhook_secrets]
        if not accepting:
            message = 'no source of kind = "attach" has a webhook_secret'
            raise _NotAcceptedError("not_configured", HTTPStatus.NOT_FOUND, message)
        body = await body_of(request, WEBHOOK_BYTES)
        headers = self._headers(request)
        source = _signed_by(accepting, body, headers.dictionary())
        if self._desk.delivered(headers.id):
            return "replayed"
        return await self._act(source, body, headers.id)

    def _headers(self, request: Request) -> _Headers:
        """Return what a webhook is signed by. Raises where it is missing, or out of time."""
        found = _Headers(*(request.headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature")))
        if not (_ID.fullmatch(found.id) and _TIME.fullmatch(found.timestamp) and found.signature):
            raise _malformed("webhook-id, webhook-timestamp or webhook-signature is missing, or has no such form")
        if len(found.signature) > SIGNATURE_CHARACTERS:
            raise _malformed("webhook-signature is too long")
        if abs(self._clock() - int(found.timestamp)) > TOLERANCE_SECONDS:
            message = f"webhook-timestamp is more than {TOLERANCE_SECONDS} seconds from the time here"
            raise _NotAcceptedError("stale", HTTPStatus.UNAUTHORIZED, message)
        return found

    async def _act(self, source: AttachSource, body: bytes, delivery: str) -> Outcome:
        """Do what a webhook is for, whose signature was verified."""
        kind = _decoded(body, _Event).type
        if kind not in ANNOUNCED or not source.webhook_attach:
            self._events[kind if kind in self._events else "other"] += 1
            return "ignored"
        request = AttachRequest(_announced(body, ANNOUNCED[kind]), source=source.name)
        try:
            _, new = await self._desk.attach(request, "webhook", delivery)
            outcome: Outcome = "attached" if new else "already_attached"
        except RefusedError as refused:
            if refused.code not in _FOLLOWED_ELSEWHERE:
                raise
            outcome = _FOLLOWED_ELSEWHERE[refused.code]
        self._events[kind] += 1
        return outcome

    def _count(self, outcome: Outcome, message: str = "") -> None:
        """Count what became of a webhook; a refusal is logged, once in a while."""
        self._outcomes[outcome] += 1
        now = self._clock()
        if message and abs(now - self._logged.get(outcome, 0.0)) >= REPEATED_SECONDS:
            self._logged[outcome] = now
            structlog.get_logger().warning("a webhook was not accepted", outcome=outcome, reason=message)


def _malformed(message: str) -> _NotAcceptedError:
    return _NotAcceptedError("malformed", HTTPStatus.BAD_REQUEST, message)


def _decoded(body: bytes, kind: type[S]) -> S:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _malformed("the body is no event of the provider") from None


def _announced(body: bytes, member: str) -> str:
    """Return the id of the call that a webhook announces, which stands in `member`."""
    call_id: str | None = getattr(_decoded(body, _Announcement).data, member)
    if call_id is None:
        raise _malformed("the body names no call")
    return call_id


def _signed_by(sources: Iterable[AttachSource], body: bytes, headers: Mapping[str, str]) -> AttachSource:
    """Return the first of `sources` one of whose secrets has signed `body`. Raises where none has."""
    unreadable = []
    for source in sources:
        for ref in source.all_webhook_secrets:
            try:
                if _is_signed(_key(ref), body, headers):
                    return source
            except ConfigError as failed:
                unreadable.append(str(failed))
    if unreadable:
        message = "a secret of webhooks cannot be read here: send it again later"
        raise _NotAcceptedError("secret_missing", HTTPStatus.SERVICE_UNAVAILABLE, message, "; ".join(unreadable))
    raise _NotAcceptedError("forged", HTTPStatus.UNAUTHORIZED, "none of the secrets has signed this webhook")


def _key(ref: SecretRef) -> Webhook:
    """Return what verifies by the secret at `ref`. Raises ConfigError where there is none that can be used."""
    secret = read_secret(ref)
    try:
        # Without the prefix the provider's own library takes the text as it is, and not as base64.
        return Webhook(secret if secret.startswith(ENCODED_PREFIX) else secret.encode())
    except (ValueError, EmptyWebhookSecretError):
        fault = f"is no secret of webhooks: what follows {ENCODED_PREFIX} must be base64"
        raise ConfigError([ConfigFault(ref.file or f"${ref.env}", "", fault)]) from None


def _is_signed(key: Webhook, body: bytes, headers: Mapping[str, str]) -> bool:
    try:
        key.verify(body, dict(headers), json_parse=False)
    except (WebhookVerificationError, UnicodeDecodeError):
        return False
    return True
