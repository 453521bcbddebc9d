"""The configurations in the manifests, and what those say about them. tests/operations validates the manifests."""

import re
from pathlib import Path
from typing import Final

import pytest

import steno
from steno.config import Config, Process, load
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
        ("overlays/shards/statefulset.yaml", "overlays/shards/steno.toml"),
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


def test_the_shards_have_one_configuration_and_a_part_each() -> None:
    """Pods are counted as shards are, from 1, and the command line has their number. What listens runs in each."""
    manifest = (KUBERNETES / "overlays/shards/statefulset.yaml").read_text(encoding="utf-8")
    replicas = number("overlays/shards/statefulset.yaml", "replicas")
    path = KUBERNETES / "overlays/shards/steno.toml"

    parts = [load(path, process=Process.of(f"{each}/{replicas}", None)).sources for each in range(1, replicas + 1)]

    assert f"--shard=$(SHARD)/{replicas}" in manifest
    assert number("overlays/shards/statefulset.yaml", "start") == 1
    shared = [[each.name for each in part if isinstance(each, ListenSource | ProxySource)] for part in parts]
    alone = [each.name for part in parts for each in part if not isinstance(each, ListenSource | ProxySource)]
    assert shared == [["front-desk", "push"]] * replicas
    assert sorted(alone) == [f"relay-{each}" for each in range(6)]
