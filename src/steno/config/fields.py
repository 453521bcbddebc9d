"""The types of single values in a configuration: names, addresses, URLs, paths, amounts.

Each is an annotated type. msgspec enforces its bounds and patterns. What those cannot express stands in `Meta.extra`,
which `validation` reads:

- `must`: the message for a value that does not fit, where the one that `messages` derives from the type is too general;
- `fault`: a function that takes a value which fits the type, and returns what is wrong with it, or None.
"""

import re
from ipaddress import IPv6Address
from typing import Annotated, Final
from urllib.parse import SplitResult, urlsplit

from msgspec import Meta

from steno.key_shapes import find_keys, mask_keys

# Names end with \Z, not $: a $ would let a newline at the end pass, into a label or a header.
_HEADER_NAME: Final = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z"
"""RFC 9110 section 5.6.2, `token`: the form of a header's name, and of a subprotocol."""

_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")

PORT_MAX: Final = 65_535

PUT_ELSEWHERE: Final = (
    'put it into a file and write { file = "/path" } here, or into the environment and write { env = "NAME" }'
)


def split_listen(listen: str) -> tuple[str, int] | None:
    """Split `127.0.0.1:9464`, `localhost:9464` or `[::1]:9464` into host and port; None for any other form.

    The host has no brackets, as sockets expect it. Port 0 stands for any free port.
    """
    host, _, digits = listen.rpartition(":")
    bare = _bare_host(host)
    if bare is None or not re.fullmatch(r"[0-9]{1,5}", digits) or int(digits) > PORT_MAX:
        return None
    return bare, int(digits)


def _bare_host(host: str) -> str | None:
    if not (host.startswith("[") and host.endswith("]")):
        return host if _HOST.fullmatch(host) else None
    try:
        return str(IPv6Address(host[1:-1]))
    except ValueError:
        return None


def listen_fault(listen: str) -> str | None:
    """Return what is wrong with an address to listen on, or None."""
    if split_listen(listen) is None:
        return 'must be an address and a port, such as "127.0.0.1:9464" or "[::1]:9464"'
    return None


def url_fault(url: str) -> str | None:
    """Return what is wrong with the URL of a websocket, or None."""
    return _address_fault(url, ("ws", "wss"), "wss://relay.example/v1/events")


def http_url_fault(url: str) -> str | None:
    """Return what is wrong with the base URL of a server, or None."""
    if "?" in url:
        return "must not hold a query (?...): a client's own is appended"
    return _address_fault(url, ("http", "https"), "https://api.provider.example")


def _address_fault(url: str, schemes: tuple[str, str], example: str) -> str | None:
    if not re.fullmatch(r"[!-~]+", url):
        return "must be printable ASCII without spaces: percent-encode every other character"
    parts = _split(url)
    if parts is None or not parts.hostname:
        return f"must be a URL with a host, such as {example}"
    if parts.scheme not in schemes:
        return f"must begin with {schemes[0]}:// or {schemes[1]}://"
    if "@" in parts.netloc:
        return f"must not hold a user or a password. Send the secret as a header: {PUT_ELSEWHERE}"
    if "#" in url:
        return "must not hold a fragment (#...): no server is sent one"
    return None


def _split(url: str) -> SplitResult | None:
    """Split a URL; None where its host or port is invalid. The host is encoded as the resolver would encode it."""
    try:
        parts = urlsplit(url)
        (parts.hostname or "").encode("idna")
        return None if parts.port == 0 else parts
    except ValueError:  # UnicodeError is one
        return None


def mask_url(url: str) -> str:
    """Replace the values in a URL's query, and keys in its path, by `***`. Some providers take their key there."""
    address, mark, query = url.partition("?")
    return mask_keys(address, "***") + mark + "&".join(_mask_parameter(part) for part in query.split("&"))


def _mask_parameter(part: str) -> str:
    name, equals, _ = part.partition("=")
    if equals:
        return f"{name}=***"
    return "***" if part else ""


def header_fault(name: str) -> str | None:
    """Return why a header may not be set, or None. The websocket handshake writes some headers itself."""
    lower = name.lower()
    if lower == "sec-websocket-protocol":
        return "Sec-WebSocket-Protocol is written by the handshake: use subprotocols"
    if lower in _HANDSHAKE_HEADERS:
        return f"{_HANDSHAKE_HEADERS[lower]} is written by the handshake and cannot be set"
    return None


_HANDSHAKE_HEADERS: Final = {
    name.lower(): name
    for name in (
        "Connection",
        "Content-Length",
        "Host",
        "Sec-WebSocket-Accept",
        "Sec-WebSocket-Extensions",
        "Sec-WebSocket-Key",
        "Sec-WebSocket-Version",
        "Transfer-Encoding",
        "Upgrade",
    )
}


def subprotocol_fault(name: str) -> str | None:
    """Return what is wrong with a subprotocol, or None. Browsers cannot set headers and send OpenAI's key in one."""
    if name.lower().startswith("openai-insecure-api-key") or any(find_keys(name)):
        return f"must not hold an API key. Send it as a header, Authorization: {PUT_ELSEWHERE}"
    return None


def path_fault(path: str) -> str | None:
    """Return what is wrong with a path, or None. A secret may have been written in place of its file."""
    if path.lower().startswith("bearer ") or any(start == 0 for start, _ in find_keys(path)):
        return f"must be a path, not the secret itself: {PUT_ELSEWHERE}"
    return None


SourceName = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}\Z",
        extra={
            "must": "must be 1 to 63 of a-z, 0-9, `_`, `.` and `-`, the first a letter or a digit: "
            "it becomes a metric label"
        },
    ),
]


def label_fault(name: str) -> str | None:
    """Return why a source may have no label of this name, or None."""
    if name.startswith("__"):
        return "the name of a label must not begin with `__`: Prometheus keeps these for itself"
    if name in RESERVED_LABELS:
        return "is the name of a label that steno or Prometheus sets itself: choose another"
    return None


def label_value_fault(value: str) -> str | None:
    """Return what is wrong with the value of a label, or None. A secret may have been written into it."""
    return "must not hold a key or a token: who reads the metrics sees it" if any(find_keys(value)) else None


RESERVED_LABELS: Final = frozenset(
    (
        *("source", "family", "event", "model", "tool", "direction", "modality", "cached", "status", "reason", "kind"),
        *("code", "within", "limit", "version", "state", "target", "le", "quantile", "job", "instance"),
    )
)
"""Labels that metrics have already, and that a scrape puts on all of them."""
LABELS_MAX: Final = 8
"""Labels of a source. They multiply no series, and each makes every line of a scrape longer."""
LabelName = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}\Z",
        extra={
            "must": "the name of a label must be 1 to 63 letters, digits and `_`, the first no digit",
            "fault": label_fault,
        },
    ),
]
LabelValue = Annotated[
    str,
    Meta(
        pattern=r"^[^\x00-\x1f\x7f]{0,64}\Z",
        extra={"must": "must be at most 64 characters, none a control character", "fault": label_value_fault},
    ),
]
AttributeName = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,127}\Z",
        extra={
            "must": "the name of an attribute must be 1 to 128 letters, digits, `_`, `.` and `-`, the first no digit"
        },
    ),
]
AttributeValue = Annotated[
    str,
    Meta(
        pattern=r"^[^\x00-\x1f\x7f]{1,256}\Z",
        extra={"must": "must be 1 to 256 characters, none a control character", "fault": label_value_fault},
    ),
]
Listen = Annotated[str, Meta(extra={"fault": listen_fault})]
HostName = Annotated[
    str,
    Meta(
        pattern=r"^([A-Za-z0-9_]([A-Za-z0-9._-]{0,251}[A-Za-z0-9_])?|\*)\Z",
        extra={"must": 'must be the name of a host, such as "steno.example", without scheme and port, or "*" for any'},
    ),
]
Url = Annotated[str, Meta(extra={"fault": url_fault})]
HttpUrl = Annotated[str, Meta(extra={"fault": http_url_fault})]
FilePath = Annotated[
    str,
    Meta(
        pattern=r"^[^\x00-\x1f\x7f]+\Z",
        max_length=4096,
        extra={"must": "must be a path, neither empty nor with control characters", "fault": path_fault},
    ),
]
VariableName = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,254}\Z",
        extra={"must": "must be the name of an environment variable: letters, digits and `_`"},
    ),
]
HeaderName = Annotated[
    str,
    Meta(
        pattern=_HEADER_NAME,
        max_length=256,
        extra={
            "must": "a header's name must be letters, digits and `-`, without spaces",
            "fault": header_fault,
        },
    ),
]
Subprotocol = Annotated[
    str,
    Meta(
        pattern=_HEADER_NAME,
        max_length=256,
        extra={
            "must": "a subprotocol must be letters, digits, `-`, `.` and `_`, without spaces",
            "fault": subprotocol_fault,
        },
    ),
]


def pattern_fault(pattern: str) -> str | None:
    """Return what is wrong with a regular expression, or None. Its own message would repeat the expression."""
    try:
        compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError):
        return "must be a regular expression, as Python's re module has them"
    return "must not match the empty text" if compiled.search("") else None


PatternName = Annotated[
    str,
    Meta(
        pattern=r"^[a-z][a-z0-9_]{0,31}\Z",
        extra={"must": "the name of a pattern must be 1 to 32 of a-z, 0-9 and `_`, the first a letter"},
    ),
]
Pattern = Annotated[str, Meta(min_length=1, max_length=1024, extra={"fault": pattern_fault})]
RESERVED_PATTERN_NAMES: Final = frozenset(
    ("key", "card", "iban", "national_id", "tax_id", "email", "phone", "ip", "error", "over_budget")
)
"""Names a record uses for what steno finds by itself, and for a text that was dropped."""

Region = Annotated[
    str,
    Meta(pattern=r"^[A-Z]{2}\Z", extra={"must": 'must be a country by its two letters, such as "DE"'}),
]
_REGION_LIST: Final = (
    "AC AD AE AF AG AI AL AM AO AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BW BY "
    "BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ "
    "FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GT GU GW GY HK HN HR HT HU ID IE IL IM IN IO IQ IR "
    "IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH "
    "MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK "
    "PL PM PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TA "
    "TC TD TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW"
)
REGIONS: Final = frozenset(_REGION_LIST.split())
"""Countries that telephone numbers can be found for: those of phonenumbers, which may not be installed here."""

FlushBytes = Annotated[int, Meta(ge=1024, le=1 << 30)]
RecordBytes = Annotated[int, Meta(ge=4096, le=1 << 20)]
LongSeconds = Annotated[float, Meta(gt=0, le=366 * 86_400)]
Days = Annotated[float, Meta(gt=0, le=36_600)]
QueueBytes = Annotated[int, Meta(ge=64 * 1024, le=1 << 40)]
FrameBytes = Annotated[int, Meta(ge=1024, le=1 << 30)]
HTTP_LISTEN_DEFAULT: Final = "127.0.0.1:9464"
LISTEN_DEFAULTS: Final = {"listen": "127.0.0.1:9465", "proxy": "127.0.0.1:9466"}
"""Kinds of sources that listen, and where unless `listen` says otherwise."""
QUEUE_BYTES_DEFAULT: Final = 16 * 1024 * 1024
FRAME_BYTES_DEFAULT: Final = 16 * 1024 * 1024
FlushSeconds = Annotated[float, Meta(gt=0, le=60)]
WaitSeconds = Annotated[float, Meta(gt=0, le=3600)]
