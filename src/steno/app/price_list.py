"""The price list of this process: the one that is shipped, overridden by the operator's own."""

from importlib.resources import files
from pathlib import Path

from steno.core.billing.prices import PriceTable, merge, parse
from steno.errors import ConfigError, ConfigFault


def load_prices(own: Path | None, named_by: str = "prices.file") -> PriceTable:
    """Return the shipped price list, in which each model that the list `own` has is replaced.

    Raises ConfigError, which names the file, where it cannot be read or is not a price list. `named_by` is the key or
    the option that names the file.
    """
    shipped = parse(files("steno.core.billing").joinpath("prices.json").read_bytes())
    if own is None:
        return shipped
    try:
        return merge(shipped, parse(own.read_bytes()))
    except OSError as error:
        raise ConfigError([ConfigFault(str(own), "", f"cannot be read ({named_by}): {error.strerror}")]) from error
    except ValueError as error:
        raise ConfigError([ConfigFault(str(own), "", f"is no price list ({named_by}): {error}")]) from error
