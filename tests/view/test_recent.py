"""The sink that remembers: what goes first, which texts are never held, and what an erasure removes."""

from steno.core.facts import Content, ConversationClosed, ConversationOpened, Fact, InputCommitted, ItemAdded, Origin
from steno.limits import RECENT_ENDED, RECENT_ENDED_WHOLE, RECENT_FACTS
from steno.view.recent import FACT_BYTES, RecentFacts
from tests.core.helpers import BEGIN

END = ConversationClosed(
    family="realtime",
    reason="disconnected",
    duration_seconds=1.0,
    events=3,
    responses=0,
    runs=0,
    tokens=(),
)
COMMIT = InputCommitted(item_id="item_1")


def about(key: str | None, stream: str = "relay/1/1") -> Origin:
    return Origin(at=BEGIN, source="relay", stream=stream, conversation=key, family="realtime")


def said(text: str, kind: str = "text") -> ItemAdded:
    return ItemAdded(item_id="item_1", kind="message", role="user", text=Content(kind, text))


def kept(recent: RecentFacts, key: str) -> list[Fact]:
    found = recent.find(key)
    return [entry.fact for entry in found.facts] if found else []


def test_a_conversation_keeps_its_newest_facts_and_says_how_many_are_gone() -> None:
    recent = RecentFacts(1 << 30, ())
    for number in range(RECENT_FACTS + 3):
        recent.emit(about("a"), InputCommitted(item_id=f"item_{number}"))
    found = recent.find("a")

    assert found is not None
    assert (len(found.facts), found.omitted, found.tally.turns) == (RECENT_FACTS, 3, RECENT_FACTS + 3)
    assert kept(recent, "a")[0] == InputCommitted(item_id="item_3")


def test_past_the_budget_the_oldest_that_ended_go_first_then_halves_of_the_others() -> None:
    recent = RecentFacts(FACT_BYTES * (2 * RECENT_ENDED_WHOLE + 10), ())
    recent.emit(about("open"), COMMIT)
    for number in range(RECENT_ENDED_WHOLE + 4):
        recent.emit(about(f"ended-{number}"), COMMIT)
        recent.emit(about(f"ended-{number}"), END)
    for _ in range(9):
        recent.emit(about("open"), COMMIT)
    ended = [len(each.facts) for each in recent.conversations() if each.tally.closed]
    before = len(kept(recent, "open"))
    for _ in range(20):
        recent.emit(about("open"), COMMIT)

    assert (before, ended.count(0), ended[:5]) == (10, 4, [0, 0, 0, 0, 2])
    assert recent.bytes <= FACT_BYTES * (2 * RECENT_ENDED_WHOLE + 10)
    assert len(recent.conversations()) == RECENT_ENDED_WHOLE + 5  # rows outlive their facts
    found = recent.find("open")
    assert found is not None
    assert found.omitted + len(found.facts) == found.tally.turns == 30


def test_rows_of_what_has_ended_stay_for_the_newest() -> None:
    recent = RecentFacts(1 << 30, ())
    for number in range(RECENT_ENDED + 2):
        recent.emit(about(str(number)), ConversationOpened(family="realtime"))
        recent.emit(about(str(number)), END)

    assert (recent.find("0"), recent.find("1")) == (None, None)
    assert len(recent.conversations()) == RECENT_ENDED
    assert recent.bytes == 2 * RECENT_ENDED * FACT_BYTES


def test_a_text_of_which_nothing_is_kept_is_not_held() -> None:
    recent = RecentFacts(1 << 30, ("text",))
    recent.emit(about("a"), said("my name is Ada", "transcript"))
    recent.emit(about("a"), said("I am typing"))

    spoken, typed = kept(recent, "a")
    assert typed == said("I am typing")
    assert "Ada" not in repr(spoken)
    assert not isinstance(spoken.text, Content)  # type: ignore[attr-defined]
    assert recent.bytes == 2 * FACT_BYTES + len("I am typing")


def test_an_erasure_leaves_lengths() -> None:
    recent = RecentFacts(1 << 30, ("text",))
    recent.emit(about("a"), said("Ada"))
    recent.emit(about("b"), said("Bob"))

    assert recent.erase("a") is True
    assert recent.erase("a") is False
    assert recent.erase("nobody") is False
    (fact,) = kept(recent, "a")
    assert (fact.text.kind, fact.text.length) == ("text", 3)  # type: ignore[attr-defined]
    assert kept(recent, "b") == [said("Bob")]
    assert recent.bytes == 2 * FACT_BYTES + 3


def test_a_key_that_comes_again_begins_anew() -> None:
    recent = RecentFacts(1 << 30, ())
    for _ in range(2):
        recent.emit(about("a"), COMMIT)
        recent.emit(about("a"), END)

    assert kept(recent, "a") == [COMMIT, END]
    assert recent.bytes == 2 * FACT_BYTES
