"""What the tests of prices share: the list that is shipped, made-up lists, and buckets of tokens."""

from importlib.resources import files
from typing import Any, Final

import msgspec

from steno.core.billing.prices import Priced, PriceTable, Unpriced, parse
from steno.core.facts import Tokens

SHIPPED: Final = (files("steno.core.billing") / "prices.json").read_bytes()
TABLE: Final = parse(SHIPPED)
VERSION: Final = "2026-11-27"


def bucket(model: str | None, direction: str, modality: str, tokens: int, *, cached: bool = False) -> Tokens:
    return Tokens(model, direction, modality, cached, tokens)


def listed(**models: dict[str, Any]) -> PriceTable:
    return parse(msgspec.json.encode(models))


def priced(result: Priced | Unpriced) -> Priced:
    assert isinstance(result, Priced), result
    return result
