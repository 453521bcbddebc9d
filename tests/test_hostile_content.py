"""The daemon as a process, while an upstream sends texts that take long to redact: no record is lost by them."""

import json
from pathlib import Path
from typing import Any, Final

import anyio.to_thread
import pytest

from steno.audit.verification.files import verify
from tests.processes import running, upstream, wait_until

pytestmark = pytest.mark.anyio

TEXTS: Final = 12
CHARACTERS: Final = 65_536
"""Each of these texts takes half a second to redact, where its work is not bounded."""
EVENTS: Final = 'steno_events_total{event="conversation.item.added",family="realtime",source="relay"}'


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def frames() -> list[str]:
    """A session, and a user who types telephone numbers without end."""
    text = "+999123456 " * (CHARACTERS // 11)
    session = {"type": "session.created", "event_id": "event_0", "session": {"id": "sess_1", "type": "realtime"}}
    items = (
        {"id": f"item_{number}", "type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
        for number in range(TEXTS)
    )
    added = (
        {"type": "conversation.item.added", "event_id": f"event_{number}", "item": item}
        for number, item in enumerate(items, start=1)
    )
    return [json.dumps(event) for event in (session, *added)]


async def test_a_daemon_that_is_stopped_meanwhile_records_all(tmp_path: Path) -> None:
    """What is too much work is dropped and says so. The records are there, and the log ends in order."""
    async with upstream(frames(), hang_up=False) as (_, url):
        config = tmp_path / "steno.toml"
        config.write_text(
            f"""
            [http]
            listen = "127.0.0.1:0"
            [audit]
            directory = "{tmp_path}/audit"
            content = "redacted"
            [[sources]]
            name = "relay"
            kind = "connect"
            url = "{url}"
            """
        )
        with running(config) as daemon:
            await wait_until(lambda: daemon.metric(EVENTS) == TEXTS)
            code = await anyio.to_thread.run_sync(daemon.stop)

    items = [record for record in records(tmp_path / "audit") if record["fact"] == "item.added"]
    assert code == 0
    assert verify([tmp_path / "audit"]).ok
    assert [record["body"]["item_id"] for record in items] == [f"item_{number}" for number in range(TEXTS)]
    assert [record["body"]["text"]["redacted"] for record in items] == [{"over_budget": 1}] * TEXTS


def records(audit: Path) -> list[dict[str, Any]]:
    segments = sorted(audit.glob("audit-*.jsonl"))
    return [json.loads(line) for segment in segments for line in segment.read_text().splitlines()]
