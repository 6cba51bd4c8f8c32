"""JSON made by PostgreSQL: what lists give by the dozen never becomes an object here (docs/adr/0008)."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from sqlalchemy import (
    ColumnElement,
    DateTime,
    Select,
    Text,
    case,
    cast,
    func,
    literal_column,
    select,
    true,
)

from grove.postgres.base import Base, Expression

_RFC_3339 = """'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'"""


class JsonRow:
    """A table's row as JSON, in the form of the model that documents it.

    `values` has an expression for each field of `shape`, in its order; TypeError otherwise. Moments are written as
    Pydantic writes them: RFC 3339 in UTC, without a fraction when there is none.
    """

    def __init__(self, table: type[Base], shape: type[BaseModel] | type[Any], values: Mapping[str, Expression]) -> None:
        if list(values) != _fields(shape):
            raise TypeError(f"{shape.__name__} has the fields {_fields(shape)}, rendered were {list(values)}")
        self._table = table
        fields = [_written(value).label(name) for name, value in values.items()]
        self._item = select(*fields).correlate(table).lateral("item")

    def select(self, *columns: Expression) -> Select[Any]:
        """SELECT the JSON, and then `columns`."""
        json = cast(func.row_to_json(literal_column("item")), Text)
        columns_of_all: list[Any] = [json, *columns]
        return select(*columns_of_all).select_from(self._table).join(self._item, true())

    def count(self) -> Select[Any]:
        """SELECT how many rows there are."""
        return select(func.count()).select_from(self._table)


def constant(value: str) -> ColumnElement[str]:
    """The same text in every row."""
    return literal_column("'" + value.replace("'", "''") + "'", Text)


def one_of(index: Expression, names: Sequence[str]) -> ColumnElement[str]:
    """The name with that index, from 0."""
    return case(*((index == literal_column(str(i)), constant(name)) for i, name in enumerate(names)))


def _written(value: Expression) -> Expression:
    if not isinstance(value.type, DateTime):
        return value
    moment = func.to_char(func.timezone(literal_column("'UTC'"), value), literal_column(_RFC_3339))
    return func.replace(moment, literal_column("'.000000Z'"), literal_column("'Z'"))


def _fields(shape: type[Any]) -> list[str]:
    if issubclass(shape, BaseModel):
        return list(shape.model_fields)
    return [field.name for field in dataclasses.fields(shape)]
