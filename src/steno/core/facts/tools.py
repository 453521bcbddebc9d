"""What can have happened to calls of tools, and to what a person must allow."""

from typing import ClassVar

from steno.core.facts.base import Content, Cost, Fact, Tokens

# Tools ----------------------------------------------------------------------------------------------------


class ToolCallStarted(Fact, frozen=True):
    """The model began a tool call: function, mcp, code_interpreter, file_search.

    It waits for the name of the tool where a later event has that, at most to the end of its response or of the call.
    """

    tag: ClassVar = "tool_call.started"
    call_id: str | None
    kind: str
    name: str | None


class ToolCallFinished(Fact, frozen=True):
    """A tool call ended: completed, failed, abandoned. The duration runs from the complete call to its output.

    It is null where either was not seen. A call that will not be answered is abandoned when that is known: with its
    response, step, run or item, or with its session.
    """

    tag: ClassVar = "tool_call.finished"
    call_id: str | None
    kind: str
    name: str | None
    status: str
    duration_seconds: float | None
    arguments: Content | None
    output: Content | None
    arguments_whole: bool | None = None
    """Whether the arguments are valid JSON: those that were cut off are not. Null for code, which is not JSON."""
    error: str | None = None
    """The code of a failure, where upstream reports one."""


class ToolCallsBilled(Fact, frozen=True):
    """What calls of one kind of built-in tool cost that a response made, beside its own tokens.

    web_search, web_search_preview, file_search: a fee for each call. image_generation: the tokens of the model that
    drew. code_interpreter: the time that its container is kept, which no response says.
    """

    tag: ClassVar = "tool_calls.billed"
    response_id: str | None
    kind: str
    model: str | None
    """The one that the price is of: that of the response, or the one that drew."""
    calls: int
    """How many are billed, as upstream reports it, or else as many as the response lists; 0 of another source's."""
    tokens: tuple[Tokens, ...]
    cost: Cost | None


class ToolsListed(Fact, frozen=True):
    """The list of an MCP server's tools was fetched: completed, failed."""

    tag: ClassVar = "tools.listed"
    item_id: str | None
    status: str


class ApprovalRequested(Fact, frozen=True):
    """An MCP call waits for the approval of a person."""

    tag: ClassVar = "approval.requested"
    item_id: str | None
    name: str | None


class ApprovalGiven(Fact, frozen=True):
    """A person approved or refused an MCP call."""

    tag: ClassVar = "approval.given"
    request_id: str | None
    approved: bool | None
