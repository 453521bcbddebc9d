"""The usage of a voice session: the tokens of each response, and what remains of the rate limit.

The figures follow the arithmetic of the service. Audio of the caller is 10 tokens a second, audio of the model 20. The
input of a response is the conversation so far. What an earlier response has read counts as cached, in blocks of 64.
"""

from typing import Any, Final

from steno.simulate.steps import pieces

_CACHE_BLOCK_TOKENS: Final = 64
_TOKENS_A_MINUTE: Final = 40_000


class Ledger:
    """The token account of one session."""

    def __init__(self, instruction_tokens: int) -> None:
        self._text = instruction_tokens
        self._audio = 0
        self._cached_text = 0
        self._cached_audio = 0
        self._limit_used = 0.0
        self._limit_at = 0.0

    def hear(self, audio_ms: int) -> int:
        """Add what the caller said to the conversation. Returns its audio tokens."""
        self._audio += audio_ms // 100
        return audio_ms // 100

    def read(self, text_tokens: int) -> None:
        """Add text to the conversation, such as the output of a function."""
        self._text += text_tokens

    def forget(self, text_tokens: int, audio_tokens: int) -> None:
        """Remove what an item that was deleted or truncated has in the conversation. What follows it is not cached."""
        self._text = max(self._text - text_tokens, 0)
        self._audio = max(self._audio - audio_tokens, 0)
        self._cached_text = min(self._cached_text, self._text - self._text % _CACHE_BLOCK_TOKENS)
        self._cached_audio = min(self._cached_audio, self._audio - self._audio % _CACHE_BLOCK_TOKENS)

    def respond(self, text_tokens: int, audio_tokens: int, *, heard_tokens: int | None = None) -> dict[str, Any]:
        """Account for a response with these output tokens. Returns its `usage`.

        `heard_tokens` is how much of the audio stays in the conversation where the caller interrupted it.
        """
        usage = _usage(
            {"text_tokens": self._text, "audio_tokens": self._audio},
            {"text_tokens": self._cached_text, "audio_tokens": self._cached_audio},
            {"text_tokens": text_tokens, "audio_tokens": audio_tokens},
        )
        self._cached_text = self._text - self._text % _CACHE_BLOCK_TOKENS
        self._cached_audio = self._audio - self._audio % _CACHE_BLOCK_TOKENS
        self._text += text_tokens
        self._audio += audio_tokens if heard_tokens is None else heard_tokens
        return usage

    def rate_limits(self, at: float, usage: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the `rate_limits` after a response at the second `at`: of tokens only, refilled over a minute."""
        refilled = (at - self._limit_at) * _TOKENS_A_MINUTE / 60
        self._limit_used = max(self._limit_used - refilled, 0.0) + usage["total_tokens"]
        self._limit_at = at
        used = round(self._limit_used)
        return [
            {
                "name": "tokens",
                "limit": _TOKENS_A_MINUTE,
                "remaining": _TOKENS_A_MINUTE - used,
                "reset_seconds": round(used * 60 / _TOKENS_A_MINUTE, 3),
            }
        ]


def no_usage() -> dict[str, Any]:
    """Return the `usage` of a response that ended before the model ran: an object of zeros, never null."""
    none = {"text_tokens": 0, "audio_tokens": 0}
    return _usage(none, none, none)


def transcription_usage(model: str, line: str, audio_ms: int, audio_tokens: int) -> dict[str, Any]:
    """Return the `usage` of a transcript: by duration or by tokens, depending on the model."""
    if model == "gpt-realtime-whisper":
        return {"type": "duration", "seconds": max(round(audio_ms / 1000), 1)}
    text_tokens = len(pieces(line))
    return {
        "type": "tokens",
        "total_tokens": audio_tokens + text_tokens,
        "input_tokens": audio_tokens,
        "input_token_details": {"text_tokens": 0, "audio_tokens": audio_tokens},
        "output_tokens": text_tokens,
    }


def _usage(read: dict[str, int], cached: dict[str, int], written: dict[str, int]) -> dict[str, Any]:
    tokens_in, tokens_out = sum(read.values()), sum(written.values())
    return {
        "total_tokens": tokens_in + tokens_out,
        "input_tokens": tokens_in,
        "output_tokens": tokens_out,
        "input_token_details": {
            **read,
            "image_tokens": 0,
            "cached_tokens": sum(cached.values()),
            "cached_tokens_details": {**cached, "image_tokens": 0},
        },
        "output_token_details": {**written},
    }
