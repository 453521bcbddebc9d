"""Tokens in disjoint buckets that add up to what upstream reported.

Upstream counts cached tokens as part of the input, and may split counts by modality. Here each token is in exactly one
bucket (direction, modality, cached or not), so that any sum of buckets is right. Where upstream does not report the
modality it is `unknown`. Reasoning tokens are part of the text.
"""

from collections.abc import Iterator

from steno.core.facts import Tokens
from steno.wire.assistants import CompletionUsage
from steno.wire.realtime import TranscriptionUsage
from steno.wire.realtime_objects import InputTokenDetails, ModalityTokens, RealtimeResponseUsage

Split = dict[str, int]
"""Modality to tokens."""


def of_response(usage: RealtimeResponseUsage | None, model: str | None) -> tuple[Tokens, ...]:
    """Return the buckets of one response's `usage`. Empty buckets are left out."""
    if usage is None:
        return ()
    output = _split(usage.output_token_details)
    total = _total(usage.output_tokens, output)
    return (
        *_input(usage.input_tokens, usage.input_token_details, model),
        *_buckets(model, "output", _fitted(output, total), cached=False),
    )


def of_run(usage: CompletionUsage | None, model: str | None) -> tuple[Tokens, ...]:
    """Return the buckets of the `usage` of a run or a step, which has no modalities."""
    if usage is None:
        return ()
    prompt = usage.prompt_tokens or 0
    details = usage.prompt_token_details
    cached = min((details.cached_tokens if details else None) or 0, prompt)
    return (
        *_buckets(model, "input", {"unknown": prompt - cached}, cached=False),
        *_buckets(model, "input", {"unknown": cached}, cached=True),
        *_buckets(model, "output", {"unknown": usage.completion_tokens or 0}, cached=False),
    )


def of_transcription(usage: TranscriptionUsage | None, model: str | None) -> tuple[Tokens, ...]:
    """Return the buckets of a transcription that is billed by tokens; none if it is billed by duration."""
    if usage is None:
        return ()
    details = usage.input_token_details
    split = {"text": (details and details.text_tokens) or 0, "audio": (details and details.audio_tokens) or 0}
    return (
        *_buckets(model, "input", _fitted(split, _total(usage.input_tokens, split)), cached=False),
        *_buckets(model, "output", {"unknown": usage.output_tokens or 0}, cached=False),
    )


def _input(reported: int | None, details: InputTokenDetails | None, model: str | None) -> tuple[Tokens, ...]:
    """Return the buckets of the input, fresh and cached.

    A cached split that does not fit the split of the input makes all of it `unknown`: the sums stay right, and no
    modality is made up.
    """
    split = _split(details)
    total = _total(reported, split)
    split = _fitted(split, total)
    cached = _split(details.cached_tokens_details if details else None)
    cached_total = min(_total(details.cached_tokens if details else None, cached), total)
    if sum(cached.values()) != cached_total:
        cached = _attributed(cached_total, split)
    if "unknown" in cached or any(tokens > split.get(modality, 0) for modality, tokens in cached.items()):
        split, cached = {"unknown": total}, {"unknown": cached_total}
    fresh = {modality: tokens - cached.get(modality, 0) for modality, tokens in split.items()}
    return (*_buckets(model, "input", fresh, cached=False), *_buckets(model, "input", cached, cached=True))


def _attributed(cached: int, split: Split) -> Split:
    """Return the split of a cached count that has none: all to the only modality with input, else to `unknown`."""
    present = [modality for modality, tokens in split.items() if tokens]
    return {present[0] if len(present) == 1 else "unknown": cached} if cached else {}


def _split(details: ModalityTokens | None) -> Split:
    if details is None:
        return {}
    return {
        "text": details.text_tokens or 0,
        "audio": details.audio_tokens or 0,
        "image": details.image_tokens or 0,
    }


def _total(reported: int | None, split: Split) -> int:
    return sum(split.values()) if reported is None else reported


def _fitted(split: Split, total: int) -> Split:
    """Return `split` made to add up to `total`: what it lacks is unknown, and one that exceeds it is all unknown."""
    missing = total - sum(split.values())
    if missing < 0:
        return {"unknown": total}
    return {**split, "unknown": missing} if missing else split


def _buckets(model: str | None, direction: str, split: Split, *, cached: bool) -> Iterator[Tokens]:
    return (Tokens(model, direction, modality, cached, tokens) for modality, tokens in split.items() if tokens)
