"""A number of things, in words: 1 line, 2 lines."""


def amount(number: int, noun: str) -> str:
    """Return `number` and `noun`, which has an `s` unless it is one."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
