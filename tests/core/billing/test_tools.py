"""Built-in tools are billed beside the tokens of a response: a fee for each call, or the tokens of another model."""

from typing import Any, Final

import msgspec
import pytest

from steno.core.billing import tools
from steno.core.billing.costs import Terms
from steno.core.billing.prices import parse
from steno.core.facts import ToolCallsBilled
from steno.wire.usage import ToolUsage
from tests.core.helpers import Play, session

TABLE: Final = parse(
    b"""{
        "sol": {"web_search_cost_per_query": 0.01, "file_search_cost_per_1k_calls": 2.5,
            "search_context_cost_per_query": {"search_context_size_medium": 0.025}},
        "painter": {"input_cost_per_token": 0.000005, "cache_read_input_token_cost": 0.000001,
            "input_cost_per_image_token": 0.000008, "cache_read_input_image_token_cost": 0.000002,
            "output_cost_per_token": 0.00001, "output_cost_per_image_token": 0.00003}
    }"""
)
TERMS: Final = Terms("sol", TABLE)
NONE: Final = {
    "web_search": {"num_requests": 0},
    "image_gen": {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0},
}


def billed(
    listed: dict[str, int], reported: dict[str, Any] | None = None, drawn_by: str | None = "painter"
) -> tuple[tuple[ToolCallsBilled, ...], tuple[str | None, dict[str, int]]]:
    """What the tools of a response cost, and the totals after it."""
    play = Play()
    play.say(session())
    (state,) = play.pipeline.registry.conversations.values()
    usage = None if reported is None else msgspec.convert(reported, ToolUsage)
    found = tools.bill(state, usage, listed, TERMS, "resp_1", drawn_by)
    return found, (state.totals.cost_usd(), dict(state.totals.unpriced))


def shown(found: tuple[ToolCallsBilled, ...]) -> list[tuple[str, int, str | None]]:
    return [(each.kind, each.calls, each.cost.usd or each.cost.unpriced) for each in found if each.cost]


@pytest.mark.parametrize(
    ("listed", "reported", "bills"),
    [
        ({}, None, []),
        ({}, NONE, []),
        ({"function": 3, "mcp": 1, "local_shell": 1}, None, []),
        ({"web_search": 2, "file_search": 4}, None, [("web_search", 2, "0.02"), ("file_search", 4, "0.01")]),
        ({"web_search_preview": 2}, None, [("web_search_preview", 2, "0.05")]),
        ({"web_search": 2}, {"web_search": {"num_requests": 5}}, [("web_search", 5, "0.05")]),
        ({"web_search": 2}, NONE, []),
        ({"web_search_preview": 2}, {"web_search": {"num_requests": 1}}, [("web_search_preview", 1, "0.025")]),
        ({}, {"web_search": {"num_requests": 1}}, [("web_search", 1, "0.01")]),
        ({"web_search": 2}, {"web_search": {}}, [("web_search", 2, "0.02")]),
        ({"code_interpreter": 1, "file_search": 0}, None, [("code_interpreter", 1, "no_rate")]),
    ],
)
def test_calls_are_billed_as_upstream_reports_them_or_else_as_they_are_listed(
    listed: dict[str, int], reported: dict[str, Any] | None, bills: list[tuple[str, int, str | None]]
) -> None:
    """Some searches are free, and a search may be several requests."""
    assert shown(billed(listed, reported)[0]) == bills


DRAWN: Final[dict[str, Any]] = {
    "input_tokens": 50,
    "input_tokens_details": {"image_tokens": 20, "text_tokens": 30},
    "cached_tokens": 15,
    "cached_tokens_details": {"cached_image_tokens": 5, "cached_text_tokens": 10},
    "output_tokens": 110,
    "output_tokens_details": {"image_tokens": 100, "text_tokens": 10},
    "total_tokens": 160,
}


def test_images_are_billed_by_the_model_that_drew_them() -> None:
    """20 x 5 + 15 x 8 + 10 x 1 + 5 x 2 + 10 x 10 + 100 x 30, in millionths."""
    (found,), totals = billed({"image_generation": 1}, {"image_gen": DRAWN})

    assert [(each.direction, each.modality, each.cached, each.tokens) for each in found.tokens] == [
        ("input", "text", False, 20),
        ("input", "image", False, 15),
        ("input", "text", True, 10),
        ("input", "image", True, 5),
        ("output", "text", False, 10),
        ("output", "image", False, 100),
    ]
    assert (found.model, found.calls, totals) == ("painter", 1, ("0.00334", {}))


@pytest.mark.parametrize(
    ("reported", "drawn_by", "reason"),
    [(None, "painter", "no_usage"), (NONE, "painter", "no_usage"), ({"image_gen": DRAWN}, None, "no_model")],
)
def test_images_without_tokens_or_without_a_model_have_no_price(
    reported: dict[str, Any] | None, drawn_by: str | None, reason: str
) -> None:
    """Upstream may skip calls whose usage it does not know: zeros beside an image are no tokens that nobody used."""
    found, totals = billed({"image_generation": 1}, reported, drawn_by)

    assert (shown(found), totals) == ([("image_generation", 1, reason)], (None, {reason: 1}))


def test_tools_are_billed_to_one_source() -> None:
    """The others list no calls."""
    play = Play()
    tap = play.open("tap/1/1", source="tap")
    play.say(session())
    play.say(session(), on=tap)
    listed = {"file_search": 2, "image_generation": 1}
    drawn = msgspec.convert({"image_gen": DRAWN}, ToolUsage)
    first, second = (
        tools.bill(state, drawn, listed, TERMS, "resp_1", "painter")
        for state in play.pipeline.registry.conversations.values()
    )

    assert shown(first) == [("file_search", 2, "0.005"), ("image_generation", 1, "0.00334")]
    assert shown(second) == [("file_search", 0, "duplicate_source"), ("image_generation", 0, "duplicate_source")]
    assert [each.tokens for each in second] == [(), ()]
