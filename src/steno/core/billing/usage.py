"""Tokens in disjoint buckets that add up to what upstream reported, or a duration: what one usage is billed by.

Upstream counts cached tokens as part of the input, and may split counts by modality. Here each token is in exactly one
bucket (direction, modality, cached or not), so that any sum of buckets is right. Where upstream does not report the
modality it is `unknown`.

A usage is billed in one unit. Its `type` names it: `tokens` or `duration`. Without a type, or with another one, it is
tokens where any are counted, else a duration where one is reported, else tokens.

Reasoning tokens are text. Most servers count them inside the text tokens; some count them beside it, or beside the
whole output. They are added only where a sum proves that they stand beside it.

What was not reported is unknown. A usage is whole where both input and output are known: reported, the sum of their
details, or what the total leaves of the other side.
"""

from typing import Final

from msgspec import Struct

from steno.core.facts import CacheWrite, Tokens
from steno.wire.usage import (
    InputTokenDetails,
    ModalityTokens,
    OutputTokenDetails,
    ResponseInputDetails,
    ResponseUsage,
    Usage,
)

DURATION: Final = "duration"
TOKENS: Final = "tokens"

Split = tuple[int, int, int, int]
"""Tokens by modality: text, audio, image, unknown."""
NO_TOKENS: Final[Split] = (0, 0, 0, 0)


class Measured(Struct, frozen=True, gc=False):
    """What is known of one usage. Empty buckets are left out."""

    tokens: tuple[Tokens, ...] = ()
    seconds: float | None = None
    """How long it was, where it is billed by that; then `tokens` is empty."""
    whole: bool = False
    """Whether all that it is billed by was reported."""
    writes: tuple[CacheWrite, ...] = ()
    """What of the fresh input was written to the prompt cache."""
    contradictory: bool = False
    """Whether its parts are more than the whole of them; then it is not whole."""


UNREPORTED: Final = Measured()
"""Nothing is known."""


def measure(usage: Usage | None, model: str | None) -> Measured:
    """Return what `model` is billed by in one `usage`."""
    if usage is None:
        return UNREPORTED
    if _unit(usage) == DURATION:
        return UNREPORTED if usage.seconds is None else Measured(seconds=float(usage.seconds), whole=True)
    put, got = _totals(usage)
    read = () if put is None else _input(put, usage, model)
    written = () if got is None else _output(got, put, usage, model)
    found = Measured((*read, *written), None, put is not None and got is not None)
    return found if put is None or not isinstance(usage, ResponseUsage) else _with_writes(found, usage, put)


def _with_writes(measured: Measured, usage: ResponseUsage, total: int) -> Measured:
    """Return `measured` with what of the `total` input was written to the cache.

    Nobody knows what a usage costs that contradicts itself: more cached and written than there was, or a split by time
    to live that is not the sum.
    """
    details = usage.input_token_details
    if details is None and not usage.cached_tokens:
        return measured
    cached = _cached(details, usage, _split(details.cached_tokens_details if details else None))
    writes = _writes(details)
    if writes is None or cached + sum(write.tokens for write in writes) > total:
        return Measured(measured.tokens, contradictory=True)
    return Measured(measured.tokens, None, measured.whole, writes) if writes else measured


def _writes(details: ResponseInputDetails | None) -> tuple[CacheWrite, ...] | None:
    """Return the tokens that were written to the cache; None where their split is not their sum.

    Without a split all of them are kept for 30 minutes, as all were before there was another time.
    """
    written = details.cache_write_tokens if details else None
    kept = details.cache_write_tokens_details if details else None
    split = (("30m", (kept and kept.ttl_30m_tokens) or 0), ("12h", (kept and kept.ttl_12h_tokens) or 0))
    by_time = tuple(CacheWrite(time, tokens) for time, tokens in split if tokens)
    if kept is None or (kept.ttl_30m_tokens, kept.ttl_12h_tokens) == (None, None):
        return (CacheWrite("30m", written),) if written else ()
    return by_time if written is None or written == sum(write.tokens for write in by_time) else None


def is_whole(usage: Usage | None) -> bool:
    """Return whether `usage` says all that it is billed by."""
    return measure(usage, None).whole


def _unit(usage: Usage) -> str:
    if usage.type in (TOKENS, DURATION):
        return usage.type
    counted = usage.input_tokens or usage.output_tokens or usage.total_tokens
    return DURATION if usage.seconds is not None and not counted else TOKENS


def _totals(usage: Usage) -> tuple[int | None, int | None]:
    """Return the tokens of the input and of the output, each None where nothing says how many there were."""
    put, got, total = usage.input_tokens, usage.output_tokens, usage.total_tokens
    if total == 0:
        return put or 0, got or 0
    if total is not None and put is None and got is not None and got <= total:
        put = total - got
    if total is not None and got is None and put is not None and put <= total:
        got = total - put
    return (
        _sum(usage.input_token_details) if put is None else put,
        _sum(usage.output_token_details) if got is None else got,
    )


def _sum(details: ModalityTokens | None) -> int | None:
    """Return the sum of all modalities; None where none is reported."""
    if details is None or (details.text_tokens, details.audio_tokens, details.image_tokens) == (None, None, None):
        return None
    return sum(_split(details))


def _output(total: int, put: int | None, usage: Usage, model: str | None) -> tuple[Tokens, ...]:
    """Return the buckets of an output of `total` tokens, reasoning that is not counted in it included."""
    details = usage.output_token_details
    split, reasoning = _split(details), _reasoning(details)
    if reasoning:
        beside_output = put is not None and usage.total_tokens == put + total + reasoning
        if beside_output or total == sum(split) + reasoning:
            total += reasoning if beside_output else 0
            split = (split[0] + reasoning, *split[1:])
    return _buckets(model, "output", _fitted(split, total), cached=False)


def _reasoning(details: OutputTokenDetails | None) -> int:
    return (details.reasoning_tokens if details else None) or 0


def _input(total: int, usage: Usage, model: str | None) -> tuple[Tokens, ...]:
    """Return the buckets of an input of `total` tokens, fresh and cached.

    A cached split that does not fit the split of the input makes all of it `unknown`: the sums stay right, and no
    modality is made up.
    """
    details = usage.input_token_details
    split = _fitted(_split(details), total)
    cached = _split(details.cached_tokens_details if details else None)
    cached_total = min(_cached(details, usage, cached), total)
    if not cached_total:
        return _buckets(model, "input", split, cached=False)
    if sum(cached) != cached_total:
        cached = _attributed(cached_total, split)
    text, audio, image, unknown = cached
    if unknown or text > split[0] or audio > split[1] or image > split[2]:
        split, cached = (0, 0, 0, total), (0, 0, 0, cached_total)
        text, audio, image, unknown = cached
    fresh = (split[0] - text, split[1] - audio, split[2] - image, split[3] - unknown)
    return _buckets(model, "input", fresh, cached=False) + _buckets(model, "input", cached, cached=True)


def _cached(details: InputTokenDetails | None, usage: Usage, split: Split) -> int:
    """Return how many tokens were cached: by the details, else beside them, else the sum of their `split`."""
    if details is not None and details.cached_tokens is not None:
        return details.cached_tokens
    return sum(split) if usage.cached_tokens is None else usage.cached_tokens


def _attributed(cached: int, split: Split) -> Split:
    """Return the split of a cached count that has none: all to the only modality with input, else to `unknown`."""
    present = [place for place, tokens in enumerate(split) if tokens]
    if present == [0]:
        return cached, 0, 0, 0
    if present == [1]:
        return 0, cached, 0, 0
    return (0, 0, cached, 0) if present == [2] else (0, 0, 0, cached)


def _split(details: ModalityTokens | None) -> Split:
    if details is None:
        return NO_TOKENS
    return details.text_tokens or 0, details.audio_tokens or 0, details.image_tokens or 0, 0


def _fitted(split: Split, total: int) -> Split:
    """Return `split` made to add up to `total`: what it lacks is unknown, and one that exceeds it is all unknown."""
    missing = total - sum(split)
    if missing < 0:
        return 0, 0, 0, total
    return (*split[:3], missing) if missing else split


def _buckets(model: str | None, direction: str, split: Split, *, cached: bool) -> tuple[Tokens, ...]:
    # Written out: a loop over four numbers, most of them 0, takes twice as long.
    text, audio, image, unknown = split
    buckets: tuple[Tokens, ...] = ()
    if text:
        buckets = (Tokens(model, direction, "text", cached, text),)
    if audio:
        buckets += (Tokens(model, direction, "audio", cached, audio),)
    if image:
        buckets += (Tokens(model, direction, "image", cached, image),)
    if unknown:
        buckets += (Tokens(model, direction, "unknown", cached, unknown),)
    return buckets
