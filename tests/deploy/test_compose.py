"""What `docker compose` sets up: configurations that load, names that fit, and nothing beyond the host's loopback."""

import re
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest

import steno
from steno.app.demo import CONFIG as DEMO
from steno.config import load, parse
from steno.config.sources import ProxySource
from steno.config.sources.connect import Connect

COMPOSE: Final = Path(__file__).parents[2] / "deploy/compose"
TEXT: Final = (COMPOSE / "compose.yaml").read_text(encoding="utf-8")
SERVICES: Final = dict(
    re.findall(r"^  ([a-z-]+):\n((?: {4}.*\n| *\n| *#.*\n)+)", TEXT.partition("\nservices:")[2], re.MULTILINE)
)


@pytest.mark.parametrize("name", ["steno", "simulated"])
def test_a_configuration_is_loaded_and_has_its_token_and_its_log_where_they_are_mounted(name: str) -> None:
    config = load(COMPOSE / name / "steno.toml")

    assert config.http.listen == "0.0.0.0:9464"
    assert config.http.token is not None
    assert f"target: {config.http.token.file}\n" in TEXT
    assert f":{config.audit.directory}\n" in TEXT


def test_the_proxy_is_published() -> None:
    ports = {each.address[1] for each in load(COMPOSE / "steno/steno.toml").sources if isinstance(each, ProxySource)}

    assert ports
    assert all(f"- 127.0.0.1:{port}:{port}\n" in SERVICES["steno"] for port in ports)


def test_what_is_simulated_is_read_as_in_the_demo() -> None:
    """From the service that serves it."""
    read, demo = load(COMPOSE / "simulated/steno.toml"), parse(DEMO.read_text(), "demo.toml")
    urls = [urlsplit(each.url) for each in read.sources if isinstance(each, Connect)]

    assert [(each.name, each.kind) for each in read.sources] == [(each.name, each.kind) for each in demo.sources]
    assert {url.hostname for url in urls} == {"provider"}
    assert {f'"0.0.0.0:{url.port}"' for url in urls} == set(re.findall(r"--listen, (.*)\]", SERVICES["provider"]))
    assert [(url.path, url.query) for url in urls] == [
        (urlsplit(each.url).path, urlsplit(each.url).query) for each in demo.sources if isinstance(each, Connect)
    ]


def test_nothing_is_published_beyond_the_host() -> None:
    published = re.findall(r"^ +- (\S+:\d+:\d+)$", TEXT, re.MULTILINE)

    assert len(published) == 5
    assert all(each.startswith("127.0.0.1:") for each in published)


def test_images_are_pinned() -> None:
    images = re.findall(r"^ +image: (\S+)$", TEXT, re.MULTILINE)

    assert len(images) == 3
    assert all(re.fullmatch(r"[a-z/]+:v?\d+\.\d+\.\d+", each) for each in images)
    assert f"steno:{steno.__version__}" in images


def test_what_is_mounted_from_here_is_here() -> None:
    mounted = re.findall(r"^ +- \./(\S+?):", TEXT, re.MULTILINE)

    assert len(mounted) == 4
    assert all((COMPOSE / each).exists() for each in mounted)


def test_prometheus_scrapes_what_runs_steno_with_its_token() -> None:
    scrapes = (COMPOSE / "prometheus.yml").read_text(encoding="utf-8")
    (names,) = re.findall(r"names: \[(.*)\]", scrapes)

    assert set(names.split(", ")) == {name for name in SERVICES if name.startswith("steno")}
    assert "credentials_file: /run/secrets/http-token\n" in scrapes
    assert "- http-token\n" in SERVICES["prometheus"]
    assert set(re.findall(r"/etc/prometheus/steno/(\S+)", scrapes)) == {"thresholds.yml", "rules.yml", "alerts.yml"}
