"""The rows that `steno top` has, by what a daemon told."""

from decimal import Decimal

from steno.app.top.client import Listing
from steno.app.top.follower import Lost, Slow
from steno.app.top.mirror import Figures, Mirror
from steno.view.changes import Changes
from steno.view.rows import Latency
from tests.app.top.rows import row, source, sources

BEGIN = Listing(1020.0, [row("a"), row("b", turns=1)], sources(source("relay"), source("desk", "refused")))


def test_changes_are_laid_over_the_listing() -> None:
    """Rows change, come and go. What was compared before the listing was made is older than it."""
    mirror = Mirror()
    mirror.take(BEGIN, 5.0)
    mirror.take(Changes(1019.0, [row("a", turns=0)], []), 5.0)
    mirror.take(Changes(1021.0, [row("b", turns=2), row("c")], ["a", "unknown"]), 6.0)

    assert sorted((each.key, each.turns) for each in mirror.rows()) == [("b", 2), ("c", 3)]


def test_ages_go_on_while_the_daemon_is_there() -> None:
    """By the clock of the daemon, from when it was heard last; what has ended does not get older."""
    mirror = Mirror()
    mirror.take(BEGIN, 5.0)
    opened, ended = row("a"), row("z", open=False)
    assert [mirror.age_of(opened, now) for now in (5.0, 7.5)] == [20.0, 22.5]
    assert mirror.age_of(ended, 7.5) == 20.0

    mirror.take(Lost("connection refused"), 8.0)
    assert mirror.age_of(opened, 60.0) == 20.0
    assert (mirror.lost, mirror.problem) == (True, "connection refused")

    mirror.take(Listing(1100.0, [opened], sources()), 61.0)
    assert (mirror.lost, mirror.problem, mirror.age_of(opened, 62.0)) == (False, None, 101.0)

    mirror.take(Slow("64 clients follow it"), 63.0)
    assert (mirror.lost, mirror.problem) == (False, "64 clients follow it")


def test_figures_are_of_all_rows() -> None:
    """What is no number counts for nothing."""
    mirror = Mirror()
    rows = [
        row("a", cost_usd="0.1", turn_latency_seconds=Latency(0.5, 3.5)),
        row("b", cost_usd="0.2", unpriced={"unknown_model": 2, "no_rate": 1}, open=False),
        *(row(f"c{cost}", cost_usd=cost, turn_latency_seconds=Latency(None, None)) for cost in ("NaN", "cheap", None)),
    ]
    mirror.take(Listing(1020.0, rows, sources()), 5.0)
    mirror.take(sources(source("relay"), source("desk", "refused")), 5.0)

    assert mirror.figures() == Figures(
        ready=1,
        sources=2,
        problems=(("desk", "refused"),),
        open=4,
        ended=1,
        cost=Decimal("0.3"),
        unpriced=3,
        worst=3.5,
    )
