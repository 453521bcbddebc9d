"""What the pages let their readers type: each command is run by a test, or it stands here why not."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Final

import click
import pytest

from steno.cli import cli
from tests.audit.helpers import write
from tests.docs.pages import PAGES, ROOT, Command, commands, name, prose
from tests.recordings import recording

COMMANDS: Final = list(
    dict.fromkeys(
        each._replace(text=re.sub(r"^(\.venv|/opt/steno)/bin/steno ", "steno ", each.text)) for each in commands()
    )
)
"""Wherever the program is installed, its commands are `steno ...` here."""

QUICK: Final = {
    "steno check -c config/proxy.toml",
    "steno replay recordings/*.jsonl --state state.jsonl",
    "steno replay recordings/*.jsonl --metrics metrics.txt --prices my-prices.json",
    "steno verify /var/log/steno",
    "steno export --format ecs /var/log/steno",
}
"""Run by the plays below, as they stand there, in a folder where /var/log/steno and the recordings are."""

SLOW: Final = {
    "make demo",
    "steno demo",
    "steno run -c config/proxy.toml",
    "steno run -c config/proxy.toml --record recordings/",
    "steno health",
    "steno serve /var/log/steno",
    "steno simulate",
}
"""Run by tests/operations/test_documented_commands.py: daemons, which take a while to start and to end."""

ELSEWHERE: Final = {
    r"make test.*": "runs this test, among others",
    r"steno attach (rtc_\S+ --label \S+|live_\S+)": "tests/app/test_attach.py: it needs a provider that has the call",
    r"steno erase .*": "tests/app/test_erase.py: it needs a call with content",
    r"steno verify /var/log/steno/a /var/log/steno/b": "tests/app/test_restart.py: the logs of both",
    r"steno (run|check) -c shards.toml --shard ./4.*": "tests/app/test_shards.py: real processes, and what is printed",
    r"steno verify /var/log/steno/shard-1 /var/log/steno/shard-2": "tests/app/test_shards.py: the logs of both",
    r"steno run -c b.toml &": "tests/app/test_restart.py: a daemon and its successor, as the next two lines",
    r"until steno health \S+; do sleep 1; done": "tests/app/test_restart.py",
    r'kill -TERM "\$PID_OF_A"': "tests/app/test_restart.py",
    r"steno verify .*--checkpoint .*": "tests/audit/test_anchoring.py: it needs heads and an authority",
    r"steno verify FOLDER .*": "tests/audit: it needs the keys, the heads and the id of a certain log",
    r"openssl genpkey -algorithm ed25519 .*|openssl pkey -in .*": "tests/audit/authority.py makes its keys so",
    r"tail -n 1 heads.jsonl > head|printf %s .*> claim": "tests/audit/test_anchoring.py",
    r"sed .*> signature|openssl pkeyutl .*": "tests/audit/test_anchoring.py",
    r"printf %s 'I agree to the terms.' \| openssl dgst .*": "tests/audit/test_content_policy.py",
    r"export LC_ALL=C; seq=.*": "tests/audit/test_stranger.py, with the lines below it",
    r"NODE_EXTRA_CA_CERTS=.*": "tests/clients: it needs Node and an agent",
    r"pip install \"steno\[redaction\]\"": "it installs from an index; the locks have the extra",
    r"python3 -m venv /opt/steno .*|/opt/steno/bin/python -m pip .*": "they install below /opt, as root",
    r"install -.*": "it installs below /etc, as root; tests/test_deploy.py holds that its files are there",
    r"(until /opt/steno/bin/steno health .*|systemctl .*|journalctl .*)": "it needs systemd and root",
    r"(docker|buildah) .*|cd deploy/compose": "docker, buildah: tests/operations/test_image_build.py, tests/deploy",
    r"kubectl .*": "it needs a cluster; tests/deploy/test_kubernetes.py renders and validates what is applied",
    r"make deb .*|apt install .*": "tests/operations/test_debian_package.py: it installs as root",
    r"uv tool install .*": "tests/operations/test_install.py",
    r"promtool .*": "tests/operations/test_promtool.py",
    r"curl .*": "tests/operations/test_openapi.py asks all routes of a daemon",
}
"""What is not run as it stands: a pattern, and why, or which test runs its like."""

STRANGER: Final = "docs/audit-for-auditors.md"


def words(text: str) -> list[str]:
    """Return the arguments of a command of steno; none for any other command."""
    found = re.search(r"(?:^|/|\s)steno ([a-z].*)$", text)
    return shlex.split(re.sub(r"[|;&>].*$", "", found[1])) if found and found[1].split()[0] in cli.commands else []


def mistaken(arguments: list[str]) -> str:
    """Return what the command line says to arguments, without running anything; "" where it takes them.

    Placeholders may have a form that is refused, so a value is not looked at.
    """
    try:
        cli.commands[arguments[0]].make_context(arguments[0], arguments[1:])
    except click.BadParameter as error:
        return error.format_message() if isinstance(error, click.MissingParameter) else ""
    except click.UsageError as error:
        return error.format_message()
    except click.exceptions.Exit:  # --help
        return ""
    return ""


@pytest.mark.parametrize("command", COMMANDS, ids=lambda each: each.text[:60])
def test_it_is_run_or_there_is_a_reason(command: Command) -> None:
    reasons = [why for pattern, why in ELSEWHERE.items() if re.fullmatch(pattern, command.text)]
    of_a_script = command.page == STRANGER and not words(command.text)

    assert [*reasons, *({command.text} & QUICK), *({command.text} & SLOW), *([STRANGER] if of_a_script else [])] != []


def test_nothing_here_is_left_over() -> None:
    texts = {command.text for command in COMMANDS}

    assert (QUICK | SLOW) - texts == set()
    assert [pattern for pattern in ELSEWHERE if not any(re.fullmatch(pattern, text) for text in texts)] == []


@pytest.mark.parametrize("command", [each for each in COMMANDS if words(each.text)], ids=lambda each: each.text[:60])
def test_the_command_line_takes_it(command: Command) -> None:
    assert mistaken(words(command.text)) == ""


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=name)
def test_commands_in_sentences_have_options_that_exist(page: Path) -> None:
    """`steno verify --words`: a mention need not be whole, but each option is one of that command."""
    for mention in re.findall(r"`(?:\S+/)?steno ([a-z]+)( [^`]*)?`", prose(page)):
        command = cli.commands[mention[0]]
        known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        assert {word.split("=")[0] for word in mention[1].split() if word.startswith("-")} - {"-"} <= known, mention


def test_what_the_command_line_does_not_take_is_found() -> None:
    assert mistaken(words("steno verify FOLDER --wrods")) != ""
    assert mistaken(words("steno erase")) != ""
    assert mistaken(words("/opt/steno/bin/steno verify FOLDER --head 1:ab | tail")) == ""
    assert words("make demo") == []


def test_looking_back(tmp_path: Path) -> None:
    """The commands of the README over recordings and a log, in the order of the page."""
    (tmp_path / "recordings").mkdir()
    (tmp_path / "recordings/one.jsonl").write_bytes(recording("voice"))
    (tmp_path / "config").symlink_to(ROOT / "config")
    (tmp_path / "my-prices.json").write_text('{"gpt-realtime": {"input_cost_per_token": 4e-06}}')
    write(tmp_path / "log", range(3))
    log = str(tmp_path / "log")
    shown = {}
    for command in COMMANDS:
        if command.text in QUICK:
            typed = f'"{sys.executable}" -m {command.text.replace("/var/log/steno", log)}'
            done = subprocess.run(
                ["sh", "-c", typed], cwd=tmp_path, capture_output=True, text=True, env={**os.environ}, check=False
            )
            assert done.returncode == 0, (typed, done.stderr)
            shown[words(command.text)[0]] = done.stdout

    assert 'kind = "proxy"' in shown["check"]
    assert '"key":"replay/one' in (tmp_path / "state.jsonl").read_text()
    assert "steno_cost_usd_total" in (tmp_path / "metrics.txt").read_text()
    assert "records 1 to 5" in " ".join(shown["verify"].split())
    assert len(shown["export"].splitlines()) == 5
