"""How much a client may ask and send."""

import pytest

from steno.sources.listen import rates as module
from steno.sources.listen.rates import Rates, by_address, by_name


def test_a_minute_of_handshakes_may_come_at_once() -> None:
    rates = Rates(60, 1000)
    client = rates.client("a", 0)

    assert [rates.ask(client, 0) for _ in range(60)] == [0] * 60
    assert rates.ask(client, 0) == pytest.approx(1)
    assert rates.ask(client, 0.5) == pytest.approx(0.5)
    assert rates.ask(client, 1) == 0
    assert rates.ask(client, 1000) == 0
    assert sum(rates.ask(client, 1000) == 0 for _ in range(100)) == 59


def test_bytes_that_came_are_waited_for() -> None:
    """Ten seconds of them may come at once."""
    rates = Rates(60, 1000)
    client = rates.client("a", 0)

    assert rates.take(client, 10_000, 0) == 0
    assert rates.take(client, 500, 0) == pytest.approx(0.5)
    assert rates.take(client, 500, 0.5) == pytest.approx(0.5)
    assert rates.take(client, 1, 2) == 0


def test_another_bound_holds_at_once() -> None:
    rates = Rates(1, 1000)
    client = rates.client("a", 0)
    rates.ask(client, 0)

    rates.handshakes = 60

    assert rates.ask(client, 1) == 0


def test_a_client_is_known_by_its_key_until_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CLIENTS", 2)
    rates = Rates(1, 1)
    first, second = rates.client("a", 0), rates.client("b", 0)

    assert rates.client("a", 0) is first
    rates.client("c", 0)
    assert rates.client("a", 0) is first
    assert rates.client("b", 0) is not second


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("", "", True),
    ],
)
def test_what_stands_for_an_address(one: str, other: str, same: bool) -> None:
    """A client of IPv6 has a whole net of addresses for itself."""
    assert (by_address(one) == by_address(other)) is same


def test_a_name_is_no_address() -> None:
    assert by_name("192.0.2.1") != by_address("192.0.2.1")
