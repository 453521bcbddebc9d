"""Links between the pages: to files that are there, and to headings that are there."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, anchors, links, name, prose

ELSEWHERE = ("https://", "http://", "mailto:")


def broken(page: Path) -> list[str]:
    """Return the links of a page that lead nowhere. What is outside of the project is not asked."""
    found = []
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if link.startswith(ELSEWHERE):
            continue
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            found.append(link)
    return found


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    assert broken(page) == []


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    other = tmp_path / "other.md"
    other.write_text('# One `two`, three\n<a id="old"></a>\n## Same\n## Same\n')
    page = tmp_path / "page.md"
    page.write_text(
        "# Here\n[a](other.md#one-two-three) [b](other.md#old) [c](other.md#same-1) [d](#here) [e](https://x.example)\n"
        "[f](gone.md) [g](other.md#gone) [h](#gone) ![i](gone.png) `[j](gone.md)`\n```sh\n[k](gone.md)\n```\n"
    )

    assert broken(page) == ["gone.md", "other.md#gone", "#gone", "gone.png"]


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs/README.md"
    linked = {(index.parent / link.partition("#")[0]).resolve() for link in links(index)}

    assert {
        page.name for page in (ROOT / "docs").glob("*.md") if page != index and page.resolve() not in linked
    } == set()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_tests_that_are_named_are_there(page: Path) -> None:
    """A page that says which test shows something names one."""
    if page.name != "CHANGELOG.md":
        named = re.findall(r"`((?:tests|benchmarks)/[\w./-]+)`", prose(page))
        assert [path for path in named if not any((top / path).exists() for top in (ROOT, page.parent))] == []
