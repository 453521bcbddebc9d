"""Who may ask a daemon for what over HTTP, as its configuration says."""

from itertools import pairwise
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from steno.app.access import Access
from steno.config import Http, SecretRef
from steno.errors import ConfigError
from tests.sources.certificates import Authority

ELSEWHERE = "0.0.0.0:9464"


@pytest.mark.parametrize(
    ("http", "metrics", "else_"),
    [
        (Http(), True, True),
        (Http(listen="localhost:9464", anonymous=False), True, True),
        (Http(listen=ELSEWHERE), True, False),
        (Http(listen=ELSEWHERE, anonymous=False), False, False),
        (Http(listen=ELSEWHERE, anonymous=True), True, True),
        (Http(listen="[::]:9464"), True, False),
    ],
)
def test_what_anybody_may_read(http: Http, metrics: bool, else_: bool) -> None:
    policy = Access(http).authorization.policy

    assert (policy.readable("/metrics"), policy.readable("/v1/openapi.json")) == (metrics, else_)


def test_a_reload_changes_all_but_the_address() -> None:
    token = SecretRef(env="TOKEN")
    access = Access(Http(listen=ELSEWHERE))

    access.reload(Http(anonymous=False, token=token))
    refused = access.authorization.policy.readable("/metrics")
    access.reload(Http(anonymous=True, token=None))

    assert (refused, access.authorization.policy.readable("/metrics"), access.authorization.token) == (
        False,
        True,
        None,
    )


def test_the_start_warns_of_what_the_next_version_refuses() -> None:
    logged = []
    for http in (Http(), Http(listen=ELSEWHERE), Http(listen=ELSEWHERE, anonymous=False)):
        with capture_logs() as lines:
            Access(http).log_start()
        logged.append(
            [(line["log_level"], line["listen"], "the next version refuses" in line["event"]) for line in lines]
        )

    assert logged == [[], [("warning", ELSEWHERE, True)], []]


def test_the_web_configuration_may_be_another_one_and_whether_there_is_tls_stays(tmp_path: Path) -> None:
    """A wrong one is said and changes nothing; at the start it is refused."""
    authority = Authority(tmp_path)
    files = [tmp_path / name for name in ("one.yml", "two.yml", "bad.yml")]
    for file, (certificate, key) in zip(files[:2], (authority.issue(), authority.issue()), strict=True):
        file.write_text(f"tls_server_config:\n  cert_file: {certificate}\n  key_file: {key}\n")
    files[2].write_text("{}")
    one, two, bad = (Http(listen=ELSEWHERE, web_config=str(file)) for file in files)

    secure, clear = Access(one), Access(Http(listen=ELSEWHERE))
    assert secure.tls is not None
    contexts = [secure.tls.context()]
    with capture_logs() as logged:
        for http in (two, bad, Http()):
            secure.reload(http)
            contexts.append(secure.tls.context())
    clear.reload(one)

    assert [a is b for a, b in pairwise(contexts)] == [False, True, True]
    assert [line["event"] for line in logged if line["log_level"] == "error"] == [
        "the web configuration is wrong; the former one stays in use"
    ]
    assert (secure.scheme, clear.scheme, clear.tls) == ("https", "http", None)
    assert (secure.connections(256), clear.connections(256)) == (204, 256)
    assert not secure.authorization.policy.readable("/metrics")
    with pytest.raises(ConfigError, match=r"bad\.yml: tls_server_config: must be there"):
        Access(bad)
