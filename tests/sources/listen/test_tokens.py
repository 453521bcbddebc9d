"""The file of tokens: what it may hold, and what is wrong with it, by the number of the line."""

import os
import stat
from pathlib import Path

import pytest

from steno.errors import ConfigError
from steno.sources.listen import tokens as module
from steno.sources.listen.tokens import read_tokens

ONE = "0123456789abcdef"
TWO = "fedcba9876543210"


def of(folder: Path, text: str | bytes) -> Path:
    path = folder / "tokens"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def faults(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read_tokens(str(path))
    return [str(fault).removeprefix(f"{path}: ") for fault in caught.value.faults]


def test_tokens_have_names(tmp_path: Path) -> None:
    """Comments, blank lines, tabs and line ends of any system are left out; two tokens may have one name."""
    text = f"\ufeff# who may push\r\n\r\n  app.eu-1@x {ONE}  \r\napp.eu-1@x\t{TWO}\r\n"
    tokens = read_tokens(str(of(tmp_path, text)))

    first, second = tokens.find(ONE), tokens.find(TWO)

    assert len(tokens) == 2
    assert first
    assert second
    assert (first.name, second.name) == ("app.eu-1@x", "app.eu-1@x")
    assert first != second
    assert first in tokens
    assert tokens.find(ONE[:-1]) is tokens.find("") is tokens.find("\udcff") is None


def test_a_token_under_another_name_is_another_one(tmp_path: Path) -> None:
    first = read_tokens(str(of(tmp_path, f"app {ONE}"))).find(ONE)
    second = read_tokens(str(of(tmp_path, f"other {ONE}")))

    assert first
    assert first not in second


def test_the_tokens_themselves_are_not_kept(tmp_path: Path) -> None:
    tokens = read_tokens(str(of(tmp_path, f"app {ONE}")))

    assert ONE not in repr(vars(tokens))


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (ONE, "must be a name, a space and the token"),
        ("app", "must be a name, a space and the token"),
        ("app short", "the token must have 16 characters at least, 4096 at most"),
        (f"app {'x' * 4097}", "the token must have 16 characters at least, 4096 at most"),
        (f"app {ONE} {TWO}", "the token must be visible ASCII without spaces"),
        (f"app {ONE}ü", "the token must be visible ASCII without spaces"),
        (f"ä {ONE}", "the name must be 1 to 63 letters, digits, `_`, `.`, `@` and `-`"),
        (f"{'a' * 64} {ONE}", "the name must be 1 to 63 letters, digits, `_`, `.`, `@` and `-`"),
        (f"good {TWO}", "the token stands in the file twice"),
    ],
)
def test_a_line_that_is_wrong_is_named_by_its_number(line: str, fault: str, tmp_path: Path) -> None:
    """And no part of it is repeated."""
    found = faults(of(tmp_path, f"# tokens\ngood {TWO}\n{line}\n"))

    assert found == [f"line 3: {fault}"]


def test_every_line_that_is_wrong_is_named(tmp_path: Path) -> None:
    assert len(faults(of(tmp_path, "a\nb\nc\n"))) == 3


def test_a_file_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FILE_BYTES", 100)
    monkeypatch.setattr(module, "TOKENS", 1)
    os.mkfifo(tmp_path / "pipe")

    assert faults(tmp_path / "none") == ["cannot be read: no such file or directory"]
    assert faults(tmp_path) == ["cannot be read: is a directory"]
    assert faults(tmp_path / "pipe") == ["cannot be read: is a named pipe"]
    assert faults(of(tmp_path, "# none\n")) == ["holds no token: a line is a name, a space and the token"]
    assert faults(of(tmp_path, "x" * 101)) == ["is longer than 100 bytes"]
    assert faults(of(tmp_path, f"a {ONE}\nb {TWO}")) == ["holds more than 1 tokens"]
    assert faults(of(tmp_path, b"a \xff\xfe"))[0].startswith("line 1: ")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
