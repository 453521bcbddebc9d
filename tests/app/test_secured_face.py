"""The HTTP face of a daemon in a process of its own: over TLS, and bound elsewhere than on loopback."""

import http.client
import json
import socket
import ssl
from pathlib import Path

from tests.processes import Running, running, steno, wait_for
from tests.sources.certificates import Authority

TOKEN = "open-sesame-of-a-test"
OPEN = {
    *(("get", path) for path in ("/", "/assets/{name}", "/healthz", "/readyz")),
    *((method, "/v1/session") for method in ("get", "post", "delete")),
    ("post", "/v1/webhooks/openai"),
}
"""What answers strangers wherever the daemon listens: the page, which holds no data, probes, and signed webhooks."""
EVERY_PATH = {path for _, path in OPEN} | {
    *("/metrics", "/v1/openapi.json", "/v1/attachments", "/v1/attachments/{call_id}", "/v1/sources", "/v1/stream"),
    *("/v1/conversations", "/v1/conversations/{key}", "/v1/conversations/{key}/timeline"),
}


def configured(folder: Path, listen: str, *http: str) -> Path:
    """Write a configuration, and the token."""
    (folder / "token").write_text(TOKEN)
    config = folder / "steno.toml"
    table = "\n".join([f'listen = "{listen}"', f'token = {{ file = "{folder}/token" }}', *http])
    config.write_text(f'[http]\n{table}\n[audit]\ndirectory = "{folder}/audit"\n')
    return config


def said_by_who_is_asked(daemon: Running, event: str) -> bool:
    """Return whether a line was logged: the files are looked at when a connection comes, once a second."""
    socket.create_connection(("127.0.0.1", daemon.port)).close()
    return any(line["event"] == event for line in daemon.lines())


def test_health_and_attach_over_tls(tmp_path: Path) -> None:
    """Health finds the daemon by its configuration alone, and is told details; `attach` shows token or certificate."""
    authority = Authority(tmp_path)
    certificate, key = authority.issue()
    web = tmp_path / "web.yml"
    web.write_text(
        f"tls_server_config:\n  cert_file: {certificate.name}\n  key_file: {key.name}\n"
        "  client_ca_file: authority.pem\n  client_auth_type: RequireAndVerifyClientCert\n"
        "  client_allowed_sans: [localhost]\n"
    )
    shown, its_key = authority.issue(use="clientAuth")
    config = configured(tmp_path, "127.0.0.1:0", f'web_config = "{web}"')
    with running(config) as daemon:
        url, asking = f"https://127.0.0.1:{daemon.port}", tmp_path / "asking.toml"
        asking.write_text(config.read_text().replace(":0", f":{daemon.port}"))
        health = steno("health", "-c", asking)
        listed = ("attach", "--list", "--url", url, "--ca-file", authority.certificate)
        by_certificate = steno(*listed, "--cert-file", shown, "--key-file", its_key)
        by_token = steno(*listed, "--token-file", tmp_path / "token")
        web.write_text("basic_auth_users: {me: x}\n")
        broken = steno("health", "-c", asking)
        wait_for(lambda: said_by_who_is_asked(daemon, "the web configuration is wrong; the former one stays in use"))
        assert daemon.stop() == 0
    refused = steno("run", "-c", config)

    assert (health.returncode, json.loads(health.stdout)["details"]) == (0, {})
    assert (by_certificate.returncode, by_certificate.stdout.split()[0]) == (0, b"call")
    assert (by_token.returncode, b"client_ca_file" in by_token.stderr) == (64, True)
    assert (broken.returncode, b"(not verified" in broken.stdout) == (0, True)
    assert (refused.returncode, f"{web}: basic_auth_users: is not supported".encode() in refused.stderr) == (78, True)


def asked(daemon: Running, method: str, path: str, token: str | None = None) -> tuple[int, str]:
    """Return the status and the body of a response."""
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=20)
    headers = {"authorization": f"Bearer {token}"} if token else {}
    connection.request(method, path, "{}" if method == "POST" else None, headers)
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    return response.status, body


def test_elsewhere_than_on_loopback(tmp_path: Path) -> None:
    """`/metrics` is still answered there in this version, which is said; SIGHUP is enough to refuse."""
    config = configured(tmp_path, "0.0.0.0:0")
    with running(config) as daemon:
        paths = ("/metrics", "/healthz", "/readyz", "/v1/openapi.json", "/v1/attachments", "/nowhere")
        first = [daemon.get(path)[0] for path in paths]
        config.write_text(config.read_text().replace("[http]", "[http]\nanonymous = false"))
        daemon.reload()
        wait_for(lambda: daemon.get("/metrics")[0] == 401)
        document = json.loads(asked(daemon, "GET", "/v1/openapi.json", TOKEN)[1])["paths"]
        open_to_all = {
            (method, path)
            for path, operations in document.items()
            for method in operations
            if asked(daemon, method.upper(), path.replace("{", "").replace("}", ""))[0] != 401
        }
        ready = json.loads(daemon.get("/readyz")[1])
        url = f"http://127.0.0.1:{daemon.port}"
        health = steno("health", url)
        top, strange = steno("top", url, "--token-file", tmp_path / "token"), steno("top", url)
        warned = [line["listen"] for line in daemon.lines() if "next version refuses" in str(line["event"])]
        assert daemon.stop() == 0

    assert document.keys() == EVERY_PATH
    assert open_to_all == OPEN
    assert first == [200, 200, 200, 401, 401, 401]
    assert ready == {"ok": True, "audit": "on", "sources": {}, "stopping": False, "problems": {}}
    assert (health.returncode, warned) == (0, ["0.0.0.0:0"])
    assert (top.returncode, b"No conversation yet." in top.stdout) == (0, True)
    assert (strange.returncode, b"the daemon wants a token" in strange.stderr) == (64, True)


def test_plain_http_at_a_port_of_tls(tmp_path: Path) -> None:
    """A client learns nothing, and is counted. `steno top` finds the way by the configuration alone."""
    authority = Authority(tmp_path)
    certificate, key = authority.issue()
    (tmp_path / "web.yml").write_text(f"tls_server_config:\n  cert_file: {certificate}\n  key_file: {key}\n")
    config = configured(tmp_path, "127.0.0.1:0", f'web_config = "{tmp_path}/web.yml"')
    with running(config) as daemon:
        asking = tmp_path / "asking.toml"
        asking.write_text(config.read_text().replace(":0", f":{daemon.port}"))
        top, untrusting = steno("top", "-c", asking), steno("top", f"https://127.0.0.1:{daemon.port}")
        plain = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=20)
        try:
            plain.request("GET", "/metrics")
            answered = plain.getresponse().status
        except (OSError, http.client.HTTPException):
            answered = 0
        plain.close()
        trusting = ssl.create_default_context(cafile=authority.certificate)
        connection = http.client.HTTPSConnection("127.0.0.1", daemon.port, timeout=20, context=trusting)
        connection.request("GET", "/metrics")
        metrics = connection.getresponse().read().decode()
        connection.close()

    assert (top.returncode, b"0 of 0 sources ready" in top.stdout, top.stderr) == (0, True, b"")
    assert (untrusting.returncode, b"see --ca-file" in untrusting.stderr) == (69, True)
    assert answered == 0
    assert 'steno_http_rejected_total{kind="http",reason="tls"} 2.0' in metrics  # the one that does not trust it, too
