"""The price table: parsed from our own file or from a LiteLLM price list, overridden, and looked up by model."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from steno.core.billing.rates import Rates, rates_of

SCHEMA: Final = "steno.prices/1"

VENDOR: Final = "openai/"
_SAMPLE: Final = "sample_spec"  # an entry of LiteLLM's list that explains the members, and is no model
_DATE: Final = re.compile(r"20[0-9]{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])")
_SNAPSHOT: Final = re.compile(rf"(.+)-{_DATE.pattern}")
_VERSION: Final = re.compile(r"[\w.+:-]{1,64}", re.ASCII)


class Models(Mapping[str, Rates]):
    """Rates by model. An entry that was not read yet is when the model is first asked for."""

    __slots__ = ("entries",)

    def __init__(self, entries: Mapping[str, Rates | Raw]) -> None:
        """Hold the rates of each model, or its entry in a price list that was checked before."""
        self.entries: Final = dict(entries)

    def __getitem__(self, model: str) -> Rates:
        """Return the rates of `model`. For any thread: two that read one entry read the same."""
        rates = self.entries[model]
        if isinstance(rates, Raw):
            rates = self.entries[model] = rates_of(repr(model), _json(rates))
        return rates

    def __iter__(self) -> Iterator[str]:
        """Yield the names of the models."""
        return iter(self.entries)

    def __len__(self) -> int:
        """Return how many models there are."""
        return len(self.entries)

    def overridden(self, own: "Models") -> "Models":
        """Return these models, with those of `own` in place of the ones of the same names."""
        return Models(self.entries | own.entries)


class PriceTable(Struct, frozen=True):
    """Rates by model, as of a date. `digest` is the SHA-256, in hex, of the bytes that it was parsed from."""

    version: str
    date: str | None
    digest: str
    models: Models


class _Shipped(Struct):
    """The list that is shipped, with the entries of its models undecoded."""

    version: str
    date: str
    models: dict[str, Raw]


def parse_shipped(data: bytes) -> PriceTable:
    """Parse the list that is shipped, which is known to be right: an entry when its model is first asked for.

    All of it takes 4 ms, and a process prices usage of a few models.
    """
    shipped = msgspec.json.decode(data, type=_Shipped)
    return PriceTable(shipped.version, shipped.date, hashlib.sha256(data).hexdigest(), Models(shipped.models))


def parse(data: bytes) -> PriceTable:
    """Parse a price table: our own (`"schema": "steno.prices/1"`), or a LiteLLM list, which has no version and no date.

    The version of a LiteLLM list is the beginning of its digest. Raises ValueError, and nothing else, that names the
    model and the member that are wrong.
    """
    members = _json(data)
    digest = hashlib.sha256(data).hexdigest()
    if "schema" not in members:
        return PriceTable(f"sha256:{digest[:12]}", None, digest, _models(members))
    if members["schema"] != SCHEMA:
        raise ValueError(f"schema: expected {SCHEMA!r}")
    version, date = members.get("version"), members.get("date")
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        raise ValueError("version: expected up to 64 letters, digits and .+:-_")
    if not isinstance(date, str) or not _DATE.fullmatch(date):
        raise ValueError("date: expected YYYY-MM-DD")
    return PriceTable(version, date, digest, _models(_object(members.get("models"), "models")))


def merge(base: PriceTable, override: PriceTable) -> PriceTable:
    """Return `base` with the models of `override`. Each replaces all rates of the model of its exact name.

    Rates for `gpt-realtime` do not replace those that `base` has for a snapshot of it. The date is the newer one.
    """
    return PriceTable(
        f"{base.version}+override:{override.digest[:12]}",
        max((date for date in (base.date, override.date) if date), default=None),
        hashlib.sha256(f"{base.digest}{override.digest}".encode()).hexdigest(),
        base.models.overridden(override.models),
    )


def _json(data: bytes | Raw) -> dict[str, Any]:
    try:
        members = msgspec.json.Decoder(float_hook=_decimal).decode(data)
    except (ValueError, RecursionError):  # not UTF-8, not JSON, or nested without end
        raise ValueError("price list: expected JSON") from None
    return _object(members, "price list")


def _object(value: Any, what: str) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    raise ValueError(f"{what}: expected an object")


def _decimal(text: str) -> Decimal:
    """Return a JSON number exactly. One that no Decimal can hold is NaN, and refused where it is a rate."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal("NaN")


def _models(members: dict[str, Any]) -> Models:
    return Models(
        {
            model: rates_of(repr(model[:80]), _object(rates, repr(model[:80])))
            for model, rates in members.items()
            if model != _SAMPLE
        }
    )


def resolve(table: PriceTable, model: str) -> tuple[str, Rates] | None:
    """Return the name under which `table` has `model`, and its rates; None where it has none.

    The names are tried in this order: the exact one; for a dated snapshot `<name>-YYYY-MM-DD`, the `<name>`; then the
    same two without a leading `openai/`, since a bare name is that vendor's. No other prefix is removed: what
    `azure/gpt-realtime` costs is for the table to say. No name stands for a longer one: `gpt-realtime-translate` is
    another model than `gpt-realtime`.
    """
    for name in _names(model):
        rates = table.models.get(name)
        if rates is not None:
            return name, rates
    return None


def _names(model: str) -> Iterator[str]:
    for name in (model, model.removeprefix(VENDOR)):
        yield name
        snapshot = _SNAPSHOT.fullmatch(name)
        if snapshot:
            yield snapshot[1]
