"""What was read from files when the daemon started, and when it was read again: as metrics."""

from calendar import timegm
from collections.abc import Callable, Mapping
from time import strptime, time

from steno.core.billing.prices import PriceTable

Numbers = Mapping[tuple[str, ...], float]


class LoadedConfig:
    """The configuration in use and its price list, by when they are from."""

    def __init__(self, prices: PriceTable, clock: Callable[[], float] = time) -> None:
        """Take note of what the daemon starts with; `clock` is Unix time."""
        self._clock = clock
        self._successful = True
        self._at = clock()
        self._prices = prices
        self.http_expiry: Callable[[], float | None] = lambda: None
        """Returns until when the certificate of the HTTP face is valid, in Unix time; None where it has none."""

    def loaded(self, prices: PriceTable) -> None:
        """Take note that the configuration was read again, and is in use."""
        self._successful, self._at, self._prices = True, self._clock(), prices

    def failed(self) -> None:
        """Take note that it could not be read, or is wrong: the former one stays in use."""
        self._successful = False

    def numbers(self) -> Mapping[str, Numbers]:
        """Return the process metrics: name to labels to value. Called from the thread of a scrape."""
        date, expiry = self._prices.date, self.http_expiry()
        return {
            "steno_config_last_reload_successful": {(): 1 if self._successful else 0},
            "steno_config_last_reload_timestamp_seconds": {(): self._at},
            "steno_price_list_timestamp_seconds": {} if date is None else {(): timegm(strptime(date, "%Y-%m-%d"))},
            "steno_http_certificate_expiry_timestamp_seconds": {} if expiry is None else {(): expiry},
        }
