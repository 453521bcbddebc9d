"""Lines for a terminal: what upstream, a disk or another host says is shown and never obeyed."""

import pytest

from steno.app.terminal import echo, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("call-1 [red]", "call-1 [red]"),
        ("Grüße, 東京", "Grüße, 東京"),
        ("\x1b[2Jgone", "\N{REPLACEMENT CHARACTER}[2Jgone"),
        ("a\rb\x07\x9bc", "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}c"),
        ("turned \N{RIGHT-TO-LEFT OVERRIDE}around", "turned \N{REPLACEMENT CHARACTER}around"),
    ],
)
def test_what_a_terminal_obeys_is_replaced(text: str, shown: str) -> None:
    """Control characters of both sets, and those that turn text around. All else stands as it is."""
    assert printable(text) == shown


def test_lines_stay_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """Only what stands within a line is replaced."""
    echo("one\ntwo \x1b[31m")

    assert capsys.readouterr() == ("one\ntwo \N{REPLACEMENT CHARACTER}[31m\n", "")
