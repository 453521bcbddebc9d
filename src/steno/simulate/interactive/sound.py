"""Sound in the formats of the protocol: 16 bit PCM at 24 kHz, and the two of telephony, G.711 at 8 kHz.

The model's sound is a soft tone. Of the caller's only two things are known: how long it is, and where it is loud.
"""

import base64
import functools
from array import array
from collections.abc import Iterator
from sys import byteorder
from typing import Final

from steno.simulate.steps import SAMPLE_RATE, audio_base64, tone

_LOUD: Final = 1_000  # of 32,767: above the noise of a room, below a voice near the microphone
_FRAME_MS: Final = 20
_TELEPHONE_RATE: Final = 8_000
_EVERY: Final = SAMPLE_RATE // _TELEPHONE_RATE
_MULAW_BIAS: Final = 0x84
_SIGN: Final = 0x80
_ALAW_EVERY_SECOND: Final = 0x55
_ALAW_LINEAR: Final = 0x20  # below it the steps of A-law are equal


def bytes_a_ms(kind: str) -> int:
    """Return how many bytes a millisecond of sound has in the format `kind`."""
    return 2 * SAMPLE_RATE // 1000 if kind == "audio/pcm" else _TELEPHONE_RATE // 1000


def sound_base64(kind: str, start_ms: int, length_ms: int) -> str:
    """Return `length_ms` of the tone from `start_ms` on, as base64 of the format `kind`."""
    if kind == "audio/pcm":
        return audio_base64(start_ms, length_ms)
    coded = _telephone_tone(kind)
    first = start_ms * _TELEPHONE_RATE // 1000 % len(coded)
    length = length_ms * _TELEPHONE_RATE // 1000
    looped = coded * ((first + length) // len(coded) + 1)
    return base64.b64encode(looped[first : first + length]).decode("ascii")


@functools.cache
def _telephone_tone(kind: str) -> bytes:
    return bytes(map(_mulaw if kind == "audio/pcmu" else _alaw, _samples(tone())[::_EVERY]))


def _samples(pcm: bytes) -> "array[int]":
    samples = array("h")
    samples.frombytes(pcm[: len(pcm) // 2 * 2])
    if byteorder == "big":
        samples.byteswap()
    return samples


def _mulaw(sample: int) -> int:
    """Return the byte of a 16 bit sample in mu-law: sign, three bits of exponent, four of mantissa, inverted."""
    size = min(abs(sample), 32_635) + _MULAW_BIAS
    exponent = size.bit_length() - 8
    return ~((_SIGN if sample < 0 else 0) | exponent << 4 | size >> (exponent + 3) & 0xF) & 0xFF


def _alaw(sample: int) -> int:
    """Return the byte of a 16 bit sample in A-law: like mu-law without a bias, every second bit inverted."""
    size = min(abs(sample), 32_767) >> 4
    exponent = size.bit_length() - 4
    code = size if size < _ALAW_LINEAR else exponent << 4 | size >> exponent & 0xF
    return ((0 if sample < 0 else _SIGN) | code) ^ _ALAW_EVERY_SECOND


def loud_frames(kind: str, audio: bytes) -> Iterator[tuple[int, bool]]:
    """Yield the length in milliseconds of each piece of `audio`, and whether it is loud."""
    frame = bytes_a_ms(kind) * _FRAME_MS
    for start in range(0, len(audio), frame):
        piece = audio[start : start + frame]
        yield len(piece) // bytes_a_ms(kind), _is_loud(kind, piece)


def _is_loud(kind: str, piece: bytes) -> bool:
    if kind == "audio/pcm":
        samples = _samples(piece)
        return max(samples, default=0) >= _LOUD or min(samples, default=0) <= -_LOUD
    return len(piece.translate(None, _loud_bytes(kind))) < len(piece)


@functools.cache
def _loud_bytes(kind: str) -> bytes:
    """Return the bytes of a telephone format that are loud."""
    if kind == "audio/pcmu":  # the larger a byte without its sign, the quieter
        return bytes(byte for byte in range(256) if byte | _SIGN <= _mulaw(_LOUD))
    return bytes(
        byte for byte in range(256) if (byte ^ _ALAW_EVERY_SECOND) | _SIGN >= _alaw(_LOUD) ^ _ALAW_EVERY_SECOND
    )
