"""The price list of a process: the shipped one, overridden model by model."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from steno.app.price_list import load_prices
from steno.errors import ConfigError


def test_without_a_list_of_its_own_the_shipped_one_is_used() -> None:
    """It has a date and models."""
    shipped = load_prices(None)

    assert shipped.date is not None
    assert "gpt-realtime" in shipped.models


def test_the_shipped_list_is_read_once() -> None:
    assert load_prices(None) is load_prices(None)


def test_own_list_replaces_whole_models(tmp_path: Path) -> None:
    """A rate that the own list does not have is not taken from the shipped one. Other models stay."""
    own = tmp_path / "own.json"
    own.write_text(json.dumps({"gpt-realtime": {"mode": "chat", "input_cost_per_token": 1}}))
    shipped = load_prices(None).models

    models = load_prices(own).models

    assert models["gpt-realtime"].tokens == {("input", "text", False): Decimal(1)}
    assert {name: models[name] for name in models if name != "gpt-realtime"} == {
        name: shipped[name] for name in shipped if name != "gpt-realtime"
    }


@pytest.mark.parametrize(
    ("text", "fault"),
    [(None, "cannot be read (prices.file): No such file or directory"), ("[]", "is no price list (prices.file): ")],
)
def test_list_that_is_wrong_is_named(text: str | None, fault: str, tmp_path: Path) -> None:
    """The fault has the file, and the key that names it."""
    path = tmp_path / "own.json"
    if text is not None:
        path.write_text(text)

    with pytest.raises(ConfigError) as refused:
        load_prices(path)

    assert str(refused.value).startswith(f"{path}: {fault}")
