"""`kind = "follow"`: a file that grows, or standard input."""

from typing import Literal

from steno.config.fields import FRAME_BYTES_DEFAULT, FilePath, FrameBytes
from steno.config.sources.base import Source


class FollowSource(Source, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Its table."""

    kind: Literal["follow"]
    """Where frames come from."""

    path: FilePath
    """The file; `-` for standard input. A line is a frame, in any form that `steno replay` knows."""

    start: Literal["end", "beginning"] = "end"
    """Whether what the file holds at the start is left out, or read. A file that appears later is read whole."""

    frame_bytes: FrameBytes = FRAME_BYTES_DEFAULT
    """Longest frame that is read. A longer one is skipped, and counted."""
