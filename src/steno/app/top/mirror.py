"""The rows as the daemon has them, by what it told. Pure: the time is passed."""

from collections.abc import Iterable
from contextlib import suppress
from decimal import Decimal, InvalidOperation

from msgspec import Struct

from steno.app.top.client import Listing
from steno.app.top.follower import Lost, News, Slow
from steno.core.billing.prices import add_usd
from steno.view.changes import Changes
from steno.view.rows import Row
from steno.view.sources import SourceList, SourceRow


class Figures(Struct, frozen=True):
    """Sums over all rows."""

    ready: int
    sources: int
    problems: tuple[tuple[str, str], ...]
    """The sources that are not ready, and why."""
    open: int
    ended: int
    cost: Decimal
    """USD of what has a price."""
    unpriced: int
    """Usages without a price."""
    worst: float | None
    """The longest wait for an answer, in seconds."""


class Mirror:
    """The rows of a daemon."""

    def __init__(self) -> None:
        self.sources: list[SourceRow] = []
        self.problem: str | None = None
        """Why what is here may be old."""
        self.lost = False
        self._rows: dict[str, tuple[Row, float]] = {}
        self._at = 0.0
        self._heard = 0.0

    def take(self, news: News, now: float) -> None:
        """Take what was told at `now`, in seconds of a clock that only goes on."""
        match news:
            case Listing():
                self._rows = {row.key: (row, news.at) for row in news.rows}
                self.sources, self.problem, self.lost = news.sources.sources, None, False
                self._hear(news.at, now)
            case Changes():
                self._change(news)
                self._hear(news.at, now)
            case SourceList():
                self.sources = news.sources
            case Slow():
                self.problem = news.why
            case Lost():
                self.problem, self.lost = news.why, True

    def _hear(self, at: float, now: float) -> None:
        self._at, self._heard = at, now

    def _change(self, changes: Changes) -> None:
        for row in changes.conversations:
            known = self._rows.get(row.key)
            if known is None or known[1] <= changes.at:  # else the listing was made after it
                self._rows[row.key] = (row, changes.at)
        for key in changes.closed:
            self._rows.pop(key, None)

    def rows(self) -> list[Row]:
        """Return all rows, in no order."""
        return [row for row, _ in self._rows.values()]

    def age_of(self, row: Row, now: float) -> float:
        """Return the age of a row in seconds: what is open gets older without being told of."""
        if not row.open or row.opened_at is None:
            return row.age_seconds
        at = self._at if self.lost else self._at + now - self._heard
        return max(row.age_seconds, at - row.opened_at)

    def figures(self) -> Figures:
        """Return the sums."""
        rows = self.rows()
        opened = sum(row.open for row in rows)
        return Figures(
            ready=sum(each.ready for each in self.sources),
            sources=len(self.sources),
            problems=tuple((each.name, each.problem or "not ready") for each in self.sources if not each.ready),
            open=opened,
            ended=len(rows) - opened,
            cost=_sum(row.cost_usd for row in rows),
            unpriced=sum(sum(row.unpriced.values()) for row in rows),
            worst=max((w for row in rows if (w := row.turn_latency_seconds.worst) is not None), default=None),
        )


def _sum(costs: Iterable[str | None]) -> Decimal:
    total = Decimal(0)
    for cost in costs:
        with suppress(InvalidOperation):  # no number: what speaks there is no steno
            usd = Decimal(cost or 0)
            total = add_usd(total, usd) if usd.is_finite() else total
    return total
