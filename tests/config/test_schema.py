"""The defaults are valid, and so is what the tables derive from their keys."""

from pathlib import Path

import msgspec
import pytest

from steno.config import Audit, Config, Connect, Http, audit_directory, parse
from tests.config.helpers import FILE, source


def test_an_empty_file_is_the_defaults() -> None:
    assert parse("", FILE) == Config()


def test_a_source_needs_only_name_kind_and_url() -> None:
    assert parse(source(), FILE).sources == (
        Connect(name="relay", kind="connect", url="wss://relay.example/v1/events"),
    )


def test_every_default_is_valid() -> None:
    relay = Connect(name="relay", kind="connect", url="ws://h")

    assert msgspec.convert(msgspec.to_builtins(Config()), Config) == Config()
    assert msgspec.convert(msgspec.to_builtins(relay), Connect) == relay


def test_the_address_is_split_for_the_socket() -> None:
    assert Http().address == ("127.0.0.1", 9464)
    assert Http(listen="[::1]:0").address == ("::1", 0)


def test_an_address_that_was_not_validated_raises() -> None:
    with pytest.raises(ValueError, match="not an address and a port"):
        _ = Http(listen="nonsense").address


@pytest.mark.parametrize(
    ("audit", "environ", "folder"),
    [
        (Audit(directory="/a"), {"LOGS_DIRECTORY": "/b"}, Path("/a")),
        (Audit(), {"LOGS_DIRECTORY": "/var/log/steno"}, Path("/var/log/steno")),
        (Audit(), {"LOGS_DIRECTORY": "/var/log/steno:/var/log/other"}, Path("/var/log/steno")),
        (Audit(), {"LOGS_DIRECTORY": ""}, None),
        (Audit(), {}, None),
    ],
)
def test_the_audit_folder_is_the_configured_one_or_that_of_systemd(
    audit: Audit, environ: dict[str, str], folder: Path | None
) -> None:
    assert audit_directory(audit, environ) == folder
