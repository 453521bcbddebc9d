"""Simulated calls: made by HTTP, followed and steered by sidebands, ended by who hangs up.

Nobody is on the line, and no sound is carried. The caller begins to speak when the first sideband has joined: before
that nobody would notice.
"""

import re
from collections.abc import Callable
from random import Random
from typing import Any, Final

from steno.simulate.interactive.session import RealtimeSession
from steno.simulate.rooms import Rooms
from steno.simulate.steps import Ids

CALLS_MAX: Final = 200
"""Calls at the same time. The oldest ends when there is another one."""
_MEDIA: Final = re.compile(r"^m=(\S+) \S+ (\S+) (\S+)", re.MULTILINE)
_MID: Final = re.compile(r"^a=mid:(\S+)", re.MULTILINE)
_SECTION: Final = re.compile(r"^m=", re.MULTILINE)
_SECTIONS_MAX: Final = 8


class Calls(Rooms[RealtimeSession]):
    """The calls of one provider, by id."""

    def __init__(self, rng: Random, now: Callable[[], int], speed: float) -> None:
        """`now` returns the Unix second, `speed` divides every pause."""
        super().__init__(speed, CALLS_MAX)
        self._rng = rng
        self._ids = Ids(rng)
        self._now = now

    def begin(self, configuration: dict[str, Any]) -> str:
        """Begin a call whose session has `configuration`. Returns its id."""
        call_id = self._ids.dated("rtc", self._now())
        rng = Random(self._rng.getrandbits(64))
        self.open(call_id, RealtimeSession(rng, self._now(), configuration, call_id=call_id))
        return call_id


def answer_to(offer: str, rng: Random) -> str:
    """Return an SDP answer to `offer`: a section for each of its own. It names a port where nobody listens."""
    password = Ids(rng).plain("")[1:]
    sections = [f"m={section}" for section in _SECTION.split(offer)[1:]][:_SECTIONS_MAX]
    mids = [found.group(1) if (found := _MID.search(section)) else str(n) for n, section in enumerate(sections)]
    fingerprint = ":".join(f"{byte:02X}" for byte in rng.randbytes(32))
    lines = ["v=0", f"o=- {rng.getrandbits(62)} 2 IN IP4 127.0.0.1", "s=-", "t=0 0"]
    lines += [f"a=group:BUNDLE {' '.join(mids)}", "a=msid-semantic: WMS", "a=ice-lite"]
    for section, mid in zip(sections, mids, strict=True):
        lines += _section(section, mid)
        lines += [f"a=ice-ufrag:{password[:4]}", f"a=ice-pwd:{password}", f"a=fingerprint:sha-256 {fingerprint}"]
        lines += ["a=setup:passive", "a=candidate:1 1 udp 2130706431 127.0.0.1 9 typ host", "a=end-of-candidates"]
    return "".join(f"{line}\r\n" for line in lines)


def _section(section: str, mid: str) -> list[str]:
    """Return the lines of an answer that depend on the kind of a section: what is sent, and in which form."""
    found = _MEDIA.match(section)
    kind, transport, chosen = found.groups() if found else ("audio", "UDP/TLS/RTP/SAVPF", "111")
    lines = [f"m={kind} 9 {transport} {chosen}", "c=IN IP4 127.0.0.1", f"a=mid:{mid}"]
    if kind == "application":
        return [*lines, "a=sctp-port:5000", "a=max-message-size:262144"]
    wanted = (f"a=rtpmap:{chosen} ", f"a=fmtp:{chosen} ")
    offered = [line.strip() for line in section.splitlines() if line.startswith(wanted)]
    return [*lines, "a=sendrecv", "a=rtcp-mux", *offered]
