"""A Live session costs what its newest report says, by active and standby rates, whatever was reported before."""

from decimal import Decimal
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steno.core.billing.costs import Terms
from steno.core.billing.prices import Priced, parse, price_seconds, price_standby
from steno.core.billing.sessions import Increase, Meter, report
from steno.core.facts import Cost, CostLine
from steno.limits import TOKENS_MAX
from steno.wire.usage import SessionUsage
from tests.core.helpers import SOURCE, Play, session

TABLE: Final = parse(
    msgspec.json.encode(
        {
            "schema": "steno.prices/1",
            "version": "7",
            "date": "2026-11-20",
            "models": {
                "gpt-live-1": {"input_cost_per_minute": 0.05, "standby_cost_per_minute": 0.02},
                "gateway": {"input_cost_per_second": 0.001},
            },
        }
    )
)


class Call:
    """One Live session, as each of the sources that follow it hears of it."""

    def __init__(self, model: str | None = "gpt-live-1", *sources: str) -> None:
        self.play = Play()
        self.streams = {SOURCE: self.play.stream}
        self.streams |= {name: self.play.open(f"{name}/1/1", source=name) for name in sources}
        for stream in self.streams.values():
            self.play.say(session("live_1", model=model), on=stream)
        self.states = {state.source: state for state in self.play.pipeline.registry.conversations.values()}
        self.meters = {name: Meter(Terms(model, TABLE)) for name in self.streams}

    def says(self, on: str = SOURCE, key: str | None = "live_1", **reported: Any) -> Increase | None:
        return report(self.states[on], self.meters[on], msgspec.convert(reported, SessionUsage), key)

    def totals(self, of: str = SOURCE) -> tuple[str | None, dict[str | None, float], dict[str, int]]:
        totals = self.states[of].totals
        return totals.cost_usd(), dict(totals.seconds), dict(totals.unpriced)

    def noted(self) -> dict[str, int]:
        return dict(self.states[SOURCE].rejected)


def test_a_report_costs_what_it_adds() -> None:
    """The newest one is what all of them cost: 75 s at 0.05 and 15 s at 0.02 USD a minute."""
    call = Call()

    assert call.says(seconds=60.0) == Increase(
        60.0,
        60.0,
        0.0,
        Cost(usd="0.05", model="gpt-live-1", table_version="7", lines=(CostLine("0.05", "minute", "60"),)),
    )
    assert call.says(seconds=90.0, active_seconds=75, paused_seconds=15) == Increase(
        90.0,
        15.0,
        15.0,
        Cost(
            usd="0.0175",
            model="gpt-live-1",
            table_version="7",
            lines=(CostLine("0.05", "minute", "15"), CostLine("0.02", "minute", "15", standby=True)),
        ),
    )
    assert call.totals() == ("0.0675", {"gpt-live-1": 90.0}, {})


def test_a_report_that_comes_again_adds_nothing() -> None:
    """The last one stands in the end of the session as well."""
    call = Call()
    call.says(seconds=14.0)

    assert call.says(seconds=14.0) == Increase(14.0, 0, 0, None)
    assert call.totals() == ("0.011666666667", {"gpt-live-1": 14.0}, {})


@pytest.mark.parametrize(
    ("reported", "reason"),
    [
        ({"seconds": 29}, "usage_decreased"),
        ({"seconds": 40, "active_seconds": 20, "paused_seconds": 20}, "usage_decreased"),
        ({"seconds": 40, "active_seconds": 30, "paused_seconds": 5}, "contradictory_usage"),
        ({"seconds": 40, "active_seconds": 50}, "contradictory_usage"),
        ({"seconds": 40, "paused_seconds": 50}, "contradictory_usage"),
    ],
)
def test_a_report_that_cannot_be_is_noted_and_changes_nothing(reported: dict[str, Any], reason: str) -> None:
    """The next one that can be makes up for it."""
    call = Call()
    call.says(seconds=30)

    assert call.says(**reported) is None
    assert (call.totals()[1], call.noted()) == ({"gpt-live-1": 30.0}, {reason: 1})
    call.says(seconds=60)
    assert call.totals()[0] == "0.05"


@pytest.mark.parametrize(
    ("reported", "active", "paused"),
    [
        ({"seconds": 10, "active_seconds": 6}, 6, 4),
        ({"seconds": 10, "paused_seconds": 4}, 6, 4),
        ({"active_seconds": 6, "paused_seconds": 4}, 6, 4),
        ({"active_seconds": 6}, 6, 0),
        ({"seconds": 10.5, "active_seconds": 6, "paused_seconds": 4}, 6.5, 4),
    ],
)
def test_the_times_make_up_for_each_other(reported: dict[str, Any], active: float, paused: float) -> None:
    """Of two that are rounded the active one has what is left."""
    found = Call().says(**reported)

    assert found is not None
    assert (found.active_seconds, found.paused_seconds) == (active, paused)


def test_nothing_reported_is_nothing_known() -> None:
    """The whole is not made up from the pause, and no usage is no drift."""
    call = Call()

    assert [call.says(), call.says(paused_seconds=3), report(call.states[SOURCE], call.meters[SOURCE], None, None)] == [
        None
    ] * 3
    assert (call.totals(), call.noted()) == (("0", {}, {}), {})


@pytest.mark.parametrize(
    ("model", "reason"), [("gpt-live-2", "unknown_model"), (None, "no_model"), ("gateway", "no_rate")]
)
def test_a_session_without_a_price_says_so_once(model: str | None, reason: str) -> None:
    """Its time counts. One that has no rate for standby has a price for the time between its pauses."""
    call = Call(model)
    found = [call.says(seconds=seconds, paused_seconds=seconds / 10) for seconds in (10, 20)]

    assert [each and each.cost for each in found] == [Cost(unpriced=reason), None]
    assert call.totals() == (None, {model: 20.0}, {reason: 1})


# Several sources ------------------------------------------------------------------------------------------------


def test_a_session_that_two_sources_follow_is_billed_to_the_first() -> None:
    """To the other from where the first one left."""
    call = Call("gpt-live-1", "tap")
    for seconds in (15, 30):
        for source in (SOURCE, "tap"):
            call.says(source, seconds=seconds)
    call.play.close(code=None)
    call.says("tap", seconds=60)

    assert call.totals() == ("0.025", {"gpt-live-1": 30.0}, {})
    assert call.totals("tap") == (None, {"gpt-live-1": 30.0}, {"duplicate_source": 1})


def test_what_the_first_source_did_not_hear_is_billed_to_the_next() -> None:
    """It had heard that already, while the first one went before it."""
    call = Call("gpt-live-1", "tap")
    call.says(seconds=15)
    call.says("tap", seconds=30)
    call.play.close(code=None)
    call.says("tap", seconds=60)

    assert (call.totals()[1], call.totals("tap")[1]) == ({"gpt-live-1": 15.0}, {"gpt-live-1": 45.0})


def test_who_comes_late_goes_on_from_what_was_billed() -> None:
    """Upstream reports the whole of the session to each."""
    call = Call("gpt-live-1", "tap")
    call.says(seconds=30)
    call.play.close(code=None)

    assert call.says("tap", seconds=30) == Increase(30.0, 0, 0, None)
    assert call.says("tap", seconds=60) == Increase(
        60.0,
        30.0,
        0,
        Cost(usd="0.025", model="gpt-live-1", table_version="7", lines=(CostLine("0.05", "minute", "30"),)),
    )


def test_a_session_that_begins_anew_is_another_one_of_its_id() -> None:
    """Some servers number their sessions from the beginning when they start."""
    call = Call("gpt-live-1", "tap")
    call.says(seconds=30)
    call.play.close(code=None)

    for seconds in (15, 30):
        call.says("tap", seconds=seconds)
    assert call.totals("tap") == ("0.025", {"gpt-live-1": 30.0}, {})


# Whatever upstream says -----------------------------------------------------------------------------------------

SECONDS: Final = st.none() | st.integers(0, 90) | st.floats(0, 90, allow_nan=False) | st.integers(0, TOKENS_MAX)
REPORTS: Final = st.lists(
    st.fixed_dictionaries({}, optional=dict.fromkeys(("seconds", "active_seconds", "paused_seconds"), SECONDS)),
    max_size=12,
)


@settings(deadline=None)  # a busy machine is no fault
@given(REPORTS, st.booleans())
def test_the_sum_of_all_increases_is_the_price_of_the_newest(reports: list[dict[str, Any]], named: bool) -> None:
    """Whatever is reported in between. Nothing is negative."""
    call = Call()
    found = [call.says(key="live_1" if named else None, **each) for each in reports]

    costs = [Decimal(each.cost.usd) for each in found if each and each.cost and each.cost.usd]
    active, paused = call.meters[SOURCE].active, call.meters[SOURCE].paused
    whole = [price_seconds(TABLE, "gpt-live-1", active), price_standby(TABLE, "gpt-live-1", paused)]
    assert all(cost >= 0 for cost in costs)
    assert all(min(each.active_seconds, each.paused_seconds) >= 0 for each in found if each)
    assert call.states[SOURCE].totals.cost == sum(costs) == sum(each.usd for each in whole if isinstance(each, Priced))
    assert sum(call.totals()[1].values()) == pytest.approx(float(active + paused))


@settings(deadline=None)  # a busy machine is no fault
@given(REPORTS, st.lists(st.sampled_from([SOURCE, "tap"]), min_size=12, max_size=12))
def test_no_second_is_billed_twice(reports: list[dict[str, Any]], sources: list[str]) -> None:
    """Whoever hears of it: together they are billed for no more than the longest that was reported."""
    call = Call("gpt-live-1", "tap")
    for source, each in zip(sources, reports, strict=False):
        call.says(source, **each)

    billed = sum(seconds for of in call.states for seconds in call.totals(of)[1].values())
    longest = max(meter.active for meter in call.meters.values()) + max(meter.paused for meter in call.meters.values())
    assert billed <= float(longest) * (1 + 1e-9)
