"""Compressed bodies, as they were; what is too much or is not what it says ends them."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.sources.proxy.inflate import INFLATED_BYTES, inflate_of

TEXT = b"data: something that is said again, again and again\n\n" * 40
BARE = zlib.compressobj(wbits=-15)
FORMS = [
    ([], TEXT),
    ([b"identity"], TEXT),
    ([b"gzip"], gzip.compress(TEXT)),
    ([b"x-gzip"], gzip.compress(TEXT[:100]) + gzip.compress(TEXT[100:])),
    ([b"deflate"], zlib.compress(TEXT)),
    ([b"deflate"], BARE.compress(TEXT) + BARE.flush()),
]


@pytest.mark.parametrize(("encodings", "body"), FORMS, ids=["none", "identity", "gzip", "members", "zlib", "bare"])
@given(size=st.integers(1, 200))
def test_the_cuts_do_not_matter(encodings: list[bytes], body: bytes, size: int) -> None:
    inflate = inflate_of(encodings)

    assert inflate
    assert b"".join(inflate(body[at : at + size]) for at in range(0, len(body), size)) == TEXT


@pytest.mark.parametrize("encodings", [[b"br"], [b"zstd"], [b"gzip", b"gzip"], [b"gzip", b"br"], [b"whatever"]])
def test_what_nothing_here_undoes(encodings: list[bytes]) -> None:
    assert inflate_of(encodings) is None


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate"])
def test_a_body_that_becomes_too_large_is_not_inflated(encoding: bytes) -> None:
    """Nor one of many small members that do so together. The memory is that of the limit."""
    many = INFLATED_BYTES * 4
    pack = gzip.compress if encoding == b"gzip" else zlib.compress
    inflate = inflate_of([encoding])
    assert inflate

    with pytest.raises(ValueError, match="too large"):
        inflate(pack(b" " * many))


def test_members_are_bounded_together() -> None:
    inflate = inflate_of([b"gzip"])
    assert inflate

    with pytest.raises(ValueError, match="too large"):
        inflate(gzip.compress(b" " * (INFLATED_BYTES // 2)) * 3)


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate"])
def test_a_body_that_is_not_compressed_as_it_says(encoding: bytes) -> None:
    inflate = inflate_of([encoding])
    assert inflate

    with pytest.raises(ValueError, match="not compressed"):
        inflate(b"\xff\xff\xff plain text")
