"""Where a call is followed, and what the end of its connection says. The id of a call tells its kind. Pure.

    live_...   a Live session     <base>/live/sessions/live_.../attach?graceful_close=true
    any other  a Realtime call    <base>/realtime?call_id=...

A base is what a URL says without its last part, `/realtime` or `/live/sessions`: so one source follows both, whichever
of the two addresses it was given. A query stays, as of Azure and of gateways. Where a URL ends otherwise, calls are
asked for at the URL itself, and Live sessions below it.

Source: https://developers.openai.com/api/docs/guides/voice-server-controls, the types `live` of openai-python 3.57.0,
and https://learn.microsoft.com/azure/foundry/openai/gpt-live-reference for Azure.
"""

from typing import Final
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

LIVE_PREFIX: Final = "live_"
CALLS: Final = "/realtime"
SESSIONS: Final = "/live/sessions"
GRACEFUL: Final = "graceful_close"
"""Asks for a close in order at the end of a session, rather than one that looks like a broken connection."""

NO_SIDEBAND: Final = {"resp_": "a response", "conv_": "a conversation of the Responses API"}
"""Prefixes of ids that name no call, and what they name: nothing that anybody can join."""


def address_of(url: str, call_id: str) -> str:
    """Return where the call is followed, by the `url` of its source."""
    parts = urlsplit(url)
    path = parts.path.rstrip("/")
    if call_id.startswith(LIVE_PREFIX):
        base = path.removesuffix(CALLS).removesuffix(SESSIONS)
        asked = "" if GRACEFUL in dict(parse_qsl(parts.query, keep_blank_values=True)) else f"{GRACEFUL}=true"
        path = f"{base}{SESSIONS}/{quote(call_id, safe='')}/attach"
    else:
        path = path.removesuffix(SESSIONS) + CALLS if path.endswith(SESSIONS) else parts.path
        asked = f"call_id={quote(call_id, safe='')}"
    return urlunsplit(parts._replace(path=path, query="&".join(filter(None, (parts.query, asked)))))


def ends_with_its_connection(call_id: str) -> bool:
    """Return whether a sideband that closes in order says that its call is over.

    That of a Live session may close without it: the provider's word is `session.closed`, or that it knows the session
    no more.
    """
    return not call_id.startswith(LIVE_PREFIX)


def mistaken_for_a_call(call_id: str) -> str | None:
    """Return what an id names that is no call; None where it may be one."""
    return next((what for prefix, what in NO_SIDEBAND.items() if call_id.startswith(prefix)), None)
