"""A secret is read from its file or variable. A fault names the place and never the value."""

import os
from pathlib import Path

import pytest

from steno.config import SecretRef, read_secret
from steno.errors import ConfigError


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        (b"Bearer a\tb", "Bearer a\tb"),
        (b"Bearer a\n", "Bearer a"),
        (b"Bearer a\r\n", "Bearer a"),
        (b" a ", " a "),
        (b"a" * 65_536, "a" * 65_536),
    ],
)
def test_a_file_holds_the_value_and_at_most_one_newline_after_it(tmp_path: Path, content: bytes, secret: str) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)

    assert read_secret(SecretRef(file=str(file))) == secret


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"MARKER\n\n", "must be one line of printable ASCII"),
        (b"MARKER\r\nX-Evil: 1", "must be one line of printable ASCII"),
        (b"MARKER\r", "must be one line of printable ASCII"),
        (b"MARKER\0", "must be one line of printable ASCII"),
        ("MARKER\u00a0".encode(), "must be one line of printable ASCII"),
        (b"MARKER\xff", "is not UTF-8"),
        (b"M" * 65_537, "is longer than 65536 bytes"),
    ],
)
def test_a_value_that_no_header_can_carry_is_refused(tmp_path: Path, content: bytes, fault: str) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)

    assert failure(SecretRef(file=str(file))) == f"{file}: {fault}"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "token"

    assert failure(SecretRef(file=str(file))) == f"{file}: cannot be read: no such file or directory"


def test_a_variable_holds_the_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAY_TOKEN", "Bearer a\n")

    assert read_secret(SecretRef(env="RELAY_TOKEN")) == "Bearer a"


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (b"", "is empty"),
        (b"MARKER\nx", "must be one line of printable ASCII"),
        (b"MARKER\xff", "must be one line of printable ASCII"),
    ],
)
def test_a_variable_with_a_wrong_value_is_named(monkeypatch: pytest.MonkeyPatch, value: bytes, fault: str) -> None:
    monkeypatch.setenv("RELAY_TOKEN", os.fsdecode(value))

    assert failure(SecretRef(env="RELAY_TOKEN")) == f"$RELAY_TOKEN: {fault}"


def test_a_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RELAY_TOKEN", raising=False)

    assert failure(SecretRef(env="RELAY_TOKEN")) == "$RELAY_TOKEN: is not set"


def failure(ref: SecretRef) -> str:
    with pytest.raises(ConfigError) as caught:
        read_secret(ref)
    return str(caught.value)
