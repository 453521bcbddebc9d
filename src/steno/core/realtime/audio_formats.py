"""How long audio lasts, by its format, and which format a response names."""

from typing import Final

from steno.wire.realtime_objects import AudioFormat, AudioOutput

PCM_24_KHZ: Final = 1 / 48
G711_8_KHZ: Final = 1 / 8
MS_PER_BYTE: Final = {
    "pcm16": PCM_24_KHZ,
    "audio/pcm": PCM_24_KHZ,
    "g711_ulaw": G711_8_KHZ,
    "g711_alaw": G711_8_KHZ,
    "audio/pcmu": G711_8_KHZ,
    "audio/pcma": G711_8_KHZ,
}
"""Audio format, by its beta and its GA name, to the milliseconds that a byte of it lasts: 16 bit at 24 kHz, or 8 bit
at 8 kHz."""


def format_of(output: AudioOutput | None, beta_format: str | None) -> str | None:
    """Return the audio format that a response names, GA place first, then beta's."""
    audio_format = output.format if output else None
    return (audio_format.type if isinstance(audio_format, AudioFormat) else audio_format) or beta_format
