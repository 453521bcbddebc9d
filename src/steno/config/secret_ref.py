"""The place of a secret. The secret itself never stands in the configuration; `secret` reads it."""

from typing import ClassVar

from msgspec import Struct

from steno.config.fields import PUT_ELSEWHERE, FilePath, VariableName
from steno.config.validators import SECRET_VALIDATORS, Validator


class SecretRef(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The place of a secret, a file or a variable. The secret itself never stands in the configuration."""

    validators: ClassVar[tuple[Validator, ...]] = SECRET_VALIDATORS
    must: ClassVar[str] = f"a secret must not be written here: {PUT_ELSEWHERE}"

    file: FilePath | None = None
    """A file that holds the value and at most one newline after it."""

    env: VariableName | None = None
    """An environment variable that holds the value."""
