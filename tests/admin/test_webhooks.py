"""`/v1/webhooks/openai` with real clients over a real socket: forged, stale, replayed, sent again, too long, too many.

Signatures are made by `webhook_sender`, not by the package that verifies them.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, get_args

import anyio
import anyio.to_thread
import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from steno.admin import answers
from steno.admin.authorization import Authorization
from steno.admin.connections import ConnectionTable
from steno.admin.http import CheckResult, application, bind
from steno.admin.server import HttpServer
from steno.admin.webhooks import EVENTS, TOLERANCE_SECONDS, Outcome, WebhookReceiver
from steno.config import AttachSource, SecretRef
from steno.limits import ATTACH_BURST, WEBHOOK_BYTES
from steno.output_errors import OutputErrors
from steno.shards import Shard
from steno.sources.attach.journal import Journal
from steno.sources.attach.register import Attachments
from tests.admin.webhook_sender import ONE, TWO, event, post, signed

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Face:
    """A daemon's HTTP face, its register of calls, and a provider that sends."""

    def __init__(self, port: int, desk: Attachments, receiver: WebhookReceiver) -> None:
        self.port = port
        self.desk = desk
        self.receiver = receiver

    async def send(self, body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
        """Return the status, and what became of it: the status in the body or the code of its error."""
        status, answer = await anyio.to_thread.run_sync(partial(post, self.port, body, dict(headers)))
        return status, answer["status"] if "status" in answer else answer["error"]["code"]

    @property
    def calls(self) -> list[tuple[str, str]]:
        return [(each.call_id, each.by) for each in self.desk.listed().attachments]

    @property
    def counts(self) -> dict[str, float]:
        found = self.receiver.numbers()["steno_webhooks_total"]
        return {outcome: count for (outcome,), count in found.items() if count}

    @property
    def events(self) -> dict[str, float]:
        found = self.receiver.numbers()["steno_webhook_events_total"]
        return {name: count for (name,), count in found.items() if count}


def source(tmp_path: Path, *secrets: str, name: str = "calls", **more: Any) -> AttachSource:
    """Return a source with these secrets, the first of them as `webhook_secret`."""
    refs = []
    for number, secret in enumerate(secrets):
        file = tmp_path / f"{name}-{number}"
        file.write_text(secret)
        refs.append(SecretRef(file=str(file)))
    return AttachSource(
        name=name,
        kind="attach",
        webhook_secret=refs[0] if refs else None,
        webhook_secrets=tuple(refs[1:]),
        **more,
    )


@asynccontextmanager
async def face(*sources: AttachSource, folder: Path | None = None, calls: int = 10) -> AsyncIterator[Face]:
    desk = Attachments(lambda: 1_700_000_000_000_000, Journal(folder, OutputErrors()))
    for each in sources:
        desk.shelf(each.name).configured, desk.shelf(each.name).most = True, calls
    receiver = WebhookReceiver(desk, sources)
    with bind("127.0.0.1", 0) as sock:
        healthy = CheckResult(True, {})
        app = application(
            CollectorRegistry(), lambda: healthy, lambda **_: healthy, Authorization(None), [receiver.route()]
        )
        server = HttpServer(app, sock, ConnectionTable(256, 10.0))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.run)
            yield Face(sock.getsockname()[1], desk, receiver)
            server.stop()


# What has its effect ----------------------------------------------------------------------------------------


async def test_a_call_that_comes_in_is_followed(tmp_path: Path) -> None:
    """Nothing of its SIP headers is kept."""
    with capture_logs() as logs:
        async with face(source(tmp_path, ONE), folder=tmp_path) as served:
            answer = await served.send(event(), signed(event()))

    assert (answer, served.calls) == ((200, "attached"), [("rtc_1", "webhook")])
    assert (served.counts, served.events) == ({"attached": 1}, {"realtime.call.incoming": 1})
    assert "4930" not in str(logs) + (tmp_path / ".attachments").read_text()


async def test_a_call_of_another_shard_is_acknowledged(tmp_path: Path) -> None:
    """That one has an endpoint of its own: nothing is to be sent again."""
    owner = Shard(1, 2).of("rtc_1")
    async with face(source(tmp_path, ONE)) as served:
        served.desk.shard = Shard(3 - owner, 2)
        answer = await served.send(event(), signed(event()))

    assert (answer, served.calls) == ((200, "other_shard"), [])
    assert (served.counts, served.events) == ({"other_shard": 1}, {"realtime.call.incoming": 1})


async def test_other_events_are_acknowledged_and_counted(tmp_path: Path) -> None:
    """By types of a closed list: no sender can make up a label."""
    async with face(source(tmp_path, ONE)) as served:
        answers_ = [
            await served.send(event(kind=kind), signed(event(kind=kind), f"wh_{kind[:9]}"))
            for kind in ("batch.completed", "video.failed", "made.up", "x" * 1_000)
        ]

    assert answers_ == [(200, "ignored")] * 4
    assert (served.calls, served.counts) == ([], {"ignored": 4})
    assert served.events == {"batch.completed": 1, "video.failed": 1, "other": 2}


@pytest.mark.parametrize("kind", ["live.transport.incoming", "live.transport.connected", "live.call.incoming"])
async def test_a_live_session_that_is_announced_is_followed(tmp_path: Path, kind: str) -> None:
    """Twice, where two endpoints of the provider announce it, is once."""
    body = event("live_1", kind, "session_id")
    async with face(source(tmp_path, ONE)) as served:
        answers_ = [await served.send(body, signed(body, delivery)) for delivery in ("wh_1", "wh_2")]

    assert (answers_, served.calls) == ([(200, "attached"), (200, "already_attached")], [("live_1", "webhook")])
    assert served.events == {kind: 2}


@pytest.mark.parametrize(
    ("kind", "member"), [("live.transport.incoming", "call_id"), ("realtime.call.incoming", "session_id")]
)
async def test_an_announcement_that_names_no_call_is_malformed(tmp_path: Path, kind: str, member: str) -> None:
    body = event("live_1", kind, member)
    async with face(source(tmp_path, ONE)) as served:
        answer = await served.send(body, signed(body))

    assert (answer, served.calls, served.events) == ((400, "malformed"), [], {})


async def test_a_source_may_only_count(tmp_path: Path) -> None:
    async with face(source(tmp_path, ONE, webhook_attach=False)) as served:
        answer = await served.send(event(), signed(event()))

    assert (answer, served.calls, served.events) == ((200, "ignored"), [], {"realtime.call.incoming": 1})


async def test_secrets_are_exchanged(tmp_path: Path) -> None:
    """Both hold while both are configured; a file that is replaced holds at once."""
    async with face(source(tmp_path, ONE, TWO)) as served:
        both = [await served.send(event(), signed(event(), f"wh_{secret}", secret)) for secret in (ONE, TWO)]
        (tmp_path / "calls-0").write_text(TWO)
        former = await served.send(event(), signed(event(), "wh_3", ONE))

    assert (both, former) == ([(200, "attached"), (200, "already_attached")], (401, "forged"))


async def test_the_secret_says_which_source(tmp_path: Path) -> None:
    async with face(source(tmp_path, ONE), source(tmp_path, TWO, name="other")) as served:
        await served.send(event("rtc_1"), signed(event("rtc_1"), "wh_1", TWO))
        await served.send(event("rtc_2"), signed(event("rtc_2"), "wh_2", ONE))
        elsewhere = await served.send(event("rtc_2"), signed(event("rtc_2"), "wh_3", TWO))
        found = {each.call_id: each.source for each in served.desk.listed().attachments}

    assert (found, elsewhere) == ({"rtc_1": "other", "rtc_2": "calls"}, (200, "already_attached"))


@pytest.mark.parametrize("first", ["v1a,AAAA", "v2,???", "x", "v1,", "v1,AAAA", "v1," + "A" * 43 + "="])
async def test_one_signature_of_several_is_enough(tmp_path: Path, first: str) -> None:
    """The provider signs by two secrets while they are exchanged, and may sign in other ways too."""
    headers = signed(event())
    headers["webhook-signature"] = f"{first} {headers['webhook-signature']}"
    async with face(source(tmp_path, ONE)) as served:
        answer = await served.send(event(), headers)

    assert answer == (200, "attached")


async def test_a_secret_without_the_prefix_is_taken_as_it_is(tmp_path: Path) -> None:
    """As the provider's own library does."""
    async with face(source(tmp_path, "plain secret")) as served:
        answer = await served.send(event(), signed(event(), secret="plain secret"))

    assert answer == (200, "attached")


# What has none ----------------------------------------------------------------------------------------------


async def test_forged_webhooks_have_no_effect(tmp_path: Path) -> None:
    """Signed by another secret, for another body, id or time, or not at all; in the end the real one has its effect."""
    real = signed(event())
    forged = [
        signed(event(), secret=TWO),
        {**real, "webhook-id": "wh_2"},
        {**real, "webhook-timestamp": str(int(real["webhook-timestamp"]) - 1)},
        {**real, "webhook-signature": "v1,AAAA"},
        {**real, "webhook-signature": real["webhook-signature"].replace("v1,", "v2,")},
        {**real, "webhook-signature": "v1," + "A" * 43 + "="},
    ]
    with capture_logs() as logs:
        async with face(source(tmp_path, ONE)) as served:
            found = [await served.send(event(), headers) for headers in forged]
            other_body = await served.send(event("rtc_2"), real)
            before = served.calls
            last = await served.send(event(), real)

    assert found == [(401, "forged")] * 6
    assert (other_body, before, last) == ((401, "forged"), [], (200, "attached"))
    assert served.counts == {"forged": 7, "attached": 1}
    assert [line["outcome"] for line in logs if line["event"] == "a webhook was not accepted"] == ["forged"]


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
async def test_a_header_that_is_missing(tmp_path: Path, missing: str) -> None:
    headers = signed(event())
    del headers[missing]
    async with face(source(tmp_path, ONE)) as served:
        answer = await served.send(event(), headers)

    assert (answer, served.calls) == ((400, "malformed"), [])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("webhook-timestamp", "nan"),
        ("webhook-timestamp", "1e9"),
        ("webhook-timestamp", "9" * 13),
        ("webhook-timestamp", "-1"),
        ("webhook-id", "x" * 257),
        ("webhook-id", "a b"),
        ("webhook-signature", "v1,A " * 300),
    ],
)
async def test_a_header_of_another_form(tmp_path: Path, name: str, value: str) -> None:
    async with face(source(tmp_path, ONE)) as served:
        answer = await served.send(event(), {**signed(event()), name: value})

    assert answer == (400, "malformed")


@pytest.mark.parametrize("age", [TOLERANCE_SECONDS + 5, -TOLERANCE_SECONDS - 5])
async def test_a_stale_webhook_has_no_effect(tmp_path: Path, age: float) -> None:
    """However well it is signed."""
    async with face(source(tmp_path, ONE)) as served:
        answer = await served.send(event(), signed(event(), age=age))
        within = await served.send(event(), signed(event(), age=age * 0.9))

    assert (answer, within) == ((401, "stale"), (200, "attached"))


async def test_a_replayed_webhook_has_no_effect(tmp_path: Path) -> None:
    """Not even when the call was released meanwhile, and not after a restart of the daemon."""
    headers = signed(event())
    async with face(source(tmp_path, ONE), folder=tmp_path) as served:
        first = await served.send(event(), headers)
        await served.desk.release("rtc_1", "http")
        again = await served.send(event(), headers)
        calls = served.calls
    async with face(source(tmp_path, ONE), folder=tmp_path) as restarted:
        after = await restarted.send(event(), headers)

    assert (first, again, after) == ((200, "attached"), (200, "replayed"), (200, "replayed"))
    assert (calls, restarted.calls) == ([], [])


async def test_what_was_refused_has_its_effect_when_it_is_sent_again(tmp_path: Path) -> None:
    """The provider sends again what was answered by 503, with the same id; also to the daemon after a restart."""
    async with face(source(tmp_path, ONE), folder=tmp_path, calls=0) as served:
        refused = await served.send(event(), signed(event()))
    async with face(source(tmp_path, ONE), folder=tmp_path) as restarted:
        again = await restarted.send(event(), signed(event(), age=-10))

    assert (refused, again) == ((503, "too_many_calls"), (200, "attached"))
    assert (restarted.calls, served.counts) == ([("rtc_1", "webhook")], {"refused": 1})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[" * 5_000,
        event(kind="").replace(b'"type": ""', b'"type": 1'),
        event("../x"),
        event("r" * 129),
        b'{"type":"realtime.call.incoming","data":{}}',
        b'{"type":"realtime.call.incoming"}',
    ],
)
async def test_a_body_that_is_no_event(tmp_path: Path, body: bytes) -> None:
    async with face(source(tmp_path, ONE)) as served:
        answer = await served.send(body, signed(body))
        after = await served.send(event(), signed(event()))

    assert (answer, after) == ((400, "malformed"), (200, "attached"))


async def test_a_body_that_is_no_text(tmp_path: Path) -> None:
    async with face(source(tmp_path, ONE)) as served:
        answer = await served.send(b"\xff\xfe", signed(b"\xff\xfe"))

    assert answer == (401, "forged")


async def test_a_flood_of_a_body_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = b" " * (WEBHOOK_BYTES + 1)
    async with face(source(tmp_path, ONE)) as served:
        too_long = await served.send(body, signed(body))
        monkeypatch.setattr(answers, "BODY_SECONDS", 0.05)
        too_slow = await served.send(b"", {**signed(b""), "content-length": "10"})
        after = await served.send(event(), signed(event()))

    assert (too_long, too_slow, after) == ((413, "body_too_long"), (408, "body_too_slow"), (200, "attached"))
    assert served.counts == {"too_long": 1, "too_slow": 1, "attached": 1}


async def test_a_flood_of_webhooks_is_refused_and_can_be_sent_again(tmp_path: Path) -> None:
    """A flood of forged ones takes nobody's turn."""
    async with face(source(tmp_path, ONE), calls=10_000) as served:
        for _ in range(ATTACH_BURST + 10):
            await served.send(event(), signed(event(), secret=TWO))
        served.desk._allowances["webhook"]._clock = lambda: 0.0
        served.desk._allowances["webhook"]._at = 0.0
        found = [
            await served.send(event(f"rtc_{number}"), signed(event(f"rtc_{number}"), f"wh_{number}"))
            for number in range(ATTACH_BURST + 1)
        ]
        served.desk._allowances["webhook"]._clock = lambda: 60.0
        again = await served.send(event("rtc_200"), signed(event("rtc_200"), "wh_200"))

    assert found == [(200, "attached")] * ATTACH_BURST + [(429, "too_many_requests")]
    assert again == (200, "attached")


# Secrets ----------------------------------------------------------------------------------------------------


async def test_without_a_secret_there_is_no_webhook(tmp_path: Path) -> None:
    async with face(source(tmp_path)) as served:
        answer = await served.send(event(), signed(event()))

    assert (answer, served.counts) == ((404, "not_configured"), {"not_configured": 1})


@pytest.mark.parametrize("content", ["whsec_A", "whsec_", None])
async def test_a_secret_that_cannot_be_used(tmp_path: Path, content: str | None) -> None:
    """The provider is asked to send it again; the log says which file, and no answer and no line has the secret."""
    configured = source(tmp_path, "whsec_A")
    if content is None:
        (tmp_path / "calls-0").unlink()
    else:
        (tmp_path / "calls-0").write_text(content)
    with capture_logs() as logs:
        async with face(configured) as served:
            answer = await served.send(event(), signed(event()))
            (tmp_path / "calls-0").write_text(ONE)
            mended = await served.send(event(), signed(event()))

    assert (answer, mended) == ((503, "secret_missing"), (200, "attached"))
    said = [str(line["reason"]) for line in logs if line["event"] == "a webhook was not accepted"]
    assert [str(tmp_path / "calls-0") in line and "whsec_A" not in line for line in said] == [True]


def test_every_outcome_and_event_stands_at_zero_from_the_start() -> None:
    receiver = WebhookReceiver(Attachments(lambda: 0), ())

    assert receiver.numbers() == {
        "steno_webhooks_total": {(outcome,): 0 for outcome in get_args(Outcome)},
        "steno_webhook_events_total": {(name,): 0 for name in (*EVENTS, "other")},
    }
