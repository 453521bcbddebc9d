"""What is kept of people's words. Pure.

The policy is `none`: how long a text was, never the text. It acts on `Content` alone, since a fact holds
words in no other form, and it fails closed: what the encoder does not know it refuses.
"""

from typing import Final

import msgspec

from steno.core.facts import Content, Fact


def body(fact: Fact) -> bytes:
    """Return the members of `fact` as compact JSON, in the order of their declaration, null where None.

    Raises NotImplementedError where a member is of a type that has no place in a fact.
    """
    return _ENCODER.encode(fact)


def _shown(value: object) -> dict[str, str | int]:
    """Return what may be told of words: of which kind they are, and how many characters."""
    if isinstance(value, Content):
        return {"kind": value.kind, "length": len(value.text)}
    raise NotImplementedError(f"a fact holds a {type(value).__name__}, which no content policy knows")


_ENCODER: Final = msgspec.json.Encoder(enc_hook=_shown)
