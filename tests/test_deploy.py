"""What is shipped beside the code: the locks, the container image and the systemd unit."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

import steno
from steno.app.health import STALLED_SECONDS
from steno.config import load
from steno.config.fields import FRAME_BYTES_DEFAULT
from steno.config.secret import read_secret
from steno.config.secret_ref import SecretRef
from steno.config.sources import ListenSource, ProxySource
from steno.errors import ConfigError
from steno.limits import Limits

TOP: Final = Path(__file__).parents[1]
DEPLOY: Final = TOP / "deploy"
UNITS: Final = ("steno.service", "steno@.service", "steno-shard@.service")
LOCKS: Final = ("requirements.lock", "requirements-dev.lock", "requirements-lowest.lock")
REQUIREMENT: Final = re.compile(
    r"(?P<name>[a-z0-9-]+)==(?P<version>[0-9][^ ;]*)( ; [^#]+?)?(?P<hashes>( +--hash=sha256:[0-9a-f]{64})*)"
)

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed here"
)


class Pin(NamedTuple):
    """One requirement of a lock: its exact version, and how many files of that release are allowed."""

    version: str
    hashes: int


def read_lock(name: str) -> dict[str, Pin]:
    """Read a lock; a line that is not an exact version and its hashes fails the test."""
    joined = (TOP / name).read_text(encoding="utf-8").replace("\\\n", "")
    lines = [line.strip() for line in joined.splitlines()]
    pins = {}
    for line in lines:
        if not line or line.startswith("#"):
            continue
        match = REQUIREMENT.fullmatch(line)
        assert match, f"{name}: {line[:80]}"
        pins[match["name"]] = Pin(match["version"], match["hashes"].count("--hash="))
    return pins


def read_project() -> dict[str, Any]:
    return tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))


def names(requirements: list[str]) -> set[str]:
    """Normalise the names of requirements as a lock spells them."""
    bare = (re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0] for requirement in requirements)
    return {re.sub(r"[-_.]+", "-", name).lower() for name in bare}


def read_unit(name: str = "steno.service") -> dict[str, list[str]]:
    """Read a systemd unit: key to its values, in order."""
    unit: dict[str, list[str]] = {}
    for line in (DEPLOY / name).read_text(encoding="utf-8").splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            unit.setdefault(key, []).append(value)
    return unit


def read_dockerfile() -> list[tuple[str, str]]:
    """Read the Dockerfile: instruction and arguments, in order, continued lines joined."""
    joined = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in joined.splitlines() if line and not line.startswith("#")]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


def copy(file: Path, to: Path) -> None:
    """Copy a file or a folder; links stay links."""
    if file.is_dir():
        shutil.copytree(file, to, symlinks=True)
    else:
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, to)


@pytest.mark.parametrize("name", LOCKS)
def test_every_requirement_of_a_lock_has_hashes(name: str) -> None:
    pins = read_lock(name)

    assert pins
    assert [pin for pin, (_, hashes) in pins.items() if not hashes] == []


@pytest.mark.parametrize("name", LOCKS)
@pytest.mark.parametrize("forbidden", ["--index-url", "--extra-index-url", "--find-links", "://", " @ "])
def test_a_lock_names_no_place_to_fetch_from(name: str, forbidden: str) -> None:
    assert forbidden not in (TOP / name).read_text(encoding="utf-8")


def test_the_lock_holds_all_that_the_project_and_its_build_ask_for() -> None:
    project = read_project()
    asked = names(project["project"]["dependencies"]) | names(project["build-system"]["requires"])
    asked |= names(project["project"]["optional-dependencies"]["redaction"])

    assert asked - set(read_lock("requirements.lock")) == set()


def test_the_dev_lock_holds_all_that_development_asks_for() -> None:
    asked = names(read_project()["dependency-groups"]["dev"])

    assert asked - set(read_lock("requirements-dev.lock")) == set()


def test_the_dev_lock_holds_the_daemons_lock() -> None:
    development = read_lock("requirements-dev.lock")
    daemon = read_lock("requirements.lock")

    assert {name: development.get(name) for name in daemon} == daemon


def test_the_lowest_lock_holds_every_lower_bound() -> None:
    """As it stands in pyproject.toml; a release may have more zeros than the bound."""
    project = read_project()
    asked = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    bounds = dict(each.split(",")[0].split(">=") for each in asked)

    pins = read_lock("requirements-lowest.lock")

    assert {name: re.sub(r"(\.0)+$", "", pins[name].version) for name in bounds} == {
        name: re.sub(r"(\.0)+$", "", bound) for name, bound in bounds.items()
    }


def test_the_version_is_the_same_everywhere() -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")

    assert read_project()["project"]["version"] == steno.__version__
    assert f'org.opencontainers.image.version="{steno.__version__}"' in dockerfile


def test_the_container_starts_the_program_itself_and_not_a_shell() -> None:
    instructions = dict(read_dockerfile())

    assert json.loads(instructions["ENTRYPOINT"]) == ["steno"]
    assert json.loads(instructions["CMD"]) == ["run"]
    assert json.loads(instructions["HEALTHCHECK"].partition("CMD ")[2]) == ["steno", "health"]
    assert instructions["STOPSIGNAL"] == "SIGTERM"


def test_the_container_runs_as_a_user_with_a_number() -> None:
    users = [rest for word, rest in read_dockerfile() if word == "USER"]

    assert users == ["10001:10001"]


def test_the_container_installs_only_what_is_pinned() -> None:
    installs = [rest for word, rest in read_dockerfile() if word == "RUN" and "pip install" in rest]

    assert installs
    assert [rest for rest in installs if "--require-hashes" not in rest and "--no-index" not in rest] == []


def test_the_container_is_built_from_what_is_copied_into_it(tmp_path: Path) -> None:
    """The package is built from these files alone: the readme is one of them, and what links in src/ lead to."""
    ignored = (TOP / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copies = [rest.split() for word, rest in read_dockerfile() if word == "COPY" and "--from=" not in rest]
    for *names, to in copies:
        for name in names:
            assert f"!{name}" in ignored
            copy(TOP / name, tmp_path / to.lstrip("/") / (name if to.endswith("/") else ""))

    subprocess.run([sys.executable, "-m", "flit_core.wheel", "--outdir", tmp_path, tmp_path / "build"], check=True)

    assert len(list(tmp_path.glob("steno-*.whl"))) == 1


def test_the_unit_does_not_restart_what_would_fail_again() -> None:
    assert read_unit()["RestartPreventExitStatus"] == ["64 65 78"]


@pytest.mark.parametrize("name", UNITS)
def test_the_unit_supervises_what_the_daemon_reports(name: str) -> None:
    """A loop that hangs twice as long as `/healthz` bears it is still not aborted: it may go on."""
    unit = read_unit(name)
    seconds = {key: int(unit[key][0].removesuffix("s")) for key in ("WatchdogSec", "TimeoutAbortSec")}

    assert (unit["Type"], unit["NotifyAccess"], unit["WatchdogSignal"]) == (["notify"], ["main"], ["SIGABRT"])
    assert seconds["WatchdogSec"] * 3 / 4 > 2 * STALLED_SECONDS
    assert seconds["TimeoutAbortSec"] <= 30
    assert unit["LimitCORE"] == ["0"]
    assert "AF_UNIX" in unit["RestrictAddressFamilies"][0]
    assert "DynamicUser" not in unit


def test_a_token_that_is_not_there_is_an_empty_one(tmp_path: Path) -> None:
    """The default is passed where there is no file, and would ignore one of no bytes. Who needs it is told."""
    unit = read_unit()
    ((loaded, _), (default, value)) = (unit[key][0].split(":") for key in ("LoadCredential", "SetCredential"))
    (tmp_path / default).write_text(value.encode().decode("unicode_escape"), encoding="ascii")

    assert (loaded, default, value != "") == ("upstream-token", "upstream-token", True)
    with pytest.raises(ConfigError, match="is empty"):
        read_secret(SecretRef(file=str(tmp_path / default)))


@pytest.mark.parametrize("name", UNITS)
def test_the_unit_checks_the_configuration_that_it_runs_with(name: str) -> None:
    """At a reload a wrong one is refused there. At the start the daemon refuses it, with a code that ends restarts."""
    unit = read_unit(name)
    (start,) = unit["ExecStart"]
    check = start.replace(" run ", " check ")

    assert check != start
    assert unit["ExecStartPre"] == [f"-{check}"]
    assert unit["ExecReload"] == [check, "/bin/kill -HUP $MAINPID"]
    assert (unit["StandardOutput"], unit["StandardError"]) == (["null"], ["journal"])


def test_the_unit_gives_the_drain_its_time() -> None:
    drain_seconds = 10

    assert int(read_unit()["TimeoutStopSec"][0].removesuffix("s")) > drain_seconds


def test_the_template_gives_calls_their_time() -> None:
    """And so does the grace that is documented for containers."""
    table = ProxySource(name="front", kind="proxy", upstream="https://localhost")
    needed = table.drain_seconds + Limits().drain_seconds
    seconds = int(read_unit("steno@.service")["TimeoutStopSec"][0].removesuffix("s"))
    assert read_unit("steno-shard@.service")["TimeoutStopSec"] == [f"{seconds}s"]
    pages = [
        (DEPLOY / "README.md").read_text(encoding="utf-8"),
        (TOP / "docs/restarting.md").read_text(encoding="utf-8"),
    ]

    assert seconds > needed
    assert all(f"terminationGracePeriodSeconds: {seconds}" in page for page in pages)


@pytest.mark.parametrize(
    ("name", "logs", "more"),
    [("steno@.service", "steno/%i", set()), ("steno-shard@.service", "steno/shard-%i", {"Environment"})],
)
def test_a_template_is_the_unit_but_for_what_instances_have_each(name: str, logs: str, more: set[str]) -> None:
    """Everything else is as closed and as bounded."""
    unit, template = read_unit(), read_unit(name)

    assert {key for key in unit.keys() | template.keys() if unit.get(key) != template.get(key)} - more == {
        "Description",
        "ExecStart",
        "ExecStartPre",
        "ExecReload",
        "TimeoutStopSec",
        "LogsDirectory",
        "StateDirectory",
        "LoadCredential",
        "SetCredential",
        "SocketBindAllow",
    }
    assert template["LogsDirectory"] == [logs]


def test_the_shards_run_their_example_and_are_scraped() -> None:
    """Each with a port of its own, which the unit opens; the ports of the sources are shared."""
    unit = read_unit("steno-shard@.service")
    shards = int(dict(each.split("=") for each in unit["Environment"] if " " not in each)["SHARDS"])
    config = load(DEPLOY / "shards.toml")
    shared = [each for each in config.sources if isinstance(each, (ListenSource, ProxySource))]
    scraped = re.findall(r"- (127\.0\.0\.1:\d+)", (DEPLOY / "prometheus/shards.yml").read_text(encoding="utf-8"))

    (start,) = unit["ExecStart"]
    _, file, _, shard, _, address = start.split(" run ")[1].split()

    assert file == "/etc/steno/shards.toml"
    assert shard == "%i/${SHARDS}"
    assert scraped == [address.replace("%i", str(number)) for number in range(1, shards + 1)]
    assert config.audit.directory is None
    assert [each.reuse_port for each in shared] == [True, True]
    allowed = [
        range(int(first), int(last) + 1)
        for first, last in (each.removeprefix("tcp:").split("-") for each in unit["SocketBindAllow"])
    ]
    ports = [each.address[1] for each in shared] + [int(each.split(":")[1]) for each in scraped]
    assert [port for port in ports if not any(port in each for each in allowed)] == []


def test_the_socket_is_that_of_the_documented_source() -> None:
    """It is matched by the name of the source."""
    unit, page = read_unit("steno.socket"), (TOP / "docs/restarting.md").read_text(encoding="utf-8")

    assert f'name = "{unit["FileDescriptorName"][0]}"' in page
    assert f'listen = "{unit["ListenStream"][0]}"' in page


def test_five_commands_install_what_is_there() -> None:
    page = (DEPLOY / "README.md").read_text(encoding="utf-8")
    commands = page.partition("```sh\n")[2].partition("```")[0].splitlines()
    named = {word for line in commands for word in re.findall(r"(?:deploy|config)/\S+|\S+\.lock", line)}

    assert len(commands) == 5
    assert named == {
        "requirements.lock",
        "config/minimal.toml",
        *(f"deploy/{name}" for name in ("steno.service", "steno@.service", "sysusers.conf")),
    }
    assert [name for name in named if not (TOP / name).is_file()] == []


@needs_systemd
@pytest.mark.parametrize("name", [*UNITS, "steno.socket"])
def test_systemd_accepts_the_unit(name: str, tmp_path: Path) -> None:
    # systemd looks for the program too, which is not installed where tests run: another stands in for it.
    for each in (*UNITS, "steno.socket"):
        unit = (DEPLOY / each).read_text(encoding="utf-8").replace("/opt/steno/bin/steno", "/bin/sh")
        (tmp_path / each).write_text(unit, encoding="utf-8")

    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / name)], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


@needs_systemd
@pytest.mark.parametrize("name", UNITS)
def test_the_unit_stays_closed(name: str, tmp_path: Path) -> None:
    """1.1 on systemd's scale of exposure; a daemon that opens connections cannot get much below 1."""
    unit = tmp_path / name.replace("@", "@a")
    shutil.copy(DEPLOY / name, unit)

    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=12", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout


def test_the_unit_has_room_for_what_the_defaults_hold() -> None:
    """The program, all that is held, and the longest frame in decoding stay below where the kernel slows it down."""
    (high,), (most,) = read_unit()["MemoryHigh"], read_unit()["MemoryMax"]
    mib = 1024 * 1024
    frame = FRAME_BYTES_DEFAULT // mib
    allocator = read_unit()["Environment"][0].split()
    needed = 80 + Limits().memory_bytes // mib + 10 * frame

    assert needed <= int(high.removesuffix("M")) < int(most.removesuffix("M"))
    assert all(f"{each} " in f"{env} " for env in [dict(read_dockerfile())["ENV"]] for each in allocator)
    assert f"({Limits().memory_bytes // mib} MiB by default)" in (DEPLOY / "steno.service").read_text(encoding="utf-8")
    assert f"{Limits().memory_bytes // mib} and {frame} MiB" in (DEPLOY / "README.md").read_text(encoding="utf-8")
    assert f"--memory {most.lower()}" in (DEPLOY / "README.md").read_text(encoding="utf-8")
