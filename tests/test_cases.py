"""Traffic that users of compatible servers and gateways have reported, each with the right answer to it.

The folder of cases is no part of the project. It is looked for where `test_corpus.py` looks for recordings, or where
`STENO_CASES` says, and these tests are skipped without it. What is right stands here as data. It is held against all
that the command says of a recording: the facts, the metrics, the state, and the table that people read.
"""

import json
import os
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner
from msgspec import Struct
from prometheus_client.parser import text_string_to_metric_families

from steno.cli import cli

BESIDE: Final = Path(__file__).resolve().parents[2] / "shared" / "cases"
CASES: Final = Path(os.environ.get("STENO_CASES", BESIDE))

pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason=f"no cases: {CASES} is no folder")

OPENING: Final = frozenset({"response.output_started"})
LATENCIES: Final = ("time_to_first_token", "time_to_first_audio", "turn_latency")


class Right(Struct, frozen=True):
    """What is right of one recording. What is left out must not be there."""

    responses: dict[str, int] = {}
    """Status to how many."""
    runs: dict[str, int] = {}
    steps: dict[str, int] = {}
    calls: tuple[str, ...] = ()
    """Kind, name and status of each ended tool call, in the order of their ends."""
    tokens: dict[str, int] = {}
    """`model direction modality`, with ` cached` where they were, to how many."""
    seconds: dict[str, str] = {}
    """Model to what it is billed by that is billed by duration."""
    bills: tuple[str, ...] = ()
    """What each usage cost in USD, or why it has no price, in the order in which they were reported."""
    said: tuple[str, ...] = ()
    """The texts of the conversation that are not blank."""
    rejected: dict[str, int] = {}
    first_token: tuple[float, ...] = ()
    """Seconds."""
    first_audio: tuple[float, ...] = ()
    turn: tuple[float, ...] = ()
    call_seconds: tuple[float, ...] = ()
    """How long the tool calls took whose begin and end are known."""
    facts: dict[str, int] = {}
    """Further facts that the recording is about, by name: how often."""
    errors: tuple[str, ...] = ()
    """Codes."""
    kinds: tuple[str, ...] = ("realtime",)
    """The kind of each session that was opened."""


def _tokens(model: str, **buckets: int) -> dict[str, int]:
    return {f"{model} {name.replace('_', ' ')}": tokens for name, tokens in buckets.items()}


_GEMINI: Final = "gemini-live-2.5-flash"
_NATIVE: Final = "gemini-2.5-flash-native-audio-preview-12-2025"
_THOUSAND: Final = {"input_text": 1000, "output_text": 100}

RIGHT: Final = {
    "01-plural-token-details": Right(
        responses={"completed": 2},
        tokens={
            **_tokens(_GEMINI, input_text=20, output_text=2, output_audio=25),
            **_tokens("gpt-realtime-2.1", input_text=20, output_text=2, output_audio=25),
        },
        bills=("unknown_model", "0.001728"),
        said=("Blue.", "Blue."),
        first_token=(0.2,),
    ),
    "02-translation-session": Right(
        seconds={"gpt-realtime-translate": "60"},
        bills=("0.034",),
        facts={"session.finished": 1},
        kinds=("translation",),
    ),
    "03-usage-null-on-completed": Right(
        responses={"completed": 2},
        bills=("no_usage", "no_usage"),
        said=("Hi there, happy to chat.", "Anything else?"),
        first_token=(0.1,),
        first_audio=(0.2,),
    ),
    "04-arguments-done-without-ids": Right(
        responses={"completed": 1},
        calls=("function get_weather completed",),
        call_seconds=(0.7,),
        tokens=_tokens(_GEMINI, input_text=20, output_text=12),
        bills=("unknown_model",),
    ),
    "05-no-item-events-output-null": Right(
        responses={"completed": 1},
        calls=("function lookup_order completed",),
        call_seconds=(0.5,),
        tokens=_tokens("my-s2s", input_text=30, output_text=20),
        bills=("unknown_model",),
        said=("One moment.",),
        first_token=(0.1,),
    ),
    "06-call-confirmed-under-new-item-id": Right(
        responses={"completed": 1},
        calls=("function read_file completed",),
        call_seconds=(0.4,),
        tokens=_tokens("gpt-realtime-2.1", input_text=100, output_text=20),
        bills=("0.00088",),
        first_token=(0.2,),
    ),
    "08-image-tokens": Right(
        responses={"completed": 1},
        tokens=_tokens(
            "gpt-realtime-2.1-mini", input_text=24, input_text_cached=128, input_image_cached=194, output_text=29
        ),
        bills=("0.0001072",),
        said=("What is it?", "A red dot."),
    ),
    "09-transcription-costs": Right(
        tokens=_tokens("gpt-4o-transcribe", input_text=1, input_audio=28, output_unknown=14),
        seconds={"whisper-1": "3.4"},
        bills=("0.0002125", "0.00034"),
        said=("one two", "three"),
    ),
    "10-transcription-only-deltas": Right(bills=("no_usage",), said=("hello world",), kinds=("transcription",)),
    "11-run-incomplete": Right(
        runs={"incomplete": 1},
        steps={"completed": 1},
        tokens=_tokens("gpt-4o-mini", input_unknown=40, output_unknown=16),
        bills=("0.0000156",),
        said=("Once upon a",),
        kinds=(),
    ),
    "12-bing-grounding-delta": Right(
        runs={"completed": 1},
        steps={"completed": 1},
        calls=("other None completed",),
        tokens=_tokens("gpt-4o", input_unknown=100, output_unknown=10),
        bills=("0.00035",),
        kinds=(),
    ),
    "13-data-as-json-string": Right(
        runs={"completed": 1},
        tokens=_tokens("gpt-4o-mini", input_unknown=10, output_unknown=5),
        bills=("0.0000045",),
        said=("Hello",),
        facts={"message.finished": 1},
        kinds=(),
    ),
    "14-code-interpreter-image": Right(
        runs={"completed": 1},
        steps={"completed": 1},
        calls=("code_interpreter None completed",),
        tokens=_tokens("gpt-4o-mini", input_unknown=150, output_unknown=40),
        bills=("0.0000465",),
        said=("Here is the plot.",),
        facts={"message.finished": 1},
        kinds=(),
    ),
    "15-created-events-tripled": Right(
        runs={"completed": 1},
        steps={"completed": 1},
        tokens=_tokens("gpt-4o-mini", input_unknown=9, output_unknown=2),
        bills=("0.00000255",),
        said=("Hi",),
        facts={"run.started": 1, "run_step.started": 1, "message.finished": 1},
        kinds=(),
    ),
    "16-incomplete-content-filter": Right(
        responses={"incomplete content_filter": 1},
        tokens=_tokens("gpt-realtime-2", input_text=60, input_audio=10, output_text=5, output_audio=30),
        bills=("0.0026", "no_usage"),  # the transcription of what the caller said never came
        said=("The recipe is",),
        first_token=(0.2,),
        first_audio=(0.3,),
        turn=(0.5,),
    ),
    "17-idle-timeout": Right(
        responses={"completed": 1},
        tokens={
            **_tokens("gpt-realtime-2.1", input_text=60, input_audio=62, output_text=5, output_audio=30),
            **_tokens("gpt-4o-mini-transcribe", input_audio=62, output_unknown=4),
        },
        bills=("0.0000975", "0.004264"),
        said=("Are you still there?",),
        first_audio=(0.4,),
        facts={"input.timed_out": 1},
    ),
    "18-text-delta-in-text": Right(responses={"completed": 1}, bills=("no_usage",), said=("Bonjour",)),
    "19-completed-empty-zero-tokens": Right(responses={"completed": 1}, bills=("0",), said=("Say hello briefly.",)),
    "20-mcp-approval": Right(
        responses={"completed": 1},
        calls=("mcp search completed",),
        call_seconds=(1.2,),
        tokens=_tokens("gpt-realtime-2.1", input_text=100, output_text=20),
        bills=("0.00088",),
        facts={"approval.requested": 1, "approval.given": 1},
    ),
    "21-gemini-both-spellings": Right(
        responses={"completed": 1},
        tokens=_tokens(_NATIVE, input_text=15, output_text=38, output_audio=47),
        bills=("unknown_model",),
        said=("Sure.",),
    ),
    "22-run-usage-null": Right(
        runs={"completed": 1, "expired": 1}, steps={"completed": 1}, bills=("no_usage", "0"), kinds=()
    ),
    "27-cancelled-usage-null": Right(
        responses={"cancelled turn_detected": 1}, bills=("no_usage",), said=("As I",), first_token=(0.1,)
    ),
    "28-gateway-model-names": Right(
        responses={"completed": 6},
        tokens={
            **_tokens("openai/gpt-realtime-2.1-mini", **_THOUSAND),
            **_tokens("azure/gpt-realtime-2.1-mini", **_THOUSAND),
            **_tokens("gpt-realtime-translate", **_THOUSAND),
            **_tokens("gpt-realtime-2-2026-05-07", **_THOUSAND),
            **_tokens("gpt-realtime-mini-2025-10-06", **_THOUSAND),
            **_tokens("GPT-Realtime-2", **_THOUSAND),
        },
        bills=("0.00084", "unknown_model", "no_rate", "0.0064", "0.00084", "unknown_model"),
        said=("ok",) * 6,
        kinds=("realtime",) * 6,
    ),
    "29-error-instead-of-session-updated": Right(errors=("string_above_max_length", "server_error")),
    "30-constant-event-id": Right(
        responses={"completed": 1},
        tokens=_tokens("gpt-realtime-2.1", input_text=100, output_text=20),
        bills=("0.00088",),
        said=("Hello there",),
        first_token=(0.1,),
    ),
}


class Replayed:
    """All that `steno replay` says of one recording."""

    def __init__(self, recording: Path, folder: Path) -> None:
        state, metrics, audit = folder / "state", folder / "metrics", folder / "audit"
        outputs = ["--state", str(state), "--metrics", str(metrics), "--audit", str(audit)]
        done = CliRunner().invoke(cli, ["replay", str(recording), *outputs], catch_exceptions=False)
        assert (done.exit_code, done.stderr) == (0, "")
        self.table = done.stdout
        lines = [json.loads(line) for line in state.read_bytes().splitlines()]
        self.conversations = [line for line in lines if line["schema"] == "steno.conversation/1"]
        records = [json.loads(line) for file in sorted(audit.iterdir()) for line in file.read_bytes().splitlines()]
        self.facts = [(str(record["fact"]), record["body"]) for record in records]
        families = text_string_to_metric_families(metrics.read_text())
        self.samples = [sample for family in families for sample in family.samples if sample.value]

    def of(self, *names: str) -> list[dict[str, Any]]:
        """The bodies of the facts of these names."""
        return [body for name, body in self.facts if name in names]

    def totals(self, name: str) -> list[Any]:
        """One member of the totals of each conversation."""
        return [line["totals"][name] for line in self.conversations]

    def summed(self, metric: str, *labels: str) -> dict[str, Decimal]:
        """The samples of a metric that are not 0: the values of `labels` to the sum of all others."""
        sums: dict[str, Decimal] = {}
        for sample in self.samples:
            if sample.name == metric:
                key = " ".join(sample.labels[label] for label in labels)
                sums[key] = sums.get(key, Decimal(0)) + Decimal(repr(sample.value))
        return sums

    def seconds(self, fact: str, member: str) -> tuple[float, ...]:
        return tuple(body[member] for body in self.of(fact) if body.get(member) is not None)

    def bills(self) -> tuple[str, ...]:
        """What each usage cost, or why it has no price."""
        costs = [body["cost"] for _, body in self.facts if body.get("cost")]
        return tuple(cost["unpriced"] or cost["usd"] for cost in costs)


@pytest.fixture(params=sorted(RIGHT))
def case(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Right, Replayed]:
    """Each case that is there."""
    recording = CASES / str(request.param) / "recording.jsonl"
    if not recording.is_file():
        pytest.skip(f"no case: {recording}")
    return RIGHT[request.param], Replayed(recording, tmp_path)


def test_every_case_that_is_there_has_its_right_answer() -> None:
    """A case that is new is no case that passes unseen."""
    assert {path.name for path in CASES.iterdir() if path.is_dir()} <= set(RIGHT)


def test_the_answer_is_right(case: tuple[Right, Replayed]) -> None:
    """The facts and the state of a recording are the right ones, and all outputs say the same."""
    right, replayed = case

    _assert_what_happened(right, replayed)
    _assert_what_it_cost(right, replayed)
    _assert_how_long_it_took(right, replayed)


def _assert_what_happened(right: Right, replayed: Replayed) -> None:
    responses = Counter(
        " ".join(filter(None, (body["status"], body["reason"]))) for body in replayed.of("response.finished")
    )
    assert responses == right.responses
    assert replayed.summed("steno_responses_total", "status") == _by_first_word(right.responses)
    for fact, metric, counted in (
        ("run.finished", "steno_runs_total", right.runs),
        ("run_step.finished", "steno_run_steps_total", right.steps),
    ):
        assert Counter(body["status"] for body in replayed.of(fact)) == counted
        assert replayed.summed(metric, "status") == counted
    calls = [f"{body['kind']} {body['name']} {body['status']}" for body in replayed.of("tool_call.finished")]
    assert calls == [*right.calls]
    assert len(replayed.of("tool_call.started")) == len(calls)
    assert replayed.summed("steno_tool_calls_total", "kind", "status") == Counter(
        f"{call.split()[0]} {call.split()[-1]}" for call in calls
    )
    texts = [entry["text"] for line in replayed.conversations for entry in line["transcript"]]
    assert [text for text in texts if text.strip()] == [*right.said]
    assert _added(line["rejected"] for line in replayed.conversations) == right.rejected
    assert replayed.summed("steno_events_rejected_total", "reason") == right.rejected
    assert {name: len(replayed.of(name)) for name in right.facts} == right.facts
    assert tuple(body["code"] for body in replayed.of("upstream.erred")) == right.errors
    assert tuple(body["kind"] for body in replayed.of("session.opened")) == right.kinds


def _assert_what_it_cost(right: Right, replayed: Replayed) -> None:
    """Facts, metrics, state and table say one cost, and the tokens that it is for."""
    bills = replayed.bills()
    assert bills == right.bills
    usd = sum((Decimal(bill) for bill in bills if not bill.isidentifier()), Decimal(0))
    unpriced = Counter(bill for bill in bills if bill.isidentifier())
    assert sum(replayed.summed("steno_cost_usd_total").values()) == usd
    assert replayed.summed("steno_unpriced_total", "reason") == unpriced
    assert _added(replayed.totals("unpriced")) == unpriced
    for cost, reasons in zip(replayed.totals("cost_usd"), replayed.totals("unpriced"), strict=True):
        assert (cost is None) is bool(reasons)
    assert sum(Decimal(cost) for cost in replayed.totals("cost_usd") if cost) <= usd
    buckets = [bucket for tokens in replayed.totals("tokens") for bucket in tokens]
    assert {_bucket(bucket): bucket["tokens"] for bucket in buckets} == right.tokens
    assert replayed.summed("steno_tokens_total", "model", "direction", "modality", "cached") == {
        f"{name.removesuffix(' cached')} {str(name.endswith(' cached')).lower()}": tokens
        for name, tokens in right.tokens.items()
    }
    seconds = {entry["model"]: entry["seconds"] for entries in replayed.totals("seconds") for entry in entries}
    assert seconds == right.seconds
    assert _cost_line(usd, unpriced) in [" ".join(line.split()) for line in replayed.table.splitlines()]


def _assert_how_long_it_took(right: Right, replayed: Replayed) -> None:
    started = replayed.of(*OPENING)
    for output, expected in (("text", right.first_token), ("audio", right.first_audio)):
        assert tuple(body["after_seconds"] for body in started if body["output"] == output) == expected
    assert replayed.seconds("response.output_started", "turn_latency_seconds") == right.turn
    for name, expected in zip(LATENCIES, (right.first_token, right.first_audio, right.turn), strict=True):
        counted = replayed.summed(f"steno_{name}_seconds_count").get("", 0)
        assert (counted, replayed.summed(f"steno_{name}_seconds_sum").get("", 0)) == (
            len(expected),
            sum(map(Decimal, map(repr, expected))),
        )
    assert replayed.seconds("tool_call.finished", "duration_seconds") == right.call_seconds
    completed = _by_first_word(right.responses).get("completed", 0)
    assert replayed.summed("steno_response_duration_seconds_count").get("", 0) == completed


def _by_first_word(counts: dict[str, int]) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for name, number in counts.items():
        sums[name.partition(" ")[0]] += number
    return dict(sums)


def _bucket(bucket: dict[str, Any]) -> str:
    cached = " cached" if bucket["cached"] else ""
    return f"{bucket['model']} {bucket['direction']} {bucket['modality']}{cached}"


def _cost_line(usd: Decimal, unpriced: Counter[str]) -> str:
    """Return the line of the table that says what all of it cost."""
    if not unpriced:
        return f"cost {usd} USD"
    return f"cost unknown, at least {usd} USD" if usd else "cost unknown"


def _added(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for each in counts:
        sums.update(each)
    return dict(sums)
