"""The file is found in a fixed order; whatever is wrong with it ends in one ConfigError."""

import os
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from steno.config import find, load, loading, parse
from steno.errors import ConfigError
from steno.limits import Limits
from tests.config.helpers import FILE, source, told


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The two standard places, in a folder of the test's own: one to be in, one to stand for /etc."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    standard = (Path("steno.toml"), tmp_path / "etc.toml")
    monkeypatch.setattr(loading, "STANDARD_PLACES", standard)
    return standard


def test_a_path_that_was_named_is_the_one_even_where_nothing_is(places: tuple[Path, Path]) -> None:
    places[0].touch()
    environ = {"STENO_CONFIG": "/nowhere/b.toml"}

    assert find(Path("/nowhere/a.toml"), environ) == Path("/nowhere/a.toml")
    assert find(None, environ) == Path("/nowhere/b.toml")


def test_without_a_name_the_standard_places_are_looked_at_in_order(places: tuple[Path, Path]) -> None:
    here, etc = places

    assert find(None, {}) is None
    etc.touch()
    assert find(None, {"STENO_CONFIG": ""}) == etc
    here.touch()
    assert find(None, {}) == here


def test_the_standard_places_are_those_of_the_manual() -> None:
    here, etc = loading.STANDARD_PLACES

    assert (str(here), str(etc)) == ("steno.toml", "/etc/steno/steno.toml")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look everywhere")
def test_a_place_that_may_not_be_looked_at_is_not_passed_over(
    places: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    monkeypatch.setattr(loading, "STANDARD_PLACES", (closed / "steno.toml",))

    assert find(None, {}) == closed / "steno.toml"
    assert failure(closed / "steno.toml") == f"{closed}/steno.toml: cannot be read: permission denied"


@pytest.mark.parametrize("start", ["", "\ufeff"], ids=["plain", "byte order mark"])
def test_a_file_is_read(tmp_path: Path, start: str) -> None:
    file = tmp_path / "steno.toml"
    file.write_bytes((start + source().replace("\n", "\r\n")).encode())

    assert load(file) == parse(source(), FILE)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "cannot be read: no such file or directory"),
        (b"# \xff", "is not UTF-8 (byte 3)"),
        (b"#" * (1024 * 1024 + 1), "is longer than 1048576 bytes"),
        (b"[http]\nlisten = x", "line 2, column 10: no value: text must be quoted"),
        (b"[http]\nlisten = 1", "http.listen: must be text in quotes"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_with_its_name(tmp_path: Path, content: bytes | None, fault: str) -> None:
    file = tmp_path / "steno.toml"
    if content is not None:
        file.write_bytes(content)

    assert failure(file) == f"{file}: {fault}"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert failure(tmp_path) == f"{tmp_path}: cannot be read: is a directory"


def test_a_device_that_never_ends_is_refused() -> None:
    assert failure(Path("/dev/zero")) == "/dev/zero: is longer than 1048576 bytes"


def test_a_path_that_is_none() -> None:
    assert failure(Path("a\0b")) == r"'a\x00b': cannot be read: not a path"


def failure(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[http]\n[log]\n[http]", "line 3, column 6: this table is there already"),
        ("a = 1\na = 2", "line 2, column 6: this key is there already"),
        ("a = { b = 1, b = 2 }", "line 1, column 19: this key is there already"),
        ("a = { b = 1 }\n[a.c]", "this table is there already"),
        ("a 1", "line 1, column 3: a key must be followed by ="),
        ("a = 1 2", "line 1, column 7: something stands behind the end of the value"),
        ("[http", "line 1, column 6: the ] of the table's name is missing"),
        ("[[sources]", "line 1, column 10: the ]] of the table's name is missing"),
        ('a = "\\uD800"', "no such Unicode character"),
        ('a = "\\u12"', "\\u must be followed by 4, \\U by 8 hexadecimal digits"),
        ('a = "\x01"', "a character that cannot stand here"),
        ("# \x01", "a character that cannot stand here"),
        ("a = 2020-02-30", "no such date or time"),
        ("= 1", "line 1, column 1: neither a key nor a table begins like this"),
        ("a. = 1", "line 1, column 4: a key must be letters, digits, `_` and `-`, or be quoted"),
        ("a = secret", "line 1, column 5: no value: text must be quoted"),
        ("a = [1\n", "line 2, column 1: the ] of a list is missing"),
        ('a = "x\\y"', "a \\ in text must be doubled, or the text put in single quotes"),
        ('a = "x', "line 1, column 7: the quote at the end of the text is missing"),
        ("a = 'x", "line 1, column 7: the quote at the end of the text is missing"),
        ("a = '''x", "line 1, column 9: the quote at the end of the text is missing"),
        (f"a = {'9' * 5000}", "holds a number with too many digits"),
    ],
)
def test_a_fault_of_the_syntax_is_told_with_its_place(text: str, fault: str) -> None:
    (line,) = told(text)

    assert line.endswith(fault)
    assert line.startswith(("line 1, column ", "line 2, column ", "line 3, column ", "holds"))


def test_brackets_nest_only_so_deep() -> None:
    (line,) = told("a = " + "[" * 100_000)

    assert line == "nests brackets too deep"


def test_words_that_are_new_to_us_are_not_repeated() -> None:
    assert loading._syntax_words("Brand new: secret (at line 1, column 2)", "") == "line 1, column 2: is not TOML"


@settings(deadline=None)  # a busy machine is no fault
@given(st.text() | st.text('[]{}"=\n.\\#a1', max_size=40))
@example("")
def test_any_text_is_a_configuration_or_a_list_of_faults(text: str) -> None:
    assert all(told(text))


def test_a_command_may_have_defaults_of_its_own() -> None:
    """They hold where the file says nothing, and what the file says goes before them."""
    defaults = {"limits": {"kept_objects": 7}}
    assert parse("", "", defaults).limits.kept_objects == 7
    assert parse("[limits]\nitems = 5", "", defaults).limits == Limits(items=5, kept_objects=7)
    assert parse("[limits]\nkept_objects = 9", "", defaults).limits.kept_objects == 9
