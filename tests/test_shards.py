"""Shards: each name belongs to one of them, always the same, and a further shard moves nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.limits import SHARDS
from steno.shards import Shard


@pytest.mark.parametrize(
    ("text", "shard"),
    [
        ("1/1", Shard(1, 1)),
        ("2/4", Shard(2, 4)),
        ("02/16", Shard(2, 16)),
        (f"{SHARDS}/{SHARDS}", Shard(SHARDS, SHARDS)),
        *((text, None) for text in ("", "2", "0/4", "5/4", "-1/4", "1/0", "2/4/6", "1 / 4", "²/4", "2/4\n", "1/1001")),
    ],
)
def test_a_shard_is_written_as_its_number_of_how_many(text: str, shard: Shard | None) -> None:
    assert Shard.parse(text) == shard


@given(name=st.text(), count=st.integers(1, 20))
def test_a_name_belongs_to_one_shard_and_moves_to_a_new_one_alone(name: str, count: int) -> None:
    owners = [number for number in range(1, count + 1) if Shard(number, count).has(name)]
    then = Shard(1, count + 1).of(name)

    assert owners == [Shard(1, count).of(name)]
    assert then in {*owners, count + 1}


def test_the_shard_of_a_name_never_changes() -> None:
    """It is a promise: processes of two versions of steno may run beside each other."""
    names = [f"relay-{number}" for number in range(8)]

    assert [Shard(1, 4).of(name) for name in names] == [2, 4, 2, 4, 1, 4, 4, 3]
