"""The view of one conversation in a headless Chromium, on documents that each test decides."""

from typing import Any

import pytest

from tests.operations.browsing import window
from tests.operations.documents import NOW, call, entry, mark, row, span, thread, timeline
from tests.operations.stand_in import StandIn


def test_a_call_is_drawn_to_scale(chromium: Any, served: StandIn) -> None:
    """A span twice as long is twice as wide."""
    spans = [
        span("speech", "short", NOW - 90, NOW - 80),
        span("response", "long", NOW - 70, NOW - 50, marks=[{"kind": "first_audio", "at": NOW - 65}]),
    ]
    with window(chromium, served.show(timeline(row("desk/1/1"), spans=spans))) as opened:
        page = opened.page
        width = "g => Math.max(...[...g.querySelectorAll('rect.hit')].map(r => r.width.baseVal.value)) - 6"
        short = page.locator("g[data-id=short]").evaluate(width)
        long = page.locator("g[data-id=long]").evaluate(width)
        wait = page.locator("g[data-id=long] rect.wait").evaluate("r => r.width.baseVal.value")
        page.get_by_role("button", name="Zoom in").click()
        zoomed = page.locator("g[data-id=short]").evaluate(width)

    assert long == pytest.approx(2 * short, rel=0.01)
    assert wait == pytest.approx(long / 4, rel=0.01)
    assert zoomed == pytest.approx(2 * short, rel=0.01)


def test_what_the_caller_did_not_hear_is_struck_and_priced(chromium: Any, served: StandIn) -> None:
    with window(chromium, served.show(call("desk/1/1", 4))) as opened:
        page = opened.page
        page.locator("g[data-id=resp_3]").click()
        struck = page.locator("li.chosen s").inner_text()
        lines = page.locator(".inspector tbody tr").all_inner_texts()
        page.locator(".transcript li").first.click()
        chosen = page.locator("g.chosen").get_attribute("data-id")
        page.locator(".as-table summary").click()
        page.locator(".as-table tbody tr").first.wait_for()
        table = page.locator(".as-table tbody tr").count()

    assert "anything else" in struck
    assert lines[0].split("\t") == ["audio input", "420", "$32 / 1M", "$0.0134"]
    assert chosen == "item_0a"
    assert table == 4 * 3 + 1 + 3


def test_it_follows_a_conversation_as_it_goes(chromium: Any, served: StandIn) -> None:
    document = call("desk/1/1", 2)
    with window(chromium, served.show(document)) as opened:
        page = opened.page
        page.locator(".transcript li").nth(1).wait_for()
        page.locator("#link[data-state=live]").wait_for()
        document["transcript"].append(entry("late", NOW - 1, "user", "One more thing, please."))
        document["spans"].append(span("speech", "late", NOW - 2, None, label="speech"))
        served.say("timeline", {"key": "desk/1/1"})
        page.get_by_text("One more thing, please.").wait_for()
        label = page.locator("g[data-id=late]").get_attribute("aria-label")

    assert label.endswith("still going")


def test_an_hour_can_be_walked_through(chromium: Any, served: StandIn) -> None:
    with window(chromium, served.show(call("desk/1/long", 260))) as opened:
        page = opened.page
        page.locator(".transcript li").nth(500).click()
        page.get_by_role("button", name="Zoom to the selection").click()
        box = page.locator("g.chosen").bounding_box()
        view = page.locator(".scroll").bounding_box()

    assert view["x"] <= box["x"] <= view["x"] + view["width"]
    assert box["width"] > 100


def test_a_thread_has_its_runs_and_no_hours_of_silence(chromium: Any, served: StandIn) -> None:
    with window(chromium, served.show(thread("office/thread_1"))) as opened:
        page = opened.page
        page.locator("g.run").first.wait_for()
        lanes = page.locator("svg.lanes text").all_text_contents()

        assert lanes == ["Tools", "Runs", "Steps"]
        assert page.locator(".silent").all_text_contents() == ["2:24:09"]
        assert page.get_by_text("Without a price: model unknown (3).").is_visible()


def test_a_conversation_that_is_not_there(chromium: Any, served: StandIn) -> None:
    with window(chromium, served.address) as opened:
        opened.page.goto(f"{served.address}/#/conversation/desk%2Fgone")
        opened.page.get_by_text("steno holds no such conversation").wait_for()
        opened.complaints.clear()  # of the 404


def test_nothing_has_a_time(chromium: Any, served: StandIn) -> None:
    """A recording may have no times: there is no picture, and all of it stands in the table."""
    spans = [span("response", "resp", None, None, status="completed")]
    spoken = [entry("item", None, "user", "Hello.")]
    bare = row("replay/x", opened_at=None, last_event_at=None, age_seconds=0.0)
    document = timeline(bare, spans=spans, transcript=spoken, marks=[mark("note", None, "no times")])
    with window(chromium, served.show(document)) as opened:
        opened.page.get_by_text("Hello.").wait_for()
        opened.page.locator(".as-table summary").click()

        opened.page.locator(".as-table tbody tr").nth(1).wait_for()
        assert opened.page.locator(".as-table tbody tr").count() == 2


def test_where_both_speak_at_once_is_drawn_in_what_the_model_says(chromium: Any, served: StandIn) -> None:
    """A line of the transcript leads to who said it; what is written comes from the backend."""
    spans = [
        span("speech", "user", NOW - 40, NOW - 30, label="user"),
        span("voice", "model", NOW - 32, NOW - 24, label="model", detail={"turn_latency_seconds": 1.0}),
        span("response", "resp", NOW - 36, NOW - 33, label="small"),
        span("pause", "pause", NOW - 20, NOW - 10, label="paused"),
        span("session", "live", NOW - 41, None, label="live", detail={"context_window_ratio": 0.0625, "seconds": 41}),
    ]
    spoken = [
        entry(None, NOW - 40, "user", "Are you open on Sundays?"),
        entry(None, NOW - 32, "assistant", "From ten on."),
        entry(None, NOW - 33, "assistant", "sunday: 10-16", kind="text"),
    ]
    with window(chromium, served.show(timeline(row("desk/live_1"), spans=spans, transcript=spoken))) as opened:
        page = opened.page
        width = "r => r.width.baseVal.value"
        both = page.locator("g[data-id=model] rect.both").evaluate(width)
        whole = page.locator("g[data-id=model] rect.bar").evaluate(width)
        lanes = page.locator("svg.lanes text").all_text_contents()
        who = page.locator(".transcript .who").all_inner_texts()
        page.locator(".transcript li").nth(1).click()
        chosen = page.locator("g.chosen").get_attribute("data-id")
        page.locator("g[data-id=live]").click()
        details = page.locator(".inspector").inner_text()

    assert both == pytest.approx(whole / 4, rel=0.02)
    assert lanes == ["Caller", "Model", "Responses", "Pauses", "Session"]
    assert who == ["Caller", "Assistant", "Backend"]
    assert chosen == "model"
    assert "6.3 %" in details


def test_the_lanes_of_a_connection_have_rows_of_their_own(chromium: Any, served: StandIn) -> None:
    """As many as can be told apart; a response that was steered has not failed."""
    names = [None, "left", "a-lane-with-a-long-name", *(f"lane {n}" for n in range(9))]
    spans = [
        span("response", f"r{n}", NOW - 40 + n, NOW - 30 + n, detail={"stream_id": name} if name else {})
        for n, name in enumerate(names)
    ]
    spans[1] |= {"status": "incomplete", "detail": {"stream_id": "left", "reason": "steered"}}
    with window(chromium, served.show(timeline(row("desk/resp", family="responses"), spans=spans))) as opened:
        page = opened.page
        page.locator("g[data-id=r1]").wait_for()
        lanes = page.locator("svg.lanes text").all_text_contents()
        signs = page.locator("g[data-id=r1] .end, g[data-id=r1] .flaw").count()

    assert lanes == [
        *("Responses", "· left", "· a-lane-wit…", *(f"· lane {n}" for n in range(5))),
        "· others",
    ]
    assert signs == 0


def test_what_is_billed_by_the_second_or_the_call_says_so(chromium: Any, served: StandIn) -> None:
    lines = [
        {"rate": "0.00083", "per": "second", "quantity": "30"},
        {"rate": "0.00033", "per": "second", "quantity": "12", "standby": True},
        {"rate": "0.01", "per": "call", "quantity": "3"},
        {"rate": "0.000002", "per": "token", "quantity": "900", "modality": "text", "cache_write": "30m"},
    ]
    cost = {"usd": "0.06", "unpriced": None, "model": "gpt-live-1", "lines": lines}
    spans = [span("session", "live", NOW - 41, None, label="live", cost=cost)]
    with window(chromium, served.show(timeline(row("desk/live_1"), spans=spans))) as opened:
        page = opened.page
        page.locator("g[data-id=live]").click()
        rows = [each.split("\t")[:2] for each in page.locator(".inspector tbody tr").all_inner_texts()]

    assert rows == [
        ["time", "30 s"],
        ["time, paused", "12 s"],
        ["tool calls", "3"],
        ["text written to the cache for 30m", "900"],
    ]
