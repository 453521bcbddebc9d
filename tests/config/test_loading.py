"""The file is found in a fixed order; everything that is wrong with it is raised as one ConfigError."""

import ast
import importlib
import inspect
import os
from pathlib import Path

import pytest
import tomli_w
from hypothesis import example, given, settings
from hypothesis import strategies as st

from steno.config import find, load, loading, parse
from steno.errors import ConfigError
from steno.limits import Limits
from tests.config.helpers import FILE, faults_of, source


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Return two standard places in a temporary folder: one in the current folder, one in place of /etc."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    standard = (Path("steno.toml"), tmp_path / "etc.toml")
    monkeypatch.setattr(loading, "STANDARD_PLACES", standard)
    return standard


def test_a_path_that_was_named_is_used_even_where_nothing_exists(places: tuple[Path, Path]) -> None:
    places[0].touch()
    environ = {"STENO_CONFIG": "/nowhere/b.toml"}

    assert find(Path("/nowhere/a.toml"), environ) == Path("/nowhere/a.toml")
    assert find(None, environ) == Path("/nowhere/b.toml")


def test_without_a_name_the_standard_places_are_tried_in_order(places: tuple[Path, Path]) -> None:
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
def test_a_place_that_may_not_be_looked_at_is_not_skipped(
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
        (b"[http]\nlisten = x", "line 2, column 10: Invalid value"),
        (b"[http]\nlisten = 1", "http.listen: must be text in quotes"),
    ],
)
def test_a_fault_is_shown_with_the_name_of_the_file(tmp_path: Path, content: bytes | None, fault: str) -> None:
    file = tmp_path / "steno.toml"
    if content is not None:
        file.write_bytes(content)

    assert failure(file) == f"{file}: {fault}"


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert failure(tmp_path) == f"{tmp_path}: cannot be read: is a directory"


def test_a_device_that_never_ends_is_refused() -> None:
    assert failure(Path("/dev/zero")) == "/dev/zero: is longer than 1048576 bytes"


def test_a_path_with_a_null_character_is_refused() -> None:
    assert failure(Path("a\0b")) == r"'a\x00b': cannot be read: not a path"


def failure(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[http]\n[log]\n[http]", "line 3, column 6: Cannot declare *** twice"),
        ("a = 1\na = 2", "line 2, column 6: Cannot overwrite a value"),
        ("a = { b = 1, b = 2 }", "line 1, column 19: Duplicate inline table key 'b'"),
        ("a = { open = 1, open = 2 }", "line 1, column 25: Duplicate inline table key ***"),
        ("a = { b = 1 }\n[a.c]", "line 2, column 5: Cannot declare *** twice"),
        ("a = { b = 1 }\na.c = 2", "line 2, column 8: Cannot mutate immutable namespace ***"),
        ("[a.b]\n[a]\nb.c = 1", "line 3, column 8: Cannot redefine namespace ***"),
        ("a 1", "line 1, column 3: Expected '=' after a key in a key/value pair"),
        ("a = 1 2", "line 1, column 7: Expected newline or end of document after a statement"),
        ("[http", "line 1, column 6: Expected ']' at the end of a table declaration"),
        ("[[sources]", "line 1, column 10: Expected ']]' at the end of an array declaration"),
        ('a = "\\uD800"', "line 1, column 12: Escaped character is not a Unicode scalar value"),
        ('a = "\\u12"', "line 1, column 8: Invalid hex value"),
        ('a = "\x01"', "line 1, column 6: Illegal character '\\x01'"),
        ("# \x01", "line 1, column 3: Found invalid character '\\x01'"),
        ("a = 2020-02-30", "line 1, column 5: Invalid date or datetime"),
        ("= 1", "line 1, column 1: Invalid statement"),
        ("a. = 1", "line 1, column 4: Invalid initial character for a key part"),
        ("a = secret", "line 1, column 5: Invalid value"),
        ("a = [1\n", "line 2, column 1: Unclosed array"),
        ("a = { b = 1", "line 1, column 12: Unclosed inline table"),
        ('a = "x\\y"', "line 1, column 9: Unescaped '\\' in a string"),
        ('a = "x', "line 1, column 7: Unterminated string"),
        ("a = 'x", 'line 1, column 7: Expected "\'"'),
        ("a = '''x", "line 1, column 9: Expected \"'''\""),
        (f"a = {'9' * 5000}", "holds a number with too many digits"),
    ],
)
def test_a_syntax_error_is_shown_with_its_place(text: str, fault: str) -> None:
    assert faults_of(text) == [fault]


def test_brackets_that_nest_too_deep_are_refused() -> None:
    (line,) = faults_of("a = " + "[" * 100_000)

    assert line == "nests brackets too deep"


TWICE = st.sampled_from(["[{0}]\n[{0}]", "{0}.a = 1\n[{0}]", "{0} = {{}}\n{0}.b = 1", "a = {{ {0} = 1, {0} = 2 }}"])
KEY = st.text(min_size=4).map(lambda name: f"{name}MARKER{name}")


@settings(deadline=None)  # a busy machine is no fault
@given(KEY, TWICE)
@example("'\"MARKER", "a = {{ {0} = 1, {0} = 2 }}")
@example(") (at line 1, column 1) MARKER", "[{0}]\n[{0}]")
def test_a_key_is_not_repeated_in_a_syntax_error(key: str, text: str) -> None:
    (line,) = faults_of(text.format(tomli_w.dumps({key: 0}).removesuffix(" = 0\n")))

    assert "MARKER" not in line


def test_the_parser_repeats_nothing_but_keys_and_quotations() -> None:
    """Those are masked. What else the parser of a new Python repeats must be masked too."""
    parser = ast.parse(inspect.getsource(importlib.import_module("tomllib._parser")))
    raised = [each.exc for each in ast.walk(parser) if isinstance(each, ast.Raise) and isinstance(each.exc, ast.Call)]
    filled = [
        part
        for call in raised
        if ast.unparse(call.func) in ("suffixed_err", "TOMLDecodeError")
        for text in call.args
        for part in ast.walk(text)
        if isinstance(part, ast.FormattedValue)
    ]

    assert filled
    assert {ast.unparse(part.value) for part in filled if part.conversion != ord("r")} == {
        "key",
        "cont_key",
        "abs_key_parent",
    }


@settings(deadline=None)  # a busy machine is no fault
@given(st.text() | st.text('[]{}"=\n.\\#a1', max_size=40))
@example("")
def test_any_text_is_a_configuration_or_a_list_of_faults(text: str) -> None:
    assert all(faults_of(text))


def test_a_command_may_have_defaults_of_its_own() -> None:
    """They apply where the file sets nothing."""
    defaults = {"limits": {"kept_objects": 7}}
    assert parse("", "", defaults).limits.kept_objects == 7
    assert parse("[limits]\nitems = 5", "", defaults).limits == Limits(items=5, kept_objects=7)
    assert parse("[limits]\nkept_objects = 9", "", defaults).limits.kept_objects == 9
