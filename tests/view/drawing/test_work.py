"""Work that the model handed on: delegations, and decisions."""

from typing import Any

from tests.view.records import BEGIN, record, shown

TOKENS = [{"model": "small", "direction": "input", "modality": "text", "cached": False, "tokens": 30}]
COST: dict[str, Any] = {"usd": "0.001", "unpriced": None, "model": "small", "lines": []}


def opened(at: float, key: str, target: str, **more: Any) -> Any:
    return record("delegation.opened", at, delegation_id=key, target=target, response_id=None, offset_ms=None, **more)


def finished(at: float, key: str, target: str, status: str, seconds: float | None = None) -> Any:
    return record(
        "delegation.finished",
        at,
        delegation_id=key,
        target=target,
        status=status,
        responses=1,
        duration_seconds=seconds,
    )


def decided(at: float, key: str | None, trigger: str | None = None) -> Any:
    return record(
        "decision.made",
        at,
        delegation_id=key,
        trigger_id=trigger,
        model="small",
        answers=1,
        refusals=0,
        tokens=TOKENS,
        cost=COST,
    )


def test_delegations_last_until_they_are_answered_or_nobody_will() -> None:
    made = shown(
        "k",
        [
            opened(1, "item_1", "responses"),
            opened(2, "item_2", "client"),
            finished(4, "item_1", "responses", "answered", 3.0),
            finished(9, "item_2", "client", "orphaned"),
            finished(9, "item_0", "client", "answered", 8.5),
        ],
    )

    assert [(span.label, span.begin, span.end, span.status) for span in made.spans] == [
        ("responses", BEGIN + 1, BEGIN + 4, "answered"),
        ("client", BEGIN + 2, BEGIN + 9, "orphaned"),
        ("client", BEGIN + 0.5, BEGIN + 9, "answered"),
    ]


def test_a_decision_is_billed_where_it_belongs() -> None:
    """To its delegation, before or after its end; else it is a moment of its own."""
    made = shown(
        "k",
        [
            opened(1, "item_1", "decisions"),
            decided(2, "item_1"),
            finished(2, "item_1", "decisions", "answered", 1.0),
            decided(3, "item_1"),
            decided(4, None, "trigger_1"),
        ],
    )

    assert [(span.begin, span.end, span.cost and span.cost["usd"]) for span in made.spans] == [
        (BEGIN + 1, BEGIN + 2, "0.002"),
        (BEGIN + 4, BEGIN + 4, "0.001"),
    ]
    assert made.totals["cost_usd"] == "0.003"
