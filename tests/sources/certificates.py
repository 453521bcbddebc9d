"""Certificates for tests, made by openssl: good ones, and each kind of bad one."""

import subprocess
from pathlib import Path
from typing import Final

import pytest

_CURVE: Final = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
_NAMES: Final = "subjectAltName=IP:127.0.0.1,DNS:localhost"
_CA_CONF: Final = """\
[ca]
default_ca = own
[own]
database = {folder}/index
serial = {folder}/serial
new_certs_dir = {folder}
default_md = sha256
policy = any
copy_extensions = copy
[any]
commonName = supplied
"""


class Authority:
    """An authority that signs what it is asked for."""

    def __init__(self, folder: Path) -> None:
        """Make it in `folder`. Skips the test where there is no openssl."""
        self.folder = folder
        self.certificate = folder / "authority.pem"
        self._key = folder / "authority.key"
        self._number = 0
        (folder / "index").touch()
        (folder / "serial").write_text("01\n")
        (folder / "ca.conf").write_text(_CA_CONF.format(folder=folder))
        self._openssl(
            "req", "-x509", *_CURVE, "-days", "9", "-subj", "/CN=authority",
            "-keyout", self._key, "-out", self.certificate,
        )  # fmt: skip

    def _openssl(self, *arguments: str | Path) -> None:
        try:
            subprocess.run(["openssl", *arguments], check=True, capture_output=True)
        except FileNotFoundError:
            pytest.skip("openssl, which makes the certificate, is not installed")

    def issue(
        self, *, begins: str = "20200101000000Z", ends: str = "20991231235959Z", use: str = "serverAuth"
    ) -> tuple[Path, Path]:
        """Return the files of a new certificate for 127.0.0.1 and localhost, and of its key."""
        self._number += 1
        certificate, key, request = (self.folder / f"{self._number}.{suffix}" for suffix in ("pem", "key", "csr"))
        self._openssl(
            "req", "-new", *_CURVE, "-subj", f"/CN=test {self._number}", "-addext", _NAMES,
            "-addext", f"extendedKeyUsage={use}", "-keyout", key, "-out", request,
        )  # fmt: skip
        self._openssl(
            "ca", "-batch", "-notext", "-config", self.folder / "ca.conf", "-cert", self.certificate,
            "-keyfile", self._key, "-in", request, "-out", certificate, "-startdate", begins, "-enddate", ends,
        )  # fmt: skip
        return certificate, key

    def encrypted(self, key: Path) -> Path:
        """Return the file of `key` under a password."""
        path = key.with_suffix(".encrypted")
        self._openssl("pkey", "-in", key, "-aes128", "-passout", "pass:word", "-out", path)
        return path
