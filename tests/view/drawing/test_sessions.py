"""What a session costs while it goes on."""

from typing import Any

from steno.view.timeline import Record
from tests.view.records import BEGIN, record, shown


def metered(at: float, active: float, paused: float, usd: str | None, *lines: tuple[str, str]) -> Record:
    priced: dict[str, Any] | None = None
    if usd is not None:
        counted = [{"rate": rate, "per": "second", "quantity": quantity} for rate, quantity in lines]
        priced = {"usd": usd, "unpriced": None, "model": "gpt-live-1", "lines": counted}
    return record(
        "session.metered",
        at,
        session_id="live_1",
        model="gpt-live-1",
        seconds=at,
        active_seconds=active,
        paused_seconds=paused,
        cost=priced,
        context_window_ratio=0.01 * at,
    )


OPENED = record("session.opened", 0, session_id="live_1", kind="live", model="gpt-live-1", expires_at=None)
REPORTS = [
    metered(15, 15.0, 0.0, "0.0125", ("0.0008333333", "15")),
    metered(30, 5.0, 10.0, "0.0075", ("0.0008333333", "5"), ("0.0003333333", "10")),
    metered(31, 0.0, 0.0, None),
]


def test_a_session_costs_what_its_reports_add_up_to() -> None:
    """Each report adds to those before it; the length is what the last one says."""
    made = shown(
        "k", [OPENED, *REPORTS, record("session.finished", 40, session_id="live_1", kind="live", reason="expired")]
    )
    (session,) = made.spans

    assert (session.begin, session.end, session.status) == (BEGIN, BEGIN + 40, "closed")
    assert session.cost == {
        "usd": "0.02",
        "unpriced": None,
        "model": "gpt-live-1",
        "lines": [
            {"rate": "0.0008333333", "per": "second", "quantity": "20"},
            {"rate": "0.0003333333", "per": "second", "quantity": "10"},
        ],
    }
    assert {name: session.detail[name] for name in ("seconds", "active_seconds", "paused_seconds")} == {
        "seconds": 31,
        "active_seconds": 20.0,
        "paused_seconds": 10.0,
    }
    assert (made.totals["cost_usd"], made.totals["seconds"]) == ("0.02", [{"model": "gpt-live-1", "seconds": "30"}])


def test_reports_of_a_session_whose_beginning_is_not_here_are_its_span() -> None:
    (session,) = shown("k", REPORTS[:1]).spans

    assert (session.lane, session.begin, session.end, session.cost and session.cost["usd"]) == (
        "session",
        None,
        None,
        "0.0125",
    )


def test_a_report_without_a_price_leaves_the_reason() -> None:
    unpriced = record(
        "session.metered", 50, session_id="live_1", cost={"usd": None, "unpriced": "no_rate", "lines": []}
    )
    (session,) = shown("k", [OPENED, *REPORTS, unpriced]).spans

    assert session.cost is not None
    assert (session.cost["usd"], session.cost["unpriced"]) == ("0.02", "no_rate")
