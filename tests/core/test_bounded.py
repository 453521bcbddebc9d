"""Collections that forget their oldest members: what they hold, what they drop, and what they count."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.core.bounded import BoundedObjects, BoundedSet, LatestById, LinkedKeys
from steno.limits import Limits


def test_bounded_set_forgets_the_oldest() -> None:
    """The two before the present two are known as well; those before them are new again."""
    bounded = BoundedSet(4)

    assert [bounded.add(member) for member in "abcdefg"] == [True] * 7
    assert ([member in bounded for member in "abcdefg"], len(bounded)) == ([False] * 2 + [True] * 5, 5)
    assert bounded.add("a")


def test_known_member_keeps_its_age() -> None:
    """Adding it again is no reason to remember it longer."""
    bounded = BoundedSet(2)

    assert [bounded.add(member) for member in "abacd"] == [True, True, False, True, True]
    assert [member in bounded for member in "abcd"] == [False, True, True, True]


@given(st.integers(1, 5), st.lists(st.sampled_from("abcdefgh"), max_size=60))
def test_bounded_set_holds_the_newest_distinct_members(limit: int, added: list[str]) -> None:
    """Whatever is added: the newest up to its limit for certain, none beyond a half more, and none that was not."""
    bounded = BoundedSet(limit)
    newest: list[str] = []
    for member in added:
        held = [each for each in newest if each in bounded]
        assert bounded.add(member) is (member not in held)
        newest = newest if member in held else [*(each for each in newest if each != member), member]
        assert newest[-limit:] == [each for each in newest if each in bounded][-limit:]
        assert len(bounded) == sum(each in bounded for each in "abcdefgh") <= 3 * ((limit + 1) // 2)


@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(["remove", "oldest", *"abcdefgh"])), max_size=60)
)
def test_linked_keys_are_in_the_order_of_a_list(steps: list[tuple[str, str]]) -> None:
    """Whatever is added, moved and removed."""
    linked, expected = LinkedKeys(), list[str]()
    for key, what in steps:
        if key not in expected:
            linked.append(key)
            expected.append(key)
        elif what == "remove":
            linked.remove(key)
            expected.remove(key)
        elif what == "oldest":
            assert linked.pop_oldest() == expected.pop(0)
        elif what in expected and what != key:
            linked.move_behind(key, what)
            expected.remove(key)
            expected.insert(expected.index(what) + 1, key)
        assert (list(linked), len(linked)) == (expected, len(expected))


def test_no_key_is_the_oldest_of_none() -> None:
    with pytest.raises(LookupError):
        LinkedKeys().pop_oldest()


def test_oldest_objects_are_dropped_and_counted() -> None:
    """Past the limit the oldest goes. An object that is too long is never kept. Both are counted."""
    kept = BoundedObjects(Limits(kept_objects=2, object_bytes=1024))
    for raw in (b"1", b"2", b"3", b"x" * 1025):
        kept.add(raw)

    assert (list(kept.objects), kept.dropped) == ([b"2", b"3"], 2)


def test_latest_object_stands_where_its_id_came_first() -> None:
    """A newer object replaces the older one of its id. Past the limit the oldest id goes."""
    latest = LatestById(Limits(kept_objects=2))
    for key, raw in (("a", b"1"), ("b", b"2"), ("a", b"3"), ("c", b"4")):
        latest.put(key, raw)

    assert (latest.objects, latest.dropped) == ({"b": b"2", "c": b"4"}, 1)


def test_object_that_is_too_long_removes_the_older_one_of_its_id() -> None:
    """The older one is not the latest any more, so neither is shown."""
    latest = LatestById(Limits(object_bytes=1024))
    latest.put("a", b"1")
    latest.put("a", b"x" * 1025)

    assert (latest.objects, latest.dropped) == ({}, 1)


def test_all_objects_are_dropped_at_once() -> None:
    """They count as dropped, whichever way they are kept."""
    kept, latest = BoundedObjects(Limits()), LatestById(Limits())
    for number in range(3):
        kept.add(b"1")
        latest.put(str(number), b"1")
    kept.drop_all()
    latest.drop_all()

    assert (list(kept.objects), kept.dropped, latest.objects, latest.dropped) == ([], 3, {}, 3)
