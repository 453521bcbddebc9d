"""The web configuration file: what is read, and what is refused with what to use instead."""

import ssl
from pathlib import Path

import pytest

from steno.admin import web_config_file
from steno.admin.web_config import WebConfig, read_web_config
from steno.config import Tls
from steno.errors import ConfigError

AT = "web.yml: tls_server_config"
NO_TYPE = (
    f"{AT}.client_auth_type: must be NoClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert: a certificate "
    "that nobody verifies says nothing"
)
NO_CIPHERS = f"{AT}.cipher_suites: is not supported: leave it out, and OpenSSL's configuration on this machine decides"
MINIMAL = "tls_server_config:\n  cert_file: cert.pem\n  key_file: keys/key.pem\n"
CLIENTS = MINIMAL + "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: /etc/ca.pem\n"
ONE_TWO, ONE_THREE = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


def read(folder: Path, text: str | bytes) -> WebConfig:
    path = folder / "web.yml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_web_config(path)


def faults(folder: Path, text: str | bytes) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(folder, text)
    return [str(fault).replace(f"{folder}/", "") for fault in caught.value.faults]


def test_files_are_found_beside_it(tmp_path: Path) -> None:
    assert read(tmp_path, MINIMAL) == WebConfig(
        Tls(certificate=str(tmp_path / "cert.pem"), key=str(tmp_path / "keys/key.pem")),
        "none",
        None,
        ONE_TWO,
        ONE_THREE,
    )


def test_all_that_is_known_is_read(tmp_path: Path) -> None:
    text = CLIENTS + (
        '  client_allowed_sans: [prometheus.example, "2001:DB8:0::1"]\n  min_version: TLS13\n  max_version: TLS13\n'
        "  prefer_server_cipher_suites: true\nhttp_server_config:\n  http2: false\n"
    )

    found = read(tmp_path, text)

    assert (found.clients, found.names) == ("required", frozenset({"prometheus.example", "2001:db8::1"}))
    assert (found.minimum, found.maximum, found.tls.client_ca) == (ONE_THREE, ONE_THREE, "/etc/ca.pem")


def test_what_programs_write_where_there_is_nothing_to_say_is_passed_over(tmp_path: Path) -> None:
    text = MINIMAL + (
        '  client_auth_type: ""\n  client_ca_file: ""\n  client_allowed_sans: []\n  cipher_suites: []\n'
        "  curve_preferences:\n  prefer_server_cipher_suites: false\nbasic_auth_users: {}\n"
        "http_server_config:\n  http2: false\n  headers: {}\n"
    )

    assert read(tmp_path, text) == read(tmp_path, MINIMAL)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["web.yml: must be a mapping with the key tls_server_config"]),
        ("- a", ["web.yml: must be a mapping with the key tls_server_config"]),
        (
            "{}",
            [f"{AT}: must be there, with cert_file and key_file: without TLS leave http.web_config out"],
        ),
        (
            "tls_server_config: {}",
            [
                f"{AT}.cert_file: must be there",
                f"{AT}.key_file: must be there",
            ],
        ),
        (
            MINIMAL + "basic_auth_users:\n  me: $2y$10$secret\n",
            ["web.yml: basic_auth_users: is not supported: use the token of http.token, or certificates of clients"],
        ),
        (MINIMAL + "http_server_config: 5\n", ["web.yml: http_server_config: must be a mapping"]),
        (MINIMAL + "other: 1\n", ["web.yml: other: is unknown: known is tls_server_config"]),
        (
            MINIMAL + "http_server_config:\n  http2: true\n",
            ["web.yml: http_server_config.http2: must be false: steno speaks HTTP/1.1"],
        ),
        (
            MINIMAL + "http_server_config:\n  headers: {X-Frame-Options: deny}\n",
            ["web.yml: http_server_config.headers: is not supported: steno sets the headers that browsers need"],
        ),
        (
            MINIMAL + "  key: secret-key\n",
            [f"{AT}.key: is not supported: name a file by key_file"],
        ),
        (
            MINIMAL + "  cipher_suites: [TLS_AES_128_GCM_SHA256]\n",
            [NO_CIPHERS],
        ),
        (
            MINIMAL + "  min_version: TLS10\n",
            [f"{AT}.min_version: must be TLS12 or TLS13: older ones are broken"],
        ),
        (
            MINIMAL + "  min_version: TLS13\n  max_version: TLS12\n",
            [f"{AT}.max_version: must not be below min_version"],
        ),
        (
            MINIMAL + "  client_auth_type: RequestClientCert\n",
            [NO_TYPE],
        ),
        (
            MINIMAL + "  client_auth_type: [1]\n  min_version: {a: 1}\n",
            [
                f"{AT}.min_version: must be TLS12 or TLS13: older ones are broken",
                NO_TYPE,
            ],
        ),
        (
            MINIMAL + "  client_auth_type: VerifyClientCertIfGiven\n",
            [f"{AT}.client_ca_file: must be there, with the certificates by which clients are verified"],
        ),
        (
            MINIMAL + "  client_ca_file: ca.pem\n",
            [f"{AT}.client_auth_type: must be set where there is a client_ca_file"],
        ),
        (
            MINIMAL + "  client_allowed_sans: [a]\n",
            [f"{AT}.client_allowed_sans: needs a client_auth_type that verifies certificates"],
        ),
        (
            CLIENTS + "  client_allowed_sans: a\n",
            [f"{AT}.client_allowed_sans: must be a list of names"],
        ),
        (
            CLIENTS + "  client_allowed_sans: []\n",
            [f"{AT}.client_allowed_sans: must name somebody: leave it out to allow each certificate that is verified"],
        ),
        (
            "tls_server_config:\n  cert_file: [secret]\n  key_file: k\n",
            [f"{AT}.cert_file: must be a path"],
        ),
        ("a: &secret 1\nb: *secret\n", ["web.yml: aliases are not supported"]),
        (MINIMAL + "  cert_file: other.pem\n", ["web.yml: line 2, column 3: a key stands twice"]),
        ("a: 'secret", ["web.yml: line 1, column 11: is no YAML"]),
        ("a: !!python/object/apply:os.system [secret]\n", ["web.yml: line 1, column 4: is no YAML"]),
        ("? [secret]\n: 1\n", ["web.yml: line 1, column 3: is no YAML"]),
        ("a: 2001-99-99\n", ["web.yml: is no YAML that steno can read"]),
        ("[" * 5000, ["web.yml: is no YAML that steno can read"]),
        (b"\xff", ["web.yml: is not UTF-8"]),
        (b"a: \x00", ["web.yml: is no YAML"]),
    ],
)
def test_what_is_wrong_is_named_and_no_value_is_repeated(
    tmp_path: Path, text: str | bytes, expected: list[str]
) -> None:
    found = faults(tmp_path, text)

    assert found == expected
    assert "secret" not in str(found)


def test_what_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_config_file, "FILE_BYTES", 10)
    with pytest.raises(ConfigError, match=r"missing\.yml: cannot be read: no such file"):
        read_web_config(tmp_path / "missing.yml")

    assert faults(tmp_path, MINIMAL) == ["web.yml: is longer than 10 bytes"]
