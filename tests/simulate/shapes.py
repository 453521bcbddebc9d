"""The shape of JSON, which is the members of each object in their order: to compare simulated frames with real ones."""

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

Event = dict[str, Any]
Shapes = dict[tuple[str, ...], set[tuple[str, ...]]]

FREE = {"parameters", "metadata"}
"""Members whose content the client chooses, so that it has no shape."""


def recorded(*patterns: str) -> list[Event]:
    """Return the lines of the corpus files that match. Skips the test where there is no corpus."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "corpus"
    corpus = Path(os.environ.get("STENO_CORPUS", beside))
    if not corpus.is_dir():
        pytest.skip(f"no recordings: neither STENO_CORPUS nor {beside} is a folder")
    files = [file for pattern in patterns for file in sorted(corpus.glob(pattern))]
    return [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]


def shapes(roots: Iterable[tuple[str, Event]]) -> Shapes:
    """Return the members of every object, by the name of its root and the path from there."""
    found: Shapes = defaultdict(set)
    for name, root in roots:
        for path, members in _objects((name,), root):
            found[path].add(members)
    return found


def _objects(path: tuple[str, ...], value: Any) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    if isinstance(value, list):
        for element in value:
            yield from _objects(path, element)
    elif isinstance(value, dict):
        if len(path) > 1 and isinstance(value.get("type"), str):
            path = (*path[:-1], f"{path[-1]}:{value['type']}")
        yield path, tuple(value)
        for member, inner in value.items():
            if member not in FREE:
                yield from _objects((*path, member), inner)
