"""What must stand in the outputs: a replay of what the honest sources sent, beside what the daemon wrote.

Both are brought into one form. The names of streams become the number of the recording. What depends on the time of
receipt is left out: durations, and the closing of threads that nobody ends.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tests.processes import steno
from tests.soak.honest import Source

TIMES: Final = frozenset(
    {
        "action_seconds",
        "after_seconds",
        "duration_seconds",
        "played_seconds",
        "queue_seconds",
        "time_to_first_audio_seconds",
        "time_to_first_token_seconds",
        "turn_latency_seconds",
        "waited_seconds",
    }
)
"""Members that follow from the times of receipt."""
MEMBERS: Final = ("conversation_id", "session", "transcript", "rejected", "events")
OBJECTS: Final = ("responses", "runs", "run_steps", "messages")
"""Members of the state that are compared: the objects only where none was dropped for others' sake."""
LEFT_OPEN: Final = frozenset({"shutdown", "idle", "evicted"})
"""Why the daemon closes what a replay leaves open."""

Facts = dict[str, list[str]]
"""Conversation to its facts, in order, each with its event and body as text."""


class Outputs:
    """The audit log and the state of one source, in the common form."""

    def __init__(self) -> None:
        self.facts: Facts = defaultdict(list)
        self.closed: dict[str, str] = {}
        """Conversation to why it was closed, where a replay leaves it open."""
        self.gaps: list[str] = []
        self.state: dict[str, dict[str, Any]] = {}
        """Conversation to what the state holds of it."""
        self.dropped = 0
        """Objects that the state no longer holds."""
        self.finished: dict[str, list[tuple[str, int]]] = defaultdict(list)
        """`response`, `run` and `run_step` to ids that ended, with their tokens."""

    def add(self, record: dict[str, Any], conversation: str) -> None:
        """Take in a record of a conversation."""
        fact, body = record["fact"], record["body"]
        if fact == "conversation.closed" and body["reason"] in LEFT_OPEN:
            self.closed[conversation] = body["reason"]
            return
        if (subject := fact.removesuffix(".finished")) in {"response", "run", "run_step"} and subject != fact:
            tokens = sum(each["tokens"] for each in body.get("tokens") or ())
            self.finished[subject].append((body[f"{subject.removeprefix('run_')}_id"], tokens))
        kept = {name: value for name, value in body.items() if name not in TIMES}
        self.facts[conversation].append(f"{fact} {record['event_id']} {json.dumps(kept)}")


# The daemon's ---------------------------------------------------------------------------------------------------


def written(audit: Path, state: Path | None, sources: list[Source]) -> dict[str, Outputs]:
    """Return what the daemon wrote of each source."""
    outputs = {source.name: Outputs() for source in sources}
    streams: dict[str, str] = {}
    opened: dict[str, int] = defaultdict(int)
    ours = re.compile(rb'"(?:conversation|stream)":"(?:%b)/' % b"|".join(map(str.encode, outputs)))
    for record in _records(audit, ours):
        source = str(record["conversation"] or record["stream"] or "").split("/", 1)[0]
        if source not in outputs:
            continue
        if record["fact"] == "stream.opened":
            opened[source] += 1
            streams[record["stream"]] = f"{opened[source]:06}"
        elif record["fact"] == "stream.resumed":  # how the daemon came back is no matter of the conversation
            continue
        elif record["fact"] == "stream.closed":
            outputs[source].gaps.extend(filter(None, [record["body"]["gap"]]))
        else:
            outputs[source].add(record, _named(record["conversation"] or record["stream"], streams))
    of_ours = re.compile(rb'"key":"(?:%b)/' % b"|".join(map(str.encode, outputs)))
    for line in _lines(state, of_ours) if state else ():
        source = str(line["key"]).split("/", 1)[0]
        if source in outputs:
            _keep(outputs[source], line, _named(line["key"], streams))
    return outputs


_ANY: Final = re.compile(b"")


def _records(audit: Path, wanted: re.Pattern[bytes] = _ANY) -> Iterator[dict[str, Any]]:
    for segment in sorted(audit.glob("audit-*.jsonl")):
        yield from _lines(segment, wanted)


def _lines(path: Path, wanted: re.Pattern[bytes] = _ANY) -> Iterator[dict[str, Any]]:
    """Yield the lines that have `wanted`: most are those of hostile sources, which need not be decoded."""
    with path.open("rb") as file:
        yield from (json.loads(line) for line in file if wanted.search(line))


def _named(key: str, streams: dict[str, str]) -> str:
    """Return the key of a conversation in the common form."""
    found = re.match(r"[^/]+/\d+/\d+", key)
    if found and found[0] in streams:
        return streams[found[0]] + key[found.end() :]
    return key.partition("/")[2]


def _keep(outputs: Outputs, line: dict[str, Any], conversation: str) -> None:
    totals = line["totals"]
    dropped = totals.pop("dropped_objects")
    outputs.dropped += dropped
    kept = {name: line[name] for name in (*MEMBERS, *(() if dropped else OBJECTS))}
    outputs.state[conversation] = {**kept, **totals}


# The replay's ---------------------------------------------------------------------------------------------------


def replayed(source: Source, config: Path, folder: Path) -> tuple[Outputs, str]:
    """Replay what `source` sent; return the outputs, and the metrics as text."""
    folder.mkdir(parents=True)
    audit, state, metrics = folder / "audit", folder / "state.jsonl", folder / "metrics.prom"
    options: list[str | Path] = ["-c", config, "--audit", audit, "--state", state, "--metrics", metrics]
    done = steno("replay", *source.recordings(), *options)
    assert done.returncode == 0, done.stderr.decode()
    outputs = Outputs()
    for record in _records(audit):
        if record["fact"].partition(".")[0] not in {"stream", "log", "daemon"}:
            outputs.add(record, str(record["conversation"] or record["stream"]).partition("/")[2])
    for line in _lines(state):
        if "key" in line:
            _keep(outputs, line, line["key"].partition("/")[2])
    return outputs, metrics.read_text()


# Metrics --------------------------------------------------------------------------------------------------------

_SERIES: Final = re.compile(r"^(steno_\w+_total)(\{.*\}) (\S+)$", re.MULTILINE)


def totals_by_model(text: str, models: set[str], sources: set[str]) -> dict[str, float]:
    """Return the counters of `text` that have one of `models` as a label, summed over `sources`, but those at 0."""
    totals: dict[str, float] = defaultdict(float)
    for name, labels, value in _SERIES.findall(text):
        model, source = re.search(r'model="([^"]*)"', labels), re.search(r'source="([^"]*)"', labels)
        if model and model[1] in models and source and source[1] in sources:
            totals[name + labels.replace(source[0], "")] += float(value)
    return {series: total for series, total in totals.items() if total}


def models_in(text: str) -> set[str]:
    """Return the models that `text` names, but those that stand for others."""
    return set(re.findall(r'model="([^"]*)"', text)) - {"unknown", "other"}
