"""What is asked of a daemon about calls, and what it answers. Pure.

HTTP, the control socket, webhooks, the command line and the source of `kind = "attach"` share these shapes.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Final, Literal, Protocol

from msgspec import Meta, Struct

ATTACHMENTS_PATH: Final = "/v1/attachments"

Requester = Literal["http", "control", "webhook", "proxy"]
"""Who asked for a call to be followed: a closed list, in the audit log too."""

CallState = Literal["connecting", "following", "waiting", "ended"]
"""`waiting`: the last attempt failed, and another one follows."""

EndReason = Literal["call_ended", "call_not_found", "released", "given_up", "source_removed"]
"""Why a call is followed no more: a closed list.

    call_ended      the provider closed the connection in order, or knows the call no more
    call_not_found  the provider never knew it
    released        somebody asked for it
    given_up        there was no connection for longer than a call lasts
    source_removed  its source is configured no more
"""

REFUSALS: Final[Mapping[str, HTTPStatus]] = {
    "bad_request": HTTPStatus.BAD_REQUEST,
    "source_needed": HTTPStatus.BAD_REQUEST,
    "no_attach_source": HTTPStatus.NOT_FOUND,
    "not_followed": HTTPStatus.NOT_FOUND,
    "already_followed": HTTPStatus.CONFLICT,
    "other_shard": HTTPStatus.MISDIRECTED_REQUEST,
    "too_many_requests": HTTPStatus.TOO_MANY_REQUESTS,
    "too_many_calls": HTTPStatus.SERVICE_UNAVAILABLE,
    "unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
}
"""Code of a refusal to the status of its response: a closed list."""

UNREAD: Final = ("unauthorized", "unsupported_media_type", "body_too_long", "body_too_slow")
"""Codes of requests that are refused before anybody looks at the call."""

OUTCOMES: Final = ("attached", "already_attached", "released", *REFUSALS, *UNREAD)
"""What became of a request, as `steno_attachment_requests_total` counts it."""

CallId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}\Z")]
LabelName = Annotated[str, Meta(pattern=r"^[a-z_][a-z0-9_]{0,31}\Z")]
LabelValue = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*\Z", max_length=64)]
Labels = Annotated[dict[LabelName, LabelValue], Meta(max_length=8)]

REQUEST_RULES: Final = (
    'a request is {"call_id": 1 to 128 of A-Z a-z 0-9 . _ : -, "labels": up to 8 names of a-z 0-9 _ with texts of up '
    'to 64 characters, "source": the name of a source}; labels and source may be absent'
)


class AttachRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Asks for a call to be followed."""

    call_id: CallId
    labels: Labels = {}
    """What the operator wants to find in the logs with the call. They are kept as they are."""
    source: str | None = None
    """The source that is to follow it. It may be absent where there is one of `kind = "attach"`."""


class CallProblem(Struct, frozen=True):
    """Why a call is not followed at present."""

    reason: str
    detail: str = ""


class Attachment(Struct, frozen=True):
    """A call that is followed, as it is shown."""

    call_id: str
    source: str
    since: str
    """When it was asked for, RFC 3339."""
    by: Requester
    state: CallState
    frames: int
    labels: Mapping[str, str]
    problem: CallProblem | None = None
    """Why the last attempt failed."""


class AttachmentList(Struct, frozen=True):
    """The response to `GET /v1/attachments`, in the order in which the calls were asked for."""

    attachments: tuple[Attachment, ...]


class ErrorBody(Struct, frozen=True):
    """What an error says."""

    code: str
    message: str


class ErrorAnswer(Struct, frozen=True):
    """The body of a response that is an error."""

    error: ErrorBody


class RefusedError(Exception):
    """A request about calls is not done; `code` is one of `REFUSALS`."""

    def __init__(self, code: str, message: str, retry_after: float | None = None) -> None:
        """Refuse with `message`, one line for a person; it may be tried again after `retry_after` seconds."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.retry_after = retry_after


class CallDesk(Protocol):
    """Where requests about calls go. Each raises RefusedError where it is not done."""

    async def attach(
        self, request: AttachRequest, by: Requester, delivery: str | None = None
    ) -> tuple[Attachment, bool]:
        """Follow a call; return it, and whether it was not followed before.

        `delivery` is the id of the webhook that asks; it is remembered with the call, in one write.
        """

    async def release(self, call_id: str, by: Requester) -> Attachment:
        """Follow a call no more; return what it was."""

    def listed(self) -> AttachmentList:
        """Return the calls that are followed."""

    def turned_away(self, by: Requester, code: str) -> None:
        """Count a request that did not get as far as the methods above; `code` is one of `OUTCOMES`."""

    def delivered(self, delivery: str) -> bool:
        """Return whether the webhook with this id was accepted before."""
