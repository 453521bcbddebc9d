"""Documents of the live API, made by hand: what the page is given where a test decides what there is to see."""

import random
from typing import Any, Final

NOW: Final = 1_790_000_000.0
"""The time that documents are as of."""

Document = dict[str, Any]

SAID: Final = (
    ("My parcel should have come on Friday.", "I am sorry about that. May I have the number on your receipt?"),
    ("It is four, one, seven, nine.", "Thank you. It left the depot this morning and comes before noon."),
    ("Could a neighbour take it?", "Of course. Which name stands on the door?"),
    ("Ms Okafor, on the second floor.", "I have noted that. Is there anything else that I can do for you?"),
    ("Wait, what did you say about noon?", "Before noon, between ten and twelve. You get a message when it is near."),
)
TOOLS: Final = ("find_parcel", "change_delivery", "opening_hours")


def row(key: str, **members: Any) -> Document:
    """Return a row of an open conversation, with these members."""
    source = key.split("/", maxsplit=1)[0]
    return {
        "key": key,
        "family": "realtime",
        "source": source,
        "labels": {},
        "kind": "realtime",
        "stream": key,
        "open": True,
        "closed_reason": None,
        "model": "gpt-realtime",
        "opened_at": NOW - 95.0,
        "last_event_at": NOW - 0.4,
        "closed_at": None,
        "age_seconds": 95.0,
        "state": "responding",
        "events": 412,
        "turns": 6,
        "unanswered_turns": 0,
        "responses": 7,
        "interruptions": 1,
        "turn_latency_seconds": {"last": 0.742, "worst": 1.318},
        "tool_calls": {"open": 0, "done": 2, "failed": 0},
        "tokens": {"input": 4_210, "output": 1_377},
        "cost_usd": "0.084213",
        "unpriced": {},
        "gaps": 0,
        "errors": 0,
        "rejected": 0,
        **members,
    }


def many(number: int) -> list[Document]:
    """Return rows of all kinds, the same ones each time."""
    dice = random.Random(7)
    return [_some_row(n, dice) for n in range(number)]


def _some_row(n: int, dice: random.Random) -> Document:
    source = dice.choice(("front-desk", "support", "billing-line"))
    age = round(dice.uniform(2, 5_400), 3)
    is_open = dice.random() < 0.6
    last = round(dice.lognormvariate(-0.3, 0.5), 3)
    state = dice.choice(("speaking", "waiting", "responding", "tool", "listening", "idle")) if is_open else "closed"
    return row(
        f"{source}/1790000000000000/{n}",
        model=dice.choice(("gpt-realtime", "gpt-realtime-mini", None)),
        open=is_open,
        state=state,
        closed_reason=None if is_open else dice.choice(("disconnected", "session_expired", "idle")),
        opened_at=NOW - age,
        closed_at=None if is_open else NOW,
        age_seconds=age,
        turns=dice.randrange(40),
        interruptions=dice.randrange(5),
        turn_latency_seconds={"last": last, "worst": round(last * dice.uniform(1, 3), 3)},
        tool_calls={"open": int(state == "tool"), "done": dice.randrange(9), "failed": int(dice.random() < 0.1)},
        tokens={"input": dice.randrange(90_000), "output": dice.randrange(20_000)},
        cost_usd=f"{dice.uniform(0.001, 1.9):.6f}" if dice.random() < 0.9 else None,
        unpriced={"usage_missing": 1} if dice.random() < 0.1 else {},
        gaps=int(dice.random() < 0.05),
        errors=int(dice.random() < 0.08),
        labels={"team": source[:4]},
    )


def timeline(row: Document, **members: Any) -> Document:
    """Return the timeline of a conversation in which nothing has happened, with these members."""
    return {
        "at": NOW,
        "row": row,
        "began_at": row["opened_at"],
        "content": "full",
        "omitted": 0,
        "spans": [],
        "marks": [],
        "transcript": [],
        "totals": {"tokens": [], "cost_usd": row["cost_usd"], "unpriced": row["unpriced"], "complete": True},
        **members,
    }


def span(lane: str, name: str, begin: float | None, end: float | None, **members: Any) -> Document:
    """Return a span of `lane`, completed, with these members."""
    return {
        "id": name,
        "lane": lane,
        "label": name,
        "begin": begin,
        "end": end,
        "status": None if end is None else "completed",
        "marks": [],
        "detail": {},
        "cost": None,
        "tokens": [],
        **members,
    }


def mark(kind: str, at: float | None, label: str, **detail: Any) -> Document:
    """Return a mark."""
    return {"at": at, "kind": kind, "label": label, "detail": detail}


def entry(item: str | None, at: float | None, role: str, text: str | None, **members: Any) -> Document:
    """Return a line of a transcript."""
    return {
        "at": at,
        "item_id": item,
        "role": role,
        "kind": "speech",
        "text": text,
        "characters": None if text is None else len(text),
        "heard": None,
        "status": "completed",
        **members,
    }


def price(audio_in: int, audio_out: int, cached: int) -> Document:
    """Return members `tokens` and `cost` of a response of so many tokens."""
    buckets = [
        ("input", "audio", False, audio_in, "0.000032"),
        ("input", "audio", True, cached, "0.0000004"),
        ("output", "audio", False, audio_out, "0.000064"),
    ]
    names = ("direction", "modality", "cached")
    usd = sum(tokens * float(rate) for *_, tokens, rate in buckets)
    return {
        "tokens": [
            {"model": "gpt-realtime", **dict(zip(names, each, strict=False)), "tokens": each[3]} for each in buckets
        ],
        "cost": {
            "usd": f"{usd:.7f}",
            "unpriced": None,
            "model": "gpt-realtime",
            "lines": [
                {"rate": each[4], "per": "token", "quantity": str(each[3]), **dict(zip(names, each, strict=False))}
                for each in buckets
            ],
        },
    }


def call(key: str, turns: int, *, seconds_a_turn: float = 14.0, content: str = "full", **members: Any) -> Document:
    """Return the timeline of a voice call: each fourth answer is broken off, each third turn calls a tool."""
    dice = random.Random(turns)
    began = NOW - turns * seconds_a_turn
    spans: list[Document] = []
    transcript: list[Document] = []
    for n in range(turns):
        _turn(n, began + n * seconds_a_turn + 1.2, dice, spans, transcript)
    if content in {"withheld", "none"}:
        transcript = [{**each, "text": None, "heard": None} for each in transcript]
    tokens = [bucket for each in spans for bucket in each["tokens"]]
    usd = sum(float(each["cost"]["usd"]) for each in spans if each["cost"])
    head = row(
        key,
        opened_at=began,
        age_seconds=NOW - began,
        turns=turns,
        interruptions=turns // 4,
        cost_usd=f"{usd:.7f}",
        labels={"team": "desk"},
        errors=1,
        gaps=1,
        **members,
    )
    marks = [
        mark("session", began, "session.created"),
        mark("error", began + 0.4 * turns * seconds_a_turn, "rate_limit_exceeded", code="rate_limit_exceeded"),
        mark("gap", began + 0.7 * turns * seconds_a_turn, "3 frames missed", frames=3, reason="skipped"),
    ]
    totals = {"tokens": tokens, "cost_usd": f"{usd:.7f}", "unpriced": {}, "complete": True}
    return timeline(
        head, content=content, began_at=began, spans=spans, marks=marks, transcript=transcript, totals=totals
    )


def _turn(n: int, at: float, dice: random.Random, spans: list[Document], transcript: list[Document]) -> None:
    """Add one turn, from `at` on: the caller speaks, a tool may be called, the answer is played, and may be cut off."""
    asked, answered = SAID[n % len(SAID)]
    spoke = at + dice.uniform(1.2, 3.0)
    first = spoke + dice.uniform(0.4, 1.3)
    made, length = first + dice.uniform(1.0, 1.8), dice.uniform(3.0, 5.0)
    cut = n % 4 == 3
    spans.append(span("speech", f"item_{n}a", at, spoke, label="speech", detail={"item_id": f"item_{n}a"}))
    transcript.append(entry(f"item_{n}a", spoke, "user", asked))
    if n % 3 == 1:
        _tool(n, spoke + 0.2, first - 0.1, dice, spans, transcript)
    marks = [{"kind": "first_token", "at": first - 0.2}, {"kind": "first_audio", "at": first}]
    stopped = first + length * 0.45
    over = {"kind": "interrupted", "at": stopped}
    end = min(made, stopped) if cut else made
    spans.append(
        span(
            "response",
            f"resp_{n}",
            spoke + 0.15,
            end,
            status="cancelled" if cut else "completed",
            marks=[*marks, over] if cut else marks,
            detail={
                "item_id": f"item_{n}b",
                "turn_latency_seconds": round(first - spoke, 3),
                "reason": "turn_detected" if cut else None,
            },
            **price(300 + 40 * n, 90 + dice.randrange(60), 200 * n),
        )
    )
    spans.append(
        span(
            "playback",
            f"play_{n}",
            first + 0.05,
            first + length,
            status="interrupted" if cut else "completed",
            marks=[over] if cut else [],
            detail={"item_id": f"item_{n}b", "audio_seconds": round(length, 3)},
        )
    )
    heard = answered[: int(len(answered) * 0.45)] if cut else answered
    transcript.append(
        entry(f"item_{n}b", first, "assistant", answered, heard=heard, status="incomplete" if cut else "completed")
    )


def _tool(
    n: int, begin: float, end: float, dice: random.Random, spans: list[Document], transcript: list[Document]
) -> None:
    name = dice.choice(TOOLS)
    bad = n % 6 == 4
    spans.append(
        span(
            "tool",
            f"call_{n}",
            begin,
            end,
            label=name,
            status="failed" if bad else "completed",
            detail={"call_id": f"call_{n}"},
        )
    )
    transcript.append(entry(f"call_{n}", begin, "assistant", f'{name}({{"number":"{4000 + n}"}})', kind="tool_call"))
    output = '{"error":"timeout"}' if bad else '{"state":"on the way","before":"12:00"}'
    transcript.append(entry(f"call_{n}", end, "tool", output, kind="tool_output"))


def thread(key: str) -> Document:
    """Return the timeline of an assistants thread: three runs, hours apart, with steps and tools."""
    spans: list[Document] = []
    transcript: list[Document] = []
    began = NOW - 9_000
    for n, after in enumerate((0.0, 40.0, 8_700.0)):
        at = began + after
        transcript.append(entry(f"msg_{n}u", at, "user", "Which orders are open?", kind="text"))
        tokens = [
            {"model": "gpt-4.1", "direction": "input", "modality": "text", "cached": False, "tokens": 1_804},
            {"model": "gpt-4.1", "direction": "output", "modality": "text", "cached": False, "tokens": 212},
        ]
        cost: Document = {"usd": None, "unpriced": "model_unknown", "model": None, "lines": []}
        run = span("run", f"run_{n}", at + 0.3, at + 11, label="gpt-4.1", tokens=tokens, cost=cost)
        spans += [
            run,
            span("step", f"step_{n}a", at + 1, at + 5.5, label="tool_calls"),
            span("step", f"step_{n}b", at + 6, at + 10.8, label="message_creation", detail={"message_id": f"msg_{n}a"}),
            span("tool", f"call_{n}a", at + 1.4, at + 3.2, label="list_orders"),
            span("tool", f"call_{n}b", at + 1.5, at + 5.1, label="code_interpreter"),
        ]
        text = "Three orders are open: two wait for payment, one is being packed."
        transcript.append(entry(f"msg_{n}a", at + 10.5, "assistant", text, kind="text"))
    head = row(
        key,
        family="assistants",
        kind="assistants",
        model="gpt-4.1",
        opened_at=began,
        age_seconds=9_000.0,
        state="idle",
        last_event_at=NOW - 289,
        cost_usd=None,
        unpriced={"model_unknown": 3},
        turn_latency_seconds={"last": None, "worst": None},
    )
    totals = {
        "tokens": [bucket for each in spans for bucket in each["tokens"]],
        "cost_usd": None,
        "unpriced": {"model_unknown": 3},
        "complete": True,
    }
    return timeline(head, spans=spans, transcript=transcript, totals=totals)


def sources(**problems: str | None) -> Document:
    """Return the document of sources, each with its problem or None; `_` in a name stands for `-`."""
    return {
        "at": NOW,
        "sources": [
            {
                "name": name.replace("_", "-"),
                "kind": "connect",
                "labels": {},
                "ready": problem is None,
                "problem": problem,
                "streams": int(problem is None),
                "conversations": 3 if problem is None else 0,
                "last_event_at": NOW - 1,
            }
            for name, problem in problems.items()
        ],
    }
