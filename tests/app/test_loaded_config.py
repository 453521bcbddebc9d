"""When the configuration and its price list are from."""

from msgspec.structs import replace

from steno.app.loaded_config import LoadedConfig
from steno.app.price_list import load_prices
from steno.metrics.definitions import PROCESS_METRICS

PRICES = replace(load_prices(None), date="2026-11-21")


def test_the_start_counts_as_a_reload() -> None:
    numbers = LoadedConfig(PRICES, lambda: 1_800_000_000.0).numbers()

    assert numbers == {
        "steno_config_last_reload_successful": {(): 1},
        "steno_config_last_reload_timestamp_seconds": {(): 1_800_000_000.0},
        "steno_price_list_timestamp_seconds": {(): 1_795_219_200},
        "steno_http_certificate_expiry_timestamp_seconds": {},
    }
    assert numbers.keys() <= PROCESS_METRICS.keys()


def test_a_configuration_that_is_wrong_leaves_the_former_time() -> None:
    times = iter([100.0, 200.0])
    loaded = LoadedConfig(PRICES, lambda: next(times))

    loaded.failed()
    failed = loaded.numbers()
    loaded.loaded(replace(PRICES, date=None))
    mended = loaded.numbers()

    names = ("steno_config_last_reload_successful", "steno_config_last_reload_timestamp_seconds")
    assert [failed[name] for name in names] == [{(): 0}, {(): 100.0}]
    assert [mended[name] for name in names] == [{(): 1}, {(): 200.0}]
    assert mended["steno_price_list_timestamp_seconds"] == {}


def test_the_http_face_says_until_when_its_certificate_is_valid() -> None:
    loaded = LoadedConfig(PRICES)
    loaded.http_expiry = lambda: 1_900_000_000.0

    assert loaded.numbers()["steno_http_certificate_expiry_timestamp_seconds"] == {(): 1_900_000_000.0}
