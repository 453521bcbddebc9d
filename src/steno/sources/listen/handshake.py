"""Which requests become a connection, and what the others are answered. Pure.

A refusal is a status and `{"error":{"code","message"}}`. A token is taken from the header `Authorization` alone: a
query stands in the logs of whatever is in between, and a subprotocol in those of browsers.
"""

import math
import re
from collections.abc import Mapping
from email.utils import formatdate
from http import HTTPStatus
from typing import Final, Literal
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from steno.key_shapes import find_keys
from steno.sources.listen.rates import Client, Rates, by_address, by_name
from steno.sources.listen.tokens import Token, Tokens

PATH: Final = "/v1/push"
CLOUD_EVENTS: Final = "cloudevents.json"
"""The subprotocol of a client that pushes CloudEvents alone."""
NAME_CHARACTERS: Final = 512
"""Longest name of a conversation."""
CROWDED_SECONDS: Final = 5
"""When to come again where there are too many connections."""

PARAMETERS: Final = frozenset({"conversation", "ack", "resume", "from"})
"""Of a query. Any other is refused, since who sends it expects something of it."""
_SECRETS: Final = frozenset({"token", "access_token", "api_key", "apikey", "key", "authorization", "auth", "secret"})
_OWN_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
"""No web page has these as its site, unless it comes from this machine."""

Reason = Literal["no_token", "wrong_token", "origin", "not_found", "bad_request", "crowded", "rate", "stopping"]


class Refusal(Exception):  # noqa: N818  # it is an answer
    """A request that becomes no connection."""

    def __init__(
        self, reason: Reason, status: HTTPStatus, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        """Count `reason`, and answer the rest."""
        super().__init__(message)
        self.reason: Reason = reason
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}

    def response(self) -> Response:
        """Return what is answered."""
        return error(self.status, self.code, self.message, self.headers)


class Rules(Struct):
    """What holds for handshakes at present."""

    rates: Rates
    tokens: Tokens | None = None
    """None: no token is asked for."""
    acknowledges: bool = False
    """Whether there is an audit log, and so something that can be acknowledged."""


class Acknowledged(Struct, frozen=True):
    """A client that is told what is on the disk."""

    resume: str | None = None
    """The id under which it goes on after a break; None where it does not."""
    first: int = 1
    """The number of the first message of the connection."""


class Admitted(Struct, frozen=True):
    """A client that may push."""

    clients: tuple[Client, ...]
    """By whose rates it is bound."""
    token: Token | None
    conversation: str | None
    acknowledged: Acknowledged | None = None
    """None: it is told nothing."""


def admit(request: Request, host: str, rules: Rules, now: float, *, full: bool) -> Admitted:
    """Return who asks, by a `request` from the address `host`. Raises Refusal; any client where it is `full`."""
    here = _within_rate(rules, by_address(host), now)
    path, _, query_text = request.path.partition("?")
    if path != PATH:
        raise Refusal("not_found", HTTPStatus.NOT_FOUND, "not_found", f"clients push to {PATH}")
    _is_websocket(request)
    query = _query(query_text)
    _no_secret_in_protocol(request, rules.tokens)
    token = _token(request, rules.tokens) if rules.tokens is not None else None
    if token is None:
        _no_foreign_page(request)
    clients = (here,) if token is None else (here, _within_rate(rules, by_name(token.name), now))
    conversation = _conversation(query)
    acknowledged = _acknowledged(query, rules)
    if full:
        raise Refusal(
            "crowded",
            HTTPStatus.SERVICE_UNAVAILABLE,
            "too_many_connections",
            "there are as many connections as there may be",
            {"Retry-After": str(CROWDED_SECONDS)},
        )
    return Admitted(clients, token, conversation, acknowledged)


def _within_rate(rules: Rules, key: str, now: float) -> Client:
    client = rules.rates.client(key, now)
    wait = rules.rates.ask(client, now)
    if wait:
        raise Refusal(
            "rate",
            HTTPStatus.TOO_MANY_REQUESTS,
            "too_many_requests",
            f"a client may ask for {rules.rates.handshakes:g} connections a minute",
            {"Retry-After": str(math.ceil(wait))},
        )
    return client


def _is_websocket(request: Request) -> None:
    if not any("websocket" in value.lower() for value in request.headers.get_all("Upgrade")):
        message = "this address is for websockets: ask for an upgrade"
        headers = {"Upgrade": "websocket"}
        raise Refusal("bad_request", HTTPStatus.UPGRADE_REQUIRED, "upgrade_required", message, headers)


def _bad(code: str, message: str) -> Refusal:
    return Refusal("bad_request", HTTPStatus.BAD_REQUEST, code, message)


# What is asked for ----------------------------------------------------------------------------------------


def _query(query: str) -> dict[str, str]:
    """Return the parameters by name. None that is not known is repeated: it may be a secret."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query), errors="strict")
    except ValueError:
        raise _bad("bad_query", "the query cannot be read") from None
    names = [name for name, _ in pairs]
    if any(name.lower() in _SECRETS for name in names):
        raise _bad("token_in_query", "a token is sent in the header Authorization, as: Bearer TOKEN")
    if not PARAMETERS.issuperset(names):
        known = ", ".join(sorted(PARAMETERS))
        raise _bad("unknown_parameter", f"the query has a parameter that is not known; these are: {known}")
    if len(set(names)) < len(names):
        raise _bad("bad_query", "the query has a parameter twice")
    return dict(pairs)


def _conversation(query: Mapping[str, str]) -> str | None:
    name = query.get("conversation")
    if name is not None and not 0 < len(name) <= NAME_CHARACTERS:
        raise _bad("bad_conversation", f"the name of a conversation has 1 to {NAME_CHARACTERS} characters")
    return name


def _acknowledged(query: Mapping[str, str], rules: Rules) -> Acknowledged | None:
    if query.get("ack", "0") not in {"0", "1"}:
        raise _bad("bad_ack", "ack is 1, or is left out")
    if query.get("ack") != "1":
        if query.keys() & {"resume", "from"}:
            raise _bad("resume_needs_ack", "a client that goes on after a break asks for acknowledgements: ack=1")
        return None
    if not rules.acknowledges:
        message = "messages are acknowledged once they are in the audit log, and none is written"
        raise _bad("ack_needs_audit_log", message)
    resume, first = query.get("resume"), query.get("from", "1")
    if resume is None:
        if "from" in query:
            raise _bad("from_needs_resume", "messages are numbered on from a former connection under an id: resume=ID")
        return Acknowledged()
    if not _RESUME.fullmatch(resume) or any(find_keys(resume)):
        raise _bad("bad_resume", "resume is 1 to 128 of A-Z a-z 0-9 . _ : - and no key")
    if not _NUMBER.fullmatch(first):
        raise _bad("bad_from", "from is the number of the first message: 1 or more")
    return Acknowledged(resume, int(first))


_RESUME: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,14}")


def protocols(request: Request) -> list[str]:
    """Return the subprotocols that are offered."""
    values = request.headers.get_all("Sec-WebSocket-Protocol")
    return [part.strip() for value in values for part in value.split(",") if part.strip()]


# Who asks -------------------------------------------------------------------------------------------------


def _no_secret_in_protocol(request: Request, tokens: Tokens | None) -> None:
    for offered in protocols(request):
        known = tokens is not None and tokens.find(offered) is not None
        if known or offered.lower().startswith(("bearer", "openai-insecure-api-key")) or any(find_keys(offered)):
            message = "a token is sent in the header Authorization, as: Bearer TOKEN, and not as a subprotocol"
            raise _bad("token_in_subprotocol", message)


def _token(request: Request, tokens: Tokens) -> Token:
    headers = request.headers.get_all("Authorization")
    scheme, _, sent = headers[0].partition(" ") if len(headers) == 1 else ("", "", "")
    challenge = {"WWW-Authenticate": 'Bearer realm="steno"'}
    if scheme.lower() != "bearer" or not sent.strip():
        message = "a token is needed, in the header Authorization, as: Bearer TOKEN"
        raise Refusal("no_token", HTTPStatus.UNAUTHORIZED, "unauthorized", message, challenge)
    token = tokens.find(sent.strip())
    if token is None:
        raise Refusal("wrong_token", HTTPStatus.UNAUTHORIZED, "unauthorized", "the token is not known", challenge)
    return token


def _no_foreign_page(request: Request) -> None:
    """Refuse a web page: a browser connects to loopback for any page, and shows no token but a certificate.

    Libraries that send the header `Origin` too name us in it. The names of loopback are the only ones that no page of
    another site can have.
    """
    origins = request.headers.get_all("Origin")
    if not origins:
        return
    origin = origins[0].lower().partition("://")[2]
    ours = [host.lower() for host in request.headers.get_all("Host")]
    name = re.sub(":[0-9]*$", "", origin)
    if len(origins) > 1 or [origin] != ours or name not in _OWN_HOSTS:
        raise Refusal("origin", HTTPStatus.FORBIDDEN, "forbidden_origin", "web pages cannot push without a token")


# Answers --------------------------------------------------------------------------------------------------


def error(status: HTTPStatus, code: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return a response that is an error."""
    body = msgspec.json.encode({"error": {"code": code, "message": message}}) + b"\n"
    fields = Headers(
        {
            "Date": formatdate(usegmt=True),
            "Connection": "close",
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "Cache-Control": "no-store",
            **(headers or {}),
        }
    )
    return Response(status.value, status.phrase, fields, body)


def in_json(response: Response) -> Response:
    """Return what the library answers to a request that is no handshake in our own form; its upgrades as they are."""
    status = HTTPStatus(response.status_code)
    if status == HTTPStatus.SWITCHING_PROTOCOLS or response.headers.get("Content-Type") == "application/json":
        return response
    message = bytes(response.body).decode(errors="replace").split("\n")[0].strip()
    kept = {name: response.headers[name] for name in ("Allow", "Upgrade") if name in response.headers}
    return error(status, re.sub("[^a-z]", "_", status.phrase.lower()), message or status.description, kept)


NO_HTTP: Final = error(HTTPStatus.BAD_REQUEST, "bad_request", "this is no request for a websocket")
"""What is answered to what cannot be read."""
SLOW: Final = error(HTTPStatus.REQUEST_TIMEOUT, "request_timeout", "the handshake took too long")
