"""Pages, cursors and orders."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from fastapi import FastAPI, Request
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import Column, Integer, String, Uuid
from sqlalchemy.dialects import postgresql

from grove.core.errors import Invalid
from grove.service.keyset import Keyset, Sortable, parse_time
from grove.web.pagination import ListQuery, decode_cursor, encode_cursor, page_headers
from grove.web.sorting import SortKey, parse_sort

KEYS = Keyset(
    {"age": Sortable(Column("age", Integer), int), "name": Sortable(Column("name", String), str)},
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


@pytest.mark.parametrize("values", [[30], ["x", str(UUID(int=1))], [30, "no uuid"], [None, str(UUID(int=1))]])
def test_values_of_another_kind_are_a_422(values):
    with pytest.raises(Invalid):
        KEYS.place([SortKey("age", True)], values)


def test_times_in_cursors_have_a_timezone():
    assert parse_time("2026-01-01T00:00:00+00:00") == datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="timezone"):
        parse_time("2026-01-01T00:00:00")
