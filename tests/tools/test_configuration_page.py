"""The page on the configuration is what the Structs say."""

import msgspec

from steno.config.schema import Config
from steno.config.sources import SOURCES
from tools import configuration_page


def test_the_page_is_current() -> None:
    """It is written by a program; who changed a key lets it write again."""
    assert configuration_page.PAGE.read_text() == configuration_page.page(), "out of date: run make docs"


def test_every_table_has_a_section_with_its_keys() -> None:
    sections = configuration_page.page().split("\n## ")
    tables = {f"[{field.name}]": field.type for field in msgspec.structs.fields(Config) if field.name != "sources"}

    for title, table in tables.items():
        (section,) = [each for each in sections if each.startswith(f"{title}\n")]
        assert [key for key in table.__struct_fields__ if f"| `{key}` |" not in section] == []
    kinds = next(each for each in sections if each.startswith("Sources\n")).split("\n### ")[1:]
    assert [each.split("\n")[0] for each in kinds] == [f'`kind = "{kind}"`' for kind in SOURCES]
    for section, table in zip(kinds, SOURCES.values(), strict=True):
        assert [key for key in table.__struct_fields__ if f"| `{key}` |" not in section] == []
