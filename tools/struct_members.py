# ruff: noqa: INP001  # part of scripts of the house, in no package
"""What the members of Structs are for: the docstrings below them, which Python itself does not keep."""

import ast
import inspect
import sys
from collections.abc import Iterator
from itertools import pairwise
from textwrap import dedent

from msgspec import Struct

from steno.config.sources.base import Source


def member_docstrings(kind: type[Struct]) -> dict[str, str]:
    """Return what the docstring below each member of `kind` says, on one line; those of its bases where it has none."""
    said: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        if issubclass(each, Struct) and each is not Struct:
            (defined,) = ast.parse(dedent(inspect.getsource(each))).body
            said |= dict(docstrings_of(defined))
    return said


def docstrings_of(defined: ast.stmt) -> Iterator[tuple[str, str]]:
    """Yield the members of a class that have a docstring, and what it says, on one line."""
    body = defined.body if isinstance(defined, ast.ClassDef) else []
    for member, said in pairwise(body):
        if not (isinstance(member, ast.AnnAssign) and isinstance(member.target, ast.Name)):
            continue
        if isinstance(said, ast.Expr) and isinstance(said.value, ast.Constant):
            yield member.target.id, " ".join(str(said.value.value).split())


def meaning(kind: type[Struct]) -> str:
    """Return the docstring of `kind`."""
    return inspect.cleandoc(kind.__doc__ or "")


def table_meaning(kind: type[Struct]) -> str:
    """Return what a table of the configuration is for. That of a kind of source stands above its module."""
    said = inspect.getdoc(sys.modules[kind.__module__]) if issubclass(kind, Source) else meaning(kind)
    return said or ""
