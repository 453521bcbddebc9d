"""The websockets of the Live API: sessions of their own, and sidebands.

/v1/live/sessions                 a session, which its client starts with `session.start`
/v1/live/sessions/{id}/attach     a sideband of a session that is running
"""

import re
from collections.abc import Callable
from http import HTTPStatus
from random import Random
from typing import Final
from urllib.parse import urlsplit

import msgspec
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from steno.simulate.access import Access, error_body, refusal, shown_key
from steno.simulate.lines import Seeds, query_of, response
from steno.simulate.live.session import LiveSession
from steno.simulate.rooms import Event, Guest, Room, Rooms
from steno.simulate.steps import Ids

PATH: Final = "/v1/live/sessions"
_SIDEBAND: Final = re.compile(rf"{PATH}/([^/]+)/attach\Z")
_SOUND: Final = "session.output_audio.delta"
_REFLECTED: Final = "session.input_audio.append"


class LiveSessions(Rooms[LiveSession]):
    """The sessions of one provider: by id once they have started, before that by a name of their own."""

    MOST: Final = 200
    """Sessions at the same time."""

    def __init__(self, rng: Random, now: Callable[[], int], speed: float) -> None:
        """`now` returns the Unix second, `speed` divides every pause."""
        super().__init__(speed, self.MOST)
        self.rng = rng
        self.now = now
        self._names = Ids(rng)

    def begin(self, session: LiveSession) -> Room[LiveSession]:
        """Let a session go on."""
        return self.open(self._names.plain("session"), session)

    def with_id(self, session_id: str) -> Room[LiveSession] | None:
        """Return a session that has not ended, or None."""
        return next((room for room in self if room.session.id == session_id and not room.session.ended), None)


class LiveLine:
    """The websockets of one provider."""

    def __init__(self, access: Access, sessions: LiveSessions, seed: int) -> None:
        self._access = access
        self._sessions = sessions
        self._seeds = Seeds(seed)

    def opens(self, target: str) -> bool:
        """Return whether a target is that of a session or of a sideband, and not of a story."""
        path = urlsplit(target).path
        return (path == PATH and "line" not in query_of(target)) or _SIDEBAND.match(path) is not None

    def check(self, request: Request) -> Response | None:
        """Return the response to a request that opens nothing, or None."""
        shown = shown_key(request.headers.raw_items())
        if not self._access.admits(shown):
            return response(HTTPStatus.UNAUTHORIZED, refusal(shown))
        sideband = _SIDEBAND.match(urlsplit(request.path).path)
        if sideband and self._sessions.with_id(sideband[1]) is None:
            return response(HTTPStatus.NOT_FOUND, not_found(sideband[1]))
        return None

    async def serve(self, connection: ServerConnection, request: Request) -> None:
        """Serve a connection that `check` has let pass, until it closes."""
        sideband = _SIDEBAND.match(urlsplit(request.path).path)
        if sideband:
            room = self._sessions.with_id(sideband[1])
            if room:
                await connection.send(msgspec.json.encode(room.session.snapshot()), text=True)
                await room.attend(Guest(connection, sideband=True))
            return
        room = self._sessions.begin(LiveSession(self._seeds.of(request.path), self._sessions.now()))
        await room.attend(Guest(connection, to_client))
        room.session.lose()
        room.end()


def to_client(event: Event) -> Event | None:
    """Return an event as the client of a session has it: its own sound does not come back, times are the sidebands'."""
    if event["type"] == _REFLECTED:
        return None
    if event["type"] == _SOUND:
        return {"type": _SOUND, "delta": event["delta"]}
    return event


def not_found(session_id: str) -> Event:
    """Return the body of the response to who asks for a session that is not running."""
    return error_body(f"There is no session '{session_id[:80]}'.", "session_id_not_found", "session_id")
