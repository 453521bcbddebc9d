"""Hostile sources: what an upstream may send within the limits, and what it may answer in place of an upgrade.

A play is what one connection sends, made while it is sent. Who is hostile waits between frames, so that the disk holds
what the log says of it, and so that it does not evict the others' conversations: limits are shared by all sources.
"""

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any, Final

from benchmarks import hostile as frames
from tests.memory import plays as excess

Frame = bytes | str
Play = Callable[[Random, float], Iterator[Frame]]
"""Yields the frames of one connection, as `scale` of the longest that are allowed."""

MIB: Final = 1024 * 1024
LONGEST: Final = 16 * MIB


def _size(rng: Random, scale: float) -> int:
    """Return a length: mostly short, sometimes near the limit."""
    longest = int(LONGEST * scale) - 4096
    return longest if rng.random() < 0.06 else min(longest, int(2 ** rng.uniform(8, 18)))


def work(rng: Random, scale: float) -> Iterator[Frame]:
    """Frames that make as much work as their length allows, of every kind."""
    yield from frames.OPENING
    kinds = list(frames.KINDS.values())
    while True:
        yield rng.choice(kinds)(_size(rng, scale))


def names(rng: Random, scale: float) -> Iterator[Frame]:
    """A subject a frame, and a model, a tool and an error code a frame."""
    for number in itertools.count(rng.randrange(1 << 40)):
        subject = f"caller-{number:x}"
        yield excess.enveloped(subject, number, excess.session(number, f"{number:x}"))
        error = {"type": "failed", "error": {"code": f"code_{number:x}"}}
        response = {"id": f"resp_{number:x}", "status": "failed", "model": f"m-{number:x}", "status_details": error}
        yield excess.enveloped(subject, number + 1, excess.event("response.done", number, response=response))


def digits(rng: Random, scale: float) -> Iterator[Frame]:
    """Texts of digits, which redaction must look at from everywhere."""
    yield excess.session(0, "digits")
    for number in itertools.count(1):
        size = min(60_000, int(LONGEST * scale / 4))
        text = "".join(rng.choices("0123456789 -+()", k=size)) if number % 2 else "4" * size
        yield excess.item(number, text)


def keys(rng: Random, scale: float) -> Iterator[Frame]:
    """Secrets in every place."""
    for number in itertools.count(1):
        key = SECRET + "".join(rng.choices("abcdefghijkmnopqrstuvwxyz0123456789", k=32))
        yield excess.session(number, key)
        yield excess.event(f"unknown.{key}", number, **{key: key})
        yield excess.event("error", number, error={"code": key, "message": f"bad key {key}", "type": key})
        yield f'{{"type":"error","event_id":"{key}'


SECRET: Final = "sk-proj-soak"
"""The begin of each of these keys. It must stand in no output."""


def garbage(rng: Random, scale: float) -> Iterator[Frame]:
    """Bytes that are nothing, half events, wrong types, and brackets."""
    whole = excess.session(1, "garbage").encode()
    while True:
        yield rng.randbytes(rng.randrange(300))
        yield whole[: rng.randrange(len(whole))]
        yield b"[" * rng.randrange(1, 1_000)
        drifted: dict[str, Any] = {key: rng.choice([None, 1, [], {}, "x", 1e999]) for key in json.loads(whole)}
        yield json.dumps({"type": "response.created", **drifted})


def _endless(play: Callable[[float, Random], Iterator[str]]) -> Play:
    def again(rng: Random, scale: float) -> Iterator[Frame]:
        while True:
            yield from play(scale, rng)

    return again


PLAYS: Final[Mapping[str, Play]] = {
    "work": work,
    "names": names,
    "digits": digits,
    "keys": keys,
    "garbage": garbage,
    "long-frames": _endless(excess.longest_frames),
    "long-objects": _endless(excess.long_objects),
    "mixed": _endless(excess.mixed),
}
"""The sources that send frames, by name."""


# In place of an upgrade -----------------------------------------------------------------------------------------


def _refusal(status: object, *headers: str) -> bytes:
    lines = "".join(f"{header}\r\n" for header in headers)
    return f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n{lines}\r\n".encode("latin-1")


HANDSHAKES: Final = (
    _refusal(503, "Retry-After: Sun, 06 Nov 49370000000000 08:49:37 GMT"),
    _refusal(429, "Retry-After: 0", "Retry-After: Fri, 77 Bar 00000000000000 77:77:77 GMT"),
    _refusal(503, "Retry-After: 1e309"),
    _refusal(503, "Retry-After: -1"),
    _refusal(503, "Retry-After: -" + "7" * 4_000),
    _refusal("7" * 4_000),
    _refusal("\xbd"),
    _refusal(200, "Content-Length: " + "7" * 4_000),
    _refusal(101, "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: none"),
    _refusal(200, *(f"X-{number}: {'y' * 60}" for number in range(300))),
    _refusal(301, "Location: ws://[::"),
    _refusal(302, "Location: ws://127.0.0.1:1/elsewhere"),
    _refusal(307, "Location: https://relay.invalid/"),
    _refusal(308, "Location: ?again=1"),
    b"\x00" * 20_000,
    b"HTTP/1.1 101 " + b"x" * 100_000,
    b"",
)
"""Whole answers to a handshake. None is an upgrade, and none asks for a wait: it would be kept, for minutes."""

ENDS: Final = (
    b"\x88\x02\x00\x07",
    b"\x88\x02\x03\xed",
    b"\x88\x03\x03\xe8\xff",
    b"\x81\x7f\x7f" + b"\xff" * 7,
    b"\xc1\x00",
    b"\x8f\x00",
    b"\x01\x02{}",
    b"\x82\x02\xff\xfe\x88\x02\x03\xf3",
    b"\x89\x7e\x00\xff" + b"p" * 255,
    b"",
)
"""Bytes after an upgrade, at which the connection ends or hangs."""
