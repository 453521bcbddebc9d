"""Who may act over the HTTP face."""

from pathlib import Path

import pytest
from starlette.requests import Request

from steno.admin.authorization import Authorization
from steno.config import SecretRef


def request(*values: str) -> Request:
    """Return a request with these values of `Authorization`."""
    headers = [(b"authorization", value.encode("latin-1")) for value in values]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": headers})


@pytest.mark.parametrize(
    ("sent", "allowed"),
    [
        (["Bearer first-token"], True),
        (["bearer first-token"], True),
        (["Bearer  first-token "], True),
        (["Bearer first-toke"], False),
        (["Bearer f\xefrst-token"], False),
        (["Basic first-token"], False),
        (["first-token"], False),
        (["Bearer"], False),
        ([], False),
    ],
)
def test_who_sends_the_token_is_allowed(sent: list[str], allowed: bool, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first-token\n")

    assert Authorization(SecretRef(file=str(file))).allows(request(*sent)) is allowed


def test_nobody_is_allowed_without_a_token() -> None:
    assert not Authorization(None).allows(request("Bearer "))
    assert not Authorization(None).allows(request("Bearer any"))


def test_a_token_is_exchanged_while_the_daemon_runs(tmp_path: Path) -> None:
    file = tmp_path / "token"
    authorization = Authorization(SecretRef(file=str(file)))

    missing = authorization.allows(request("Bearer one"))
    file.write_text("one")
    first = authorization.allows(request("Bearer one"))
    file.write_text("two")
    second = authorization.allows(request("Bearer one")), authorization.allows(request("Bearer two"))

    assert (missing, first, second) == (False, True, (False, True))
