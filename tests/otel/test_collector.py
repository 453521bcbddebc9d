"""One request to a collector that is well, down, slow, wrong or somebody else."""

import socket
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from steno.config.schema import Otel
from steno.config.secret_ref import SecretRef
from steno.otel.collector import Collector, ExportError
from tests.otel.receiver import Answer, peer, receiver
from tests.processes import PATIENCE_SECONDS
from tests.sources.certificates import Authority

BODY = ExportTraceServiceRequest().SerializeToString()


def refused(collector: Collector, seconds: float = PATIENCE_SECONDS) -> ExportError:
    with pytest.raises(ExportError) as raised:
        collector.post("/v1/traces", BODY, seconds)
    return raised.value


def at(url: str, **further: Any) -> Collector:
    return Collector(Otel(endpoint=url, **further))


def test_a_request_is_protobuf_below_the_endpoint_with_the_configured_headers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variables of the SDK and of proxies are nobody's here."""
    token = tmp_path / "token"
    token.write_text("Bearer of-the-collector\n")
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-of=environment")
    with receiver(lambda _: Answer(body=b"")) as collecting:
        collector = at(f"{collecting.url}/base/", headers={"Authorization": SecretRef(file=str(token))})
        assert collector.post("/v1/traces", BODY, PATIENCE_SECONDS) == b""
        token.write_text("Bearer of-another")
        collector.post("/v1/traces", BODY, PATIENCE_SECONDS)

    first, second = collecting.requests
    assert first.path == "/base/v1/traces"
    assert {
        "authorization": "Bearer of-the-collector",
        "content-type": "application/x-protobuf",
        "content-encoding": "gzip",
        "host": collecting.url.removeprefix("http://"),
    }.items() <= first.headers.items()
    assert "x-of" not in first.headers
    assert second.headers["authorization"] == "Bearer of-another"


@pytest.mark.parametrize(
    ("answer", "reason", "again", "wait"),
    [
        (Answer(429, {"Retry-After": "7"}), "throttled", True, 7.0),
        (Answer(429), "throttled", True, None),
        (Answer(503, {"Retry-After": "99999999999999999999"}), "unavailable", True, 300.0),
        (Answer(503, {"Retry-After": "soon"}), "unavailable", True, None),
        (Answer(502), "unavailable", True, None),
        (Answer(504), "unavailable", True, None),
        (Answer(500), "refused", False, None),
        (Answer(400, body=b"the secret of the server"), "refused", False, None),
        (Answer(401), "refused", False, None),
        (Answer(404), "refused", False, None),
        (Answer(413), "refused", False, None),
        (Answer(302, {"Location": "http://127.0.0.1:9/"}), "refused", False, None),
        (Answer(200, {"Content-Type": "text/html"}, b"<html>log in</html>"), "answer", False, None),
        (Answer(200, {"Content-Type": "application/x-protobuf"}, b"x" * 70_000), "answer", False, None),
    ],
    ids=lambda value: str(value.status) if isinstance(value, Answer) else "",
)
def test_what_an_answer_means(answer: Answer, reason: str, again: bool, wait: float | None) -> None:
    """OTLP says after which a request may be sent again. No redirect is followed, and no word is repeated."""
    with receiver(lambda _: answer) as collecting:
        error = refused(at(collecting.url))
    assert (error.reason, error.again, error.wait) == (reason, again, wait)
    assert "secret" not in str(error)
    assert len(collecting.requests) == 1


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8"])
def test_an_answer_in_json_is_a_yes(kind: str) -> None:
    with receiver(lambda _: Answer(200, {"Content-Type": kind}, b"{}")) as collecting:
        assert at(collecting.url).post("/v1/traces", BODY, PATIENCE_SECONDS) == b""


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    error = refused(at(f"http://127.0.0.1:{port}"))
    assert (error.reason, error.again, str(error)) == ("connection", True, "no connection: connection refused")


def keep_silent(connected: socket.socket) -> None:
    """Say nothing, and leave when the client does."""
    while connected.recv(4096):
        pass


def drip(connected: socket.socket) -> None:
    """Send a header that never ends, a byte at a time."""
    connected.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    gone = Event()
    while not gone.wait(0.01):
        connected.sendall(b"a")


def drip_the_body(connected: socket.socket) -> None:
    connected.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n")
    gone = Event()
    while not gone.wait(0.01):
        connected.sendall(b"a")


@pytest.mark.parametrize("talk", [keep_silent, drip, drip_the_body])
def test_a_slow_collector_is_left_when_the_time_is_over(talk: Callable[[socket.socket], None]) -> None:
    with peer(talk) as url:
        error = refused(at(url), 0.2)
    assert (error.reason, error.again, str(error)) == ("timeout", True, "it does not answer in time")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"SSH-2.0-OpenSSH_9\r\n", "answer"),
        (b"HTTP/1.1 twenty OK\r\n\r\n", "answer"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "answer"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 300 + b"\r\n", "answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", "answer"),
        (b"\x00\xff" * 100_000, "answer"),
        (b"", "connection"),
    ],
    ids=["ssh", "status", "chunks", "headers", "short", "bytes", "nothing"],
)
def test_nonsense_is_an_answer_of_somebody_else(said: bytes, reason: str) -> None:
    def talk(connected: socket.socket) -> None:
        connected.recv(1 << 16)
        connected.sendall(said)
        connected.shutdown(socket.SHUT_WR)
        keep_silent(connected)

    with peer(talk) as url:
        error = refused(at(url))
    assert (error.reason, error.again) == (reason, True)


def test_tls_is_verified_by_the_configured_certificates(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with receiver(tls=authority.issue()) as collecting:
        trusting = at(collecting.url, ca_file=str(authority.certificate))
        assert trusting.post("/v1/traces", BODY, PATIENCE_SECONDS) == b""
        error = refused(at(collecting.url))
    assert len(collecting.requests) == 1
    assert (error.reason, error.again) == ("tls", True)
    assert str(error).startswith("its certificate is not trusted: ")


def test_a_server_without_tls_is_no_server_with_it() -> None:
    with receiver() as collecting:
        assert refused(at(collecting.url.replace("http:", "https:"))).reason == "tls"
    with peer(keep_silent) as url:
        assert refused(at(url.replace("http:", "https:")), 0.2).reason == "timeout"
    assert collecting.requests == []


def test_what_cannot_be_read_is_named_and_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAD_TOKEN", "two\nlines of a secret")
    with receiver() as collecting:
        missing = refused(at(collecting.url, headers={"X-Key": SecretRef(file=str(tmp_path / "absent"))}))
        bad = refused(at(collecting.url, headers={"X-Key": SecretRef(env="BAD_TOKEN")}))
        no_file = refused(at(collecting.url.replace("http", "https"), ca_file=str(tmp_path / "absent.pem")))
    assert [each.reason for each in (missing, bad, no_file)] == ["settings"] * 3
    assert all(each.again for each in (missing, bad, no_file))
    assert str(bad) == "$BAD_TOKEN: headers.X-Key: must be one line of printable ASCII"
    assert str(tmp_path / "absent") in str(missing)
    assert collecting.requests == []


def test_the_next_address_of_a_host_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name may stand for IPv6 and IPv4, and the collector listen on one of them."""
    with receiver() as collecting:
        port = int(collecting.url.rpartition(":")[2])
        with socket.create_server(("127.0.0.1", 0)) as gone:
            closed = gone.getsockname()
        places = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", place) for place in (closed, ("127.0.0.1", port))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: places)
        assert at(f"http://collector.example:{port}").post("/v1/traces", BODY, PATIENCE_SECONDS) == b""
    assert collecting.requests[0].headers["host"] == f"collector.example:{port}"
