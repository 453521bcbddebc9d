"""The configurations in the manifests, and what those say about them. tests/operations validates the manifests."""

import re
import tomllib
from pathlib import Path
from typing import Final

import pytest

import steno
from steno.config import Config, load
from steno.config.sources import ListenSource, ProxySource

TOP: Final = Path(__file__).parents[2]
KUBERNETES: Final = TOP / "deploy/kubernetes"
CONFIGS: Final = sorted(KUBERNETES.rglob("*.toml"))
SECRETS: Final = "/run/secrets/steno/"


def number(name: str, key: str) -> int:
    """Return the last number that `key` has in a manifest."""
    return int(re.findall(rf"{key}: (\d+)", (KUBERNETES / name).read_text(encoding="utf-8"))[-1])


def drain_seconds(config: Config) -> float:
    """Return the longest time that a daemon takes to end."""
    calls = [each.drain_seconds for each in config.sources if isinstance(each, ProxySource)]
    return max(calls, default=0.0) + config.limits.drain_seconds


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_configuration_is_loaded_and_has_its_secrets_and_its_log_where_they_are_mounted(path: Path) -> None:
    config = load(path)

    assert config.http.listen == "0.0.0.0:9464"
    assert config.http.token is not None
    assert config.http.token.file == SECRETS + "http-token"
    assert config.audit.directory == "/var/log/steno"
    assert all(secret.startswith(SECRETS) for secret in re.findall(r'(?:file|tokens) = "(.*?)"', path.read_text()))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_log_stays_below_its_volume(path: Path) -> None:
    kept = load(path).audit.retention_bytes

    assert kept is not None
    assert kept <= 0.75 * number("base/statefulset.yaml", "storage") * 2**30


def test_every_secret_that_is_read_is_one_that_the_page_has_made() -> None:
    page = (KUBERNETES / "README.md").read_text(encoding="utf-8")
    read = {key for path in CONFIGS for key in re.findall(rf'"{SECRETS}(.*?)"', path.read_text(encoding="utf-8"))}

    assert set(re.findall(r"^\| `([a-z-]+)` \|.*\|.*\|$", page, re.MULTILINE)) - {"base"} == read


@pytest.mark.parametrize(
    ("manifest", "config"),
    [
        ("base/statefulset.yaml", "base/steno.toml"),
        ("overlays/shards/statefulset.yaml", "overlays/shards/steno-0.toml"),
        ("overlays/sidecar/steno.yaml", "overlays/sidecar/steno.toml"),
    ],
)
def test_a_pod_has_time_to_drain(manifest: str, config: str) -> None:
    assert number(manifest, "terminationGracePeriodSeconds") > drain_seconds(load(KUBERNETES / config))


def test_the_memory_is_that_of_the_unit() -> None:
    (most,) = re.findall(r"^MemoryMax=(\d+)M$", (TOP / "deploy/steno.service").read_text(), re.MULTILINE)

    for name in ("base/statefulset.yaml", "overlays/sidecar/steno.yaml"):
        said = re.findall(r"memory: (\S+)", (KUBERNETES / name).read_text(encoding="utf-8"))
        assert said == [f"{most}Mi"] * 2, name


def test_the_image_is_that_of_this_version() -> None:
    tags = [re.findall(r"newTag: (\S+)", path.read_text()) for path in KUBERNETES.rglob("kustomization.yaml")]

    assert sorted(tags) == [[], [steno.__version__], [steno.__version__]]


SHARDS: Final = sorted((KUBERNETES / "overlays/shards").glob("*.toml"))


def test_each_shard_has_a_file_by_the_name_of_its_pod() -> None:
    listed = re.findall(r"- (steno-\d+\.toml)", (KUBERNETES / "overlays/shards/kustomization.yaml").read_text())
    replicas = number("overlays/shards/statefulset.yaml", "replicas")

    assert listed == [path.name for path in SHARDS] == [f"steno-{number}.toml" for number in range(replicas)]


def test_shards_share_what_listens_and_nothing_else() -> None:
    """What two of them read would be counted twice."""
    sources = [load(path).sources for path in SHARDS]
    listening = [[each for each in part if isinstance(each, ListenSource | ProxySource)] for part in sources]
    reading = [each for part in sources for each in part if not isinstance(each, ListenSource | ProxySource)]

    assert all(part == listening[0] for part in listening)
    assert len({each.name for each in reading}) == len(reading) == len(SHARDS)
    rest = [tomllib.loads(path.read_text(encoding="utf-8")) | {"sources": None} for path in SHARDS]
    assert all(each == rest[0] for each in rest)
