"""Certificates to trust, and headers, are read from their places at each attempt."""

import os
import ssl
from pathlib import Path

import pytest

from steno.config import SecretRef
from steno.errors import ConfigError
from steno.sources.trust import CaFileError, client_context, read_headers


def test_the_context_of_the_system_is_made_once() -> None:
    assert client_context(None) is client_context(None)
    assert client_context(None).verify_mode == ssl.CERT_REQUIRED


def test_a_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    system = Path(ssl.get_default_verify_paths().cafile or "")
    if not system.is_file():
        pytest.skip("the system has no file of certificates to copy one from")
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    one = begin + system.read_text().split(begin)[1].split(end)[0] + end + "\n"
    file = tmp_path / "ca.pem"
    file.write_text(one)

    first, again = client_context(str(file)), client_context(str(file))
    file.write_text(one + "\n")
    os.utime(file, ns=(1, 1))
    changed = client_context(str(file))

    assert first is again
    assert changed is not first
    assert changed.cert_store_stats()["x509"] == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "ca_file: cannot be read: no such file or directory"), ("none", "ca_file: holds no certificates in PEM")],
)
def test_a_file_that_is_none_is_named(content: str | None, message: str, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)

    with pytest.raises(CaFileError) as caught:
        client_context(str(file))

    assert str(caught.value) == f"{file}: {message}"


def test_headers_are_named_with_their_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STENO_TEST_ONE", "first")
    headers = {"X-One": SecretRef(env="STENO_TEST_ONE"), "X-Two": SecretRef(env="STENO_TEST_TWO")}

    with pytest.raises(ConfigError) as caught:
        read_headers(headers)
    del headers["X-Two"]

    assert str(caught.value) == "$STENO_TEST_TWO: headers.X-Two: is not set"
    assert read_headers(headers) == {"X-One": "first"}
