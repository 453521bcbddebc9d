"""The price of a usage stands in its fact, with its rates or the reason why it has none, and in the totals."""

import json
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from functools import reduce
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steno.app.tables import outcome_lines, row_of, sum_of
from steno.core import facts
from steno.core.billing import costs
from steno.core.billing.costs import Terms
from steno.core.billing.prices import add_usd, parse, usd_text
from steno.core.conversation import Conversation
from steno.core.facts import CostLine
from steno.limits import TOKENS_MAX
from steno.metrics.sink import Metrics
from steno.wire.admission import read_object
from steno.wire.usage import ResponseInputDetails, ResponseUsage, Usage
from tests.core.helpers import USAGE, Play, created, delta, done, event, line_of, run, session
from tests.processes import steno
from tests.recordings import recording

TABLE_TEXT = json.dumps(
    {
        "schema": "steno.prices/1",
        "version": "7",
        "date": "2026-01-01",
        "models": {
            "gpt-realtime": {
                "mode": "realtime",
                "input_cost_per_token": 0.000004,
                "cache_read_input_token_cost": 0.0000004,
                "output_cost_per_token": 0.000016,
                "input_cost_per_audio_token": 0.000032,
                "cache_read_input_audio_token_cost": 0.0000004,
                "output_cost_per_audio_token": 0.000064,
            },
            "whisper-1": {"mode": "audio_transcription", "input_cost_per_second": 0.0001},
        },
    }
)
TABLE = parse(TABLE_TEXT.encode())
TRANSCRIPTION = "conversation.item.input_audio_transcription"
HEARD = f"{TRANSCRIPTION}.completed"


def priced(**limits: Any) -> Play:
    play = Play(**limits)
    play.pipeline.registry.prices = TABLE
    return play


def total(play: Play) -> tuple[str | None, dict[str, int]]:
    (state,) = play.pipeline.registry.conversations.values()
    return state.totals.cost_usd(), dict(state.totals.unpriced)


def test_response_has_its_cost_and_the_calculation() -> None:
    """The amount, each quantity and rate, and the version of the list."""
    play = priced()
    play.say(session())

    play.say(done(usage={"input_tokens": 3, "output_tokens": 2, **texts(3, 2)}))

    (finished,) = play.of(facts.ResponseFinished)
    assert isinstance(finished, facts.ResponseFinished)
    assert finished.cost == facts.Cost(
        usd="0.000044",
        model="gpt-realtime",
        table_version="7",
        lines=(
            CostLine(rate="0.000004", per="token", quantity="3", direction="input", modality="text", cached=False),
            CostLine(rate="0.000016", per="token", quantity="2", direction="output", modality="text", cached=False),
        ),
    )
    assert total(play) == ("0.000044", {})


def texts(put: int, got: int) -> dict[str, object]:
    return {"input_token_details": {"text_tokens": put}, "output_token_details": {"text_tokens": got}}


@pytest.mark.parametrize(("model", "reason"), [("gpt-of-tomorrow", "unknown_model"), (None, "no_model")])
def test_usage_without_a_price_has_a_reason(model: str | None, reason: str) -> None:
    """The sum of the conversation is unknown then, and not 0."""
    play = priced()
    play.say(event("session.created", session={"id": "sess_1", "model": model}), done(usage=USAGE))

    assert total(play) == (None, {reason: 1})


def test_usage_of_no_tokens_costs_nothing() -> None:
    """A response that was cancelled before any output reports zeros."""
    play = priced()
    play.say(session(), done(status="cancelled", usage={"input_tokens": 0, "output_tokens": 0, **texts(0, 0)}))

    assert total(play) == ("0", {})


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        ({"type": "duration", "seconds": 2.5}, ("0.00025", {})),
        ({"type": "tokens", "input_tokens": 5, "output_tokens": 1}, (None, {"no_rate": 1})),
        (None, (None, {"no_usage": 1})),
    ],
)
def test_transcription_is_priced_by_its_own_model(
    usage: dict[str, object] | None, cost: tuple[str | None, dict[str, int]]
) -> None:
    """Where no usage is reported it has no price."""
    play = priced()
    play.say(session(audio={"input": {"transcription": {"model": "whisper-1"}}}))
    for _ in range(2):  # a repeated transcription is not billed again
        play.say(event(HEARD, item_id="item_1", content_index=0, transcript="Hello.", usage=usage))

    assert total(play) == cost


def test_replay_prices_by_the_list_it_is_given(tmp_path: Path) -> None:
    """A list that cannot be parsed is refused with its name, and its content is not shown."""
    (tmp_path / "voice.jsonl").write_bytes(recording("voice", 2))
    text_alone = {"mode": "chat", "input_cost_per_token": 1}  # the audio has no rate
    own = {"gpt-realtime": text_alone, "gpt-realtime-2.1": text_alone}
    (tmp_path / "own.json").write_text(json.dumps(own))
    (tmp_path / "bad.json").write_text('{"gpt-realtime":{"input_cost_per_token":"cheap"}}')

    shipped = steno("replay", tmp_path / "voice.jsonl", "--state", "-")
    again = steno("replay", tmp_path / "voice.jsonl", "--state", "-", "--prices", tmp_path / "own.json")
    bad = steno("replay", tmp_path / "voice.jsonl", "--prices", tmp_path / "bad.json")

    first, second = (json.loads(done.stdout.splitlines()[0])["totals"] for done in (shipped, again))
    assert (first["unpriced"], second["cost_usd"]) == ({}, None)
    assert float(first["cost_usd"]) > 0
    assert second["unpriced"]["no_rate"] > 0
    assert (bad.returncode, b"cheap" in bad.stderr) == (78, False)
    assert b"bad.json: is no price list (--prices): " in bad.stderr


# The Responses API ----------------------------------------------------------------------------------------------


def billed(reported: dict[str, Any], tier: str | None = None) -> tuple[costs.Bill, Conversation]:
    """The bill of a response of a model of that API, in whatever conversation."""
    play = Play()
    play.say(session())
    (state,) = play.pipeline.registry.conversations.values()
    return costs.bill(state, msgspec.convert(reported, ResponseUsage), Terms("sol", AGENTS, tier), "resp_1"), state


RESPONSE_MEMBERS: Final = [field.encode_name for field in msgspec.structs.fields(ResponseUsage)]
INPUT_MEMBERS: Final = [field.encode_name for field in msgspec.structs.fields(ResponseInputDetails)]
AGENTS: Final = parse(
    b"""{"sol": {
        "input_cost_per_token": 0.000004, "cache_read_input_token_cost": 0.0000004,
        "cache_creation_input_token_cost": 0.000005, "output_cost_per_token": 0.00002,
        "input_cost_per_token_flex": 0.000002, "output_cost_per_token_flex": 0.00001
    }}"""
)


def test_a_response_says_by_which_tier_it_was_priced_and_what_was_written() -> None:
    """An auditor can add it up: 3 x 4 + 5 x 5 + 2 x 0.4 + 4 x 20, in millionths."""
    reported = {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 5},
        "output_tokens": 4,
        "total_tokens": 14,
    }
    bill, state = billed(reported)

    assert msgspec.json.decode(msgspec.json.encode(bill.cost)) == {
        "usd": "0.0001178",
        "unpriced": None,
        "model": "sol",
        "table_version": AGENTS.version,
        "lines": [
            line("0.000004", "3", "input", cached=False),
            {**line("0.000005", "5", "input", cached=False), "cache_write": "30m"},
            line("0.0000004", "2", "input", cached=True),
            line("0.00002", "4", "output", cached=False),
        ],
    }
    assert bill.cache_writes == (facts.CacheWrite("30m", 5),)
    assert sum(each.tokens for each in state.totals.buckets()) == 14

    flex, _ = billed({**reported, "input_tokens_details": None}, "flex")
    assert (flex.cost.usd, flex.cost.service_tier) == ("0.00006", "flex")


def line(rate: str, quantity: str, direction: str, *, cached: bool) -> dict[str, Any]:
    kind = {"direction": direction, "modality": "unknown", "cached": cached}
    return {"rate": rate, "per": "token", "quantity": quantity, **kind}


def test_a_response_whose_usage_contradicts_itself_has_no_price() -> None:
    """More cached and written than there was: the tokens count, and it is noted."""
    details = {"cached_tokens": 6, "cache_write_tokens": 5}
    bill, state = billed({"input_tokens": 10, "input_tokens_details": details, "output_tokens": 4})

    assert (bill.cost, dict(state.rejected)) == (facts.Cost(unpriced="no_usage"), {"contradictory_usage": 1})
    assert sum(each.tokens for each in state.totals.buckets()) == 14


VALUE: st.SearchStrategy[Any] = st.sampled_from([None, 0, 1, 9, 2.5, -1, "7", TOKENS_MAX, TOKENS_MAX + 1, [], {}, True])
WHATEVER: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    st.sampled_from([*RESPONSE_MEMBERS, *INPUT_MEMBERS, "unheard_of"]),
    VALUE | st.dictionaries(st.sampled_from([*INPUT_MEMBERS, "ttl_30m_tokens", "reasoning_tokens"]), VALUE, max_size=4),
    max_size=6,
)


@settings(deadline=None)  # a busy machine is no fault
@given(WHATEVER, st.sampled_from([None, "flex", "auto", "x"]))
def test_whatever_a_response_reports_it_is_billed_once(reported: dict[str, Any], tier: str | None) -> None:
    """By a price, or for a reason; and what contradicts itself is noted."""
    play = Play()
    play.say(session())
    (state,) = play.pipeline.registry.conversations.values()
    used = read_object(ResponseUsage, msgspec.json.encode(reported))
    bill = costs.bill(state, used, Terms("sol", AGENTS, tier), "resp_1")

    assert (bill.cost.usd is None) != (bill.cost.unpriced is None)
    assert state.totals.cost_usd() == bill.cost.usd
    assert sum(each.tokens for each in state.totals.buckets()) == sum(each.tokens for each in bill.tokens)
    assert (
        used.input_tokens is None
        or used.total_tokens == 0
        or used.input_tokens == sum(each.tokens for each in bill.tokens if each.direction == "input")
    )
    assert bill.cost.unpriced == "no_usage" or not state.rejected


def test_calls_of_built_in_tools_are_billed_by_themselves() -> None:
    """Each kind once a response, whoever follows it."""
    play = Play()
    tap = play.open("tap/1/1", source="tap")
    play.say(session())
    play.say(session(), on=tap)
    table = parse(b'{"sol": {"file_search_cost_per_1k_calls": 2.5}}')
    found = [
        costs.bill_calls(state, kind, 2, Terms("sol", table), f"resp_1 {kind}")
        for kind in ("file_search", "code_interpreter")
        for state in play.pipeline.registry.conversations.values()
    ]

    assert [(cost.usd, cost.unpriced) for cost in found] == [
        ("0.005", None),
        (None, "duplicate_source"),
        (None, "no_rate"),
        (None, "duplicate_source"),
    ]
    assert found[0].lines == (CostLine(rate="0.0025", per="call", quantity="2"),)


# What held when it began ----------------------------------------------------------------------------------------


LATER = parse(TABLE_TEXT.replace("1.6e-05", "0.00032").replace('"7"', '"8"').encode())
"""A list that is loaded while something is in progress."""
THREE_AND_TWO: dict[str, Any] = {"input_tokens": 3, "output_tokens": 2, **texts(3, 2)}


def bills(play: Play) -> list[tuple[str | None, str | None]]:
    """What each thing cost, and the version of the list that it was priced by."""
    costs = [getattr(fact, "cost", None) for fact in play.facts]
    return [(cost.usd, cost.table_version) for cost in costs if cost is not None]


def test_a_response_is_priced_by_the_list_of_its_beginning() -> None:
    """The next one by the list that was loaded meanwhile, in the same conversation."""
    play = priced()
    play.say(session(), created())
    play.pipeline.registry.prices = LATER
    play.say(created("resp_2"), done(usage=THREE_AND_TWO), done("resp_2", usage=THREE_AND_TWO))

    assert bills(play) == [("0.000044", "7"), ("0.000652", "8")]


def test_a_response_is_of_the_model_that_the_session_had_at_its_beginning() -> None:
    """Unless its own object names another."""
    play = priced()
    play.say(session(), created(), created("resp_2"), delta("Hi", response_id="resp_3"))
    play.say(session(kind="session.updated", model="gpt-of-tomorrow"))
    for key in ("resp_1", "resp_3"):
        play.say(done(key, usage=THREE_AND_TWO))
    play.say(done("resp_2", model="gpt-of-yesterday", usage=THREE_AND_TWO))

    assert [fact.model for fact in play.facts if isinstance(fact, facts.ResponseFinished)] == [
        "gpt-realtime",
        "gpt-realtime",
        "gpt-of-yesterday",
    ]
    assert total(play) == (None, {"unknown_model": 1})


def test_a_run_is_priced_by_what_held_when_it_was_first_seen() -> None:
    """Also where its last object does not name its model any more."""
    play = priced()
    play.say(run("queued", model="gpt-realtime", thread_id="thread_1"))
    play.pipeline.registry.prices = LATER
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "prompt_tokens_details": {"text_tokens": 3}}
    details = {"completion_tokens_details": {"text_tokens": 2}}
    play.say(run("completed", model=None, usage={**usage, **details}))

    assert bills(play) == [("0.000044", "7")]


def test_a_transcription_is_priced_by_the_list_of_its_commit() -> None:
    """Its words come later."""
    play = priced()
    play.say(session(audio={"input": {"transcription": {"model": "whisper-1"}}}))
    play.say(event("input_audio_buffer.committed", item_id="item_1"))
    play.pipeline.registry.prices = None
    for key in ("item_1", "item_2"):
        play.say(event(HEARD, item_id=key, transcript="Hello.", usage={"type": "duration", "seconds": 2.5}))

    assert total(play) == (None, {"no_price_list": 1})
    assert bills(play) == [("0.00025", "7"), (None, None)]


# One truth ------------------------------------------------------------------------------------------------------


MODELS = st.sampled_from(["gpt-realtime", "whisper-1", "gpt-of-tomorrow", None])
COUNT = st.sampled_from([None, 0, 1, 7, 60, TOKENS_MAX, TOKENS_MAX + 1, -3, "5", 2.5]) | st.integers(0, 5_000)
PARTS = {"text_tokens": COUNT, "audio_tokens": COUNT, "image_tokens": COUNT, "reasoning_tokens": COUNT}
CACHED = {"cached_tokens": COUNT, "cached_tokens_details": st.none() | st.fixed_dictionaries({}, optional=PARTS)}
DETAILS: st.SearchStrategy[Any] = (
    st.none() | st.just([]) | st.fixed_dictionaries({}, optional={**PARTS, **CACHED, "unheard_of": COUNT})
)
SPELLED = st.sampled_from([name for name in Usage.spellings if not name.endswith("details")])
SPLIT = st.sampled_from([name for name in Usage.spellings if name.endswith("details")])
USAGES: st.SearchStrategy[dict[str, Any] | None] = (
    st.none()
    | st.just({})
    | st.builds(
        lambda counts, details, rest: {**counts, **details, **rest},
        st.dictionaries(SPELLED | st.just("total_tokens"), COUNT, max_size=5),
        st.dictionaries(SPLIT, DETAILS, max_size=3),
        st.fixed_dictionaries({}, optional={"type": st.sampled_from(["tokens", "duration", "x"]), "seconds": COUNT}),
    )
)
Job = tuple[str, str | None, dict[str, Any] | None]
RELOAD: Final = "reload"
"""No job: another price list is loaded."""
KINDS = [
    "response",
    "answering",
    "run",
    "running",
    "transcription",
    "heard",
    "hearing",
    "failed",
    "closed",
    "translating",
]
JOBS = st.lists(st.tuples(st.sampled_from([*KINDS, RELOAD]), MODELS, USAGES), max_size=12)


def said_of(number: int, job: Job) -> list[dict[str, Any]]:
    """The events of one thing that is billed once: of a model, by a usage, or given up in the end."""
    kind, model, usage = job
    key = f"{kind}_{number}"
    talking = session(f"sess_{number}", model=model)
    writing = event("session.updated", session={"audio": {"input": {"transcription": {"model": model}}}})
    translating = event("session.created", session={"id": f"sess_{number}", "type": "translation", "model": model})
    committed = event("input_audio_buffer.committed", item_id=key)
    grew = event(f"{TRANSCRIPTION}.delta", item_id=key, delta="Hel")
    return {
        "response": [talking, created(key), done(key, usage=usage)],
        "answering": [talking, created(key)],
        "run": [run("queued", key, model=model), run("completed", key, model=model, usage=usage)],
        "running": [run("queued", key, model=model)],
        "transcription": [writing, event(HEARD, item_id=key, transcript=key, usage=usage)],
        "heard": [writing, committed, grew, event(HEARD, item_id=key, transcript=key, usage=usage)],
        "hearing": [writing, committed],
        "failed": [writing, grew, event(f"{TRANSCRIPTION}.failed", item_id=key, usage=usage)],
        "closed": [translating, event("session.closed", usage=usage)],
        "translating": [translating],
    }[kind]


@settings(deadline=None)  # a busy machine is no fault
@given(JOBS)
def test_all_outputs_say_the_same_cost(jobs: list[Job]) -> None:
    """Whatever upstream reports: facts, metrics, the closing fact, the state and the table are of one truth."""
    play, metrics = priced(open_responses=2), Metrics(100)
    for number, job in enumerate(jobs):
        if job[0] == RELOAD:
            play.pipeline.registry.prices = LATER
        else:
            play.say(*said_of(number, job))
    play.close(shutdown=True)
    for origin, fact in play.emitted:
        metrics.emit(origin, fact)

    assert len(costs_of(play)) == sum(kind != RELOAD for kind, _, _ in jobs), "each is billed once"
    for state in play.closed:
        assert_one_truth(play, state)
    whole = sum_of([row_of(state) for state in play.closed])
    priced_usd = sum(metrics.numbers["steno_cost_usd_total"].values())
    assert priced_usd == pytest.approx(float(whole.cost), rel=1e-12, abs=1e-18)
    assert summed(metrics.numbers["steno_unpriced_total"], 2) == whole.unpriced
    used = {way: n for way, n in (("input", whole.tokens_in), ("output", whole.tokens_out)) if n}
    assert summed(metrics.numbers["steno_tokens_total"], 3) == pytest.approx(used, rel=1e-12)  # a metric is a float


def costs_of(play: Play, key: str | None = None) -> list[facts.Cost]:
    """The costs in the facts of one conversation, or of all."""
    said = [fact for origin, fact in play.emitted if key is None or origin.conversation == key]
    return [cost for fact in said if (cost := getattr(fact, "cost", None)) is not None]


def assert_one_truth(play: Play, state: Conversation) -> None:
    """Hold the closing fact, the state and the table of a conversation against the costs in its facts."""
    costs = costs_of(play, state.key)
    unpriced = dict(Counter(cost.unpriced for cost in costs if cost.unpriced))
    usd = None if unpriced else usd_text(reduce(add_usd, (Decimal(cost.usd or 0) for cost in costs), Decimal(0)))
    (closing,) = [
        fact
        for origin, fact in play.emitted
        if isinstance(fact, facts.ConversationClosed) and origin.conversation == state.key
    ]
    totals = line_of(state)["totals"]
    table = [line for line in outcome_lines(row_of(state)) if line.startswith(("cost", "unpriced"))]

    assert (closing.cost_usd, {each.reason: each.usages for each in closing.unpriced}) == (usd, unpriced)
    assert (totals["cost_usd"], totals["unpriced"]) == (usd, unpriced)
    if usd is not None:
        assert table == [f"cost       {usd} USD"]
    else:
        assert table[0].startswith("cost       unknown")
        assert table[1:] == [f"unpriced   {', '.join(f'{n} {reason}' for reason, n in sorted(unpriced.items()))}"]


def summed(series: Mapping[tuple[str, ...], float], label: int) -> dict[str, float]:
    """Add up `series` by one of their labels."""
    sums: Counter[str] = Counter()
    for labels, value in series.items():
        sums[labels[label]] += value  # type: ignore[assignment]  # counts are whole, if not in type
    return {label: value for label, value in sums.items() if value}
