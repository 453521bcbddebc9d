"""The commands, run as they are typed: what they print, and how they exit."""

import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from steno import __version__
from steno.cli import cli
from tests.audit.helpers import write
from tests.processes import steno

ROOT = Path(__file__).parent.parent


def test_version() -> None:
    """The version is the package's."""
    assert steno("--version").stdout.decode().strip() == f"steno {__version__}"


def test_help_of_the_whole() -> None:
    """Each command stands there with what it does, on one line of 80 columns."""
    lines = steno("--help").stdout.decode().splitlines()

    listed = dict(line.split(maxsplit=1) for line in lines[lines.index("Commands:") + 1 : -2])
    assert sorted(listed) == sorted(cli.commands)
    assert [line for line in listed.values() if "..." in line or len(line) > 68] == []


@pytest.mark.parametrize("command", sorted(cli.commands))
def test_every_command_has_a_help_with_an_example(command: str) -> None:
    """Each example is a command line that this command takes."""
    done = CliRunner().invoke(cli, [command, "--help"], prog_name="steno")
    _, heading, block = done.stdout.rpartition("\n  Example")

    examples = re.findall(r"\bsteno (\w+)([^|>)\n]*)", block)
    assert (done.exit_code, bool(heading), bool(examples)) == (0, True, True)
    for name, arguments in examples:
        assert name == command
        cli.commands[name].make_context(name, shlex.split(arguments))  # raises where it would be refused


def test_help_of_the_program() -> None:
    """It is called as it was called."""
    done = steno("run", "--help")

    assert done.stdout.startswith(b"Usage: python -m steno run")
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("name", ["steno", "minimal", "demo"])
def test_check_prints_all_of_a_configuration(name: str) -> None:
    """The files that are shipped are right, and their defaults are shown."""
    done = steno("check", "-c", ROOT / f"config/{name}.toml")

    warned = [
        line for line in done.stderr.splitlines() if b"is taken by a process" not in line
    ]  # the port is a fixed one
    assert (done.returncode, warned) == (0, [])
    assert b'listen = "127.0.0.1:9464"' in done.stdout
    assert b"drain_seconds = 10.0" in done.stdout


def test_check_names_every_fault(tmp_path: Path) -> None:
    """One line a fault, with the file, the key and what is wrong; exit 78."""
    config = tmp_path / "bad.toml"
    config.write_text('[http]\nlisen = "127.0.0.1:1"\n[limits]\nconversations = 0\n')

    done = steno("check", "-c", config)

    lines = done.stderr.decode().splitlines()
    assert done.returncode == 78
    assert lines[0] == f"{config}: http.lisen: unknown key, did you mean `listen`?"
    assert lines[1].startswith(f"{config}: limits.conversations: must be")
    assert len(lines) == 2


def test_no_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is none, the places where it could be are named."""
    monkeypatch.chdir(tmp_path)

    done = steno("check", STENO_CONFIG="")

    assert done.returncode == 78
    assert b"no configuration found" in done.stderr
    assert b"/etc/steno/steno.toml" in done.stderr


def test_unknown_command() -> None:
    """A typing error is a usage error."""
    done = steno("rum")

    assert done.returncode == 64
    assert b"No such command" in done.stderr
    assert done.stderr.endswith(b" See: python -m steno --help\n")


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["verify", "--wrods", "log"], 64, "Did you mean '--words'? See: python -m steno verify --help"),
        (["verify"], 64, "See: python -m steno verify --help"),
        (["erase", "-c", "empty.toml", "--conversation", "a/b"], 64, "name its folder by --audit"),
        (["attach", "-c", "empty.toml", "rtc_1"], 64, "name the daemon by --url and --token-file"),
        (["attach", "rtc_1", "--label", "team", "--url", "http://127.0.0.1:1"], 64, "--label team=sales"),
        (["health", "127.0.0.1:9464"], 64, "http://127.0.0.1:9464/readyz"),
        (["top", "http://127.0.0.1:1"], 69, "is it http.listen of a daemon that runs?"),
        (["top", "127.0.0.1:9464"], 64, "name a host: http://127.0.0.1:9464"),
        (["serve", "gone"], 65, "gone"),
    ],
)
def test_errors_say_what_to_do_next(args: list[str], code: int, said: str, tmp_path: Path) -> None:
    """On one line, whoever found it: the parser, a command, or the daemon that is not there."""
    (tmp_path / "empty.toml").write_text("")
    given = [str(tmp_path / each) if each == "empty.toml" else each for each in args]

    done = steno(*given, LOGS_DIRECTORY="")

    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (code, b"", 1)
    assert said in done.stderr.decode()


def test_verify_of_nothing(tmp_path: Path) -> None:
    """A folder without a log is named, with exit code 65."""
    done = steno("verify", tmp_path)

    assert done.returncode == 65
    assert str(tmp_path).encode() in done.stderr


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return the folder of a log: three records under a key, which is in a file beside it."""
    write(tmp_path / "log", [1], key=b"sesame")
    (tmp_path / "key").write_text("sesame\n")
    return tmp_path / "log"


def test_verify_with_a_key_and_a_head(log: Path) -> None:
    """It prints the head, which the next verification takes."""
    done = steno("verify", log, "--key-file", log.parent / "key")

    lines = dict(line.split(maxsplit=1) for line in done.stdout.decode().splitlines())
    assert (done.returncode, done.stderr, lines["proved"]) == (0, b"", "3 records in 1 segment")

    again = steno("verify", log, "--key-file", log.parent / "key", "--head", lines["head"])

    assert again.returncode == 0
    assert b"head 3 is in the log" in again.stdout


def test_verify_of_a_log_that_does_not_hold(log: Path) -> None:
    """Exit 1, and the first line says where and why. No line shows the key."""
    keyless = steno("verify", log)
    cut = steno("verify", log, "--key-file", log.parent / "key", "--head", f"9:{'0' * 64}")
    plain = steno("verify", log, "--key-file", log.parent / "key", "--keyed-from", "9")

    assert (keyless.returncode, cut.returncode, plain.returncode) == (1, 1, 0)
    assert b"line 1, record 1: it is hashed under a key: give that with --key-file" in keyless.stdout
    assert b"line 4, record 4: the log ends before a head that was kept" in cut.stdout
    assert b"sesame" not in keyless.stdout + cut.stdout + plain.stdout


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["--head", "12"], 64, "--head: a head is SEQ:HASH"),
        (["--keyed-from", "1"], 64, "--keyed-from says where a key came into use"),
        (["--keyed-from", "0", "--key-file", "key"], 64, "Invalid value for '--keyed-from'"),
        (["--key-file", "gone"], 65, "cannot use the key in gone: cannot be read"),
    ],
)
def test_verify_with_options_that_make_no_sense(log: Path, args: list[str], code: int, message: str) -> None:
    """One line, which says what is right."""
    done = steno("verify", log, *args)

    assert done.returncode == code
    assert message in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1


def test_health_of_nobody() -> None:
    """Where nobody answers, the daemon is not ready."""
    done = steno("health", "http://127.0.0.1:1/readyz")

    assert done.returncode == 1
    assert b"no answer" in done.stderr


def test_names_on_a_disk_do_not_reach_the_terminal_as_commands(tmp_path: Path) -> None:
    """An error names the file, without the escape sequences in its name."""
    done = steno("verify", tmp_path / "no\x1b[2Jlog")

    assert done.returncode == 65
    assert b"no\xef\xbf\xbd[2Jlog" in done.stderr
    assert b"\x1b" not in done.stdout + done.stderr


def test_an_option_that_names_a_file_leaves_it_to_the_command_to_read_it() -> None:
    """What cannot be read has the exit code of its kind then, and an output need not be readable at all."""
    every = [(name, each) for name, command in cli.commands.items() for each in command.params]

    assert [(name, each.name) for name, each in every if isinstance(each.type, click.Path) and each.type.readable] == []
