"""From the configuration to the parts of a log: the policy by kind, keys, writer options, errors that name a place."""

import sys
from pathlib import Path

import pytest

from steno.audit.content_store.files import ContentFiles
from steno.audit.setup import bodies_of, key_of, open_log, options_of, policy_of, redactor_of, settings_of
from steno.audit.writing.interface import WriterOptions
from steno.audit.writing.retention import RetentionPolicy
from steno.config import Audit, Config, SecretRef
from steno.config.schema import Content
from steno.core.facts import KINDS
from steno.errors import ConfigError, UnavailableError
from tests.processes import steno

KEY = "0123456789abcdef" * 2


def test_one_rule_is_for_all_kinds() -> None:
    assert policy_of(Audit(content="redacted")).rules == dict.fromkeys(KINDS, "redacted")


def test_a_table_has_rules_by_kind() -> None:
    """A kind that is not named has the default."""
    policy = policy_of(Audit(content=Content(default="redacted", arguments="full", user="none"), content_files=True))

    assert policy.rules == {**dict.fromkeys(KINDS, "redacted"), "arguments": "full", "user": "none"}
    assert policy.files


def test_the_table_names_the_kinds_that_facts_have() -> None:
    """A kind that the table lacked could not be configured."""
    assert tuple(name for name in Content.__struct_fields__ if name != "default") == KINDS


def test_a_redactor_is_made_where_it_is_asked_for() -> None:
    """Its tables take a while to load."""
    assert redactor_of(Audit()) is None
    assert redactor_of(Audit(content=Content(text="redacted"))) is not None


@pytest.mark.parametrize(("name", "value"), [("key", "short"), ("digest_key", "x" * 31)])
def test_a_key_that_is_too_short_is_refused(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says where it was found, and never what it is."""
    monkeypatch.setenv("STENO_TEST_KEY", value)
    with pytest.raises(ConfigError) as caught:
        key_of(SecretRef(env="STENO_TEST_KEY"), name)

    assert str(caught.value) == f"$STENO_TEST_KEY: audit.{name}: must have 32 characters at least"


def test_a_key_is_its_file_without_the_newline(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY + "\n")
    audit = Audit(key=SecretRef(file=str(tmp_path / "key")))

    assert settings_of(Config(audit=audit)).key == KEY.encode()
    assert bodies_of(audit, ContentFiles(tmp_path)).policy == policy_of(audit)


def test_what_the_writer_does_is_as_configured() -> None:
    audit = Audit(
        queue_bytes=1_000_000,
        when_full="shed",
        flush_seconds=2.0,
        flush_bytes=5_000,
        segment_seconds=3_600.0,
        checkpoint_records=7,
        checkpoint_seconds=9.0,
        retention_days=2,
        retention_bytes=2_000_000,
    )

    assert options_of(audit) == WriterOptions(
        queue_bytes=1_000_000,
        sheds=True,
        flush_seconds=2.0,
        flush_bytes=5_000,
        segment_seconds=3_600.0,
        checkpoint_records=7,
        checkpoint_seconds=9.0,
        retention=RetentionPolicy(seconds=172_800.0, size_bytes=2_000_000, segment_seconds=3_600.0),
    )


def test_a_log_that_is_flushed_always_waits_for_no_other_records() -> None:
    options = options_of(Audit(flush="always", flush_seconds=2.0))

    assert (options.flush_seconds, options.sheds, options.retention) == (0.0, False, RetentionPolicy())


def test_the_daemon_does_not_start_without_its_key(tmp_path: Path) -> None:
    """A log that should be keyed and is not would prove less than everybody thinks."""
    config = tmp_path / "steno.toml"
    config.write_text(
        f'[http]\nlisten = "127.0.0.1:0"\n[audit]\ndirectory = "{tmp_path}/audit"\nkey = {{ env = "NO_SUCH" }}'
    )

    ran = steno("run", "-c", config)

    assert (ran.returncode, ran.stderr.decode()) == (78, "$NO_SUCH: is not set\n")
    assert not (tmp_path / "audit").exists()


def test_a_redactor_that_cannot_be_made_is_reported_by_check(tmp_path: Path) -> None:
    """Not only when the daemon starts."""
    config = tmp_path / "steno.toml"
    config.write_text('[audit]\ncontent = "redacted"\nregions = ["XX"]')

    ran = steno("check", "-c", config)

    assert ran.returncode == 78
    assert ran.stderr.decode().startswith(f"{config}: audit.regions[0]: ")


def test_a_redactor_without_its_packages_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to install, and before a log is begun that it would be for."""
    monkeypatch.setitem(sys.modules, "steno.redaction", None)

    with pytest.raises(ConfigError, match="steno\\[redaction\\]"):
        redactor_of(Audit(content="redacted"))


def test_a_folder_that_cannot_be_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(UnavailableError, match=f"cannot write the audit log in {tmp_path}/file/log"):
        open_log(tmp_path / "file/log", Config(), None)


def test_patterns_without_a_bound_in_time_are_refused_by_name(tmp_path: Path) -> None:
    """All of them, with the reason of each, when the configuration is read."""
    config = tmp_path / "steno.toml"
    config.write_text(
        "[audit]\ncontent = 'redacted'\n[audit.patterns]\nahead = '(?=a)b'\nfine = 'POL-[0-9]+'\nback = '(a)\\1'\n"
    )

    done = steno("check", "-c", config)

    lines = done.stderr.decode().splitlines()
    assert (done.returncode, len(lines)) == (78, 2)
    assert [line.partition(": must be")[0] for line in lines] == [
        f"{config}: audit.patterns.{name}" for name in ("ahead", "back")
    ]
    with pytest.raises(ConfigError):
        redactor_of(Audit(content="redacted", patterns={"ahead": "(?=a)b"}))
