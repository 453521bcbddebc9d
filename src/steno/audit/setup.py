"""From the configuration to what writes an audit log: its policy, its keys, its folder, its files of words."""

from pathlib import Path
from typing import Final

from steno import __version__
from steno.audit.content_policy import BodyEncoder, ContentPolicy, Redacts
from steno.audit.content_store.files import ContentFiles
from steno.audit.writing.log import AuditLog, Writing
from steno.config import Audit, Config, SecretRef, digest, read_secret
from steno.config.schema import Content
from steno.core.facts import KINDS
from steno.errors import ConfigError, ConfigFault, UnavailableError
from steno.timestamps import Micros

KEY_CHARACTERS: Final = 32
"""Shortest secret that a log is keyed by: 128 bits in hex."""


def policy_of(audit: Audit) -> ContentPolicy:
    """Return what is kept of which words."""
    content = audit.content
    if not isinstance(content, Content):
        return ContentPolicy.of(content, files=audit.content_files)
    kinds = {kind: rule for kind in KINDS if (rule := getattr(content, kind)) is not None}
    return ContentPolicy.of(content.default, kinds, files=audit.content_files)


def redactor_of(audit: Audit) -> Redacts | None:
    """Return what takes personal data out, where the policy asks for it.

    Raises ConfigError, with a fault that names no file, where the packages for it are not installed.
    """
    if not policy_of(audit).redacts:
        return None
    try:
        from steno.redaction import Redactor  # noqa: PLC0415  # its tables of numbers take a tenth of a second
    except ModuleNotFoundError:
        message = '"redacted" needs packages that are not installed: pip install "steno[redaction]"'
        raise ConfigError([ConfigFault("", "audit.content", message)]) from None

    return Redactor(audit.patterns, audit.regions)


def bodies_of(audit: Audit, files: ContentFiles) -> BodyEncoder:
    """Return what writes facts as bodies of records. Raises ConfigError where a key is none."""
    return BodyEncoder(
        policy_of(audit), redactor=redactor_of(audit), digest_key=key_of(audit.digest_key, "digest_key"), files=files
    )


def key_of(ref: SecretRef | None, name: str) -> bytes | None:
    """Return the key that `ref` leads to. Raises ConfigError where there is none, or it is too short to be one."""
    if ref is None:
        return None
    secret = read_secret(ref)
    if len(secret) < KEY_CHARACTERS:
        raise ConfigError(
            [ConfigFault(ref.file or f"${ref.env}", f"audit.{name}", f"must have {KEY_CHARACTERS} characters at least")]
        )
    return secret.encode()


def writing_of(config: Config) -> Writing:
    """Return what each segment says of the one who writes it. Raises ConfigError where the key is none."""
    return Writing(
        version=__version__,
        config_digest=digest(config),
        content_policy=policy_of(config.audit).describe(),
        key=key_of(config.audit.key, "key"),
    )


def open_log(directory: Path, config: Config, at: Micros | None) -> AuditLog:
    """Begin a segment in `directory`.

    Raises UnavailableError, naming the folder, where it cannot be written or somebody else writes there; DataError
    where the log there cannot be continued; ConfigError where the key is none.
    """
    writing = writing_of(config)
    try:
        return AuditLog.open(
            directory,
            version=writing.version,
            config_digest=writing.config_digest,
            content_policy=writing.content_policy,
            at=at,
            segment_bytes=config.audit.segment_bytes,
            key=writing.key,
        )
    except OSError as error:
        raise UnavailableError(f"cannot write the audit log in {directory}: {error.strerror}") from error
