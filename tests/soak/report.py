"""What came of a soak: the checks over all sources, and a table of figures."""

import re
from collections import Counter

from tests.soak import expected
from tests.soak.checks import check_metrics, check_source
from tests.soak.honest import counted
from tests.soak.place import MIB, memory_high
from tests.soak.soak import Soak


def judge(soak: Soak) -> list[str]:
    """Return what does not hold of a soak that has ended."""
    metrics = []
    for source in soak.sources:
        replayed, text = expected.replayed(source, soak.folder / "replay.toml", soak.folder / "replayed" / source.name)
        metrics.append(text)
        if live := soak.live.get(source.name):
            check_source(source, live, replayed, soak.findings, state=bool(live.state))
    check_metrics(soak.answers, soak.sources, metrics, soak.findings)
    most, limit = soak.daemon.most_bytes, memory_high()
    soak.findings.hold("VmHWM is below MemoryHigh", held=most < limit, more=f"{most / MIB:.0f} MiB")
    soak.findings.hold("who asks is answered", held=not soak.answers.failed, more=soak.answers.failed[:3])
    dropped, said = soak.answers.value("steno_log_lines_dropped_total"), lines_said_dropped(soak)
    soak.findings.hold("the log says what it dropped", held=said >= dropped, more=f"{said} of {dropped:.0f} lines")
    return soak.findings.faults


def lines_said_dropped(soak: Soak) -> int:
    """Return how many lines the log says that it dropped."""
    said = 0
    for line in soak.daemon.log.lines():
        if line["event"] in {"lines of this log were dropped", "a library logs too much"}:
            said += sum(value for value in line.values() if isinstance(value, int))
    return said


def rejected(text: str) -> str:
    """Return the reasons of `steno_events_rejected_total` with their counts, most first."""
    reasons: Counter[str] = Counter()
    for reason, value in re.findall(r'^steno_events_rejected_total\{reason="(\w+)",.*\} (\S+)$', text, re.MULTILINE):
        reasons[reason] += int(float(value))
    return ", ".join(f"{reason} {count}" for reason, count in reasons.most_common() if count) or "none"


def table(soak: Soak) -> str:
    """Return the figures of a soak, a line each."""
    traffic, answers, faults, live = soak.servers.traffic, soak.answers, soak.faults, soak.live.values()
    ends = [counted(source) for source in soak.sources]
    reading = sum(soak.reading_with_room)
    calls = sum(
        fact.startswith("tool_call.finished ") for each in live for facts in each.facts.values() for fact in facts
    )
    rows = (
        ("seed", soak.seed),
        ("seconds", round(soak.seconds)),
        ("honest sources", len(soak.sources)),
        ("honest connections", sum(len(source.recordings()) for source in soak.sources)),
        ("honest frames", sum(source.frames for source in soak.sources)),
        ("honest MiB", round(sum(source.bytes for source in soak.sources) / MIB, 1)),
        ("honest responses", sum(len(each.responses) for each in ends)),
        ("honest runs, steps", f"{sum(len(each.runs) for each in ends)}, {sum(len(each.steps) for each in ends)}"),
        ("honest tool calls", calls),
        ("gaps of honest sources", sum(len(each.gaps) for each in live)),
        ("objects not kept for --state", sum(each.dropped for each in live)),
        ("threads evicted when silent", sum(list(each.closed.values()).count("evicted") for each in live)),
        ("hostile sources", len(traffic.frames)),
        ("hostile frames", sum(traffic.frames.values())),
        ("hostile MiB", round(traffic.bytes / MIB, 1)),
        ("rejected", rejected(answers.text)),
        ("VmHWM", f"{soak.daemon.most_bytes / MIB:.0f} MiB"),
        ("MemoryHigh of the unit", f"{memory_high() / MIB:.0f} MiB"),
        ("disk full", f"{faults.disk_full} times, reading stopped in {faults.reading_stopped}"),
        ("read while there was room", f"{reading / max(1, len(soak.reading_with_room)):.0%} of that time"),
        ("log not read", f"{faults.log_stopped} times"),
        ("log lines dropped", f"{answers.value('steno_log_lines_dropped_total'):.0f}, said {lines_said_dropped(soak)}"),
        ("SIGHUPs", faults.hangups),
        ("scrapes", answers.scrapes),
        ("longest scrape", f"{answers.longest_seconds:.2f} s"),
        ("/readyz", ", ".join(f"{status}: {count}" for status, count in sorted(answers.ready.items()))),
        ("exit code", soak.daemon.process.returncode),
        ("records verified", soak.verified),
    )
    return "".join(f"{name:<30}{value}\n" for name, value in rows)
