"""Whom a request asks for: what no web page can own is answered, every other name must be configured."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from steno.admin.connections import ConnectionTable
from steno.admin.hosts import HostGuard, HostPolicy

pytestmark = pytest.mark.anyio

ADDRESSES = ["127.0.0.1", "127.0.0.1:9464", "10.0.3.7:9464", "[::1]", "[::1]:9464", "[fd00::7]:80", "0.0.0.0:1"]
LOCAL = ["localhost", "localhost:9464", "LocalHost", "localhost.", None]
DOTLESS = ["steno", "steno:9464", "STENO_1", "my-pod"]
NAMES = [
    "attacker.example",
    "attacker.example:9464",
    "localhost.attacker.example",
    "127.0.0.1.attacker.example",
    "steno.monitoring.svc",
    "localhost..",
]
NO_HOSTS = [
    "",
    ":",
    ":80",
    "a:b",
    "a:80:90",
    "[::1",
    "::1",
    "[::1]x",
    "[localhost]",
    "a b",
    "a/b",
    "\xb2",
    "-",
    ".",
    "a@localhost",
]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def allowed(policy: HostPolicy, asked: list[str | None]) -> list[str | None]:
    return [host for host in asked if policy.allows(host)]


EVERY: list[str | None] = [*ADDRESSES, *LOCAL, *DOTLESS, *NAMES, *NO_HOSTS]


@pytest.mark.parametrize("listen", ["127.0.0.1", "::1", "127.0.5.1", "localhost"])
def test_on_loopback_addresses_and_localhost_are_answered(listen: str) -> None:
    assert allowed(HostPolicy(listen, [], "vm-7.corp.example"), EVERY) == [*ADDRESSES, *LOCAL]


@pytest.mark.parametrize("listen", ["0.0.0.0", "::", "10.0.3.7"])  # noqa: S104  # nothing listens here
def test_elsewhere_names_without_a_dot_are_too(listen: str) -> None:
    """Containers and services are called so. The port does not count, since it may be published as another."""
    policy = HostPolicy(listen, [], "vm-7.corp.example")

    assert allowed(policy, EVERY) == [*ADDRESSES, *LOCAL, *DOTLESS]
    assert allowed(policy, ["vm-7.corp.example:9464", "vm-8.corp.example"]) == ["vm-7.corp.example:9464"]


def test_the_name_that_is_listened_on_is_answered() -> None:
    assert allowed(HostPolicy("Steno.example", [], "x"), ["steno.example:1", "other.example"]) == ["steno.example:1"]


def test_names_can_be_configured_and_set_anew() -> None:
    policy = HostPolicy("127.0.0.1", ["Steno.Monitoring.svc"])
    before = allowed(policy, [*NAMES])
    policy.names = frozenset({"attacker.example"})
    after = allowed(policy, [*NAMES])

    assert before == ["steno.monitoring.svc"]
    assert after == ["attacker.example", "attacker.example:9464"]


def test_a_star_is_any() -> None:
    assert allowed(HostPolicy("127.0.0.1", ["*"]), EVERY) == EVERY


@given(st.text())
def test_any_text_is_allowed_or_not(host: str) -> None:
    """And whatever is allowed on loopback has no name of a site in it."""
    if HostPolicy("127.0.0.1", [], "vm").allows(host) and "%" not in host:  # the zone of an address
        assert not any(letter in host.lower().replace("localhost", "") for letter in "ghijklmnopqrstuvwxyz")


async def test_refusals_are_counted_and_logged_once_in_a_while() -> None:
    """A name that is none is not repeated in the log."""
    table, now = ConnectionTable(1, 1), [0.0]

    async def unasked(*_: object) -> None:
        raise AssertionError

    guard = HostGuard(unasked, HostPolicy("127.0.0.1", []), table, lambda: now[0])
    statuses = []

    async def send(message: Mapping[str, Any]) -> None:
        statuses.append(message.get("status"))

    with capture_logs() as logs:
        for host in (b"a.example:80", b"b.example", b"\x1b[31m", b"c.example"):
            await guard({"type": "http", "headers": [(b"host", host)]}, None, send)  # type: ignore[arg-type]  # not read
            now[0] += 30

    assert statuses == [421, None] * 4
    assert [line["host"] for line in logs] == ["a.example", "?"]
    assert table.rejected["host"] == 4
