"""A certificate on a side that listens: in use, replaced, and every way in which one can be bad."""

import calendar
import shutil
import ssl
import time
from contextlib import suppress
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from steno import certificates as module
from steno.certificates import CertificateError, ServerCertificate
from steno.config import Tls
from tests.sources.certificates import Authority
from tests.sources.helpers import counted

EXPIRED = ("20200101000000Z", "20210101000000Z")
END_OF_2099 = float(calendar.timegm((2099, 12, 31, 23, 59, 59)))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


class Play:
    """A certificate whose files are replaced, and a clock that is set by hand."""

    def __init__(self, folder: Path, authority: Authority, client_ca: Path | None = None) -> None:
        self.authority = authority
        self.certificate, self.key = folder / "cert.pem", folder / "key.pem"
        self.now = 1000.0
        self.served = ServerCertificate(
            "push",
            Tls(certificate=str(self.certificate), key=str(self.key), client_ca=str(client_ca) if client_ca else None),
            ["http/1.1"],
            lambda: self.now,
        )

    def put(self, certificate: Path, key: Path) -> None:
        shutil.copy(certificate, self.certificate)
        shutil.copy(key, self.key)

    def later(self, seconds: float = 1.0) -> None:
        self.now += seconds

    def shown(self) -> str:
        """Return the subject that a client sees, which trusts the authority."""
        client = ssl.create_default_context(cafile=self.authority.certificate)
        client.set_alpn_protocols(["http/1.1"])
        up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
        serving = self.served.context().wrap_bio(up, down, server_side=True)
        asking = client.wrap_bio(down, up, server_hostname="localhost")
        for _ in range(8):
            try:
                asking.do_handshake()
            except ssl.SSLWantReadError:
                with suppress(ssl.SSLWantReadError):
                    serving.do_handshake()
        assert asking.selected_alpn_protocol() == "http/1.1"
        certificate = asking.getpeercert()
        assert certificate
        return str(certificate["subject"])

    @property
    def loads(self) -> dict[str, float]:
        return counted({str(outcome): count for outcome, count in self.served.loads.items()})


def test_a_certificate_is_read_again_when_its_files_change(tmp_path: Path, authority: Authority) -> None:
    play = Play(tmp_path, authority)
    play.put(*authority.issue())
    first = play.shown()

    play.put(*authority.issue())
    at_once = play.shown()
    play.later()
    second = play.shown()
    play.later()
    play.shown()

    assert first == at_once != second
    assert play.loads == {"loaded": 2}
    assert play.served.numbers()["steno_tls_certificate_expiry_timestamp_seconds"] == {(): END_OF_2099}


def test_a_request_to_reload_does_not_wait(tmp_path: Path, authority: Authority) -> None:
    play = Play(tmp_path, authority)
    play.put(*authority.issue())
    first = play.shown()

    play.put(*authority.issue())
    play.served.reload()

    assert play.shown() != first


def test_a_bad_certificate_leaves_the_former_in_use_until_it_is_mended(tmp_path: Path, authority: Authority) -> None:
    play = Play(tmp_path, authority)
    good = authority.issue()
    play.put(*good)
    first = play.shown()

    with capture_logs() as logs:
        play.put(*authority.issue(begins=EXPIRED[0], ends=EXPIRED[1]))
        play.later()
        during = play.shown()
        play.later(3)
        play.shown()  # the files are the same: they are not read again so soon
        play.later(module.AGAIN_SECONDS)
        play.shown()
        error = play.served.error
        play.put(*authority.issue())
        play.later()
        mended = play.shown()

    assert first == during != mended
    assert error is not None
    assert error.detail == f"{play.certificate}: certificate has expired"
    assert play.served.error is None
    assert play.loads == {"loaded": 2, "expired": 2}
    assert [(line["event"], line.get("reason")) for line in logs] == [
        ("the certificate cannot be used; the former one stays in use", "expired"),
        ("certificate loaded", None),
    ]


def test_what_changes_while_a_key_is_copied_is_read_again(tmp_path: Path, authority: Authority) -> None:
    play = Play(tmp_path, authority)
    play.put(*authority.issue())
    first = play.shown()
    certificate, key = authority.issue()

    shutil.copy(certificate, play.certificate)
    play.later()
    during = play.shown()
    shutil.copy(key, play.key)
    play.later()
    after = play.shown()

    assert first == during != after
    assert play.loads == {"loaded": 2, "mismatch": 1}


def bad(case: str, authority: Authority, folder: Path) -> tuple[Path, Path]:
    """Return the files of a certificate and a key that are bad in one way."""
    certificate, key = authority.issue()
    text = folder / "text.pem"
    text.write_text("-----BEGIN CERTIFICATE-----\nnothing\n-----END CERTIFICATE-----\n")
    plain = folder / "plain"
    plain.write_text("nothing")
    long = folder / "long"
    long.write_bytes(b"-" * (module.FILE_BYTES + 1))
    cases = {
        "expired": authority.issue(begins=EXPIRED[0], ends=EXPIRED[1]),
        "not_yet_valid": authority.issue(begins="20900101000000Z"),
        "other key": (certificate, authority.issue()[1]),
        "for clients": authority.issue(use="clientAuth"),
        "encrypted key": (certificate, authority.encrypted(key)),
        "no certificate": (text, key),
        "no key": (certificate, text),
        "not PEM": (plain, key),
        "no file": (folder / "none", key),
        "no key file": (certificate, folder / "none"),
        "folder": (folder, key),
        "too long": (long, key),
    }
    return cases[case]


@pytest.mark.parametrize(
    ("case", "reason", "detail"),
    [
        ("expired", "expired", "{certificate}: certificate has expired"),
        ("not_yet_valid", "not_yet_valid", "{certificate}: certificate is not yet valid"),
        ("other key", "mismatch", "{key}: is not the key of {certificate}"),
        ("for clients", "unsuitable", "{certificate}: unsuitable certificate purpose"),
        ("encrypted key", "malformed", "{key}: is encrypted: store the key without a password"),
        ("no certificate", "malformed", "{certificate}: holds no valid PEM"),
        ("no key", "malformed", "{key}: holds no valid PEM"),
        ("not PEM", "malformed", "{certificate}: is not in PEM"),
        ("no file", "missing", "{certificate}: cannot be read: no such file or directory"),
        ("no key file", "missing", "{key}: cannot be read: no such file or directory"),
        ("folder", "unreadable", "{certificate}: cannot be read: is a directory"),
        ("too long", "unreadable", "{certificate}: is longer than 1048576 bytes"),
    ],
)
def test_a_bad_certificate_is_named_with_its_reason(
    case: str, reason: str, detail: str, authority: Authority, tmp_path: Path
) -> None:
    certificate, key = bad(case, authority, tmp_path)
    served = ServerCertificate("push", Tls(certificate=str(certificate), key=str(key)))

    with pytest.raises(CertificateError) as caught:
        served.context()

    assert caught.value.reason == reason
    assert caught.value.detail == detail.format(certificate=certificate, key=key)
    assert served.numbers() == {
        "steno_tls_certificate_loads_total": {(each,): float(each == reason) for each in served.loads},
        "steno_tls_certificate_expiry_timestamp_seconds": {},
    }


def test_a_certificate_that_expires_while_it_is_in_use_is_said_once(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    play = Play(tmp_path, authority)
    play.put(*authority.issue())
    play.served.context()
    monkeypatch.setattr(time, "time", lambda: END_OF_2099)

    with capture_logs() as logs:
        play.served.context()
        play.served.context()

    assert [line["event"] for line in logs] == ["the certificate has expired: put a new one in its place"]


def test_clients_are_asked_for_their_certificates(tmp_path: Path, authority: Authority) -> None:
    play = Play(tmp_path, authority, authority.certificate)
    play.put(*authority.issue())

    context = play.served.context()

    assert (context.verify_mode, context.minimum_version) == (ssl.CERT_REQUIRED, ssl.TLSVersion.TLSv1_2)


def test_certificates_of_clients_that_are_none_are_named(tmp_path: Path, authority: Authority) -> None:
    authorities = tmp_path / "clients.pem"
    authorities.write_text("-----BEGIN CERTIFICATE-----\nnothing\n-----END CERTIFICATE-----\n")
    play = Play(tmp_path, authority, authorities)
    play.put(*authority.issue())

    with pytest.raises(CertificateError) as caught:
        play.served.context()

    assert caught.value.detail == f"{authorities}: holds no valid certificates"
