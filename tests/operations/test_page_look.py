"""The page in wide and narrow windows, light and dark."""

from typing import Any

import pytest

from tests.operations.browsing import window
from tests.operations.documents import call, many, row, sources
from tests.operations.stand_in import StandIn


@pytest.mark.parametrize("width", [380, 760, 1000, 1400])
def test_nothing_is_wider_than_the_window(width: int, chromium: Any, served: StandIn) -> None:
    served.rows = [*many(20), row("desk/" + "x" * 300, model="m" * 200, source="s" * 200)]
    served.sources = sources(front_desk=None, support="e" * 500)
    place = served.show(call("desk/1/1", 5))
    with window(chromium, served.address, width=width) as opened:
        opened.page.locator("tbody tr").nth(20).wait_for()
        listed = opened.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        opened.page.goto(place)
        opened.page.locator("g.span").first.wait_for()
        one = opened.page.evaluate("document.documentElement.scrollWidth - innerWidth")

    assert (listed, one) == (0, 0)


CONTRAST = """() => {
  const channel = (v) => ((v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const parts = (color) => color.match(/[\\d.]+/g).map(Number);
  const ground = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const color = parts(getComputedStyle(each).backgroundColor);
      if (color.length < 4 || color[3] === 1) return color;
    }
  };
  const written = (element) =>
    [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim()) &&
    element.checkVisibility() && !element.disabled && !element.closest(".aloud");
  const ratio = (element) => {
    const svg = element.namespaceURI.endsWith("svg");
    const ink = parts(getComputedStyle(element)[svg ? "fill" : "color"]);
    const both = [ink, ground(svg ? element.closest("figure") : element)].map(light);
    return (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
  };
  const poor = [...document.querySelectorAll("body *")].filter((element) => written(element) && ratio(element) < 4.5);
  return poor.map((element) => `${element.tagName} ${element.textContent.slice(0, 20)} ${ratio(element).toFixed(2)}`);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(scheme: str, chromium: Any, served: StandIn) -> None:
    """Each text has the contrast that WCAG AA asks for."""
    served.rows = many(40)
    served.sources = sources(front_desk=None, support="HTTP 401")
    served.verification = {"ok": False, "lines": ["record 17"], "progress": 1}
    place = served.show(call("desk/1/1", 9))
    with window(chromium, served.address, color_scheme=scheme) as opened:
        opened.page.locator("tbody tr").nth(9).wait_for()
        listed = opened.page.evaluate(CONTRAST)
        opened.page.goto(place)
        opened.page.locator("g[data-id=resp_3]").click()
        one = opened.page.evaluate(CONTRAST)

    assert (listed, one) == ([], [])
