"""From the configuration to the parts of an audit log: its content policy, keys, folder and writer options."""

from pathlib import Path
from typing import Final

from steno import __version__
from steno.audit.anchoring import Anchors, parts_of
from steno.audit.content_policy import BodyEncoder, ContentPolicy, Redacts
from steno.audit.content_store.files import ContentFiles
from steno.audit.log_records import SegmentSettings
from steno.audit.record import GENESIS
from steno.audit.writing.cursor_recovery import RecoveredWindow, recover_windows
from steno.audit.writing.interface import WriterOptions
from steno.audit.writing.log import AuditLog
from steno.audit.writing.retention import RetentionPolicy
from steno.config import Audit, Config, SecretRef, digest, read_secret
from steno.config.schema import Content
from steno.core.facts import KINDS
from steno.errors import ConfigError, ConfigFault, UnavailableError
from steno.timestamps import Micros

KEY_CHARACTERS: Final = 32
"""Length of the shortest secret that is accepted as a key: 128 bits in hex."""
DAY_SECONDS: Final = 86_400


def policy_of(audit: Audit) -> ContentPolicy:
    """Return what is kept of each kind of content."""
    content = audit.content
    if not isinstance(content, Content):
        return ContentPolicy.of(content, files=audit.content_files)
    kinds = {kind: rule for kind in KINDS if (rule := getattr(content, kind)) is not None}
    return ContentPolicy.of(content.default, kinds, files=audit.content_files)


def redactor_of(audit: Audit) -> Redacts | None:
    """Return what takes personal data out, where the policy asks for it.

    Raises ConfigError, with faults that name no file, where the packages for it are not installed, or where a pattern
    would take no bounded time.
    """
    if not policy_of(audit).redacts:
        return None
    try:
        from steno.redaction import PatternFaults, Redactor  # noqa: PLC0415  # its tables take a tenth of a second
    except ModuleNotFoundError:
        message = '"redacted" needs packages that are not installed: pip install "steno[redaction]"'
        raise ConfigError([ConfigFault("", "audit.content", message)]) from None

    try:
        return Redactor(audit.patterns, audit.regions)
    except PatternFaults as error:
        raise ConfigError(
            [ConfigFault("", f"audit.patterns.{name}", reason) for name, reason in error.faults.items()]
        ) from None


def bodies_of(audit: Audit, files: ContentFiles) -> BodyEncoder:
    """Return what writes facts as bodies of records. Raises ConfigError where a key is none."""
    return BodyEncoder(
        policy_of(audit), redactor=redactor_of(audit), digest_key=key_of(audit.digest_key, "digest_key"), files=files
    )


def key_of(ref: SecretRef | None, name: str) -> bytes | None:
    """Return the key at `ref`; `name` is its key in the configuration.

    Raises ConfigError where it cannot be read or is too short.
    """
    if ref is None:
        return None
    secret = read_secret(ref)
    if len(secret) < KEY_CHARACTERS:
        raise ConfigError(
            [ConfigFault(ref.file or f"${ref.env}", f"audit.{name}", f"must have {KEY_CHARACTERS} characters at least")]
        )
    return secret.encode()


def settings_of(config: Config) -> SegmentSettings:
    """Return how segments are written. Raises ConfigError where the key is none."""
    return SegmentSettings(
        version=__version__,
        config_digest=digest(config),
        content_policy=policy_of(config.audit).describe(),
        key=key_of(config.audit.key, "key"),
    )


def options_of(audit: Audit) -> WriterOptions:
    """Return what the configuration decides about the writer."""
    return WriterOptions(
        queue_bytes=audit.queue_bytes,
        sheds=audit.when_full == "shed",
        flush_seconds=0.0 if audit.flush == "always" else audit.flush_seconds,
        flush_bytes=audit.flush_bytes,
        segment_seconds=audit.segment_seconds,
        checkpoint_records=audit.checkpoint_records,
        checkpoint_seconds=audit.checkpoint_seconds,
        retention=RetentionPolicy(
            None if audit.retention_days is None else audit.retention_days * DAY_SECONDS,
            audit.retention_bytes,
            audit.segment_seconds,
        ),
    )


def anchors_of(audit: Audit, log_id: str | None) -> Anchors | None:
    """Return what carries heads of the log elsewhere; None where the configuration names no place.

    Raises ConfigError, with a fault that names no file, where a key is none or packages are not installed.
    """
    return Anchors(parts_of(audit.anchor), log_id or GENESIS.hex()) if audit.anchor else None


def open_log(directory: Path, config: Config, at: Micros | None, nonce: str | None = None) -> AuditLog:
    """Begin a segment in `directory`; `nonce` makes the first record of a new log unlike that of any other.

    Raises UnavailableError, naming the folder, where it cannot be written or another steno writes there; DataError
    where the log there cannot be continued; ConfigError where the key is none.
    """
    settings = settings_of(config)
    try:
        return AuditLog.open(directory, settings, at=at, segment_bytes=config.audit.segment_bytes, nonce=nonce)
    except OSError as error:
        raise UnavailableError(f"cannot write the audit log in {directory}: {error.strerror}") from error


def recovered_windows(directory: Path, config: Config) -> list[RecoveredWindow]:
    """Return what the log in `directory` knows of senders that may go on. Without a source for them nothing is read.

    Raises UnavailableError where a file cannot be read.
    """
    if not any(source.kind == "listen" for source in config.sources):
        return []
    try:
        return recover_windows(directory)
    except OSError as error:
        raise UnavailableError(f"cannot read the audit log in {directory}: {error.strerror}") from error
