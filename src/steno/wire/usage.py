"""What a response, a run, a transcription or a session is billed by. Each member counts, under whatever name it comes.

The APIs of one vendor, and the servers that follow them, write the same numbers under different names
(`input_token_details`, `input_tokens_details`, `prompt_tokens_details`). The names of an event's own API are declared,
and read at the first look. All others make the first look refuse the frame. The second look reads the spellings below,
and counts as drift what is neither declared nor one of them: a name that is new is seen the day it comes.

What is declared as `Any` is harmless: it repeats what other members say, or is no part of the bill.

Source: the published APIs; recordings of OpenAI, Azure and xAI; reports of gateways that send Responses' and chat
completions' names in Realtime events.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from msgspec import field

from steno.wire.base import Amount, ClosedObject, Tokens, Wire

_DETAILS: Final = ("{}_token_details", "{}_tokens_details")


class ModalityTokens(ClosedObject, frozen=True):
    """Tokens by modality; the same shape serves input, output and cached details."""

    text_tokens: Tokens | None = None
    audio_tokens: Tokens | None = None
    image_tokens: Tokens | None = None
    grok_tokens: Any = None
    """xAI's, beside the modalities. Zero in all recordings."""


class InputTokenDetails(ModalityTokens, frozen=True):
    """What the input consisted of. Cached tokens are part of it, not beside it."""

    spellings: ClassVar[Mapping[str, str]] = {
        "cached_token_details": "cached_tokens_details",
        "cache_read_tokens": "cached_tokens",
        "cache_read_input_tokens": "cached_tokens",
    }
    cached_tokens: Tokens | None = None
    cached_tokens_details: ModalityTokens | None = None


class OutputTokenDetails(ModalityTokens, frozen=True):
    """What the output consisted of. Reasoning tokens are part of the text tokens, or stand beside them."""

    reasoning_tokens: Tokens | None = None
    accepted_prediction_tokens: Any = None
    rejected_prediction_tokens: Any = None


class Usage(ClosedObject, frozen=True):
    """What something is billed by: `tokens`, or `duration` in seconds; null while it is in progress."""

    spellings: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("input_tokens", "prompt_tokens"), "input_tokens"),
        **dict.fromkeys(("output_tokens", "completion_tokens"), "output_tokens"),
        **{name.format(side): "input_token_details" for side in ("input", "prompt") for name in _DETAILS},
        **{name.format(side): "output_token_details" for side in ("output", "completion") for name in _DETAILS},
        "prompt_cache_hit_tokens": "cached_tokens",
        **dict.fromkeys(("duration", "duration_seconds", "input_seconds", "input_audio_seconds"), "seconds"),
    }
    type: str | None = None
    seconds: Amount | None = None
    """A translation session says `input_seconds`: it is billed by what it heard."""
    total_tokens: Tokens | None = None
    input_tokens: Tokens | None = None
    output_tokens: Tokens | None = None
    input_token_details: InputTokenDetails | None = None
    output_token_details: OutputTokenDetails | None = None
    cached_tokens: Tokens | None = None
    """Beside the details, which stand before it where both are there."""
    prompt_cache_miss_tokens: Any = None
    billable_audio_seconds: Any = None
    """xAI's, like the next: it bills by tokens all the same."""
    output_audio_seconds: Any = None
    output_seconds: Any = None
    """How long a translation spoke; see `seconds`."""


class CompletionUsage(Usage, frozen=True):
    """What a run or a step is billed by. The wire says `prompt_token_details` and `completion_tokens_details`."""

    input_tokens: Tokens | None = field(default=None, name="prompt_tokens")
    output_tokens: Tokens | None = field(default=None, name="completion_tokens")
    input_token_details: InputTokenDetails | None = field(default=None, name="prompt_token_details")
    output_token_details: OutputTokenDetails | None = field(default=None, name="completion_tokens_details")


class CacheWrites(ClosedObject, frozen=True):
    """Tokens that were written to the prompt cache, by how long they are kept there."""

    ttl_30m_tokens: Tokens | None = None
    ttl_12h_tokens: Tokens | None = None


class ResponseInputDetails(InputTokenDetails, frozen=True):
    """What the input of a response consisted of. Tokens that were written to the cache are part of it as well."""

    spellings: ClassVar[Mapping[str, str]] = {
        **InputTokenDetails.spellings,
        "cache_creation_tokens": "cache_write_tokens",
        "cache_creation_input_tokens": "cache_write_tokens",
        "cache_write_input_tokens": "cache_write_tokens",
    }
    cache_write_tokens: Tokens | None = None
    cache_write_tokens_details: CacheWrites | None = None


class ResponseUsage(Usage, frozen=True):
    """What a response of the Responses API, or a decision, is billed by. The wire has the plural `tokens_details`."""

    input_token_details: ResponseInputDetails | None = field(default=None, name="input_tokens_details")
    output_token_details: OutputTokenDetails | None = field(default=None, name="output_tokens_details")
    num_sources_used: Any = None
    """xAI's, like the next: what its own tools did, and its own sum."""
    num_server_side_tools_used: Any = None
    server_side_tool_usage_details: Any = None
    context_details: Any = None
    cost_in_usd_ticks: Any = None
    cost: Any = None
    """OpenRouter's, like the next: what it charges itself, in credits of its own."""
    cost_details: Any = None
    is_byok: Any = None


class SearchUsage(ClosedObject, frozen=True):
    """Searches of the web that a response is billed by. Opening a page is none, and some searches are free."""

    num_requests: Tokens | None = None


class CachedImageTokens(ModalityTokens, frozen=True):
    """What of the input of image generation was cached."""

    text_tokens: Tokens | None = field(default=None, name="cached_text_tokens")
    image_tokens: Tokens | None = field(default=None, name="cached_image_tokens")


class ImageUsage(Usage, frozen=True):
    """Tokens of the model that drew the images of a response. They are no part of the response's own usage."""

    input_token_details: InputTokenDetails | None = field(default=None, name="input_tokens_details")
    output_token_details: OutputTokenDetails | None = field(default=None, name="output_tokens_details")
    cached_tokens_details: CachedImageTokens | None = None


class ToolUsage(Wire, frozen=True):
    """What the built-in tools of a response are billed by. Absent where upstream does not report it."""

    web_search: SearchUsage | None = None
    image_gen: ImageUsage | None = None


class SessionUsage(ClosedObject, frozen=True):
    """How long a Live session has lasted so far, in seconds. Each report replaces the one before it."""

    seconds: Amount | None = None
    active_seconds: Amount | None = None
    """With the next, all of it. Reported only of sessions that can pause."""
    paused_seconds: Amount | None = None
