"""The price list of this process: the one that is shipped, overridden by the operator's own."""

from functools import cache
from pathlib import Path
from typing import Final

from steno.config import Prices
from steno.core import billing
from steno.core.billing.prices import PriceTable, merge, parse, parse_shipped
from steno.errors import ConfigError, ConfigFault
from steno.regular_files import read_named

SHIPPED: Final = Path(billing.__file__).with_name("prices.json")
LIST_BYTES: Final = 8 * 1024 * 1024
"""Longest price list that is read: twice as long as that of LiteLLM 1.110.2, which is whole."""


def configured_prices(prices: Prices) -> PriceTable:
    """Return the price list that the configuration asks for. Raises ConfigError as `load_prices` does."""
    return load_prices(Path(prices.file) if prices.file else None)


def load_prices(own: Path | None, named_by: str = "prices.file") -> PriceTable:
    """Return the shipped price list, in which each model that the list `own` has is replaced.

    Raises ConfigError, which names the file, where it cannot be read or is not a price list. `named_by` is the key or
    the option that names the file.
    """
    shipped = _shipped()
    if own is None:
        return shipped
    try:
        content = read_named(own, LIST_BYTES + 1)
    except OSError as error:
        raise ConfigError([ConfigFault(str(own), "", f"cannot be read ({named_by}): {error.strerror}")]) from error
    if len(content) > LIST_BYTES:
        raise ConfigError([ConfigFault(str(own), "", f"is no price list ({named_by}): longer than {LIST_BYTES} bytes")])
    try:
        return merge(shipped, parse(content))
    except ValueError as error:
        raise ConfigError([ConfigFault(str(own), "", f"is no price list ({named_by}): {error}")]) from error


@cache  # it does not change, and what was read of it stays
def _shipped() -> PriceTable:
    return parse_shipped(SHIPPED.read_bytes())
