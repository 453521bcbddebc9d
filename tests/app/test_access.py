"""Who may ask a daemon for what over HTTP, as its configuration says."""

import pytest
from structlog.testing import capture_logs

from steno.app.access import Access
from steno.config import Http, SecretRef

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
