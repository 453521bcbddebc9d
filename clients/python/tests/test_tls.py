import ssl
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from steno_tap import Tap
from tests.servers import Steno, texts, until

MakeTap = Callable[..., Tap]


def certificate(folder: Path, address: str) -> Path:
    """Write a certificate for `address` that signs itself, with its key, and return where."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "steno of a test")])
    now = datetime.now(timezone.utc)
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / f"{address}.pem"
    path.write_bytes(secret + built.public_bytes(serialization.Encoding.PEM))
    return path


def serving(path: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def test_frames_arrive_over_tls(make_tap: MakeTap, tmp_path: Path) -> None:
    path = certificate(tmp_path, "127.0.0.1")
    with Steno(tls=serving(path)) as steno:
        tap = make_tap(steno.url, "t0ken", tls=ssl.create_default_context(cafile=str(path)))
        long = "A" * 1_000_000
        tap.send(long)

        assert tap.close()
        steno.settled()
        assert texts(steno.lines) == [long]
        assert steno.pushes[0].headers["authorization"] == "Bearer t0ken"


@pytest.mark.parametrize("fault", ["untrusted", "another name"])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # the server's, at the alert
def test_no_frame_and_no_token_goes_to_a_stranger(
    make_tap: MakeTap, tmp_path: Path, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    path = certificate(tmp_path, "127.0.0.1" if fault == "untrusted" else "127.0.0.9")
    trusted = None if fault == "untrusted" else ssl.create_default_context(cafile=str(path))
    with Steno(tls=serving(path)) as steno:
        tap = make_tap(steno.url, "t0ken", tls=trusted)
        tap.send("{}")
        until(lambda: caplog.messages)
        assert not tap.close(0)

        assert (steno.pushes, steno.refused) == ([], [])
    assert caplog.messages[0].startswith("cannot push to steno, trying again: the certificate of 127.0.0.1 is not")
