"""The register of calls: who is refused and why, how often one may ask, and what it remembers of webhooks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import get_args

import pytest
from structlog.testing import capture_logs

from steno.attachments import OUTCOMES, AttachRequest, RefusedError, Requester
from steno.limits import ATTACH_BURST, ATTACH_RATE
from steno.output_errors import OutputErrors
from steno.shards import Shard
from steno.sources.attach import register
from steno.sources.attach.journal import Journal
from steno.sources.attach.register import REQUESTERS, Attachments
from tests.sources.helpers import counted

pytestmark = pytest.mark.anyio

NOW = 1_700_000_000_000_000


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Time:
    """A clock that a play moves."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def desk(*sources: str, calls: int = 10, folder: Path | None = None, clock: Time | None = None) -> Attachments:
    found = Attachments(lambda: NOW, Journal(folder, OutputErrors()), clock=clock or Time())
    for name in sources:
        found.shelf(name).configured = True
        found.shelf(name).most = calls
    return found


@asynccontextmanager
async def refused(code: str) -> AsyncIterator[None]:
    with pytest.raises(RefusedError) as error:
        yield
    assert error.value.code == code


async def test_a_call_is_attached_once() -> None:
    calls = desk("one")
    first = await calls.attach(AttachRequest("rtc_1", {"desk": "berlin"}), "http")
    second = await calls.attach(AttachRequest("rtc_1", {"desk": "rome"}), "webhook")

    assert (first[1], second[1]) == (True, False)
    assert second[0].labels == {"desk": "berlin"}
    assert counted(calls.numbers()["steno_attachment_requests_total"]) == {
        ("http", "attached"): 1,
        ("webhook", "already_attached"): 1,
    }


async def test_a_call_of_another_shard_is_refused() -> None:
    """But not to a proxy of this process: nobody else has seen that call."""
    calls, mine, other = desk("one"), "rtc_1", "rtc_5"
    calls.shard = Shard(Shard(1, 2).of(mine), 2)
    assert not calls.shard.has(other)

    await calls.attach(AttachRequest(mine), "webhook")
    for by in get_args(Requester):
        if by != "proxy":
            async with refused("other_shard"):
                await calls.attach(AttachRequest(other), by)
    await calls.attach(AttachRequest(other), "proxy")

    assert [each.call_id for each in calls.listed().attachments] == [mine, other]


async def test_a_call_of_another_source_is_refused() -> None:
    """One that came as an attachment, and one that came otherwise."""
    calls = desk("one", "two")
    calls.followed = {"rtc_2": "relay", "rtc_3": "one"}.get
    await calls.attach(AttachRequest("rtc_1", source="one"), "http")

    async with refused("already_followed"):
        await calls.attach(AttachRequest("rtc_1", source="two"), "http")
    async with refused("already_followed"):
        await calls.attach(AttachRequest("rtc_2", source="two"), "proxy")
    assert (await calls.attach(AttachRequest("rtc_3", source="one"), "http"))[1]


async def test_the_source_is_named_where_there_are_several() -> None:
    async with refused("no_attach_source"):
        await desk().attach(AttachRequest("rtc_1"), "http")
    async with refused("no_attach_source"):
        await desk("one").attach(AttachRequest("rtc_1", source="two"), "http")
    async with refused("source_needed"):
        await desk("one", "two").attach(AttachRequest("rtc_1"), "http")


async def test_there_are_so_many_places() -> None:
    calls = desk("one", calls=2)
    for call_id in ("rtc_1", "rtc_2", "rtc_1"):
        await calls.attach(AttachRequest(call_id), "http")

    async with refused("too_many_calls"):
        await calls.attach(AttachRequest("rtc_3"), "http")


async def test_one_kind_of_requester_does_not_take_the_turns_of_another() -> None:
    """`ATTACH_BURST` at once, then `ATTACH_RATE` a second; the refusal says when."""
    clock = Time()
    calls = desk("one", calls=10_000, clock=clock)
    for number in range(ATTACH_BURST):
        await calls.attach(AttachRequest(f"rtc_{number}"), "http")
    with pytest.raises(RefusedError) as error:
        await calls.attach(AttachRequest("rtc_x"), "http")
    async with refused("too_many_requests"):
        await calls.release("rtc_1", "http")
    await calls.attach(AttachRequest("rtc_x"), "webhook")
    clock.seconds += error.value.retry_after or 0

    assert error.value.code == "too_many_requests"
    assert error.value.retry_after == pytest.approx(1 / ATTACH_RATE)
    assert (await calls.release("rtc_1", "http")).state == "ended"


@pytest.mark.parametrize(
    "request_",
    [AttachRequest("sk-0123456789abcdefghij"), AttachRequest("rtc_1", {"note": "Bearer sk-0123456789abcdefghij"})],
)
async def test_a_key_in_the_wrong_place_is_not_taken(request_: AttachRequest) -> None:
    """Ids and labels stand in all logs."""
    with capture_logs() as logs:
        async with refused("bad_request"):
            await desk("one").attach(request_, "http")

    assert logs == []


@pytest.mark.parametrize("call_id", ["resp_1", "conv_1"])
async def test_what_has_no_sideband_is_refused_in_plain_words(call_id: str) -> None:
    """It would be asked for in vain for two minutes."""
    calls = desk("one")
    with pytest.raises(RefusedError, match=r"which has no sideband: name a call \(rtc_.*kind = \"proxy\"") as error:
        await calls.attach(AttachRequest(call_id), "http")
    assert (error.value.code, calls.listed().attachments) == ("bad_request", ())


async def test_labels_and_the_requester_are_logged() -> None:
    with capture_logs() as logs:
        await desk("one").attach(AttachRequest("rtc_1", {"desk": "berlin"}), "control")

    assert logs == [
        {
            "event": "call attached",
            "log_level": "info",
            "source": "one",
            "call_id": "rtc_1",
            "by": "control",
            "labels": {"desk": "berlin"},
            "resumed": False,
        }
    ]


async def test_webhooks_and_calls_are_remembered_over_a_restart(tmp_path: Path) -> None:
    before = desk("one", folder=tmp_path)
    await before.attach(AttachRequest("rtc_1"), "webhook", "wh_1")
    await before.attach(AttachRequest("rtc_2"), "webhook", "wh_2")
    await before.attach(AttachRequest("rtc_2"), "webhook", "wh_3")
    await before.release("rtc_2", "http")
    after = desk("one", folder=tmp_path)

    assert [after.delivered(each) for each in ("wh_1", "wh_2", "wh_3", "wh_4")] == [True, True, True, False]
    assert [each.call_id for each in after.listed().attachments] == ["rtc_1"]


async def test_calls_of_a_source_that_is_gone_are_forgotten(tmp_path: Path) -> None:
    """By a new configuration, and at a start; another source may have them then."""
    before = desk("one", "two", "three", folder=tmp_path)
    for number, name in enumerate(("one", "two", "three")):
        await before.attach(AttachRequest(f"rtc_{number}", source=name), "http")
    before.keep({"two", "three"})
    moved = await before.attach(AttachRequest("rtc_0", source="two"), "http")
    after = desk("one", "two", folder=tmp_path)
    after.keep({"one", "two"}, starting=True)
    await after.attach(AttachRequest("rtc_2", source="one"), "http")
    kept = desk("one", "two", "three", folder=tmp_path).listed().attachments

    assert moved[1]
    assert {each.call_id: each.source for each in kept} == {"rtc_0": "two", "rtc_1": "two", "rtc_2": "one"}


async def test_a_webhook_that_was_refused_is_not_remembered() -> None:
    calls = desk("one", calls=0)
    async with refused("too_many_calls"):
        await calls.attach(AttachRequest("rtc_1"), "webhook", "wh_1")

    assert not calls.delivered("wh_1")


async def test_the_oldest_webhooks_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(register, "WEBHOOK_IDS", 2)
    calls = desk("one")
    for number in range(3):
        await calls.attach(AttachRequest("rtc_1"), "webhook", f"wh_{number}")

    assert [calls.delivered(f"wh_{number}") for number in range(3)] == [False, True, True]


def test_who_has_no_token_is_counted_and_logged_once_in_a_while() -> None:
    clock = Time()
    calls = desk("one", clock=clock)
    with capture_logs() as logs:
        for seconds in (0, 30, 61):
            clock.seconds = seconds
            calls.turned_away("http", "unauthorized")
            calls.turned_away("http", "body_too_long")

    assert [(line["log_level"], line["by"]) for line in logs] == [("warning", "http")] * 2
    assert counted(calls.numbers()["steno_attachment_requests_total"]) == {
        ("http", "unauthorized"): 3,
        ("http", "body_too_long"): 3,
    }


def test_every_outcome_stands_at_zero_from_the_start() -> None:
    assert get_args(Requester) == REQUESTERS
    assert desk().numbers() == {
        "steno_attachment_requests_total": {(by, outcome): 0 for by in REQUESTERS for outcome in OUTCOMES}
    }
