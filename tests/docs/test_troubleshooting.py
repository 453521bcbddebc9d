"""Each word of a closed list that an operator can see has a row, with what it means and what to do; no row too many."""

import re
from typing import get_args

import pytest

from steno import attachments, output_errors
from steno.admin import connections, webhooks
from steno.audit import log_records, service
from steno.certificates import Reason as CertificateReason
from steno.core.endings import Closing
from steno.core.facts import MISSING, REJECTED, UNPRICED
from steno.errors import StenoError
from steno.otel.collector import REASONS as NOT_EXPORTED
from steno.sources import connect_errors
from steno.sources.listen.counters import OUTCOMES
from steno.sources.proxy.frames import UNFED
from steno.sources.proxy.refusal import REASONS as REFUSED
from steno.sources.recording import Gap
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
OF_LISTENERS = {"address_in_use", "listen", "certificate", "tokens"}
OF_FOLLOWERS = {"missing", "not_permitted", "no_file", "unreadable", "ended"}
WRITE_ERRORS = {*output_errors.DISK_REASONS.values(), "io"}

LISTS = {
    "A source is not ready": {
        "connected",
        *connect_errors.NAMES,
        *connect_errors.FATAL,
        *OF_LISTENERS,
        *OF_FOLLOWERS,
        "disconnected",
        "internal_error",
    },
    "A stream broke off": get_args(Gap),
    "Events are missing": MISSING,
    "Frames are rejected": REJECTED,
    "A cost is unknown": UNPRICED,
    "A proxy refuses": REFUSED,
    "Calls pass and are not read": UNFED,
    "A client cannot push": OUTCOMES,
    "A certificate is bad": {"loaded", *get_args(CertificateReason)},
    "A call is not followed": attachments.OUTCOMES,
    "A call is followed no more": get_args(attachments.EndReason),
    "Webhooks": get_args(webhooks.Outcome),
    "The HTTP face refuses": get_args(connections.Rejection),
    "The audit log is not written": {*get_args(service.Status), *WRITE_ERRORS},
    "The audit log has a hole or was changed": {*get_args(log_records.Loss), *get_args(log_records.Damage)},
    "An output fails": output_errors.REASONS,
    "A collector takes nothing": NOT_EXPORTED,
    "A conversation was closed": get_args(Closing),
    "Exit codes": {
        *("0", "1", str(StenoError.exit_code), "130"),
        *(str(each.exit_code) for each in StenoError.__subclasses__()),
    },
}


def rows(title: str) -> list[list[str]]:
    """Return the cells of the rows of a section's table, but for its head."""
    section = PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    found = [line.strip("|").split(" | ") for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in row] for row in found]


@pytest.mark.parametrize("title", LISTS)
def test_every_word_has_a_row(title: str) -> None:
    words = [word for row in rows(title) for word in re.findall(r"`([^`]+)`", row[0])]

    assert sorted(words) == sorted(LISTS[title])


@pytest.mark.parametrize("title", LISTS)
def test_every_row_says_what_it_means_and_what_to_do(title: str) -> None:
    assert [row for row in rows(title) if len(row) != 3 or not all(row)] == []


def test_every_section_is_held_against_the_code() -> None:
    assert re.findall(r"^## (.+)$", PAGE, re.MULTILINE) == list(LISTS)


def test_the_page_says_where_to_go() -> None:
    """Each section is reached from what is seen."""
    front = PAGE.partition("\n## ")[0]

    assert {f"(#{title.lower().replace(' ', '-')})" for title in LISTS} <= set(re.findall(r"\(#[^)]+\)", front))
