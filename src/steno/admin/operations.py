"""A route with its description: who may ask for it, what it takes, and what it answers.

The guard reads who may ask (`guard`), and the OpenAPI document is made of the rest (`openapi`). A route of which
nothing is said is closed.
"""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, Literal

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from steno.admin import segments as segments  # noqa: PLC0414  # its import makes `{key:segment}` known to routes

Access = Literal["probe", "open", "read", "act"]
"""Who may ask for a route.

    probe   anybody, also without the certificate that all other clients must show
    open    anybody: the route decides by itself, or holds nothing
    read    anybody on loopback; elsewhere who is authorized
    act     who is authorized, on loopback too
"""

Handler = Callable[[Request], Awaitable[Response]]

TEXT: Final = "text/plain"


class Parameter(Struct, frozen=True):
    """A parameter of a request."""

    name: str
    summary: str
    schema: Mapping[str, Any] = MappingProxyType({"type": "string"})
    """Its JSON Schema."""
    place: Literal["path", "query", "header"] = "query"


class Operation(Struct, frozen=True, kw_only=True):
    """What a route does."""

    summary: str
    """One sentence."""

    method: str = "GET"
    access: Access = "read"
    parameters: tuple[Parameter, ...] = ()

    body: type[Struct] | None = None
    """The JSON that it takes."""

    answers: Mapping[int, Any] = {}
    """Status to the JSON that is answered, by its type (a Struct, for instance), or to the media type of another
    content; None where there is no content. What the guard answers needs no mention."""


class DescribedRoute(Route):
    """A route with its description."""

    def __init__(
        self, path: str, handler: Handler, operation: Operation, turned_away: Callable[[str], None] | None = None
    ) -> None:
        """Answer requests for `path` by `handler`.

        `turned_away` is told the code of each request that the guard refuses: `unauthorized` and its like.
        """
        super().__init__(path, handler, methods=[operation.method])
        self.operation = operation
        self.turned_away = turned_away
