"""The statements of a list: each gives a whole page, whose JSON PostgreSQL makes, in one row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Integer,
    Select,
    Subquery,
    Text,
    Uuid,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import array

from grove.postgres.base import Expression
from grove.postgres.json_rows import JsonRow
from grove.postgres.reads import Statement
from grove.service.keyset import Keyset
from grove.web.sorting import SortKey

Sort = tuple[SortKey, ...]
Names = frozenset[str]

_SIZE = bindparam("_size", type_=Integer)
_OFFSET = bindparam("_offset", type_=Integer)
_COMMA: ColumnElement[str] = literal_column("','")
_PARENTS = bindparam("_parents", type_=ARRAY(Uuid))


@dataclass(frozen=True, slots=True)
class Either:
    """Two filters of which a row needs one, where both are given.

    `second_exists`: whether any row of the second kind is there at all. Each kind is read by its own index, and the
    second only then: a condition with OR would read all rows of a user to sort them.
    """

    first: str
    second: str
    second_exists: ColumnElement[bool]


class Pages:
    """Builds the statements of one kind of list."""

    def __init__(
        self,
        item: JsonRow,
        filters: Mapping[str, ColumnElement[bool]],
        orders: Keyset,
        either: Either | None = None,
        counts: Sequence[ColumnElement[int]] = (),
    ) -> None:
        self._item = item
        self._filters = dict(filters)
        self._orders = orders
        self._either = either
        self._counts = counts

    def numbered(self, filters: Names, sort: Sort) -> Statement:
        """A page by `_size` and `_offset`. Gives the items' JSON, joined by commas, how many there are in all, and the
        counts that come with each answer.
        """

        def items(page: Subquery) -> Any:
            made = self._item.of(page).subquery("items")
            return select(func.string_agg(made.c.json, _COMMA)).scalar_subquery()

        total = sum((self._count(kind) for kind in self._kinds(filters)), start=literal_column("0"))
        return Statement(select(self._either_page(filters, sort, [], items), total, *self._counts))

    def walk(self, filters: Names, sort: Sort, *, begun: bool) -> Statement:
        """The `_size` rows behind a place. Gives an array: the items' JSON, the place of the last one as a JSON
        array, and how many rows there are, up to one more than `_size`; beside it the counts.
        """
        behind = [self._orders.after(sort)] if begun else []
        keys = len(self._orders.columns(sort))

        def items(page: Subquery) -> Any:
            place = _place(page, keys)
            made = self._item.of(page, place.label("place"), func.row_number().over().label("n")).subquery("items")
            asked_for = func.string_agg(made.c.json, _COMMA).filter(made.c.n <= _SIZE)
            last = func.max(made.c.place).filter(made.c.n == _SIZE)
            return select(array([asked_for, last, cast(func.count(), Text)])).scalar_subquery()

        return Statement(select(self._either_page(filters, sort, behind, items, more=1), *self._counts))

    def rows(self, filters: Names, sort: Sort, *, begun: bool) -> Statement:
        """The `_size` rows behind a place, and one more if there is one. Gives an array with an array for each: its
        JSON, its place as a JSON array, and its version. For tables that have versions.
        """
        behind = [self._orders.after(sort)] if begun else []
        keys = len(self._orders.columns(sort))

        def items(page: Subquery) -> Any:
            return self._as_rows(page, keys)

        return Statement(select(self._either_page(filters, sort, behind, items, more=1)))

    def rows_below(self, parent: Expression, filters: Names, sort: Sort, *, begun: bool) -> Statement:
        """The same for each of `_parents`: rows whose column `parent` has it. Each row's array ends with its parent."""
        behind = [self._orders.after(sort)] if begun else []
        parents = func.unnest(_PARENTS).table_valued("id", name="parent").render_derived()
        conditions = [*self._conditions(filters), parent == parents.c.id]
        below = self._selected(conditions, sort, behind).limit(_SIZE + 1).lateral("below")
        page = select(parents.c.id.label("_parent"), *below.c).select_from(parents.join(below, true())).subquery("page")
        return Statement(select(self._as_rows(page, len(self._orders.columns(sort)), page.c["_parent"])))

    def _as_rows(self, page: Subquery, keys: int, *more: ColumnElement[Any]) -> Any:
        columns = [_place(page, keys), *(cast(column, Text) for column in (page.c.version, *more))]
        made = self._item.of(page, *(column.label(f"_{i}") for i, column in enumerate(columns))).subquery("items")
        return select(
            func.array_agg(array([made.c.json, *(made.c[f"_{i}"] for i in range(len(columns)))]))
        ).scalar_subquery()

    def _either_page(
        self, filters: Names, sort: Sort, behind: Sequence[ColumnElement[bool]], items: Any, more: int = 0
    ) -> ColumnElement[Any]:
        """`items` of the page of one kind of rows, or of both together when there are any of the second."""
        size, offset = _SIZE + more if more else _SIZE, None if more else _OFFSET
        kinds = [self._selected(kind, sort, behind) for kind in self._kinds(filters)]
        first: ColumnElement[Any] = items(kinds[0].limit(size).offset(offset).subquery("page"))
        if self._either is None or len(kinds) == 1:
            return first
        upto = size if offset is None else size + offset
        both = union_all(*(kind.limit(upto) for kind in kinds)).subquery("both")
        order = self._orders.order_by_labels(sort, both.c)
        merged = select(both).order_by(*order).limit(size).offset(offset).subquery("page")
        return case((self._either.second_exists, items(merged)), else_=first)

    def _kinds(self, filters: Names) -> list[list[ColumnElement[bool]]]:
        """The conditions of each kind of rows that are wanted."""
        either = self._either
        if either is None or not {either.first, either.second} <= filters:
            return [self._conditions(filters)]
        return [self._conditions(filters - {other}) for other in (either.second, either.first)]

    def _conditions(self, filters: Names) -> list[ColumnElement[bool]]:
        return [self._filters[name] for name in sorted(filters)]

    def _selected(
        self, conditions: Sequence[ColumnElement[bool]], sort: Sort, behind: Sequence[ColumnElement[bool]]
    ) -> Select[Any]:
        columns: list[Any] = [*self._item.table.__table__.columns, *self._orders.columns(sort)]
        return select(*columns).where(*conditions, *behind).order_by(*self._orders.order(sort))

    def _count(self, conditions: Sequence[ColumnElement[bool]]) -> ColumnElement[Any]:
        return select(func.count()).select_from(self._item.table).where(*conditions).scalar_subquery()


def _place(page: Subquery, keys: int) -> ColumnElement[str]:
    return cast(func.json_build_array(*(page.c[f"_key{i}"] for i in range(keys))), Text)
