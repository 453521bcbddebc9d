"""The table of all conversations in a headless Chromium, on documents that each test decides."""

import re
import statistics
from typing import Any

from tests.operations.browsing import window
from tests.operations.documents import NOW, call, many, row, sources
from tests.operations.stand_in import StandIn

TO = "\N{EN DASH}"


def keys(page: Any) -> list[str]:
    """Return the keys of the rows that are shown, in their order."""
    return [text.strip() for text in page.locator("tbody a.key").all_text_contents()]


def test_it_shows_conversations_and_which_source_is_not_ready(chromium: Any, served: StandIn) -> None:
    served.rows = [row("front-desk/1/1"), row("support/1/2", state="closed", open=False, closed_reason="idle")]
    served.sources = sources(front_desk=None, support="HTTP 401")
    with window(chromium, served.address) as opened:
        opened.page.locator("tbody tr").nth(1).wait_for()
        cells = opened.page.locator("tbody tr").first.locator("td").all_inner_texts()
        notice = opened.page.locator("#notice-sources").inner_text()
        summary = opened.page.locator("#summary").inner_text()

        assert sorted(keys(opened.page)) == ["front-desk/1/1", "support/1/2"]
        assert "742 ms" in cells
        assert "$0.0842" in cells
        assert notice == "✕ support is not ready: HTTP 401"
        assert "1 of 2 sources ready" in summary
        assert all(url.startswith(served.address) for url in opened.asked)


def test_an_empty_daemon_says_so(chromium: Any, served: StandIn) -> None:
    with window(chromium, served.address) as opened:
        opened.page.get_by_text("No conversations yet").wait_for()


def test_it_is_sorted_filtered_and_paged_by_the_daemon(chromium: Any, served: StandIn) -> None:
    served.rows = many(230)
    with window(chromium, served.address) as opened:
        page = opened.page
        page.get_by_text(f"1{TO}100 of 230").wait_for()
        page.get_by_role("button", name="Next page").click()
        page.get_by_text(f"101{TO}200 of 230").wait_for()
        page.get_by_role("button", name="Cost").click()
        page.get_by_text(f"1{TO}100 of 230").wait_for()
        page.get_by_label("Open or closed").select_option("true")
        page.get_by_label("Find in keys").fill("support")
        page.get_by_text(re.compile(rf"^1{TO}\d+ of \d\d$")).wait_for()
        sort = page.locator("th.c-cost").get_attribute("aria-sort")
        found = keys(page)
        address = page.evaluate("location.hash")

    assert sort == "descending"
    assert served.queries[-1] == {"q": "support", "open": "true", "sort": "-cost_usd", "limit": "100"}
    assert found
    assert all(key.startswith("support/") for key in found)
    assert address == "#/?q=support&open=true&sort=-cost_usd"


def test_rows_change_where_they_stand(chromium: Any, served: StandIn) -> None:
    served.rows = [row(f"desk/1/{n}", age_seconds=float(n)) for n in range(5)]
    with window(chromium, served.address) as opened:
        page = opened.page
        changed = page.locator("tbody tr").nth(3)
        changed.wait_for()
        changed.evaluate("tr => { tr.same = true }")
        page.locator("#link[data-state=live]").wait_for()
        served.say("rows", {"at": NOW, "conversations": [row("desk/1/3", age_seconds=3.0, turns=77)], "closed": []})
        changed.get_by_text("77", exact=True).wait_for()

        assert changed.evaluate("tr => tr.same") is True
        assert keys(page) == [f"desk/1/{n}" for n in range(5)]


def test_a_tab_that_nobody_sees_follows_nothing(chromium: Any, served: StandIn) -> None:
    """It holds no connection, and asks for all when it is seen again."""
    seen = """(hidden) => {
      Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    served.rows = [row("desk/1/2")]
    with window(chromium, served.address) as opened:
        page = opened.page
        page.locator("#link[data-state=live]").wait_for()
        page.evaluate(seen, True)
        page.locator("#link[data-state=still]").wait_for(state="attached")
        served.rows.append(row("desk/1/1", age_seconds=1.0))
        page.evaluate(seen, False)
        page.locator("tbody tr").nth(1).wait_for()

        assert keys(page) == ["desk/1/1", "desk/1/2"]


def test_nothing_moves_under_who_reads(chromium: Any, served: StandIn) -> None:
    """A new conversation waits while the pointer is on the rows, and comes when it leaves."""
    served.rows = [row("desk/1/2")]
    with window(chromium, served.address) as opened:
        page = opened.page
        page.locator("tbody tr").hover()
        page.locator("#link[data-state=live]").wait_for()
        new = row("desk/1/1", age_seconds=1.0)
        served.rows.append(new)
        served.say("rows", {"at": NOW, "conversations": [new], "closed": []})
        page.get_by_role("button", name="1 row moved: show").wait_for()
        held = keys(page)
        page.mouse.move(5, 5)
        page.locator("tbody tr").nth(1).wait_for()

        assert held == ["desk/1/2"]
        assert keys(page) == ["desk/1/1", "desk/1/2"]


def test_it_is_used_by_keys(chromium: Any, served: StandIn) -> None:
    served.rows = [row(f"desk/1/{n}", age_seconds=float(n)) for n in range(3)]
    served.show(call("desk/1/1", 4))
    with window(chromium, served.address) as opened:
        page = opened.page
        page.locator("tbody tr").nth(2).wait_for()
        for key in ("j", "ArrowDown", "ArrowDown", "k"):
            page.keyboard.press(key)
        focused = page.evaluate("document.activeElement.textContent")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        page.keyboard.press("/")
        searching = page.evaluate("document.activeElement.type")
        page.keyboard.press("Escape")
        page.keyboard.press("j")
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        page.locator("h1", has_text="desk/1/1").wait_for()
        page.locator("svg.picture g[tabindex='0']").focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        chosen = page.locator("g.chosen").get_attribute("aria-label")
        page.keyboard.press("Escape")
        unchosen = page.locator("g.chosen").count()
        page.keyboard.press("Escape")
        page.locator("tbody tr").nth(2).wait_for()

    assert (focused, outline, searching) == ("desk/1/1", "solid", "search")
    assert chosen.startswith("Response: ")
    assert unchosen == 0


SORT = """async () => {
  const begun = performance.now();
  const body = document.querySelector("tbody");
  const painted = new Promise((done) => {
    const seen = new MutationObserver(() => requestAnimationFrame(() => done()));
    seen.observe(body, { childList: true, subtree: true });
  });
  document.querySelector("th.c-cost button").click();
  await painted;
  return performance.now() - begun;
}"""


def test_ten_thousand_conversations_stay_usable(chromium: Any, served: StandIn) -> None:
    """A sort with 10,000 conversations takes hardly longer than with 100: a page of it is what is painted."""

    def sorts(number: int) -> tuple[float, float]:
        served.rows = many(number)
        with window(chromium, served.address) as opened:
            opened.page.locator("tbody tr").first.wait_for()
            painted = opened.page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
            times = [opened.page.evaluate(SORT) for _ in range(5)]
            return painted, statistics.median(times)

    (first_few, few), (first_many, lots) = sorts(100), sorts(10_000)
    paints = f"first paint {first_few:.0f} ms with 100, {first_many:.0f} ms with 10,000"
    print(f"{paints}; a sort {few:.0f} and {lots:.0f} ms, {lots / few:.1f} times")  # noqa: T201  # the figures, for `-s`

    assert served.queries[-1]["limit"] == "100"


def test_a_page_of_a_thousand_rows(chromium: Any, served: StandIn) -> None:
    served.rows = many(1_500)
    with window(chromium, f"{served.address}/#/?limit=1000") as opened:
        opened.page.get_by_text(f"1{TO}1,000 of 1,500").wait_for()
        time = statistics.median(opened.page.evaluate(SORT) for _ in range(5))
        print(f"a sort of a page of 1,000 rows: {time:.0f} ms")  # noqa: T201  # the figure, for `-s`

        assert opened.page.locator("tbody tr").count() == 1_000
