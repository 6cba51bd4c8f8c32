"""Keyset paging over any of a list's orders: each key must be NOT NULL as an expression, the last one unique."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Label, SQLColumnExpression, UnaryExpression, and_, or_

from grove.web.pagination import invalid_query
from grove.web.sorting import SortKey


@dataclass(frozen=True, slots=True)
class Sortable:
    """A key that a list can be ordered by. `parse` turns a cursor's JSON value into what the column compares with."""

    expression: SQLColumnExpression[Any]
    parse: Callable[[Any], Any]


class Keyset:
    """The orders of one list. `tie` breaks ties: the primary key, in the direction of the last key."""

    def __init__(self, keys: Mapping[str, Sortable], tie: SQLColumnExpression[UUID]) -> None:
        self._keys = keys
        self._tie = Sortable(tie, UUID)

    @property
    def names(self) -> frozenset[str]:
        """What `sort` may name."""
        return frozenset(self._keys)

    def columns(self, sort: Sequence[SortKey]) -> list[Label[Any]]:
        """What to select, after the row's own columns, for the cursor of its place."""
        return [sortable.expression.label(f"_key{i}") for i, (sortable, _) in enumerate(self._order(sort))]

    def order(self, sort: Sequence[SortKey]) -> list[UnaryExpression[Any]]:
        """ORDER BY."""
        return [s.expression.desc() if descending else s.expression.asc() for s, descending in self._order(sort)]

    def after(self, sort: Sequence[SortKey], values: Sequence[Any]) -> ColumnElement[bool]:
        """Rows behind the place that a cursor names. Raises Invalid when the values are of another kind."""
        order = self._order(sort)
        if len(values) != len(order):
            raise invalid_query("cursor", "is not a cursor of this list")
        try:
            parsed = [sortable.parse(value) for (sortable, _), value in zip(order, values, strict=True)]
        except (ValueError, TypeError):
            raise invalid_query("cursor", "is not a cursor of this list") from None
        branches = []
        for i, (sortable, descending) in enumerate(order):
            equal = [s.expression == value for (s, _), value in zip(order[:i], parsed[:i], strict=True)]
            beyond = sortable.expression < parsed[i] if descending else sortable.expression > parsed[i]
            branches.append(and_(*equal, beyond))
        return or_(*branches)

    def _order(self, sort: Sequence[SortKey]) -> list[tuple[Sortable, bool]]:
        keys = [(self._keys[key.name], key.descending) for key in sort]
        return [*keys, (self._tie, sort[-1].descending)]


def parse_time(value: Any) -> datetime:
    """A cursor's time. Raises ValueError."""
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError("no timezone")
    return moment
