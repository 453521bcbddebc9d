"""ChatKit sessions as REST replies have them; a relay passes them on as bare objects.

Source: the session object of the published ChatKit API.
"""

from typing import Any, ClassVar, Final

from steno.wire.base import BareObject, Id, Number, TypedEvent, UnixSeconds, Vocabulary, Wire, conceal


class ChatKitTracing(Wire, frozen=True):
    """Whether the workflow's runs are traced."""

    enabled: bool | None = None


class ChatKitWorkflow(Wire, frozen=True):
    """The workflow behind a ChatKit session. The values of `state_variables` are strings, numbers or booleans."""

    id: Id | None = None
    version: str | None = None
    state_variables: dict[str, Any] | None = None
    tracing: ChatKitTracing | None = None


class ChatKitSessionRateLimits(Wire, frozen=True):
    """Limits of a ChatKit session after defaults were filled in."""

    max_requests_per_1_minute: Number | None = None


class ChatKitSession(Wire, frozen=True):
    """A ChatKit session: `status` is active, expired or cancelled. `client_secret` reads as `***`.

    `user` is the end user's identifier and so personal data. `request_id` is no member of the body: a relay
    may pass the reply's `x-request-id` header on under that name.
    """

    id: Id | None = None
    object: str | None = None
    status: str | None = None
    expires_at: UnixSeconds | None = None
    client_secret: Any = None
    workflow: ChatKitWorkflow | None = None
    user: str | None = None
    rate_limits: ChatKitSessionRateLimits | None = None
    max_requests_per_1_minute: Number | None = None
    chatkit_configuration: Any = None
    request_id: Id | None = None

    def __post_init__(self) -> None:
        conceal(self, "client_secret")


class ChatKitSessionSeen(TypedEvent, frozen=True, tag="chatkit.session"):
    """A bare ChatKit session object."""

    raw_member: ClassVar[str | None] = ""
    session: ChatKitSession | None = None


VOCABULARY: Final = Vocabulary(
    objects={"chatkit.session": BareObject(ChatKitSessionSeen, "session")},
    prefixes=("thread.",),  # ChatKit's own thread events have a `type`; Assistants' come as pairs
)
