"""What conversations are charged for, and what goes once all of them hold too much."""

import gc
import weakref
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.core import facts
from steno.core.bounded import BoundedObjects, BoundedSet, LatestById
from steno.core.conversation import Conversation, OpenCall
from steno.core.live.timeline import RUN_BYTES
from steno.core.memory import (
    BUCKET_BYTES,
    CONVERSATION_BYTES,
    ENDED_CALL_BYTES,
    ID_BYTES,
    ITEM_BYTES,
    OBJECT_BYTES,
    OPEN_BYTES,
    PART_BYTES,
    Held,
    InProgress,
    MemoryAccount,
    MemoryBudget,
    text_bytes,
)
from steno.core.responses.state import TIP_BYTES
from steno.core.transcript import Entry, Transcript
from steno.limits import Limits
from tests.core.helpers import BEGIN, Event, Play, cloud_event, delta, done, event, line_of, note, run, session
from tests.core.test_disorder import NAMES_OF_RECORDINGS, SHARES, disordered

KIB = 1024


# Accounts -------------------------------------------------------------------------------------------------------


def test_account_counts_in_its_budget_while_it_is_open() -> None:
    """What was charged before counts as well. Afterwards it goes on for itself."""
    budget, account = MemoryBudget(100), MemoryAccount()
    account.charge(60)
    account.open(budget)
    opened = (budget.bytes, budget.over)
    account.charge(41)
    past = (budget.bytes, budget.over)
    account.close()
    account.charge(7)

    assert (opened, past, (budget.bytes, budget.over), account.bytes) == ((60, False), (101, True), (0, False), 108)


def test_oldest_object_goes_first_whoever_keeps_it() -> None:
    """By the order in which they were kept, over all stores of all accounts; the objects of a closed one are gone."""
    budget, accounts = MemoryBudget(0), [MemoryAccount(), MemoryAccount(), MemoryAccount()]
    stores = [BoundedObjects(Limits(), account) for account in accounts]
    latest = LatestById(Limits(), accounts[0])
    for account in accounts:
        account.open(budget)
    stores[2].add(b"closed")
    stores[1].add(b"1")
    latest.put("a", b"2")
    stores[0].add(b"3")
    latest.put("a", b"2 again")
    stores[1].add(b"4")
    accounts[2].close()
    held = []
    while budget.drop_oldest():
        held.append([*stores[1].objects, *latest.objects.values(), *stores[0].objects])

    assert held == [[b"4", b"2 again", b"3"], [b"4", b"3"], [b"4"], []]
    assert (budget.dropped_objects, budget.bytes, list(stores[2].objects)) == (4, 0, [b"closed"])
    assert [store.dropped for store in (*stores, latest)] == [1, 2, 0, 1]


def test_set_is_charged_ahead_in_steps() -> None:
    """Room for eight with the first, doubled when it is used up, up to half of its limit in each of three sets."""
    account = MemoryAccount()
    ids, charged = BoundedSet(20, account), []
    for number in range(60):
        ids.add(str(number))
        charged.append(account.bytes // ID_BYTES)

    assert charged == [8] * 8 + [10] * 2 + [18] * 8 + [20] * 2 + [28] * 8 + [30] * 32


def test_long_member_is_kept_as_a_digest() -> None:
    """It is told from others that begin alike, and takes no more than a short one."""
    ids = BoundedSet(3)
    one, other = "x" * 400 + "1", "x" * 400 + "2"

    assert [ids.add(one), ids.add(one), one in ids, other in ids, ids.add(other)] == [True, False, True, False, True]


def test_transcript_is_charged_ahead_and_less_when_texts_go() -> None:
    """For an eighth more than it has, at five bytes a character once a text is not ASCII."""
    account = MemoryAccount()
    transcript = Transcript[Any](Limits(), {}, account, newest_last=True)
    fixed = ITEM_BYTES + 4
    for key in ("one.", "two."):
        transcript.add(key, Entry())
    charged = [account.bytes - 2 * fixed]
    for text in ("x" * 80_000, "x" * 10_000, "\N{GRINNING FACE}"):
        transcript.grow(transcript.entries["one."], 0, text)
        charged.append(account.bytes - 2 * fixed - PART_BYTES)
    transcript.remove("one.")

    assert charged == [0, 2 * 90_000, 2 * 90_000, 5 * (90_001 + 90_001 // 8)]
    assert account.bytes == fixed


def test_what_is_in_progress_is_charged_until_it_leaves() -> None:
    """By whichever way; what changes is weighed again."""
    account = MemoryAccount()
    calls = InProgress[str, OpenCall](account)
    calls["a"] = OpenCall("function", None, None)
    calls["b"] = OpenCall("function", None, None)
    calls["a"] = OpenCall("function", None, None)
    calls["a"].arguments = "12345"
    calls.weigh("a")
    calls.weigh("nobody")
    both = account.bytes
    gone = calls.pop("a"), calls.pop("nobody", None)
    one = account.bytes
    del calls["b"]
    calls["c"] = OpenCall("function", None, None)
    calls.clear()

    assert (both, one, account.bytes) == (2 * OPEN_BYTES + 7, OPEN_BYTES + 1, 0)
    assert (gone[0].arguments, gone[1], dict(calls)) == ("12345", None, {})
    assert Held().weight() == 0


SETS_OF_IDS = (
    *("ended_responses", "ended_ids", "ended_delegations", "approvals", "requested", "decisions", "deleted"),
)
"""What some conversations know of by its id alone."""


def counted(state: Conversation) -> int:
    """What `state` must be charged for, from what it holds now."""
    size: int = CONVERSATION_BYTES + len(state.session)
    size += BUCKET_BYTES * (len(state.totals.tokens) + len(state.totals.seconds))
    size += sum(ENDED_CALL_BYTES + text_bytes(each.call_id) for each in state.tool_log)
    for name in ("ended", "seen", *SETS_OF_IDS):
        ids = getattr(state, name, BoundedSet(1))
        if ids._memory is state.memory:  # a session that replaces another takes over what was seen
            size += ID_BYTES * ids._room
    for name in ("responses", "runs", "run_steps", "message_objects", "decided"):
        store = getattr(state, name, None)
        kept = [] if store is None else getattr(store.objects, "values", store.objects.copy)()
        size += sum(OBJECT_BYTES + len(raw) for raw in kept)
    size += sum(OPEN_BYTES + each.weight() for each in getattr(state, "requests", {}).values())
    size += TIP_BYTES * len(getattr(state, "tips", ()))
    for name in ("calls", "open", "open_runs", "open_steps", "delegations", "backend"):
        open_ones = getattr(state, name, InProgress(state.memory)).items()
        size += sum(OPEN_BYTES + text_bytes(key) + each.weight() for key, each in open_ones)
    size += sum(ENDED_CALL_BYTES + text_bytes(each.delegation_id) for each in getattr(state, "delegation_log", ()))
    timeline = getattr(state, "timeline", None)
    if timeline is not None:
        size += RUN_BYTES * sum(len(speaker.runs._pieces) for speaker in (timeline.user, timeline.model))
    jobs = getattr(state, "transcriptions", {}).items()
    size += sum(OPEN_BYTES + text_bytes(item_id) + each.weight() for (item_id, _), each in jobs)
    transcript = getattr(state, "transcript", None)
    if transcript is not None:
        entries = transcript.entries.items()
        size += sum(ITEM_BYTES + text_bytes(key) + PART_BYTES * len(each.parts) for key, each in entries)
        assert transcript.characters == sum(each.length() for _, each in entries) <= transcript._step
        size += transcript._factor * transcript._step
    return size


@given(st.sampled_from(NAMES_OF_RECORDINGS), st.integers(0, 9), SHARES, SHARES, SHARES)
def test_whatever_comes_a_conversation_is_charged_for_what_it_holds(
    name: str, seed: int, lost: float, doubled: float, moved: float
) -> None:
    """Nothing is charged twice or for ever: what is open adds up to the budget, and what is closed leaves it."""
    play = Play(timed=False, items=5, kept_objects=2, open_responses=2, transcript_bytes=1_024, duplicates_window=10)
    for frame in disordered(name, seed, lost, doubled, moved):
        play.pipeline.feed(play.stream, frame)
    registry = play.pipeline.registry
    states = [*registry.conversations.values(), *play.closed]
    assert [state.memory.bytes for state in states] == [counted(state) for state in states]
    assert registry.memory.bytes == sum(state.memory.bytes for state in registry.conversations.values())
    for state in list(registry.conversations.values()):
        state.erase_content()
    assert [state.memory.bytes for state in states] == [counted(state) for state in states]

    registry.close_all(None)
    assert (registry.memory.bytes, registry.memory.drop_oldest()) == (0, False)


# What goes ------------------------------------------------------------------------------------------------------


def ended(subject: str, number: int, padding: int) -> Event:
    """A response of the conversation `subject` that ended."""
    return cloud_event(done(f"resp_{number}", note="x" * padding), subject)


def test_oldest_objects_go_before_any_conversation() -> None:
    """Of whichever conversation they are. They count as dropped, and the totals stay."""
    play = Play(memory_bytes=2 * 128 * KIB)
    for number in range(20):
        play.say(ended("abc"[number % 3], number, 10 * KIB))
    memory = play.pipeline.registry.memory
    lines = [play.line(key) for key in sorted(play.open_keys)]

    assert [[each["id"] for each in line["responses"]] for line in lines] == [
        ["resp_12", "resp_15", "resp_18"],
        ["resp_13", "resp_16", "resp_19"],
        ["resp_11", "resp_14", "resp_17"],
    ]
    assert [line["totals"]["dropped_objects"] for line in lines] == [4, 4, 3]
    assert [line["totals"]["responses"] for line in lines] == [{"completed": 7}, {"completed": 7}, {"completed": 6}]
    assert (memory.dropped_objects, memory.over, play.of(facts.ConversationClosed)) == (11, False, [])


def test_conversation_that_was_silent_longest_goes_when_no_object_is_left() -> None:
    """It ends with a fact, after those of the event that was too much."""
    play = Play(memory_bytes=2 * 5 * (CONVERSATION_BYTES + 2 * 8 * ID_BYTES))
    for name in "abcd":
        play.say(cloud_event(session(f"sess_{name}"), name), ended(name, 1, KIB))
    play.say(cloud_event(event("input_audio_buffer.cleared"), "a"))
    play.emitted.clear()
    for name in "ef":
        play.say(cloud_event(session(f"sess_{name}"), name))

    gone = [(origin, fact) for origin, fact in play.emitted if isinstance(fact, facts.ConversationClosed)]
    closed = [(origin.conversation, origin.at, fact.reason) for origin, fact in gone]
    assert closed == [("relay/b", BEGIN, "evicted")]
    kinds = [type(fact) for fact in play.facts[-3:]]
    assert kinds == [facts.ConversationOpened, facts.SessionOpened, facts.ConversationClosed]
    assert play.open_keys == ["relay/c", "relay/d", "relay/a", "relay/e", "relay/f"]
    assert [line_of(state)["closed_reason"] for state in play.closed] == ["evicted"]
    assert all(not play.line(key)["responses"] for key in play.open_keys)


def test_conversation_that_is_too_much_by_itself_goes_too() -> None:
    """Its event is counted all the same, and the next one begins it anew."""
    play = Play(memory_bytes=2 * 64 * KIB)
    play.say(session(), event("response.created", response={"id": "resp_1"}))
    for number in range(210):
        play.say(delta("word", f"item_{number}"))

    assert {state.closed_reason for state in play.closed} == {"evicted"}
    assert (len(play.closed), len(play.open_keys), play.rejected) == (5, 1, {})
    assert not play.pipeline.registry.memory.over


def test_conversation_that_ended_is_freed_at_once() -> None:
    """Not when the garbage collector comes, nor when its stream, which is silent, says something again."""
    play = Play(conversations=1)
    play.say(session(), done("resp_1"), delta("word"))
    gone = weakref.ref(play.state().memory)
    gc.disable()
    try:
        play.say(cloud_event(session("sess_2"), "another"), on=play.open("relay/1/2"))
        play.closed.clear()
        assert gone() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("timed", [True, False])
def test_what_goes_depends_on_what_was_fed_alone(timed: bool) -> None:
    """Two pipelines that are fed the same, with times or without, drop and close the same."""
    outcomes = []
    for _ in range(2):
        play = Play(timed=timed, memory_bytes=2 * 96 * KIB)
        for number in range(120):
            name = f"{number * 7 % 11}"
            said = [ended(name, number, number * 37 % 5_000), cloud_event(delta("\N{GRINNING FACE}" * number), name)]
            play.say(*({**each, "id": f"{number}-{at}"} for at, each in enumerate(said)))
            play.say(run("queued", f"run_{number}"), note("in_progress", f"msg_{number}", note="x" * 3_000))
        lines = [line_of(state) for state in (*play.closed, *play.pipeline.registry.conversations.values())]
        outcomes.append((lines, play.emitted, play.pipeline.registry.memory.dropped_objects))

    assert outcomes[0] == outcomes[1]
    assert outcomes[0][2] > 50
    assert {line["closed_reason"] for line in outcomes[0][0]} == {None, "evicted"}
