"""What the built-in tools of a response cost, beside its tokens: a fee for each call, or the tokens of another model.

Upstream reports what it bills (`tool_usage`), in part or not at all. What it leaves out is counted by the calls that
the response lists. A container in which code runs is billed by the time that it is kept, over all responses that use
it. No response says that, so such calls have no price. Calls of the application's own tools, of MCP servers and of
local shells have no fee.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from msgspec.structs import replace

from steno.core.billing import costs
from steno.core.billing.costs import DUPLICATE_SOURCE, Terms
from steno.core.billing.rates import SEARCH, SEARCH_OF_OLD
from steno.core.conversation import Conversation
from steno.core.facts import Cost, Tokens, ToolCallsBilled
from steno.wire.usage import ImageUsage, InputTokenDetails, ToolUsage

IMAGES: Final = "image_generation"
BY_THE_CALL: Final = (SEARCH, SEARCH_OF_OLD, "file_search", "code_interpreter")
"""The kinds of built-in tools, as a response declares them in `tools`, that are billed beside its tokens, but one."""


def bill(
    state: Conversation,
    reported: ToolUsage | None,
    listed: Mapping[str, int],
    terms: Terms,
    response_id: str | None,
    drawn_by: str | None = None,
) -> tuple[ToolCallsBilled, ...]:
    """Return what the built-in tools of a response cost, each kind by itself, added to the totals.

    Args:
        state: the conversation of the response.
        reported: its `tool_usage`.
        listed: the kind of a tool to how many calls of it the response lists that ended; of searches of the web those
            that searched, and did not open a page.
        terms: what the response itself is billed by.
        response_id: its id.
        drawn_by: the model that its `image_generation` tool names.
    """
    by_the_call = (
        _by_the_call(state, kind, calls, terms, response_id)
        for kind, calls in _billed(reported, listed).items()
        if calls
    )
    return (*by_the_call, *_images(state, reported, listed.get(IMAGES, 0), Terms(drawn_by, terms.prices), response_id))


def _billed(reported: ToolUsage | None, listed: Mapping[str, int]) -> dict[str, int]:
    """Return how many calls of each kind are billed. Reported searches are of the kind that the response has."""
    calls = {kind: listed[kind] for kind in BY_THE_CALL if kind in listed}
    search = reported.web_search if reported else None
    if search is not None and search.num_requests is not None:
        kind = SEARCH_OF_OLD if SEARCH_OF_OLD in calls and SEARCH not in calls else SEARCH
        calls = {**calls, SEARCH: 0, SEARCH_OF_OLD: 0, kind: search.num_requests}
    return calls


def _by_the_call(state: Conversation, kind: str, calls: int, terms: Terms, response_id: str | None) -> ToolCallsBilled:
    cost = costs.bill_calls(state, kind, calls, terms, _key(response_id, kind))
    return _fact(response_id, kind, terms.model, calls, (), cost)


def _images(
    state: Conversation, reported: ToolUsage | None, calls: int, terms: Terms, response_id: str | None
) -> Iterator[ToolCallsBilled]:
    """Yield what the images of a response cost, where it has any. Tokens that are not reported are unknown."""
    used = reported.image_gen if reported else None
    if used is not None and not (used.input_tokens or used.output_tokens):
        used = None
    if used is None and not calls:
        return
    key = _key(response_id, IMAGES)
    billed = costs.bill(state, _usage(used), terms, key) if used else None
    tokens, cost = (billed.tokens, billed.cost) if billed else ((), costs.of_no_usage(state, key))
    yield _fact(response_id, IMAGES, terms.model, calls, tokens, cost)


def _fact(
    response_id: str | None, kind: str, model: str | None, calls: int, tokens: tuple[Tokens, ...], cost: Cost
) -> ToolCallsBilled:
    """Return the fact of one kind. What another source is billed for counts nothing here."""
    if cost.unpriced == DUPLICATE_SOURCE:
        calls = 0
    return ToolCallsBilled(response_id=response_id, kind=kind, model=model, calls=calls, tokens=tokens, cost=cost)


def _usage(images: ImageUsage) -> ImageUsage:
    """Return the tokens of images with what was cached where any other usage has it."""
    details = images.input_token_details or InputTokenDetails()
    return replace(images, input_token_details=replace(details, cached_tokens_details=images.cached_tokens_details))


def _key(response_id: str | None, kind: str) -> str | None:
    return f"{response_id} {kind}" if response_id else None
