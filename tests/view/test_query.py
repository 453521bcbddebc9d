"""What is asked for: filters, sorts, cursors that stay where they are while conversations come and go, and refusals."""

import base64

import pytest
from msgspec.structs import replace

from steno.view.query import Query, QueryError, page_of, parse_query
from steno.view.rows import Latency, Row, TokenSums, ToolCalls


def row(key: str, **members: object) -> Row:
    plain = Row(
        key=key,
        family="realtime",
        source="relay",
        labels={},
        kind="realtime",
        stream=None,
        open=True,
        closed_reason=None,
        model=None,
        opened_at=None,
        last_event_at=None,
        closed_at=None,
        age_seconds=0,
        state="idle",
        events=0,
        turns=0,
        unanswered_turns=0,
        responses=0,
        interruptions=0,
        turn_latency_seconds=Latency(None, None),
        tool_calls=ToolCalls(0, 0, 0),
        tokens=TokenSums(0, 0),
        cost_usd=None,
        unpriced={},
        gaps=0,
        errors=0,
        rejected=0,
    )
    return replace(plain, **members)


def keys(rows: list[Row], query: Query) -> list[str]:
    return [each.key for each in page_of(rows, query, 0.0).conversations]


def all_pages(rows: list[Row], query: Query) -> list[list[str]]:
    pages = []
    while True:
        page = page_of(rows, query, 0.0)
        pages.append([each.key for each in page.conversations])
        if page.next is None:
            return pages
        name = ("-" if query.descending else "") + query.sort
        query = parse_query([("sort", name), ("limit", str(query.limit)), ("after", page.next)])


def test_the_parameters_of_a_request_become_a_query() -> None:
    pairs = [("open", "true"), ("source", "relay"), ("model", ""), ("q", "a/b#2"), ("sort", "-turns"), ("limit", "7")]

    assert parse_query([]) == Query()
    assert parse_query(pairs) == Query(open=True, source="relay", text="a/b#2", sort="turns", descending=True, limit=7)


@pytest.mark.parametrize(
    "pair",
    [
        *(("open", "yes"), ("limit", "0"), ("limit", "1001"), ("limit", "٣"), ("limit", "9" * 5000)),
        ("sort", "secret"),
        *(("source", "x" * 513), ("after", "x" * 5000), ("after", "e30="), ("after", "é"), ("colour", "red")),
        ("after", base64.urlsafe_b64encode(b'["-last_event_at","a text","k"]').decode()),
        ("after", base64.urlsafe_b64encode(b'["-turns",1,"k"]').decode()),
        ("after", base64.urlsafe_b64encode(b"[" * 3000).decode()),
    ],
)
def test_what_cannot_be_understood_is_refused_by_name_and_not_repeated(pair: tuple[str, str]) -> None:
    with pytest.raises(QueryError) as caught:
        parse_query([pair])

    name, value = pair
    assert str(caught.value).startswith("there is no such parameter" if name == "colour" else name)
    assert len(value) < 8 or value not in str(caught.value)


def test_a_parameter_is_given_once() -> None:
    with pytest.raises(QueryError, match="open is given more than once"):
        parse_query([("open", "true"), ("open", "false")])


def test_filters_hold_together() -> None:
    rows = [
        row("relay/Call-1", model="gpt-realtime"),
        row("relay/call-2", open=False, model="gpt-realtime"),
        row("desk/call-3", source="desk", family="assistants", model="gpt-4o"),
    ]

    assert keys(rows, Query(text="CALL-", sort="key", descending=False)) == [
        *("desk/call-3", "relay/Call-1", "relay/call-2"),
    ]
    assert keys(rows, Query(open=True, model="gpt-realtime")) == ["relay/Call-1"]
    assert keys(rows, Query(source="desk", family="assistants")) == ["desk/call-3"]
    assert page_of(rows, Query(open=True, limit=1), 5.0).total == 2


@pytest.mark.parametrize("descending", [True, False])
def test_pages_have_every_row_once_and_those_without_a_value_last(*, descending: bool) -> None:
    rows = [row(f"c{number}", opened_at=None if number % 3 == 0 else float(number % 4)) for number in range(20)]
    query = Query(sort="opened_at", descending=descending, limit=3)
    pages = all_pages(rows, query)
    shown = [key for page in pages for key in page]

    assert sorted(shown) == sorted(each.key for each in rows)
    assert [len(page) for page in pages] == [3, 3, 3, 3, 3, 3, 2]
    assert all(next(each for each in rows if each.key == key).opened_at is None for key in shown[-7:])


def test_a_cursor_keeps_its_place_while_rows_come_and_go() -> None:
    rows = [row(f"c{number}", opened_at=float(number)) for number in range(6)]
    first = page_of(rows, Query(sort="opened_at", descending=True, limit=2), 0.0)
    query = parse_query([("sort", "-opened_at"), ("limit", "2"), ("after", first.next or "")])
    changed = [*rows[:4], row("newest", opened_at=9.0)]  # the two that were shown have gone, and one came before them

    assert [each.key for each in first.conversations] == ["c5", "c4"]
    assert keys(changed, query) == ["c3", "c2"]
