"""E-mail and IP addresses: what is found, and what only looks like one."""

# ruff: noqa: RUF001 - letters and digits that look like others are what is tested

import pytest

from tests.redaction.helpers import redacted, table

FOUND = """
    a@b.de                                       -> [email]
    write to anna.b+news@mail.example.co.uk.     -> write to [email].
    {"mail":"a@b.de"}                            -> {"mail":"[email]"}
    <mailto:a_b@b-c.org>                         -> <mailto:[email]>
    https://example.org/?to=a@b.de&x=1           -> https://example.org/?to=[email]&x=1
    o'hara@example.ie and 'a@b.de'               -> [email] and '[email]'
    müller@bücher.example                        -> [email]
    info@例え.テスト                              -> [email]
    メールはa@b.comです                           -> メールは[email]です
    a@xn--bcher-kva.example                      -> [email]
    ａ＠ｂ．ｄｅ                                  -> [email]
    from 10.0.0.1 to 192.168.1.255:8080          -> from [ip] to [ip]:8080
    10.1.2.0/24, 8.8.8.8.                        -> [ip]/24, [ip].
    it is 2001:db8::1.                           -> it is [ip].
    ::1, fe80::1%eth0, ::ffff:10.0.0.1           -> [ip], [ip]%eth0, [ip]
    addr:2001:db8:0:0:0:0:0:1                    -> addr:[ip]
    data:2001:db8:0:0:0:0:0:1                    -> data:[ip]
    [2001:DB8::42]:443                           -> [[ip]]:443
    version 4.18.0.30 is four numbers too       -> version [ip] is four numbers too
"""

NOT_FOUND = """
    meet me @ five.pm
    @somebody said a@b
    user@localhost
    react@18.2.0
    anna at example dot org
    version 1.2.3 and 1.2.3.4.5
    256.1.1.1 and 1.2.3.999
    at 12:30:45, or 1:2:3
    std::vector<int> and dead::beef
    00:1a:2b:3c:4d:5e
"""


@pytest.mark.parametrize(("text", "left"), table(FOUND))
def test_addresses_are_found(text: str, left: str) -> None:
    assert redacted(text) == left


@pytest.mark.parametrize("text", [line.strip() for line in NOT_FOUND.strip().splitlines()])
def test_what_is_not_an_address_stays(text: str) -> None:
    assert redacted(text) == text
