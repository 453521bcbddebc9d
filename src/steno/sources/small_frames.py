"""The frames that nearly all of a stream is made of: a whole message each, short, and whole in what one read brought.

They need no state, so that they are cut out of the bytes at once. Whatever else there is, the library's parser reads;
for that it is said here where a frame ends. No I/O.
"""

from typing import Final

try:
    from websockets.speedups import apply_mask
except ImportError:
    from websockets.utils import apply_mask

LONGEST_BYTES: Final = 64 * 1024
"""The longest message that is taken as a small one."""

_WHOLE: Final = frozenset({0x81, 0x82})
"""First bytes of a message of one frame, text or binary, that no extension has changed."""
_MASKED: Final = 0x80
_LENGTH: Final = 0x7F
_TWO_BYTES: Final = 126
_EIGHT_BYTES: Final = 127


def small_messages(data: bytes, pos: int, longest: int, most: int, messages: list[bytes], *, masked: bool) -> int:
    """Append to `messages` those that stand in `data` from `pos` on, each a whole frame; return where others begin.

    Args:
        data: what came of a connection, which is between two messages at `pos`.
        pos: where a frame begins.
        longest: the longest message to take, in bytes: less than 64 KiB + 1.
        most: how many to take.
        messages: where the payloads go.
        masked: whether frames must be masked: those of a client.
    """
    end, mask = len(data), _MASKED if masked else 0
    while end - pos > 1:
        second = data[pos + 1] ^ mask  # of a frame that is masked as it must be the length is left
        body = pos + 2
        if second < _TWO_BYTES:
            length = second
        elif second == _TWO_BYTES and end - body > 1:
            length = data[body] << 8 | data[body + 1]
            body += 2
        else:
            break
        if masked:
            body += 4
        stop = body + length
        if stop > end or length > longest or data[pos] not in _WHOLE or len(messages) >= most:
            break
        messages.append(apply_mask(data[body:stop], data[body - 4 : body]) if masked else data[body:stop])
        pos = stop
    return pos


def others_end(data: bytes, pos: int, most: int, *, unfinished: bool) -> tuple[int | None, int]:
    """Return where the frames end that begin at `pos` and are no small messages, which may be beyond `data`.

    None where the head of the first one is cut. With it comes how many they are: `most` at most. Where a message is
    `unfinished` all that follows is no small message.
    """
    stop, frames = _frame_end(data, pos), 1
    while stop is not None and stop < len(data) and frames < most and (unfinished or data[stop] not in _WHOLE):
        following = _frame_end(data, stop)
        if following is None:
            break
        stop, frames = following, frames + 1
    return stop, frames


def _frame_end(data: bytes, pos: int) -> int | None:
    """Return where the frame ends that begins at `pos`; None where its head is cut."""
    if len(data) - pos < 2:  # noqa: PLR2004  # the shortest head
        return None
    second = data[pos + 1]
    length, body = second & _LENGTH, pos + 2
    size = {_TWO_BYTES: 2, _EIGHT_BYTES: 8}.get(length, 0)
    if size:
        if len(data) - body < size:
            return None
        length = int.from_bytes(data[body : body + size])
    return body + size + (4 if second & _MASKED else 0) + length
