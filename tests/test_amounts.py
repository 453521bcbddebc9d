"""Numbers of things, in words."""

from steno.amounts import amount


def test_one_is_no_plural() -> None:
    assert [amount(number, "line") for number in (0, 1, 2)] == ["0 lines", "1 line", "2 lines"]
