"""Write the fixtures of an edition: `PYTHONPATH=. .venv/bin/python tests/first_edition/write.py FOLDER`.

Runs the `steno` of the environment that it is run in: that of the edition to be kept. FOLDER holds the inputs, which
people write; README.md lists them, and says what the rest is. What is already there of the rest is written anew.

Recordings and replays are the same at every run. Logs, and what the daemon recorded, hold the times at which they were
written and keys that were drawn.
"""

import json
import os
import resource
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread

from tests import recordings
from tests.processes import Running, running, steno, upstream, wait_until

QUIRKS: Final = (
    "bare_objects",
    "beta_refused",
    "broken_off",
    "chatkit_session",
    "client_secret_reply",
    "cloud_events_twice",
    "cloud_events_with_a_gap",
    "deltas_for_unknown_responses",
    "diarized_transcription",
    "drifted_members",
    "dtmf",
    "idle_timeout",
    "insufficient_quota",
    "item_deleted",
    "malformed_frames",
    "mcp_approval",
    "message_incomplete",
    "rate_limits_of_beta",
    "repeated_transcription",
    "response_done_without_created",
    "results_only_at_the_end",
    "run_expired",
    "second_session",
    "session_cap",
    "sideband",
    "tool_only_response",
    "transcription_session",
    "unknown_event_types",
)
"""Stories of the simulated provider. Together they cause nearly every fact. Longer ones are left out."""
FEW: Final = (
    "assistants",
    "by-hand",
    "chatkit-session",
    "cloud-events-twice",
    "idle-timeout",
    "insufficient-quota",
    "mcp-approval",
    "second-session",
    "session-cap",
    "sideband",
    "tool-only-response",
)
"""The recordings that are replayed with the full configuration."""

ASSISTANTS_LINES: Final = 45
"""How much of a stream of runs is kept. What is cut off stays open in the state, as at the end of a real recording."""

CHECKPOINTS: Final = "flush_seconds = 0.05\ncheckpoint_records = 10\n"
"""More of `[audit]`: a checkpoint every few records."""
RETIRING: Final = "flush_seconds = 0.05\nretention_days = 0.000001\n"
"""More of `[audit]`: closed segments go at once."""

OUTPUTS: Final = (("state", "state.jsonl"), ("metrics", "metrics.prom"), ("audit", "audit"))
"""What a replay writes, and under which name."""

FULL_DISK: Final = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (8192, resource.RLIM_INFINITY))
"""
"""No file grows past 8 KiB, until the limit is lifted."""
LONG_TEXT: Final = "All work and no play. " * 1_000
"""A third of the smallest queue."""
LONG_TEXTS: Final = 12


# Recordings, their replays, configurations ------------------------------------------------------------------------


def write_recordings() -> None:
    """Write a recording a story."""
    folder = Path("recordings")
    for name in QUIRKS:
        (folder / f"{name.replace('_', '-')}.jsonl").write_bytes(recordings.scenario(name))
    runs = recordings.recording("assistants").splitlines(keepends=True)
    (folder / "assistants.jsonl").write_bytes(b"".join(runs[:ASSISTANTS_LINES]))


def write_replays() -> None:
    """Replay recordings without a configuration, and a few with the full one; keep each command beside its outputs."""
    every = sorted(path.stem for path in Path("recordings").iterdir())
    for name, stories, option in (
        ("defaults", every, "--prices configuration/prices.json"),
        ("full", FEW, "-c configuration/full.toml"),
    ):
        folder = Path("replayed", name)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        files = " ".join(f"recordings/{story}.jsonl" for story in stories)
        (folder / "command").write_text(f"replay {files} {option}\n")
        outputs = [f"--{output}={folder / file}" for output, file in OUTPUTS]
        done(*(folder / "command").read_text().split(), *outputs)


def write_checks() -> None:
    """Write what each configuration means, its defaults included."""
    for name in ("full", "minimal"):
        printed = done("check", "-c", f"configuration/{name}.toml")
        Path(f"configuration/{name}.checked.toml").write_text(printed)


def done(*args: str | Path) -> str:
    """Run a command that must go well; return what it prints."""
    ran = steno(*args)
    assert ran.returncode == 0, (args, ran.stdout, ran.stderr)
    return ran.stdout.decode()


# Logs -------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def daemon(config: str, urls: Mapping[str, str], *args: str, limit: str = "") -> AsyncIterator[Running]:
    """Run the daemon on the text of a configuration, to which sources are added: URLs by name."""
    with running(with_sources(config, urls), *args, limit=limit) as process:
        yield process


def with_sources(config: str, urls: Mapping[str, str]) -> Path:
    """Write a configuration of its text and of sources; return where it is."""
    path = Path("logs/live.toml")
    sources = [f'[[sources]]\nname = "{name}"\nkind = "connect"\nurl = "{url}"\n' for name, url in urls.items()]
    path.write_text("\n".join([config, *sources]))
    return path


def config_of(log: str) -> str:
    return Path(f"logs/{log}.toml").read_text()


async def stop(process: Running) -> None:
    code = await anyio.to_thread.run_sync(process.stop)
    assert code == 0, process.lines()


def segments(log: str) -> list[Path]:
    return sorted(Path("logs", log).glob("audit-*.jsonl"))


async def recorded(log: str, fact: str, conversation: str = "", times: int = 1) -> None:
    """Wait until the log has `times` records of a fact, about a conversation if one is named."""
    record = f'"fact":"{fact}","conversation":'.encode() + (f'"{conversation}"'.encode() if conversation else b"")
    await wait_until(lambda: sum(path.read_bytes().count(record) for path in segments(log)) >= times)


def frames(quirk: str) -> list[str]:
    """Return what upstream says in a story."""
    lines = map(json.loads, recordings.scenario(quirk).splitlines())
    return [json.dumps(line["data"]) for line in lines if line["dir"] == "received"]


def keep_head(log: str, head: str) -> None:
    with Path(f"logs/{log}.heads").open("a") as file:
        file.write(f"{head}\n")


def printed_head(log: str, *keys: str) -> str:
    """Return the head that `steno verify` prints."""
    printed = done("verify", f"logs/{log}", *(f"--key-file=keys/{key}" for key in keys))
    return dict(line.split(maxsplit=1) for line in printed.splitlines())["head"]


async def write_keyed() -> None:
    """Write the keyed log: three runs of a daemon, and a replay."""
    config = config_of("keyed") + CHECKPOINTS
    await ended_in_order(config.replace("audit-2", "audit"))
    await killed(config.replace("audit-2", "audit"))
    await erased_from(config)
    done("replay", "recordings/sideband.jsonl", "-c", "logs/keyed.toml", "--audit", "logs/keyed")
    keep_head("keyed", printed_head("keyed", "audit", "audit-2"))


async def ended_in_order(config: str) -> None:
    """Record a call and a thread, with a reload between the halves of the thread."""
    thread = frames("step_across_streams")
    async with upstream(frames("sideband"), hang_up=True) as (_, call), upstream([], hang_up=False) as (desk, url):
        urls = {"relay": f"{call}?conversation=call-1", "desk": url}
        async with daemon(config, urls, "--record", "recorded", "--state", "recorded/state.jsonl") as process:
            await recorded("keyed", "response.finished", "relay/call-1", 2)
            await desk.say(thread[:10])
            await recorded("keyed", "run.started")
            process.process.send_signal(signal.SIGHUP)
            await recorded("keyed", "daemon.reloaded")
            await desk.say(thread[10:])
            await recorded("keyed", "run.finished")
            await stop(process)
    keep_head("keyed", printed_head("keyed", "audit"))


async def killed(config: str) -> None:
    """Kill a daemon that has logged its head; cut its last record short, as a crash in the middle of a write does."""
    async with (
        upstream(frames("mcp_approval"), hang_up=False) as (_, url),
        daemon(config, {"relay": f"{url}?conversation=call-2"}) as process,
    ):
        await recorded("keyed", "response.finished", "relay/call-2", 2)
        await wait_until(lambda: logged_heads(process))
        head = logged_heads(process)[-1]
        process.process.kill()
    keep_head("keyed", head)
    newest = segments("keyed")[-1]
    os.truncate(newest, newest.stat().st_size - 100)


def logged_heads(process: Running) -> list[str]:
    """Return the heads that the daemon has logged."""
    return [str(line["head"]) for line in process.lines() if line["event"] == "audit checkpoint"]


async def erased_from(config: str) -> None:
    """Record a call under another key, and erase the one before it."""
    async with (
        upstream(frames("tool_only_response"), hang_up=False) as (_, url),
        daemon(config, {"relay": f"{url}?conversation=call-3"}) as process,
    ):
        await recorded("keyed", "response.finished", "relay/call-3", 2)
        erase = ("erase", "-c", "logs/live.toml", "--conversation", "relay/call-2")
        await anyio.to_thread.run_sync(lambda: done(*erase))
        await stop(process)
    keep_head("keyed", printed_head("keyed", "audit", "audit-2"))


async def write_retired() -> None:
    """Write what is left of the keyed log once its oldest segments have gone, and another call."""
    shutil.copytree("logs/keyed", "logs/retired")
    oldest = segments("retired")[0]
    config = config_of("keyed").replace("logs/keyed", "logs/retired") + RETIRING
    async with (
        upstream(frames("insufficient_quota"), hang_up=False) as (_, url),
        daemon(config, {"relay": f"{url}?conversation=call-4"}) as process,
    ):
        await recorded("retired", "response.finished", "relay/call-4")
        await wait_until(lambda: process.metric("steno_audit_retired_segments_total") and not oldest.exists())
        await stop(process)
    keep_head("retired", printed_head("retired", "audit-2"))


async def write_plain() -> None:
    """Write the plain log: two replays, and a daemon whose disk is full for a while."""
    config = config_of("plain")
    for story in ("insufficient-quota", "by-hand"):
        done("replay", f"recordings/{story}.jsonl", "-c", "logs/plain.toml", "--audit", "logs/plain")
        keep_head("plain", printed_head("plain"))
    async with (
        upstream(list(long_texts()), hang_up=False) as (_, url),
        daemon(config, {"relay": url}, limit=FULL_DISK) as process,
    ):
        await wait_until(lambda: process.metric("steno_audit_shed_records_total"))
        pid = process.process.pid
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        await recorded("plain", "log.gap")
        await stop(process)
    keep_head("plain", printed_head("plain"))


def long_texts() -> Iterator[str]:
    """Yield what upstream says of items whose texts are longer than a record."""
    for number in range(1, LONG_TEXTS + 1):
        content = [{"type": "input_text", "text": LONG_TEXT}]
        item = {"id": f"item_{number}", "type": "message", "role": "user", "content": content}
        yield json.dumps({"type": "conversation.item.added", "event_id": f"event_{number}", "item": item})


def remove_logs() -> None:
    """Remove what a run before this one left."""
    for log in ("keyed", "retired", "plain"):
        shutil.rmtree(f"logs/{log}", ignore_errors=True)
        Path(f"logs/{log}.heads").unlink(missing_ok=True)
    shutil.rmtree("recorded", ignore_errors=True)


async def write_logs() -> None:
    """Write all logs and what was kept of them."""
    await write_keyed()
    await write_retired()
    await write_plain()


def main() -> None:
    """Write all of an edition."""
    os.chdir(sys.argv[1])
    os.environ.update(DIGEST_KEY=Path("keys/digest").read_text().strip(), TENANT="tenant-1")
    write_recordings()
    write_replays()
    write_checks()
    remove_logs()
    anyio.run(write_logs)
    for left in (*Path().rglob(".lock"), *Path("logs").glob("live.*")):
        left.unlink()


if __name__ == "__main__":
    main()
