"""The messages for a value of the wrong type."""

from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta

from steno.config.messages import expectation


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        (int, "must be a whole number"),
        (Annotated[int, Meta(ge=1)], "must be a whole number, 1 or more"),
        (Annotated[int, Meta(ge=1, le=9)], "must be a whole number, from 1 to 9"),
        (Annotated[float, Meta(gt=0, le=60)], "must be a number, above 0 and 60 or less"),
        (Annotated[float, Meta(lt=1.5)], "must be a number, below 1.5"),
        (bool, "must be true or false"),
        (str, "must be text in quotes"),
        (Annotated[str, Meta(pattern="^a", extra={"must": "must begin with a"})], "must begin with a"),
        (Annotated[str, Meta(extra={"other": 1})], "must be text in quotes"),
        (Literal["one"], "must be `one`"),
        (Literal["b", "a"], "must be one of: b, a"),
        (bytes, "has the wrong type"),
    ],
)
def test_a_message_says_what_the_type_allows(annotation: Any, message: str) -> None:
    assert expectation(annotation) == message
