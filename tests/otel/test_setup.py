"""From the configuration to what is sent, and what is said where the packages for it are missing."""

import subprocess
import sys
from pathlib import Path

import pytest

from steno.config.schema import Otel
from steno.otel.setup import exports_of
from steno.sources.clock import Clock
from tests.processes import PATIENCE_SECONDS

REFUSAL = 'OTLP needs packages that are not installed: pip install "steno[otel]"'
WITHOUT = """
import sys
sys.modules.update(dict.fromkeys(("google", "opentelemetry")))  # None: an import fails as where it is not installed
from steno.cli import main
main()
"""
SOURCE = '[[sources]]\nname = "file"\nkind = "follow"\npath = "/dev/null"\n'


def steno_without_the_packages(*args: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT, *map(str, args)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS * 2,
        check=False,
    )


@pytest.mark.parametrize("command", ["check", "run"])
def test_an_endpoint_is_refused_without_the_packages(tmp_path: Path, command: str) -> None:
    """Exit 78 and one line that says what to install."""
    config = tmp_path / "steno.toml"
    config.write_text(f'http.listen = "127.0.0.1:0"\notel.endpoint = "http://127.0.0.1:4318"\n{SOURCE}')

    done = steno_without_the_packages(command, "-c", config)

    assert done.returncode == 78
    assert f"{config}: otel.endpoint: {REFUSAL}" in done.stderr.splitlines()


def test_nothing_else_needs_the_packages(tmp_path: Path) -> None:
    config = tmp_path / "steno.toml"
    config.write_text(f'http.listen = "127.0.0.1:0"\n{SOURCE}')

    assert steno_without_the_packages("check", "-c", config).returncode == 0


@pytest.mark.parametrize(
    ("otel", "kinds"),
    [
        (Otel(), None),
        (Otel(endpoint="http://h", metrics=False, spans=False), None),
        (Otel(endpoint="http://h"), {"metrics", "spans"}),
        (Otel(endpoint="http://h", spans=False), {"metrics"}),
        (Otel(endpoint="http://h", metrics=False), {"spans"}),
    ],
)
def test_what_is_sent_is_what_is_configured(otel: Otel, kinds: set[str] | None) -> None:
    exports = exports_of(otel, Clock())
    assert (exports and {kind for (kind,) in exports.numbers()["steno_otel_exports_total"]}) == kinds
    assert len(exports.sinks if exports else []) == (1 if kinds and "spans" in kinds else 0)
