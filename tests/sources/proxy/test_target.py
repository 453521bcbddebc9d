"""Where requests go, and what becomes of places in replies."""

import pytest

from steno.sources.proxy.refusal import Refused
from steno.sources.proxy.target import Upstream


@pytest.mark.parametrize(
    ("url", "host", "port", "authority", "path"),
    [
        ("https://api.openai.com", "api.openai.com", 443, "api.openai.com", ""),
        ("https://api.openai.com:443/", "api.openai.com", 443, "api.openai.com", ""),
        ("http://relay.example:8080/a/b/", "relay.example", 8080, "relay.example:8080", "/a/b"),
        ("http://[::1]:8080", "::1", 8080, "[::1]:8080", ""),
        ("https://[2001:db8::1]", "2001:db8::1", 443, "[2001:db8::1]", ""),
    ],
)
def test_what_a_url_names(url: str, host: str, port: int, authority: str, path: str) -> None:
    upstream = Upstream.of(url)
    assert (upstream.host, upstream.port, upstream.authority, upstream.path) == (host, port, authority, path)
    assert upstream.secure == url.startswith("https")


@pytest.mark.parametrize(
    "target",
    ["/", "/v1/threads/thread_1?after=..", "/v1/a.b/..c/...", "/v1//x", "/v1/%20?q=http://x/../y", "/?a=?", "/~a/;b"],
)
def test_paths_pass_as_they_are(target: str) -> None:
    assert Upstream.of("https://a.example/base").target(target.encode()) == b"/base" + target.encode()


@pytest.mark.parametrize(
    "target",
    [
        "", "*", "v1", "//x", "http://a.example/", "a.example:443", "/..", "/../x", "/a/..", "/a/.", "/a/%2e%2e",
        "/a/.%2E/x", "/a%2F..%2fb", "/..;/x", "/..%3Ba=b/x", "/..%00/x",
        "/a%5c..", "/a\\..", "/a#b", "/a b", "/é", "/a\x7f", "/a\n",
    ],
)  # fmt: skip
def test_other_targets_are_refused(target: str) -> None:
    with pytest.raises(Refused) as raised:
        Upstream.of("https://a.example").target(target.encode("latin-1"))
    assert raised.value.status == 400


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        ("https://api.example/base/v1/x", "/v1/x"),
        ("https://API.example:443/base/v1/x?a=b#c", "/v1/x?a=b#c"),
        ("wss://api.example/base/v1/x", "/v1/x"),
        ("//api.example/base/v1", "/v1"),
        ("https://api.example/base", "/"),
        ("/base/v1", "/v1"),
        ("/elsewhere/v1", "/elsewhere/v1"),
        ("v1/x", "v1/x"),
        ("?a", "?a"),
        ("https://api.example/other", "https://api.example/other"),
        ("https://api.example/basement", "https://api.example/basement"),
        ("http://api.example/base/v1", "http://api.example/base/v1"),
        ("https://api.example:8443/base/v1", "https://api.example:8443/base/v1"),
        ("https://user@api.example/base/v1", "https://user@api.example/base/v1"),
        ("https://elsewhere.example/base/v1", "https://elsewhere.example/base/v1"),
        ("https://api.example/base//elsewhere.example", "https://api.example/base//elsewhere.example"),
        ("mailto:a@api.example", "mailto:a@api.example"),
        ("https://[broken", "https://[broken"),
        ("https://api.example:port/", "https://api.example:port/"),
    ],
)
def test_places_at_the_provider_lead_to_the_proxy(value: str, seen: str) -> None:
    assert Upstream.of("https://api.example/base").location(value.encode()).decode() == seen
