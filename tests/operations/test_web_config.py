"""The web configuration file: Prometheus' own tool accepts it, and a Prometheus scrapes by it."""

import json
import re
import subprocess
import urllib.request
from pathlib import Path

from steno.admin.web_config import read_web_config
from tests.processes import listening_port, running, wait_for
from tests.sources.certificates import Authority

PAGE = Path("docs/http.md")


def documented(folder: Path, authority: Authority) -> Path:
    """Write the file of the page, with certificates in the place of those that it names."""
    (text,) = re.findall(r"```yaml\n(tls_server_config:\n.*?)```", PAGE.read_text(), re.DOTALL)
    certificate, key = authority.issue()
    certificate.rename(folder / "steno.pem")
    key.rename(folder / "steno.key")
    (folder / "clients.pem").write_text(authority.certificate.read_text())
    web = folder / "web.yml"
    web.write_text(text.replace("prometheus.example", "localhost"))
    return web


def test_the_toolkit_accepts_what_steno_does(tmp_path: Path) -> None:
    """But for the names of clients, which the toolkit of Debian's Prometheus is too old for."""
    web = documented(tmp_path, Authority(tmp_path))
    web.write_text(re.sub(r"^  client_allowed_sans: .*\n", "", web.read_text(), flags=re.MULTILINE))

    checked = subprocess.run(["promtool", "check", "web-config", web], capture_output=True, text=True, check=False)

    assert read_web_config(web).clients == "optional"
    assert (checked.returncode, "SUCCESS" in checked.stdout + checked.stderr) == (0, True), checked.stderr


def test_a_prometheus_scrapes_by_its_certificate(tmp_path: Path) -> None:
    """Elsewhere than on loopback, without any token."""
    authority = Authority(tmp_path)
    web = documented(tmp_path, authority)
    certificate, key = authority.issue(use="clientAuth")
    config = tmp_path / "steno.toml"
    config.write_text(f'[http]\nlisten = "0.0.0.0:0"\nweb_config = "{web}"\n')
    with running(config) as daemon:
        (tmp_path / "prometheus.yml").write_text(
            f"""
            scrape_configs:
              - job_name: steno
                scrape_interval: 1s
                scheme: https
                tls_config: {{ca_file: {authority.certificate}, cert_file: {certificate}, key_file: {key}}}
                static_configs: [{{targets: ["127.0.0.1:{daemon.port}"]}}]
            """
        )
        server = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={tmp_path}/prometheus.yml",
                f"--storage.tsdb.path={tmp_path}/data",
                "--web.listen-address=127.0.0.1:0",
            ],
            stderr=subprocess.DEVNULL,
        )
        try:
            port = wait_for(lambda: listening_port(server.pid))
            target = wait_for(lambda: scraped(port))
        finally:
            server.kill()
            server.wait()

    assert (target["health"], target["lastError"]) == ("up", "")


def scraped(port: int) -> dict[str, str] | None:
    """Return the target of the server at `port`, once it was asked."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/targets") as response:
        targets = json.load(response)["data"]["activeTargets"]
    return next((target for target in targets if target["health"] != "unknown"), None)
