"""Modules of the page, each by itself: numbers as people read them, and the scale of a timeline."""

from typing import Any

from tests.operations.browsing import window
from tests.operations.stand_in import StandIn

DASH = "\N{EN DASH}"

FORMATS = [
    ("duration", [None], DASH),
    ("duration", [0], "0 ms"),
    ("duration", [0.8204], "820 ms"),
    ("duration", [0.9996], "1.00 s"),
    ("duration", [3.4249], "3.42 s"),
    ("duration", [42.06], "42.1 s"),
    ("duration", [59.96], "1:00"),
    ("duration", [3723], "1:02:03"),
    ("duration", [3 * 86_400 + 4 * 3_600], "3 d 4 h"),
    ("age", [59.4], "59 s"),
    ("age", [59.6], "1:00"),
    ("offset", [7.44], "0:07.4"),
    ("offset", [59.96], "1:00.0"),
    ("offset", [3599.999, 1], "1:00:00"),
    ("offset", [7.444, 0.01], "0:07.44"),
    ("offset", [-0.3], "\N{MINUS SIGN}0:00.3"),
    ("money", [None], DASH),
    ("money", ["0"], "$0"),
    ("money", ["0.00001"], "< $0.0001"),
    ("money", ["0.0842137"], "$0.0842"),
    ("money", ["1234.567"], "$1234.57"),
    ("exactly", [0.000088], "$0.000088"),
    ("rate", [{"rate": "0.000032", "per": "token"}], "$32 / 1M"),
    ("rate", [{"rate": "0.006", "per": "minute"}], "$0.006 / minute"),
    ("bucket", [{"cached": True, "modality": "audio", "direction": "input"}], "cached audio input"),
    ("bucket", [{"per": "minute"}], "time"),
    ("quantity", [{"per": "minute", "quantity": "90"}], "90 s"),
    ("amount", [{"rate": "0.5", "per": "minute", "quantity": "90"}], 0.75),
    ("amount", [{"rate": "0.25", "per": "second", "quantity": "90"}], 22.5),
    ("amount", [{"rate": "0.5", "per": "call", "quantity": "3"}], 1.5),
    ("plural", [1, "row"], "1 row"),
    ("plural", [12_345, "row"], "12,345 rows"),
    ("moment", [1_790_000_000.5], "2026-09-21 14:13:20 UTC"),
    ("instant", [1_790_000_000.5], "14:13:20.500 UTC"),
    ("moment", [1e300], DASH),
    ("instant", [-1e300], DASH),
    ("moment", [253_402_300_800], "+010000-01-01 00:00:00 UTC"),
]
CALL = """async (calls) => {
  const format = await import("/assets/format.js");
  return calls.map(([name, given]) => format[name](...given));
}"""
SCALE = """async () => {
  const { Scale, fitting, pack, stretches } = await import("/assets/scale.js");
  const parts = stretches([[2000, 2010], [0, 10], [5, 100], [400, 410]]);
  const scale = new Scale(parts, fitting(parts, 1064), 10);
  const spans = [[0, 10], [1, 3], [4, 6], [5, 6]].map(([from, to]) => ({ from, to }));
  return {
    parts,
    places: [0, 410, 1205, 2000, 2010].map((time) => Math.round(scale.x(time))),
    back: [10, 500, 1060].map((x) => Math.abs(scale.x(scale.time(x)) - x) < 0.01 || x),
    breaks: scale.breaks().map(({ width, seconds }) => [width, seconds]),
    ticks: scale.ticks(0).length,
    millennia: [1e9, 1e12, 1e300].map((to) => new Scale([[0, to]], 1000 / to, 0).ticks(0).length < 20),
    near: new Scale([[0, 1e9]], 1000, 0).ticks(0).length <= 1001,
    rows: [pack(spans, 5), spans.map((span) => span.row)],
    crowded: [pack(spans, 2), spans.map((span) => span.row)],
  };
}"""


def test_numbers_are_written_as_people_read_them(chromium: Any, served: StandIn) -> None:
    with window(chromium, served.address) as opened:
        written = opened.page.evaluate(
            CALL,
            [[name, given] for name, given, _ in FORMATS],
        )

    assert [(name, given, text) for (name, given, _), text in zip(FORMATS, written, strict=True)] == FORMATS


def test_a_scale_cuts_long_silences_out(chromium: Any, served: StandIn) -> None:
    """Stretches of a conversation keep their order and proportions; spans of a lane keep apart as far as rows allow."""
    with window(chromium, served.address) as opened:
        found = opened.page.evaluate(SCALE)

    assert found["parts"] == [[0, 410], [2000, 2010]]
    assert found["places"] == [10, 986, 1018, 1050, 1074]
    assert found["back"] == [True, True, True]
    assert found["breaks"] == [[64, 1590]]
    assert (found["millennia"], found["near"]) == ([True, True, True], True)
    assert found["rows"] == [3, [0, 1, 1, 2]]
    assert found["crowded"] == [2, [0, 1, 1, 1]]
