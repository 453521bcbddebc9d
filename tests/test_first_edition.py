"""What the first edition wrote, and what it was configured by, held against this version.

The policy that these tests stand for:

- Every later version proves the logs of the first edition, continues them, and erases what stands beside them. It reads
  the same configuration to the same values, and replays the same recordings to the same state, metrics and records.
- A change of meaning raises the number of a schema (`steno.audit/1`, `steno.words/1`, `steno.conversation/1`,
  `steno.stream/1`, `steno.prices/1`) and is in CHANGELOG.md. The fixtures stay as they are: a difference that is meant
  is stated in this module, beside the comparison that it concerns.
- A rollback by one version starts, or says why not. What the version before would misread is therefore written so that
  it refuses it. The first edition refuses an unknown schema number when it proves a log, but it continues such a log
  without a word (later ones do not), and it looks for the content beside a log in the folder `words` alone.

`tests/first_edition/README.md` says how the fixtures were made, and how those of a later edition are added.
"""

import json
import re
import shutil
import tomllib
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.processes import running, steno

FIXTURES: Final = Path(__file__).parent / "first_edition"

KEYS: Final = {"keyed": ("audit", "audit-2"), "retired": ("audit-2",), "plain": ()}
"""The logs, and the keys that each is hashed under."""
LOGS: Final = tuple(KEYS)
CONFIGURED: Final = {"keyed": "keyed", "retired": "keyed", "plain": "plain"}
"""The configuration by which each log is continued."""
KEPT: Final = {"keyed": [15, 5], "retired": [5], "plain": [0]}
"""The texts beside each log: how many stand as they were kept, and how many were erased if any were."""

VARIES: Final = (
    (rb'("fact":"events\.missed",.*"missing":[0-9]+),"reason":"skipped"', rb"\1"),  # it was the only reason
    (rb'"version":"[^"]*","algorithm"', b'"version":"","algorithm"'),  # of steno
    (rb'"config_digest":"[0-9a-f]{64}"', b'"config_digest":""'),  # a new key of the configuration changes it
    (rb'"table_version":"[^"+]*\+', b'"table_version":"+'),  # the shipped price list; the one of the replay is compared
    (rb'"policy":"redacted/[^"]*"', b'"policy":"redacted"'),  # the libraries of the redaction, and its bounds
    (rb'(?<="missing":\d),"reason":"skipped"(?=\}$)', b""),  # why events are missing: new
    (rb',"complete":(?:true|false)(?=\}$)', b""),  # whether a conversation was seen from its beginning: new
)
"""What a record may say otherwise in another version: a pattern, what stands in its place, and why."""


MEANT: Final[dict[str, str | None]] = {
    # A bare ChatKit session is of the family chatkit.
    'steno_events_total{event="chatkit.session",family="realtime"}': (
        'steno_events_total{event="chatkit.session",family="chatkit"}'
    ),
    # Senders say why events are missing; those of numbers that were left out are `skipped`.
    "steno_missed_events_total{}": 'steno_missed_events_total{reason="skipped"}',
    # A duplicate has a metric of its own, and is no rejected event.
    'steno_events_rejected_total{reason="duplicate"}': None,
}
"""Series that have other labels now, or are gone, on purpose."""
NEW_LABELS: Final = frozenset({"source", "tool"})
"""Labels that say more now: the sum over them is what the first edition wrote."""
BILLED_OTHERWISE: Final[dict[str, dict[str, int]]] = {
    # A response and a transcription were cut off. It is unknown what they used; they cost "0".
    "replay/broken-off": {"no_usage": 2},
    # A count of a usage is of a wrong type, so that not all of it is reported. Its reason was `unknown_modality`.
    "replay/drifted-members": {"no_usage": 1},
}
"""Conversations that cost something else now, on purpose: the usages in them that have no price."""
BILLING_FACTS: Final = rb'"fact":"(?:response\.(?:finished|abandoned)|transcription\.finished|conversation\.closed)"'
UNPRICED: Final = 'steno_unpriced_total{family="realtime",reason="%s"}'
"""The series in which they are counted."""
COMPLETE: Final = rb'(?<=[}]),"complete":(?:true|false)(?=,"responses":)'
"""What the totals of a conversation say in addition: whether its beginning was seen."""
OF_NOTHING: Final = (
    rb'("fact":"(?:response|run)\.finished",.*"tokens":\[\],"cost":)null',
    rb'\1{"usd":"0","unpriced":null,"model":null,"table_version":null,"lines":[]}',
)
"""A usage of no tokens, and what it costs: that was null, as the cost of an unknown usage is."""

OBSERVED_AT_ONCE: Final = (
    "steno_time_to_first_token_seconds",
    "steno_time_to_first_audio_seconds",
    "steno_turn_latency_seconds",
)
"""Histograms that the first edition observed at the end of completed responses alone. Later ones observe them when they
happen, so that they are compared by the plays of the core and not with the fixtures."""

NEW_FACTS: Final = ("response.output_started", "turn.unanswered")
"""Facts that later versions record beside those of the first edition."""

ADDED: Final = {
    "steno_facts_omitted": "counter",
    "steno_stream_gap_seconds": "counter",
    "steno_conversations_opened": "counter",
    "steno_conversation_duration_seconds": "histogram",
    "steno_sessions_ending": "gauge",
    "steno_tool_calls_open": "gauge",
    "steno_unanswered_turns": "counter",
    "steno_rate_limit_limit": "gauge",
    "steno_rate_limit_reset_seconds": "gauge",
    "steno_series_dropped": "counter",
    "steno_cache_write_tokens": "counter",
    "steno_reasoning_tokens": "counter",
    "steno_response_service_tiers": "counter",
    "steno_billed_tool_calls": "counter",
    # Of Live sessions, and of sessions that are billed as a whole.
    "steno_live_seconds": "counter",
    "steno_context_window_ratio": "gauge",
    "steno_double_talk_seconds": "counter",
    "steno_delegations": "counter",
    "steno_delegation_duration_seconds": "histogram",
    "steno_sessions_closed": "counter",
    # Of chains of responses.
    "steno_resent_tokens": "counter",
    "steno_tool_rounds": "histogram",
    "steno_chain_answer_seconds": "histogram",
    "steno_response_gap_seconds": "histogram",
    "steno_responses_in_flight": "histogram",
    "steno_steers": "counter",
    "steno_warm_ups": "counter",
    "steno_refusals": "counter",
}
"""Metrics that are new, and their types."""
GONE: Final = ("steno_sessions_ending_60_seconds", "steno_sessions_ending_300_seconds")
"""Metrics that have another name now: `steno_sessions_ending` says by a label how far the end is away."""

FOLLOWED: Final = "replay/second-session"
"""A conversation that another session follows on its stream. It ended when that began, and ends with the recording now:
events of its own might have gone on to come. Nothing but the place and the time of its last record differs. Where
`limits.conversations` leaves no room for both, it ends when the other begins still."""


@pytest.fixture(autouse=True)
def edition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a copy of the fixtures, with the environment that they were written in."""
    folder = shutil.copytree(FIXTURES, tmp_path / "edition")
    for log in ("keyed", "retired"):  # a checkout does not keep these modes
        (folder / f"logs/{log}/words").chmod(0o700)
        for path in (folder / f"logs/{log}/words").iterdir():
            path.chmod(0o600)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DIGEST_KEY", (folder / "keys/digest").read_text().strip())
    monkeypatch.setenv("TENANT", "tenant-1")
    monkeypatch.delenv("STENO_CONFIG", raising=False)
    return folder


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


# Configurations ---------------------------------------------------------------------------------------------------


OTHER_DEFAULTS: Final = {".limits.duplicates_window": 128}
"""Defaults that are others now, on purpose."""


@pytest.mark.parametrize("name", ["full", "minimal"])
def test_a_configuration_is_read_to_the_same_values(name: str) -> None:
    """What `steno check` printed of it is printed still. A later version may have more keys, with their defaults."""
    done = steno("check", "-c", f"configuration/{name}.toml")

    then = values(tomllib.loads(Path(f"configuration/{name}.checked.toml").read_text()))
    now = values(tomllib.loads(done.stdout.decode()))
    warned = [
        line for line in done.stderr.splitlines() if b"is taken by a process" not in line
    ]  # the port is a fixed one
    assert (done.returncode, warned) == (0, [])
    assert {key: now.get(key) for key in then} == {**then, **(OTHER_DEFAULTS if name == "minimal" else {})}


def values(value: Any, at: str = "") -> dict[str, Any]:
    """Return the single values of a configuration by the paths of their keys."""
    if isinstance(value, dict):
        return {path: each for key, inner in value.items() for path, each in values(inner, f"{at}.{key}").items()}
    if isinstance(value, list) and any(isinstance(each, dict) for each in value):
        return {
            path: each for number, inner in enumerate(value) for path, each in values(inner, f"{at}[{number}]").items()
        }
    return {at: value}


# Recordings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["defaults", "full"])
def test_recordings_are_replayed_to_the_same_outputs(name: str, tmp_path: Path) -> None:
    """State and records byte by byte; metrics by name, type, and each number that is not 0."""
    then = Path("replayed", name)
    done = steno(
        *(then / "command").read_text().split(),
        f"--state={tmp_path}/state",
        f"--metrics={tmp_path}/metrics",
        f"--audit={tmp_path}/audit",
    )

    assert (done.returncode, done.stderr) == (0, b"")
    assert [re.sub(COMPLETE, b"", line) for line in (tmp_path / "state").read_bytes().splitlines()] == [
        billed_as_now(line) for line in (then / "state.jsonl").read_bytes().splitlines()
    ]
    assert types(tmp_path / "metrics") == {**types(then / "metrics.prom"), **ADDED}
    assert counted(tmp_path / "metrics") == as_now(counted(then / "metrics.prom"))
    before = records(then / "audit") if name == "full" else with_late_end(records(then / "audit"))
    assert recorded(records(tmp_path / "audit")) == [re.sub(*OF_NOTHING, record) for record in recorded(before)]


def types(path: Path) -> dict[str, str]:
    """Return the metrics in a text that still have their names, and their types."""
    families = text_string_to_metric_families(path.read_text())
    return {family.name: family.type for family in families if family.name not in GONE}


def counted(path: Path) -> dict[str, float]:
    """Return the samples in a text that are not 0 and mean what they meant, summed over `NEW_LABELS`."""
    sums: defaultdict[str, float] = defaultdict(float)
    for family in text_string_to_metric_families(path.read_text()):
        for sample in family.samples:
            if sample.value and family.name not in {*OBSERVED_AT_ONCE, *ADDED}:
                kept = sorted(f'{name}="{value}"' for name, value in sample.labels.items() if name not in NEW_LABELS)
                sums[f"{sample.name}{{{','.join(kept)}}}"] += sample.value
    return dict(sums)


def with_late_end(then: list[bytes]) -> list[bytes]:
    """Return the records of the first edition with that of the end of `FOLLOWED` where it is now."""
    wanted = b'"conversation.closed","conversation":"%b"' % FOLLOWED.encode()
    (place,) = (number for number, record in enumerate(then) if wanted in record)
    (*_, last) = (number for number, record in enumerate(then) if b'"stream":"%b"' % FOLLOWED.encode() in record)
    at = re.compile(rb'"at":"[^"]*"')
    when = at.search(then[last])
    assert when is not None
    ended = at.sub(when[0], re.sub(rb'"event_id":"[^"]*"', b'"event_id":null', then[place]))
    return [*then[:place], *then[place + 1 : last + 1], ended, *then[last + 1 :]]


def as_now(then: dict[str, float]) -> dict[str, float]:
    """Return what the first edition counted, in the series of this one."""
    renamed = ((MEANT.get(series, series), value) for series, value in then.items())
    now = {series: value for series, value in renamed if series is not None}
    if now.get(UNPRICED % "unknown_modality") == 1:
        del now[UNPRICED % "unknown_modality"]
        now[UNPRICED % "no_usage"] = 3
    return now


def billed_as_now(line: bytes) -> bytes:
    """Return a line of the first edition's state, with what the conversation costs now."""
    unpriced = BILLED_OTHERWISE.get(json.loads(line).get("key"))
    if unpriced is None:
        return line
    costs = rb'"cost_usd":null,"unpriced":' + json.dumps(unpriced, separators=(",", ":")).encode()
    return re.sub(rb'"cost_usd":[^,]*,"unpriced":[{][^}]*[}]', costs, line)


def recorded(all_records: Iterable[bytes]) -> list[bytes]:
    """Return records without their numbers, and without what cost something else then."""
    others = [record for record in all_records if not (billed_otherwise(record) and re.search(BILLING_FACTS, record))]
    return [re.sub(rb'^[{]"seq":[0-9]+,', b"{", record) for record in others]


def billed_otherwise(record: bytes) -> bool:
    return any(f'"conversation":"{key}"'.encode() in record for key in BILLED_OTHERWISE)


def records(log: Path) -> list[bytes]:
    """Return the records of a log as they were written, without their hashes, new facts and what `VARIES`."""
    read = (path.read_bytes().splitlines() for path in sorted(log.glob("audit-*.jsonl")))
    proved = [line.rpartition(b',"hash":"')[0] for segment in read for line in segment]
    known = [line for line in proved if json.loads(line + b"}")["fact"] not in NEW_FACTS]
    for pattern, stands in VARIES:
        known = [re.sub(pattern, stands, line) for line in known]
    return known


def test_what_a_daemon_recorded_gives_the_state_that_it_wrote(tmp_path: Path) -> None:
    """Names begin with `replay` in place of the source; that the daemon stopped closes no named conversation."""
    done = steno("replay", *sorted(Path("recorded").glob("*-*.jsonl")), f"--state={tmp_path}/state")

    assert done.returncode == 0, done.stderr
    assert replayed_names(lines(tmp_path / "state")) == replayed_names(lines(Path("recorded/state.jsonl")))


def replayed_names(state: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a state in the order of its streams, with the names that a replay gives, and without what ended."""
    named = [
        {
            **{member: value for member, value in line.items() if member not in {"open", "closed_reason", "totals"}},
            **({"totals": {**line["totals"], "complete": None}} if "totals" in line else {}),
            "stream": line["stream"].removeprefix("replay/").replace("/", "-"),
            **({"key": line["key"].partition("/")[2]} if "key" in line else {}),
        }
        for line in state
    ]
    return sorted(named, key=lambda line: (line["schema"], line["stream"]))


# Logs -------------------------------------------------------------------------------------------------------------


def verify(log: str, *options: str, keys: tuple[str, ...] | None = None) -> tuple[int, list[str]]:
    """Run `steno verify` with a log's own keys, or with others; return its exit code and the lines that it prints."""
    files = [f"--key-file=keys/{key}" for key in (KEYS[log] if keys is None else keys)]
    done = steno("verify", f"logs/{log}", *files, *options)
    return done.returncode, done.stdout.decode().splitlines()


def kept_heads(log: str) -> list[str]:
    """Return the heads that were kept of a log, the oldest first."""
    return Path(f"logs/{log}.heads").read_text().split()


def head_options(log: str) -> list[str]:
    return [f"--head={head}" for head in kept_heads(log)]


def printed_head(printed: list[str]) -> str:
    return next(line.split()[1] for line in printed if line.startswith("head "))


def numbers(line: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", line)]


@pytest.mark.parametrize("log", LOGS)
def test_a_log_is_proved(log: str) -> None:
    """With its keys, against all heads that were kept, and with the texts beside it; it ends where it ended."""
    code, printed = verify(log, "--words", *head_options(log))

    assert code == 0, printed
    assert printed_head(printed) == kept_heads(log)[-1]
    assert numbers(printed[-1]) == KEPT[log]


@pytest.mark.parametrize(
    ("log", "keys"),
    [
        ("keyed", ()),
        ("keyed", ("audit",)),
        ("keyed", ("audit-2",)),
        ("keyed", ("digest",)),
        ("retired", ()),
        ("retired", ("audit",)),
        ("plain", ("audit",)),
    ],
)
def test_a_log_is_refused_under_other_keys(log: str, keys: tuple[str, ...]) -> None:
    """None, one of two, or another one; and a log without a key where one is given."""
    assert verify(log, keys=keys)[0] == 1


@pytest.mark.parametrize("log", LOGS)
def test_a_log_is_refused_against_a_head_that_it_does_not_have(log: str) -> None:
    """Another hash of a record that it has, and a record that it does not reach."""
    seq, _, hashed = kept_heads(log)[-1].partition(":")
    other = f"{int(hashed, 16) ^ 1:064x}"

    assert verify(log, f"--head={seq}:{other}")[0] == 1
    assert verify(log, f"--head={int(seq) + 1}:{hashed}")[0] == 1


@pytest.mark.parametrize("log", LOGS)
def test_a_log_is_refused_where_it_was_changed(log: str) -> None:
    """One byte in the first record of a segment, whichever it is."""
    for path in sorted(Path("logs", log).glob("audit-*.jsonl")):
        content = path.read_bytes()
        path.write_bytes(content.replace(b'"body":{', b'"body":{ ', 1))
        assert verify(log)[0] == 1
        path.write_bytes(content)

    assert verify(log)[0] == 0


def test_a_text_that_is_missing_is_noticed() -> None:
    """The last text of a conversation, of which no record says that it was erased."""
    path = file_of("keyed", "relay/call-3")
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))

    assert verify("keyed")[0] == 0
    assert verify("keyed", "--words")[0] == 1


def file_of(log: str, conversation: str) -> Path:
    """Return the file that holds the texts of a conversation."""
    (path,) = (path for path in Path(f"logs/{log}/words").iterdir() if lines(path)[0]["conversation"] == conversation)
    return path


# Continued --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("log", LOGS)
def test_a_log_is_continued_by_a_replay(log: str) -> None:
    """What was there stays as it was, what is new is what the first edition recorded, and the whole is proved."""
    then, content = segments(log), content_files(log)
    done = steno("replay", "recordings/sideband.jsonl", f"--config=logs/{CONFIGURED[log]}.toml", f"--audit=logs/{log}")

    replayed = [record["fact"] for record in facts("replayed/defaults/audit") if record["stream"] == "replay/sideband"]
    assert done.returncode == 0, done.stderr
    assert [name for name in added(log, then) if name not in NEW_FACTS] == ["log.opened", *replayed, "log.closed"]
    assert {name: content_files(log)[name][: len(held)] for name, held in content.items()} == content
    assert content_files(log).keys() == content.keys(), "the file of a conversation goes on"
    assert proved_beyond_its_heads(log)


@pytest.mark.parametrize("log", ["keyed", "plain"])
def test_a_log_is_continued_by_a_daemon(log: str) -> None:
    """A daemon that starts and stops does so too."""
    then = segments(log)
    with running(Path(f"logs/{log}.toml")) as daemon:
        assert daemon.get("/healthz")[0] == 200
        assert daemon.stop() == 0

    assert added(log, then) == ["log.opened", "daemon.started", "daemon.stopped", "log.closed"]
    assert proved_beyond_its_heads(log)


def segments(log: str) -> dict[str, bytes]:
    """Return the segments of a log and what they hold, in order."""
    return {path.name: path.read_bytes() for path in sorted(Path("logs", log).glob("audit-*.jsonl"))}


def content_files(log: str) -> dict[str, bytes]:
    """Return the files beside a log and what they hold."""
    return {path.name: path.read_bytes() for path in sorted(Path("logs", log).glob("words/*"))}


def facts(log: str) -> list[dict[str, Any]]:
    """Return the records of the log in a folder."""
    return [record for path in sorted(Path(log).glob("audit-*.jsonl")) for record in lines(path)]


def added(log: str, then: dict[str, bytes]) -> list[str]:
    """Return the facts in the segments that are new; those that were there must be as they were."""
    now = segments(log)
    assert {name: now.get(name) for name in then} == then
    return [json.loads(line)["fact"] for name in now if name not in then for line in now[name].splitlines()]


def proved_beyond_its_heads(log: str) -> bool:
    """Tell whether a log is proved, with all heads that were kept and the texts beside it, and goes on after them."""
    code, printed = verify(log, "--words", *head_options(log))
    return code == 0 and sequence(printed_head(printed)) > sequence(kept_heads(log)[-1])


def sequence(head: str) -> int:
    return int(head.partition(":")[0])


# Erased -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("conversation", ["relay/call-1", "relay/call-3", "desk/thread_JGJVMCJMtgWCSOERPFxJinkt"])
def test_a_conversation_is_erased_by_its_key(conversation: str) -> None:
    """Its file goes, with its texts and their key; the log says so, is proved, and the other texts stand."""
    path = file_of("keyed", conversation)
    texts, size, then = len(lines(path)) - 1, path.stat().st_size, len(facts("logs/keyed"))
    erase = ("erase", "-c", "logs/keyed.toml", "--conversation", conversation)

    codes = [steno(*erase).returncode for _ in range(2)]

    (body,) = (record["body"] for record in facts("logs/keyed")[then:] if record["fact"] == "content.erased")
    code, printed = verify("keyed", "--words", *head_options("keyed"))
    proved, erased = KEPT["keyed"]
    assert codes == [0, 1], "there is nothing more to erase the second time"
    assert body == {"file": path.name, "texts": texts, "bytes": size, "chained": 0}
    assert not path.exists()
    assert (code, numbers(printed[-1])) == (0, [proved - texts, erased + texts])


def test_texts_in_the_records_are_not_erased() -> None:
    """Where they stand in the chain, nothing is done, and the log stays as it was."""
    then = segments("plain")
    done = steno("erase", "-c", "logs/plain.toml", "--conversation", "replay/call-7")

    assert done.returncode == 64
    assert segments("plain") == then
