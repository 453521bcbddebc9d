"""Facts: each has a name of its own, which its body does not repeat, and content never shows itself."""

import msgspec

from steno.core import facts
from steno.core.facts import NAMES, Content, Fact


def concrete(base: type[Fact]) -> set[type[Fact]]:
    """The facts of the package that no further ones derive from."""
    kinds = [kind for kind in base.__subclasses__() if kind.__module__.startswith(f"{facts.__name__}.")]
    return set().union(*map(concrete, kinds)) if kinds else {base}


def test_every_fact_has_a_name_of_its_own() -> None:
    """A base of several facts has none."""
    assert set(NAMES) == concrete(Fact)
    assert len(set(NAMES.values())) == len(NAMES)
    assert all(name.count(".") == 1 for name in NAMES.values())


def test_name_of_a_fact_is_not_in_its_body() -> None:
    """A record has it beside the body."""
    assert msgspec.json.encode(facts.ThreadCreated(thread_id="thread_1")) == b'{"thread_id":"thread_1"}'


def test_facts_of_a_session_have_the_same_members() -> None:
    """The first report and a later one differ by their name alone."""
    assert facts.SessionOpened.__struct_fields__ == facts.SessionChanged.__struct_fields__


def test_content_is_equal_by_kind_and_text_and_shows_neither_text() -> None:
    """It may end up in a traceback."""
    secret = Content("text", "SECRET")

    assert (secret == Content("text", "SECRET"), secret == Content("output", "SECRET")) == (True, False)
    assert hash(secret) == hash(Content("text", "SECRET"))
    assert repr(secret) == "Content('text', 6 characters)"


def test_empty_content_is_none() -> None:
    """So is metadata without members."""
    assert (facts.content("text", ""), facts.content("text", None)) == (None, None)
    assert (facts.metadata_content({}), facts.metadata_content(None)) == (None, None)
    assert facts.metadata_content({"a": 1}) == Content("metadata", '{"a":1}')
