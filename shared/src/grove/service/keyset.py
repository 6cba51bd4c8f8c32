"""Keyset paging over any of a list's orders: each key must be NOT NULL as an expression, the last one unique."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Label,
    Numeric,
    SmallInteger,
    UnaryExpression,
    and_,
    bindparam,
    or_,
    tuple_,
)
from sqlalchemy.types import TypeEngine

from grove.postgres.base import Expression
from grove.web.pagination import invalid_query
from grove.web.sorting import SortKey

_MOST_DIGITS = 1000


@dataclass(frozen=True, slots=True)
class Sortable:
    """A key that a list can be ordered by. `parse` turns a cursor's JSON value into what the column compares with."""

    expression: Expression
    parse: Callable[[Any], Any]


class Keyset:
    """The orders of one list. `tie` breaks ties: the primary key, in the direction of the last key."""

    def __init__(self, keys: Mapping[str, Sortable], tie: Expression) -> None:
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

    def order_by_labels(self, sort: Sequence[SortKey], columns: Any) -> list[UnaryExpression[Any]]:
        """ORDER BY for rows that were selected with `columns`."""
        return [
            columns[f"_key{i}"].desc() if descending else columns[f"_key{i}"].asc()
            for i, (_, descending) in enumerate(self._order(sort))
        ]

    def after(self, sort: Sequence[SortKey]) -> ColumnElement[bool]:
        """Rows behind a place, which is given by the bind parameters of `place`.

        An index in this order begins at the place: by the comparison of all keys at once, or, where some ascend and
        others descend, by the first key's bound.
        """
        order = self._order(sort)
        ends = [bindparam(f"_after{i}", type_=sortable.expression.type) for i, (sortable, _) in enumerate(order)]
        keys = [sortable.expression for sortable, _ in order]
        (first, descending), *others = zip(keys, (each for _, each in order), strict=True)
        if all(each is descending for _, each in others):
            return tuple_(*keys) < tuple_(*ends) if descending else tuple_(*keys) > tuple_(*ends)
        branches = []
        for i, (_, downwards) in enumerate(order):
            equal = [key == end for key, end in zip(keys[:i], ends[:i], strict=True)]
            branches.append(and_(*equal, keys[i] < ends[i] if downwards else keys[i] > ends[i]))
        return and_(first <= ends[0] if descending else first >= ends[0], or_(*branches))

    def place(self, sort: Sequence[SortKey], values: Sequence[Any]) -> dict[str, Any]:
        """The place that a cursor's values name. Raises Invalid for values that this list never gave."""
        order = self._order(sort)
        try:
            return {
                f"_after{i}": _storable(sortable.parse(value), sortable.expression.type)
                for i, ((sortable, _), value) in enumerate(zip(order, values, strict=True))
            }
        except (ValueError, TypeError, AttributeError, ArithmeticError):
            raise invalid_query("cursor", "is not a cursor of this list") from None

    def _order(self, sort: Sequence[SortKey]) -> list[tuple[Sortable, bool]]:
        keys = [(self._keys[key.name], key.descending) for key in sort]
        return [*keys, (self._tie, sort[-1].descending)]


def parse_time(value: Any) -> datetime:
    """A cursor's time. Raises ValueError, TypeError, OverflowError."""
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError("no timezone")
    return moment.astimezone(UTC)


def _storable(value: Any, kind: TypeEngine[Any]) -> Any:
    """A value that a column of this type can be compared with. Raises ValueError."""
    if isinstance(value, str) and "\0" in value.encode().decode():  # encoded, since half of a surrogate pair is no text
        raise ValueError("NUL")
    if isinstance(value, int) and not -(1 << _bits(kind)) <= value < 1 << _bits(kind):
        raise ValueError("too large")
    if isinstance(value, Decimal) and not (
        value.is_finite() and value.adjusted() > -_MOST_DIGITS and value.copy_abs() <= _largest(kind)
    ):
        raise ValueError("too large")
    return value


def _largest(kind: TypeEngine[Any]) -> Decimal:
    """Of a decimal number."""
    if isinstance(kind, Numeric) and kind.precision is not None:
        return Decimal(10**kind.precision - 1).scaleb(-(kind.scale or 0))
    return Decimal(10) ** _MOST_DIGITS


def _bits(kind: TypeEngine[Any]) -> int:
    """Of an integer, without its sign."""
    return 15 if isinstance(kind, SmallInteger) else 63 if isinstance(kind, BigInteger) else 31
