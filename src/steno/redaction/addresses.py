"""Finds e-mail and IP addresses."""

import ipaddress
import re
from collections.abc import Iterator
from typing import Final

from steno.redaction.budget import Budget
from steno.redaction.spans import Span

_LETTERS: Final = "\u00c0-\u1fff\u2c00-\u2dff\u3040-\ud7ff\uf900-\ufdff\U00010000-\U0001efff\U00020000-\U0003ffff"
"""Letters beyond ASCII, roughly. The gaps between the ranges are marks, symbols and emoji."""

_DOMAIN: Final = re.compile(
    rf"@(?:[0-9A-Za-z{_LETTERS}_-]{{1,63}}\.){{1,10}}(?:[A-Za-z][0-9A-Za-z-]{{1,62}}|[{_LETTERS}]{{2,63}})"
)
"""The part of an e-mail address from the `@` on. A last label in ASCII ends where other letters follow, since some
scripts are written without spaces."""

_LOCAL: Final = re.compile(r"(?:[0-9A-Za-z.%+_~\u00c0-\u1fff-]|'(?=[0-9A-Za-z]))+|[\u2c00-\ud7ff\uf900-\ufdff]+")
"""The part before the `@`, matched backwards. Marks that an address may hold but that separate in URLs end it."""

_LOCAL_MAX: Final = 64

_IPV4: Final = re.compile(r"[0-9](?<![0-9]{2})(?<![0-9]\.[0-9])[0-9]{0,2}(?:\.[0-9]{1,3}){3}(?![0-9]|\.[0-9])")

_IPV6: Final = re.compile(r"(?<![0-9A-Fa-f:.])[0-9A-Fa-f:.]{2,}+")
_IPV6_MAX: Final = 46
_IPV6_COLONS: Final = 7


def emails(text: str) -> Iterator[Span]:
    """Yield e-mail addresses: a local part, `@`, and a domain with a dot in it."""
    for domain in _DOMAIN.finditer(text) if "@" in text else ():
        before = text[max(0, domain.start() - _LOCAL_MAX) : domain.start()]
        if local := _LOCAL.match(before[::-1]):
            yield Span(domain.start() - local.end(), domain.end(), "email")


def ips(text: str, budget: Budget) -> Iterator[Span]:
    """Yield IP addresses of both versions. Four numbers with dots between them count, whatever they mean."""
    if text.count(".") >= 3:  # noqa: PLR2004 - the dots of an address
        yield from (Span(*match.span(), "ip") for match in _IPV4.finditer(text) if _is_ip(match[0], budget))
    if "::" in text or text.count(":") >= _IPV6_COLONS:
        yield from _ipv6(text, budget)


def _ipv6(text: str, budget: Budget) -> Iterator[Span]:
    """Yield version 6 addresses, from runs of their characters. A label may precede one, a dot or a colon follow it."""
    for match in _IPV6.finditer(text):
        run = match[0]
        if len(run) > 2 * _IPV6_MAX or run.count(":") < 2 or not any(map(str.isdigit, run)):  # noqa: PLR2004
            continue
        tail = len(run.rstrip(".")) if run.endswith((".", "::")) else len(run.rstrip(":"))
        for head in (0, *(place.end() for place in re.finditer(r"\A:(?!:)|\A[0-9A-Fa-f]+:(?!:)", run))):
            if _is_ip(run[head:tail], budget):
                yield Span(match.start() + head, match.start() + tail, "ip")
                break


def _is_ip(written: str, budget: Budget) -> bool:
    budget.spend(1)
    try:
        ipaddress.ip_address(written)
    except ValueError:
        return False
    return True
