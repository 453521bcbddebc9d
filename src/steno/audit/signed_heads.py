"""Heads of a log as they are kept elsewhere, `steno.head/1`: signed, and stamped with a time by a third party.

A chain can be hashed anew by whoever can write the folder. A head that was kept where they cannot reach it shows that.
Who keeps it need not be trusted where it is signed, nor the clock of the host where it is stamped.

    {"schema":"steno.head/1","log_id":"…","seq":123,"hash":"…","at":"…","proof":{"key_id":"…","signature":"…","timestamp":"…"}}

One head a line, compact JSON, members in this order. Let P be the bytes of the line before `,"proof":`. `signature` is
the Ed25519 signature of P, `timestamp` the response of a time-stamp authority (RFC 3161, DER) for P; both in base64.
`key_id` is the beginning of the SHA-256 of the public key (DER). Members of the proof that are not there are absent.

`cryptography` and `rfc3161_client` come with the extra `steno[anchor]`.
"""

import base64
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from steno.regular_files import read_named

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
    from cryptography.x509 import Certificate

SCHEMA: Final = "steno.head/1"
KEY_ID_CHARACTERS: Final = 16
PEM_BYTES: Final = 256 * 1024
"""Longest file of a key or of certificates that is read."""
_PROOF: Final = b',"proof":'

T = TypeVar("T")
Hex64 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class HeadError(Exception):
    """A key, a head or its proof is not what it should be. The message says what, and repeats no secret."""


class Proof(Struct, frozen=True, kw_only=True):
    """What others say of a head."""

    key_id: str | UnsetType = UNSET
    signature: str | UnsetType = UNSET
    timestamp: str | UnsetType = UNSET


class _Claim(Struct, frozen=True):
    schema: str
    log_id: Hex64
    seq: Annotated[int, Meta(ge=1)]
    hash: Hex64
    at: str | None


class KeptHead(_Claim, frozen=True):
    """A head as it was kept."""

    proof: Proof


# Made -----------------------------------------------------------------------------------------------------


class Signer:
    """Signs with one Ed25519 key. Its representation does not show it."""

    def __init__(self, key: "Ed25519PrivateKey") -> None:
        """Sign with `key`."""
        self._key = key
        self.key_id = key_id_of(key.public_key())

    def sign(self, claim: bytes) -> bytes:
        """Return the signature of `claim`, 64 bytes."""
        return self._key.sign(claim)


def read_signer(path: Path) -> Signer:
    """Return what signs with the private key in `path` (PEM, PKCS 8, not encrypted). Raises HeadError."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415  # an extra
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415  # likewise

    key = _loaded(path, lambda pem: load_pem_private_key(pem, None), "an unencrypted private key in PEM")
    if not isinstance(key, Ed25519PrivateKey):
        raise HeadError(f"{path} holds another kind of key than Ed25519: openssl genpkey -algorithm ed25519")
    return Signer(key)


def claim_of(log_id: str, seq: int, hashed: bytes, at: str | None) -> bytes:
    """Return P of a head: record `seq` of the log `log_id` has the hash `hashed`, and `at` is the checkpoint's time."""
    return msgspec.json.encode(_Claim(SCHEMA, log_id, seq, hashed.hex(), at))[:-1]


def line_of(claim: bytes, signer: Signer | None, timestamp: bytes | None) -> bytes:
    """Return the line of a head, its newline included."""
    proof = Proof(
        key_id=signer.key_id if signer else UNSET,
        signature=_text(signer.sign(claim)) if signer else UNSET,
        timestamp=_text(timestamp) if timestamp else UNSET,
    )
    return claim + _PROOF + msgspec.json.encode(proof) + b"}\n"


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()


# Held against keys ----------------------------------------------------------------------------------------


def parse_line(line: bytes) -> KeptHead:
    """Return the head in a line. Raises HeadError where there is none."""
    try:
        head = msgspec.json.decode(line, type=KeptHead)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise HeadError(f"is no head of the form {SCHEMA}") from None
    if head.schema != SCHEMA:
        raise HeadError(f"is of another form than {SCHEMA}")
    return head


def claim_in(line: bytes) -> bytes:
    """Return P of a line: what its proof is about."""
    return line[: line.rindex(_PROOF)]


class HeadKeys:
    """Public keys by which heads may be signed."""

    def __init__(self, keys: Sequence["Ed25519PublicKey"]) -> None:
        """Accept each of `keys`."""
        self._keys = {key_id_of(key): key for key in keys}

    def check(self, claim: bytes, proof: Proof) -> str:
        """Return the id of the key that signed `claim`. Raises HeadError where none of these did."""
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415  # an extra

        if not isinstance(proof.signature, str) or not isinstance(proof.key_id, str):
            raise HeadError("is not signed")
        key = self._keys.get(proof.key_id)
        if key is None:
            raise HeadError(f"is signed by another key than was given: {proof.key_id[:KEY_ID_CHARACTERS]!a}")
        try:
            key.verify(_bytes(proof.signature), claim)
        except InvalidSignature:
            raise HeadError("has a signature that does not hold") from None
        return proof.key_id


def read_head_keys(paths: Sequence[Path]) -> HeadKeys:
    """Return the public keys in `paths` (PEM, one a file). Raises HeadError."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415  # an extra
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415  # likewise

    keys = []
    for path in paths:
        key = _loaded(path, load_pem_public_key, "a public key in PEM: openssl pkey -in KEY -pubout")
        if not isinstance(key, Ed25519PublicKey):
            raise HeadError(f"{path} holds another kind of key than Ed25519")
        keys.append(key)
    return HeadKeys(keys)


def key_id_of(key: "Ed25519PublicKey") -> str:
    """Return what names a key, in hex: `openssl pkey -pubin -in KEY -outform DER | sha256sum` begins with it."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415  # an extra

    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()[
        :KEY_ID_CHARACTERS
    ]


# Held against a time-stamp authority ------------------------------------------------------------------------


class TimestampRoots:
    """Certificates of time-stamp authorities, or of those that certify them."""

    def __init__(self, roots: Sequence["Certificate"]) -> None:
        """Trust each of `roots`."""
        self._roots = list(roots)

    def check(self, claim: bytes, proof: Proof) -> str:
        """Return when `claim` was stamped, RFC 3339 in UTC. Raises HeadError where no trusted authority did that."""
        from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response  # noqa: PLC0415  # an extra

        if not isinstance(proof.timestamp, str):
            raise HeadError("has no time stamp")
        builder = VerifierBuilder()
        for root in self._roots:
            builder = builder.add_root_certificate(root)
        try:
            response = decode_timestamp_response(_bytes(proof.timestamp))
            builder.build().verify_message(response, claim)
        except (VerificationError, ValueError):
            raise HeadError("has a time stamp that does not hold") from None
        return response.tst_info.gen_time.strftime("%Y-%m-%dT%H:%M:%SZ")


def read_roots(paths: Sequence[Path]) -> TimestampRoots:
    """Return the certificates in `paths` (PEM, one or more a file). Raises HeadError."""
    from cryptography.x509 import load_pem_x509_certificates  # noqa: PLC0415  # an extra

    return TimestampRoots(
        [each for path in paths for each in _loaded(path, load_pem_x509_certificates, "certificates in PEM")]
    )


def _loaded(path: Path, load: Callable[[bytes], T], what: str) -> T:
    """Return what is in a file. Raises HeadError where it cannot be read, or is not `what`."""
    try:
        pem = read_named(path, PEM_BYTES)
    except OSError as error:
        raise HeadError(f"cannot read {path}: {error.strerror}") from None
    try:
        return load(pem)
    except (ValueError, TypeError):  # a TypeError says that there is a password
        raise HeadError(f"{path} does not hold {what}") from None


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise HeadError("has a proof that is not base64") from None
