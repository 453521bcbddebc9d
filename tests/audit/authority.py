"""Keys for heads, a server that takes them, and a time-stamp authority: that of openssl, behind a server."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

Answer = Callable[[BaseHTTPRequestHandler, bytes], tuple[int, bytes]]
"""Returns status and body for a request with that body."""


def key_pair(folder: Path, name: str = "anchor") -> tuple[Path, Path]:
    """Write an Ed25519 key; return the files of its private and its public part."""
    key = Ed25519PrivateKey.generate()
    private, public = folder / f"{name}.pem", folder / f"{name}.pub"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return private, public


@contextmanager
def server(answer: Answer, location: str = "/elsewhere") -> Iterator[str]:
    """Serve on loopback; yield the URL. A redirect leads to `location`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status, reply = answer(self, body)
            self.send_response(status)
            self.send_header("content-length", str(len(reply)))
            if status in range(300, 400):
                self.send_header("location", location)
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{httpd.server_port}/heads"
        finally:
            httpd.shutdown()
            thread.join()


CONFIGURATION = """
[req]
distinguished_name = name
prompt = no
x509_extensions = stamping
[name]
CN = Authority of a test
[stamping]
basicConstraints = CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
[tsa]
default_tsa = authority
[authority]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
certs = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
"""


def stamping(folder: Path) -> tuple[Path, Answer]:
    """Make a time-stamp authority in `folder`; return the file of its certificate, and what answers requests."""
    settings = folder / "tsa.cnf"
    settings.write_text(CONFIGURATION.format(folder=folder))
    (folder / "serial").write_text("01\n")
    certificate = folder / "tsa.pem"
    _openssl(
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
        "-keyout", folder / "tsa.key", "-out", certificate, "-config", settings,
    )  # fmt: skip

    def answer(_handler: BaseHTTPRequestHandler, body: bytes) -> tuple[int, bytes]:
        query, reply = folder / "query.tsq", folder / "reply.tsr"
        query.write_bytes(body)
        _openssl("ts", "-reply", "-config", settings, "-queryfile", query, "-out", reply)
        return 200, reply.read_bytes()

    return certificate, answer


def _openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
