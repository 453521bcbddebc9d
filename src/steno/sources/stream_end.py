"""How a stream ends, live and in replay. It needs no event loop, so that replay imports none."""

from steno.core.endings import Ending
from steno.core.stream import Stream
from steno.core.vocabulary import is_session_expiry
from steno.sources.protocols import Feed
from steno.sources.recording import Close


def end_stream(feed: Feed, stream: Stream, close: Close) -> Ending:
    """End `stream` in `feed` as `close` says; return why its conversations ended."""
    return feed.stream_closed(
        stream, close.at, close.code, shutdown=close.local, expired=is_session_expiry(close.reason), gap=close.gap
    )
