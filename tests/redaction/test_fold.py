"""Numbers are found however their digits are written, and the original characters are hidden."""

# ruff: noqa: RUF001 - letters and digits that look like others are what is tested

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.redaction.fold import fold
from tests.redaction.helpers import redacted


@pytest.mark.parametrize(
    "written",
    [
        "٤١١١ ١١١١ ١١١١ ١١١١",
        "४१११११११११११११११",
        "４１１１－１１１１－１１１１－１１１１",
        "𝟒𝟏𝟏𝟏 𝟏𝟏𝟏𝟏 𝟏𝟏𝟏𝟏 𝟏𝟏𝟏𝟏",
        "4\u200b1\u200d1\u00ad1\u206011111111\ufeff1111",
        "4111\u00a01111\u20091111\u202f1111",
        "4111\u20131111\u22121111\u20101111",
        "4\ufe0f\u20e31\ufe0f\u20e31111111111111\ufe0f\u20e31",
        "4111\t1111\t1111\t1111",
    ],
)
def test_a_card_is_found_however_it_is_written(written: str) -> None:
    assert redacted(f"ünd {written}, \U0001f642\ufe0f.") == "ünd [card], \U0001f642\ufe0f."


@pytest.mark.parametrize(
    ("written", "left"),
    [
        (r'{"o":"see\n36574261809"}', r'{"o":"see\n[tax_id]"}'),
        (r'{"o":"see\tsk-abcdefghijklmnop1234"}', r'{"o":"see\t[key]"}'),
        (r'{"o":"{\"i\":\"see\\nsk-abcdefghijklmnop1234\"}"}', r'{"o":"{\"i\":\"see\\n[key]\"}"}'),
        (r"4111\u00a01111\u20131111\u200b1111", "[card]"),
        (r"\u0664\u0661\u0661\u0661111111111111", r"\u066[card]"),
        (r"<\u003cm\u00fcller@b.de\u003e", r"<\u003c[email]\u003e"),
        (r"16.727.230\/0001-97", "[tax_id]"),
        (r"C:\new\table \u12 \\", r"C:\new\table \u12 \\"),
    ],
)
def test_what_json_escapes_is_found(written: str, left: str) -> None:
    assert redacted(written) == left


def test_invisible_characters_stay_where_nothing_is_found() -> None:
    assert redacted("co\u00adop\u200b \U0001f468\u200d\U0001f469") == "co\u00adop\u200b \U0001f468\u200d\U0001f469"


@given(st.text(st.sampled_from("a1٣ \u200b\u00ad\u2013é\U0001d7ce")))
def test_positions_lead_back_to_the_same_characters(text: str) -> None:
    folded = fold(text)
    back = "".join(text[folded.place(index)] for index in range(len(folded.text)))

    assert back == text.replace("\u200b", "").replace("\u00ad", "")
    assert fold(back).text == folded.text
