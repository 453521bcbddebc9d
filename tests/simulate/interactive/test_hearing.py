"""When speech begins and ends: sound in, starts and stops out."""

import base64
from typing import Any

import pytest

from steno.simulate.interactive.hearing import UTTERANCE_MS, Hearing, Started, Stopped
from steno.simulate.interactive.sound import bytes_a_ms, loud_frames, sound_base64
from tests.simulate.interactive.plays import silence, tone

DETECTOR = {"type": "server_vad", "silence_duration_ms": 200, "prefix_padding_ms": 100}


def hear(hearing: Hearing, sound: str, detector: dict[str, Any] | None = DETECTOR) -> list[Started | Stopped]:
    return hearing.append("audio/pcm", base64.b64decode(sound), detector)


def test_silence_ends_what_a_sound_began() -> None:
    hearing = Hearing()

    assert hear(hearing, silence(400)) == []
    assert hear(hearing, tone(300)) == [Started(320)]
    assert hearing.speaking
    assert hear(hearing, silence(180)) == []
    assert hear(hearing, silence(40)) == [Stopped(900, 580)]
    assert (hearing.position_ms, hearing.buffered_ms) == (920, 20)


def test_a_tone_without_an_end_is_answered_and_then_not_heard() -> None:
    hearing = Hearing()

    events = hear(hearing, tone(UTTERANCE_MS + 2_000))

    assert events == [Started(0), Stopped(UTTERANCE_MS, UTTERANCE_MS)]
    hearing.listen()
    assert hear(hearing, tone(20)) == [Started(UTTERANCE_MS + 2_000 + 20 - 100)]


def test_silence_makes_it_heard_again() -> None:
    hearing = Hearing()
    hear(hearing, tone(UTTERANCE_MS + 20))

    assert hear(hearing, silence(200)) == []
    assert len(hear(hearing, tone(20))) == 1


def test_without_a_detector_sound_is_measured() -> None:
    hearing = Hearing()

    assert hear(hearing, tone(500), None) == []
    assert (hearing.buffered_ms, hearing.speaking) == (500, False)


@pytest.mark.parametrize("kind", ["audio/pcm", "audio/pcmu", "audio/pcma"])
def test_sound_of_every_format_has_its_length_and_is_loud(kind: str) -> None:
    sound = base64.b64decode(sound_base64(kind, 90, 250))
    quiet = base64.b64decode(sound_base64(kind, 0, 10))

    assert len(sound) == 250 * bytes_a_ms(kind)
    assert sum(length for length, _ in loud_frames(kind, sound)) == 250
    assert any(loud for _, loud in loud_frames(kind, sound))
    assert [loud for _, loud in loud_frames(kind, quiet)] == [False]


@pytest.mark.parametrize(("kind", "byte"), [("audio/pcmu", 0xFF), ("audio/pcma", 0xD5), ("audio/pcm", 0)])
def test_the_silence_of_a_format_is_quiet(kind: str, byte: int) -> None:
    assert {loud for _, loud in loud_frames(kind, bytes([byte]) * 480)} == {False}


def test_sound_goes_on_where_it_was_cut() -> None:
    whole = base64.b64decode(sound_base64("audio/pcmu", 0, 400))

    parts = [base64.b64decode(sound_base64("audio/pcmu", at, 100)) for at in (0, 100, 200, 300)]

    assert b"".join(parts) == whole
