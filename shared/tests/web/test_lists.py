"""Pages, cursors and orders."""

import base64
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from fastapi import FastAPI, Request
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import BigInteger, Column, DateTime, Integer, Numeric, SmallInteger, String, Uuid
from sqlalchemy.dialects import postgresql

from grove.core.errors import Invalid
from grove.service.keyset import Keyset, Sortable, parse_time
from grove.web.pagination import ListQuery, decode_cursor, encode_cursor, page_headers
from grove.web.sorting import SortKey, parse_sort

KEYS = Keyset(
    {
        "age": Sortable(Column("age", Integer), int),
        "rank": Sortable(Column("rank", SmallInteger), int),
        "size": Sortable(Column("size", BigInteger), int),
        "name": Sortable(Column("name", String), str),
        "price": Sortable(Column("price", Numeric), Decimal),
        "born": Sortable(Column("born", DateTime(timezone=True)), parse_time),
    },
    tie=Column("id", Uuid),
)


def test_limits_of_pages():
    assert ListQuery().offset == 0
    assert ListQuery(page=100, size=100).offset == 9900
    for wrong in ({"page": 101, "size": 100}, {"page": 1, "cursor": ""}, {"size": 101}, {"size": 0}, {"page": 0}):
        with pytest.raises(ValidationError):
            ListQuery(**wrong)


@given(st.lists(st.one_of(st.integers(), st.text(), st.none()), max_size=4))
def test_a_cursor_survives_its_journey(values):
    assert decode_cursor(encode_cursor(["-a", "b"], values), ["-a", "b"]) == values


@pytest.mark.parametrize("cursor", ["x", "!!", "bnVsbA", "e30", encode_cursor(["-b"], [1])])
def test_another_cursor_is_a_422(cursor):
    with pytest.raises(Invalid):
        decode_cursor(cursor, ["-a"])


def test_sort_keys():
    assert parse_sort("-a,b", frozenset({"a", "b"})) == (SortKey("a", True), SortKey("b", False))
    for bad in ("c", "a,a", "", "-a,-a"):
        with pytest.raises(Invalid):
            parse_sort(bad, frozenset({"a", "b"}))


def test_links_lead_to_the_neighbours():
    request = Request(
        {
            "type": "http",
            "method": "GET",
            "path": "/x",
            "query_string": b"page=2&size=10",
            "headers": [],
            "app": FastAPI(),
        }
    )
    headers = page_headers(request, ListQuery(page=2, size=10), 35)
    assert headers["X-Total-Count"] == "35"
    assert '</x?size=10&page=3>; rel="next"' in headers["Link"]
    assert '</x?size=10&page=4>; rel="last"' in headers["Link"]
    assert 'rel="next"' not in page_headers(request, ListQuery(page=4, size=10), 35)["Link"]
    deepest = page_headers(request, ListQuery(page=1000, size=10), 35_000)
    assert deepest["X-Total-Count"] == "35000"
    assert '&page=1000>; rel="last"' in deepest["Link"]  # one further is a 422
    assert 'rel="next"' not in deepest["Link"]


def condition(*sort: SortKey) -> str:
    return str(KEYS.after(sort).compile(dialect=postgresql.dialect(paramstyle="named")))


def test_a_keyset_condition_is_one_that_an_index_can_begin_at():
    sort = [SortKey("age", True)]
    assert condition(*sort) == "(age, id) < (:_after0::INTEGER, :_after1::UUID)"
    assert condition(SortKey("age", False)) == "(age, id) > (:_after0::INTEGER, :_after1::UUID)"
    assert condition(SortKey("age", True), SortKey("name", False)) == (
        "age <= :_after0::INTEGER AND (age < :_after0::INTEGER"
        " OR age = :_after0::INTEGER AND name > :_after1::VARCHAR"
        " OR age = :_after0::INTEGER AND name = :_after1::VARCHAR AND id > :_after2::UUID)"
    )
    task = "01a1f95e-d036-723e-9491-672eaa99a91e"
    assert KEYS.place(sort, [30, task]) == {"_after0": 30, "_after1": UUID(task)}
    assert [str(o) for o in KEYS.order([SortKey("age", False)])] == ["age ASC", "id ASC"]


ID = str(UUID(int=1))


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("age", [30]),
        ("age", ["x", ID]),
        ("age", [30, "no uuid"]),
        ("age", [30, 5]),
        ("age", [30, [ID]]),
        ("age", [None, ID]),
        ("age", [float("inf"), ID]),
        ("age", [2**31, ID]),
        ("rank", [2**15, ID]),
        ("size", [2**63, ID]),
        ("name", ["a\0", ID]),
        ("name", ["\ud800", ID]),
        ("price", ["NaN", ID]),
        ("price", ["1e99999", ID]),
        ("price", ["one", ID]),
        ("born", ["2026-01-01T00:00:00", ID]),
        ("born", ["0001-01-01T00:00:00+10:00", ID]),
        ("born", [5, ID]),
    ],
)
def test_values_that_the_list_never_gave_are_a_422(key, values):
    with pytest.raises(Invalid):
        KEYS.place([SortKey(key, True)], values)


def test_values_at_the_edge_are_taken():
    for key, value in (("age", 2**31 - 1), ("rank", -(2**15)), ("size", 2**63 - 1), ("name", "é🌳"), ("price", "1.10")):
        assert KEYS.place([SortKey(key, True)], [value, ID])["_after1"] == UUID(ID)


@pytest.mark.parametrize("text", ["[", "5", '"x"', "{}", "[]", "[" * 2000, "9" * 3000, "\ud800", "nothing"])
def test_what_is_no_cursor_is_a_422(text):
    cursor = base64.urlsafe_b64encode(text.encode(errors="surrogatepass")).decode().rstrip("=")
    with pytest.raises(Invalid):
        decode_cursor(cursor, ["-age"])


def test_the_cursor_of_a_long_title_can_be_sent_back():
    for title in ("я" * 200, "树" * 200, "🌳" * 200, '"\\' * 100):
        cursor = encode_cursor(["name"], [title, ID])
        assert ListQuery(cursor=cursor).cursor == cursor
        assert decode_cursor(cursor, ["name"]) == [title, ID]


def test_times_in_cursors_have_a_timezone():
    assert parse_time("2026-01-01T00:00:00+00:00") == datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="timezone"):
        parse_time("2026-01-01T00:00:00")
