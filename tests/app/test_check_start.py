"""Whatever `steno run` refuses at its start, `steno check` finds, and nothing is changed by looking."""

import errno
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from steno.app.check import found
from steno.app.findings import Finding
from steno.app.serving import opened
from steno.audit.directory import lock_folder
from steno.config import parse
from steno.errors import StenoError
from steno.sources.sockets import SHARED

SOURCE = '[[sources]]\nname = "relay"\nkind = "connect"\nurl = "wss://relay.example/v1/events"\n'
HTTP = 'http.listen = "127.0.0.1:0"\n'


class Start(NamedTuple):
    """A start that is refused: what is configured in `{folder}`, what is there, and what `steno check` says."""

    name: str
    text: str
    finding: Finding
    prepare: Callable[[Path], object] = lambda _: None
    state: str | None = None
    record: str | None = None
    environ: Mapping[str, str] = {}


def short_key(folder: Path) -> None:
    (folder / "key").write_text("short")


def a_file(folder: Path) -> None:
    (folder / "audit").write_text("")


def no_log(folder: Path) -> None:
    (folder / "audit").mkdir()
    (folder / "audit/audit-00000000000000000001.jsonl").write_text("nonsense\n")


def records_missing(folder: Path) -> None:
    (folder / "audit").mkdir()
    (folder / "audit/audit-00000000000000000007.jsonl").write_text("")


def no_prices(folder: Path) -> None:
    (folder / "prices.json").write_text("[]")


AUDIT = 'audit.directory = "{folder}/audit"\n'
TOO_SHORT = "{folder}/key: must have 32 characters at least"
STARTS = (
    Start(
        "a key that is missing",
        AUDIT + 'audit.key = {{ env = "STENO_TEST_ABSENT" }}\n',
        Finding("audit.key", "$STENO_TEST_ABSENT: is not set", fatal=True),
    ),
    Start(
        "a key that is too short",
        AUDIT + 'audit.key = {{ file = "{folder}/key" }}\n',
        Finding("audit.key", TOO_SHORT, fatal=True),
        short_key,
    ),
    Start(
        "a key of digests that is too short",
        AUDIT + 'audit.digest_key = {{ file = "{folder}/key" }}\n',
        Finding("audit.digest_key", TOO_SHORT, fatal=True),
        short_key,
    ),
    Start(
        "a key of signatures that is missing",
        AUDIT + '[audit.anchor]\nfile = "{folder}/heads"\nsigning_key = "{folder}/key"\n',
        Finding("audit.anchor.signing_key", "cannot read {folder}/key: No such file or directory", fatal=True),
    ),
    Start(
        "prices that are none",
        'prices.file = "{folder}/prices.json"\n',
        Finding(
            "prices.file", "{folder}/prices.json: is no price list (prices.file): price list: expected an object", True
        ),
        no_prices,
    ),
    Start(
        "prices that are missing",
        'prices.file = "{folder}/prices.json"\n',
        Finding(
            "prices.file", "{folder}/prices.json: cannot be read (prices.file): No such file or directory", fatal=True
        ),
    ),
    Start(
        "a folder that is a file",
        AUDIT,
        Finding("audit.directory", "{folder}/audit: is no folder", fatal=True),
        a_file,
    ),
    Start(
        "a folder below a file",
        "",
        Finding("$LOGS_DIRECTORY", "/dev/null: is no folder", fatal=True),
        environ={"LOGS_DIRECTORY": "/dev/null/steno"},
    ),
    Start(
        "a log that ends in no record",
        AUDIT,
        Finding(
            "audit.directory",
            "{folder}/audit/audit-00000000000000000001.jsonl: the last line is not a record; `steno verify` shows what "
            "is wrong",
            fatal=True,
        ),
        no_log,
    ),
    Start(
        "a log without its beginning",
        AUDIT,
        Finding(
            "audit.directory",
            "{folder}/audit: the records before audit-00000000000000000007.jsonl are missing",
            fatal=True,
        ),
        records_missing,
    ),
    Start(
        "an address of another machine",
        'http.listen = "192.0.2.1:9464"\nhttp.anonymous = true\n',
        Finding("http.listen", "192.0.2.1:9464: is no address of this machine", fatal=True),
    ),
    Start(
        "a state in no folder",
        "",
        Finding("--state", "{folder}/none: is no folder", fatal=True),
        state="{folder}/none/state",
    ),
    Start("a state that is a folder", "", Finding("--state", "{folder}: is a folder", fatal=True), state="{folder}"),
    Start(
        "recordings below a file",
        "",
        Finding("--record", "/dev/null: is no folder", fatal=True),
        record="/dev/null/recordings",
    ),
)


@pytest.mark.parametrize("start", STARTS, ids=lambda start: start.name)
def test_what_the_daemon_refuses_is_an_error(start: Start, tmp_path: Path) -> None:
    """Both are asked the same. What is there is the same after a look."""
    start.prepare(tmp_path)
    text = start.text.format(folder=tmp_path)
    config = parse((text if "http.listen" in text else HTTP + text) + SOURCE, "steno.toml")
    state, record = (Path(each.format(folder=tmp_path)) if each else None for each in (start.state, start.record))
    before = sorted(tmp_path.rglob("*"))

    warned, faults = found(config, start.environ, state, record)

    message = start.finding.message.format(folder=tmp_path)
    assert (warned, faults) == ([], [Finding(start.finding.key, message, fatal=True)])
    assert sorted(tmp_path.rglob("*")) == before
    with pytest.raises(StenoError), opened(config, start.environ, state=state, record=record):
        pass


def test_a_right_start_is_refused_by_neither(tmp_path: Path) -> None:
    config = parse(f'{HTTP}audit.directory = "{tmp_path}/audit"\n{SOURCE}', "steno.toml")
    state, record = tmp_path / "state", tmp_path / "new/recordings"

    for _ in range(2):  # the second time there is a log to continue
        assert found(config, {}, state, record) == ([], [])
        with opened(config, {}, state=state, record=record):
            pass


# What another process has ---------------------------------------------------------------------------------


@contextmanager
def taken(*, reuse: bool = False) -> Iterator[int]:
    """Listen, and yield the port."""
    with socket.socket() as sock:
        if reuse:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        yield sock.getsockname()[1]


TAKEN = "127.0.0.1:{}: is taken by a process that runs: each steno needs a port of its own"


def test_a_port_that_is_taken_is_a_warning() -> None:
    """It may be free at the next start, and a service manager must not give up over it."""
    with taken() as port:
        config = parse(f'http.listen = "127.0.0.1:{port}"\n{SOURCE}', "steno.toml")

        assert found(config, {}, None, None) == ([Finding("http.listen", TAKEN.format(port))], [])
        with pytest.raises(StenoError), opened(config, {}):
            pass


def test_a_source_shares_its_port_with_a_predecessor_alone() -> None:
    text = HTTP + '[[sources]]\nname = "desk"\nkind = "listen"\nlisten = "127.0.0.1:{}"\n'
    with taken() as other, taken(reuse=True) as former:
        found_of_other = found(parse(text.format(other), "steno.toml"), {}, None, None)
        found_of_former = found(parse(text.format(former), "steno.toml"), {}, None, None)

    assert found_of_other == ([Finding("sources.desk.listen", TAKEN.format(other))], [])
    assert found_of_former == ([], [])


def test_a_port_that_several_share_wants_the_word() -> None:
    """The daemon would be refused there."""
    with socket.socket() as second, taken(reuse=True) as port:
        second.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        second.bind(("127.0.0.1", port))
        second.listen()
        text = f'{HTTP}[[sources]]\nname = "desk"\nkind = "listen"\nlisten = "127.0.0.1:{port}"\nreuse_port = '
        found_by_word = {word: found(parse(text + word, "x"), {}, None, None) for word in ("true", "false")}

    assert found_by_word["true"] == ([], [])
    assert found_by_word["false"] == ([Finding("sources.desk.reuse_port", f"127.0.0.1:{port}: {SHARED}")], [])


def test_the_daemon_that_runs_with_this_log_is_told_of_once(tmp_path: Path) -> None:
    """Its port is taken by it. Whoever checks before a reload is not misled."""
    with taken() as port, ExitStack() as stack:
        stack.callback(os.close, lock_folder(tmp_path))
        config = parse(f'http.listen = "127.0.0.1:{port}"\naudit.directory = "{tmp_path}"\n{SOURCE}', "steno.toml")
        message = f"{tmp_path}: a steno that runs writes the log there: another one needs a folder of its own"

        assert found(config, {}, None, None) == ([Finding("audit.directory", message)], [])


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    config = parse(f'{HTTP}audit.directory = "{folder}"\n{SOURCE}', "steno.toml")

    assert found(config, {}, None, None)[1] == [
        Finding("audit.directory", f"{folder}: cannot be written: permission denied", fatal=True)
    ]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            PermissionError(errno.EACCES, "Permission denied"),
            "127.0.0.1:80: needs the right to ports below 1024 (AmbientCapabilities=CAP_NET_BIND_SERVICE)",
        ),
        (socket.gaierror(-2, "Name or service not known"), "127.0.0.1:80: cannot be looked up"),
        (
            OSError(errno.EPERM, "Operation not permitted"),
            "127.0.0.1:80: cannot be listened on: operation not permitted",
        ),
    ],
)
def test_an_address_that_may_not_be_listened_on(error: OSError, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def bind(*_: object) -> None:
        raise error

    monkeypatch.setattr(socket.socket, "bind", bind)
    config = parse(f'http.listen = "127.0.0.1:80"\n{SOURCE}', "steno.toml")

    assert found(config, {}, None, None) == ([], [Finding("http.listen", said, fatal=True)])
    with pytest.raises(StenoError) as refused, opened(config, {}):
        pass
    if isinstance(error, PermissionError):  # no restart mends that
        assert (refused.value.exit_code, str(refused.value)) == (78, f"http.listen: {said}")
    else:
        assert refused.value.exit_code == 69


# Where heads of the log go --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("heads", None),
        ("writable/heads", None),
        ("nowhere/heads", "{folder}/nowhere: is no folder"),
        ("writable", "{folder}/writable: is no regular file"),
        ("writable/file/heads", "{folder}/writable/file: is no folder"),
        ("pipe", "{folder}/pipe: is no regular file"),
        ("audit/heads", "{folder}/audit/heads: is in the folder of the log: "),
        ("audit/../audit/audit-00000000000000000001.jsonl", "is in the folder of the log: "),
    ],
)
def test_a_file_that_heads_cannot_be_kept_in_is_warned_of(file: str, expected: str | None, tmp_path: Path) -> None:
    for each in ("audit", "writable"):
        (tmp_path / each).mkdir()
    (tmp_path / "writable/file").write_text("")
    os.mkfifo(tmp_path / "pipe")
    text = HTTP + AUDIT.format(folder=tmp_path) + f'audit.anchor.file = "{tmp_path}/{file}"\n' + SOURCE
    warnings, fatal = found(parse(text, "steno.toml"), {}, None, None)

    assert fatal == []
    assert [each.key for each in warnings] == ["audit.anchor.file"] * (expected is not None)
    assert all((expected or "").format(folder=tmp_path) in each.message for each in warnings)


def test_a_file_for_heads_may_be_in_a_folder_that_takes_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is how a file is kept which can be added to and not replaced. Its own permission counts."""
    heads = tmp_path / "heads"
    heads.write_text("")
    allowed = {heads}
    monkeypatch.setattr(os, "access", lambda path, _mode: Path(path) in allowed)
    config = parse(HTTP + f'audit.anchor.file = "{heads}"\n' + SOURCE, "steno.toml")

    assert found(config, {}, None, None) == ([], [])
    allowed.clear()
    assert found(config, {}, None, None)[0] == [
        Finding("audit.anchor.file", f"{heads}: cannot be written: permission denied")
    ]
