"""Requests that the OpenAPI document allows, and those that it does not, to a real daemon: schemathesis makes them."""

import subprocess
from pathlib import Path

from tests.processes import running

SCHEMATHESIS = Path("build/operations/schemathesis/bin/schemathesis").absolute()
OPAQUE = "positive_data_acceptance"
"""The check that all that a schema allows is accepted: a cursor is a text, and not each text is a cursor."""
TOKEN = "open-sesame-of-a-test"


def tried(folder: Path, url: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Let it try everything at `url`, the same each time; it leaves files in `folder`."""
    endless = ("--exclude-path", "/v1/stream")
    how = (*endless, "--checks", "all", "--max-examples", "25", "--seed", "1", "--no-color", *options)
    return subprocess.run(
        [SCHEMATHESIS, "run", f"{url}/v1/openapi.json", *how], cwd=folder, capture_output=True, text=True, check=False
    )


def test_a_daemon_answers_as_its_document_says(tmp_path: Path) -> None:
    """With the token and without: statuses, bodies, headers, and that what needs the token is refused without."""
    (tmp_path / "token").write_text(TOKEN)
    config = tmp_path / "steno.toml"
    config.write_text(
        f'[http]\nlisten = "127.0.0.1:0"\ntoken = {{ file = "{tmp_path}/token" }}\n'
        f'[audit]\ndirectory = "{tmp_path}/audit"\n[[sources]]\nname = "calls"\nkind = "attach"\n'
        'url = "ws://127.0.0.1:1/v1"\n'
    )
    with running(config) as daemon:
        url = f"http://127.0.0.1:{daemon.port}"
        patience = (
            "--exclude-path",
            "/v1/session",
            "--exclude-checks",
            f"ignored_auth,{OPAQUE}",
        )  # they send wrong tokens
        allowed = tried(tmp_path, url, "-H", f"Authorization: Bearer {TOKEN}", *patience)
        stranger = tried(tmp_path, url, "--exclude-checks", OPAQUE)
        healthy = daemon.get("/healthz")[0]
        errors = [line for line in daemon.lines() if "internal error" in str(line["event"]) or "exception" in line]

    print(*allowed.stdout.splitlines()[-14:], sep="\n")  # noqa: T201  # how many requests that were
    assert (allowed.returncode, stranger.returncode) == (0, 0), allowed.stdout + stranger.stdout
    assert (healthy, errors) == (200, [])
