"""Who may read what in the page, and what `steno serve` says on top of it."""

from typing import Any

import pytest

from tests.operations.browsing import window
from tests.operations.documents import call, row
from tests.operations.stand_in import TOKEN, StandIn


def test_withheld_texts_are_shown_to_who_has_the_token(chromium: Any, served: StandIn) -> None:
    key = "desk/1/1"
    served.withheld[key] = call(key, 2, content="withheld")
    with window(chromium, served.show(call(key, 2))) as opened:
        page = opened.page
        page.get_by_text("37 characters not shown").wait_for()
        page.get_by_label("Token").fill("a wrong one")
        page.get_by_role("button", name="Show", exact=True).click()
        page.get_by_text("this is not the token").wait_for()
        opened.complaints.clear()  # of the 401
        page.get_by_label("Token").fill(TOKEN)
        page.get_by_role("button", name="Show", exact=True).click()
        page.get_by_text("My parcel should have come on Friday.").wait_for()
        page.get_by_role("button", name="Sign out").click()
        page.get_by_text("37 characters not shown").wait_for()


def test_a_face_that_demands_the_token(chromium: Any, served: StandIn) -> None:
    served.demands_token = True
    served.rows = [row("desk/1/1")]
    with window(chromium, served.address) as opened:
        opened.page.get_by_label("Token").fill(TOKEN)
        opened.page.get_by_role("button", name="Show", exact=True).click()
        opened.page.locator("tbody tr").wait_for()
        opened.complaints.clear()  # of the 401s


def test_a_token_in_the_address_is_exchanged_and_dropped(chromium: Any, served: StandIn) -> None:
    served.demands_token = True
    served.rows = [row("desk/1/1")]
    with window(chromium, f"{served.address}/#token={TOKEN}") as opened:
        opened.page.locator("tbody tr").wait_for()

        assert TOKEN not in opened.page.evaluate("location.href")
        assert opened.page.evaluate("document.cookie") == ""


def test_a_session_that_ends_while_the_page_is_open_asks_for_the_token(chromium: Any, served: StandIn) -> None:
    served.rows = [row("desk/1/1")]
    served.demands_token = True
    with window(chromium, f"{served.address}/#token={TOKEN}") as opened:
        page = opened.page
        page.locator("tbody tr").wait_for()
        page.context.clear_cookies()
        field = page.get_by_label("Token")
        field.wait_for(timeout=20_000)
        assert not page.get_by_role("button", name="Sign out").is_visible()
        field.fill(TOKEN)
        page.get_by_role("button", name="Show", exact=True).click()
        page.locator("tbody tr").wait_for()
        opened.complaints.clear()  # of the 401s


@pytest.mark.parametrize("place", ["", "/#/conversation/desk%2F1%2F1"])
def test_what_steno_had_no_time_for_is_asked_for_again(chromium: Any, served: StandIn, place: str) -> None:
    served.rows = [row("desk/1/1")]
    served.show(call("desk/1/1", 2))
    served.busy = True
    with window(chromium, served.address + place) as opened:
        page = opened.page
        page.get_by_text("too many wait already").wait_for()
        served.busy = False
        page.locator("tbody tr").first.wait_for(state="attached")
        page.get_by_text("too many wait already").wait_for(state="detached")
        opened.complaints.clear()  # of the 503


def test_what_verify_found_stands_on_top(chromium: Any, served: StandIn) -> None:
    log = {"unreadable": 2, "conversations_left_out": 0}
    served.verification = {
        "state": "running",
        "ok": None,
        "lines": [],
        "read_bytes": 42,
        "total_bytes": 100,
        "log": log,
    }
    with window(chromium, served.address) as opened:
        opened.page.get_by_text("The log is being verified: 42 %").wait_for()
        found = {"ok": False, "lines": ["record 17: the hash is not that of the record"], "name": "audit"}
        served.verification = {**served.verification, **found, "state": "done"}
        opened.page.get_by_text("The log does not verify").wait_for()

        assert opened.page.get_by_text("record 17: the hash is not that of the record").is_visible()
        assert opened.page.get_by_text("2 lines could not be read.").is_visible()
