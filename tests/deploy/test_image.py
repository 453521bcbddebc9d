"""What the image promises beyond its start (tests/test_deploy.py): a read-only root, one log, an SBOM."""

import json
import re
from pathlib import Path
from typing import Final

from steno.config import load
from steno.config.sources import ProxySource

DEPLOY: Final = Path(__file__).parents[2] / "deploy"
TEXT: Final = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
INSTRUCTIONS: Final = [
    (word, rest.strip())
    for word, _, rest in (line.partition(" ") for line in TEXT.splitlines() if line and not line.startswith("#"))
]
FINAL: Final = INSTRUCTIONS[max(at for at, (word, _) in enumerate(INSTRUCTIONS) if word == "FROM") :]


def test_its_configuration_is_reached_from_without_and_has_a_token() -> None:
    """By the ports that it exposes; what it cannot have, the token, is looked for where a secret is mounted."""
    config = load(DEPLOY / "container.toml")
    exposed = next(rest.split() for word, rest in FINAL if word == "EXPOSE")

    assert config.http.address[0] == "0.0.0.0"  # noqa: S104  # in a container
    assert config.http.token is not None
    assert config.http.token.file == "/run/secrets/steno/http-token"
    addresses = [config.http.address, *(each.address for each in config.sources if isinstance(each, ProxySource))]
    assert len(addresses) == 2
    assert {str(port) for _, port in addresses} <= set(exposed)
    assert ("COPY", "deploy/container.toml /etc/steno/steno.toml") in FINAL


def test_the_log_is_the_only_place_that_it_writes_to() -> None:
    environment = dict(re.findall(r"(\w+)=(\S+)", next(rest for word, rest in FINAL if word == "ENV")))

    assert ("VOLUME", environment["LOGS_DIRECTORY"]) in FINAL
    assert environment["PYTHONDONTWRITEBYTECODE"] == "1"
    assert "--invalidation-mode unchecked-hash" in TEXT, "else it is stale where a builder sets the times of files"


def test_it_says_which_revision_it_is() -> None:
    label = next(rest for word, rest in FINAL if word == "LABEL")

    assert ("ARG", "REVISION=unknown") in FINAL
    assert 'org.opencontainers.image.revision="${REVISION}"' in label
    assert FINAL[-1][0] == "LABEL", "above it, each commit would make the layers anew"


def test_no_installer_is_in_it_and_the_sbom_is() -> None:
    build = " ".join(rest for word, rest in INSTRUCTIONS if word == "RUN")

    assert "pip uninstall --yes flit_core pip" in build
    assert re.search(r"install -D .*dist-info\S*/sboms\"? /build/steno\.cdx\.json", build)


def test_commands_start_without_a_shell() -> None:
    """A shell would keep signals from the program, and slim images have none."""
    commands = [rest.rpartition("CMD ")[2] for word, rest in FINAL if word in {"ENTRYPOINT", "CMD", "HEALTHCHECK"}]

    assert len(commands) == 3
    assert all(json.loads(each) for each in commands)
