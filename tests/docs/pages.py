"""The pages that people read, taken apart: blocks of code, commands, links, headings."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/**/*.md"), *ROOT.glob("clients/*/README.md")]
)
SHELLS: Final = ("sh", "bash", "console")
_BLOCK: Final = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_HEADING: Final = re.compile(r"^#+ (.+)$", re.MULTILINE)
_LINK: Final = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_ANCHOR: Final = re.compile(r'<a id="([^"]+)"></a>')


class Block(NamedTuple):
    """A fenced block: its page from the top of the project, the word behind the fence, and what is in it."""

    page: str
    language: str
    text: str


class Command(NamedTuple):
    """A line of a shell, continued lines joined, without its comment."""

    page: str
    text: str


def name(page: Path) -> str:
    """Return a page as it is called from the top of the project."""
    return page.relative_to(ROOT).as_posix()


def blocks(*languages: str) -> Iterator[Block]:
    """Yield the blocks of all pages that are in one of `languages`."""
    for page in PAGES:
        for _, language, text in _BLOCK.findall(page.read_text(encoding="utf-8")):
            if language in languages:
                yield Block(name(page), language, text)


def commands() -> Iterator[Command]:
    """Yield what the pages let their readers type. Of a session (`console`) the lines behind a prompt."""
    for block in blocks(*SHELLS):
        lines = block.text.replace("\\\n", " ").splitlines()
        if block.language == "console":
            lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        for line in lines:
            text = " ".join(re.sub(r"(^|\s)#\s.*$", "", line).split())
            if text:
                yield Command(block.page, text)


def prose(page: Path) -> str:
    """Return a page without its blocks of code."""
    return _BLOCK.sub("", page.read_text(encoding="utf-8"))


def links(page: Path) -> list[str]:
    """Return where the links and the pictures of a page lead."""
    return _LINK.findall(re.sub(r"`[^`\n]*`", "", prose(page)))


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page: its headings as hosts of repositories spell them, and those that it sets itself."""
    found: dict[str, int] = {}
    for heading in _HEADING.findall(prose(page)):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        number = found[anchor] = found.get(anchor, -1) + 1
        if number:
            found[f"{anchor}-{number}"] = 0
    return {*found, *_ANCHOR.findall(page.read_text(encoding="utf-8"))}
