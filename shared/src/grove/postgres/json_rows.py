"""JSON made by PostgreSQL: what lists give by the dozen never becomes an object here (docs/adr/0008)."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from sqlalchemy import (
    ColumnElement,
    DateTime,
    Label,
    Select,
    Subquery,
    Text,
    case,
    cast,
    func,
    literal_column,
    select,
    true,
)
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.visitors import replacement_traverse

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
        self.table = table
        self._fields: dict[str, ColumnElement[Any]] = {name: _written(value) for name, value in values.items()}

    def select(self, *columns: Expression) -> Select[Any]:
        """SELECT the JSON, and then `columns`."""
        item = select(*self._labelled(self._fields)).correlate(self.table).lateral("item")
        return _select_json(columns).select_from(self.table).join(item, true())

    def of(self, page: Subquery, *columns: Expression) -> Select[Any]:
        """The same for the rows of a subquery with the table's columns: JSON is made for no others."""
        of_page: dict[Any, Any] = {column: page.c[column.key] for column in self.table.__table__.columns}
        replace: Any = of_page.get
        fields = {name: replacement_traverse(value, {}, replace) for name, value in self._fields.items()}
        item = select(*self._labelled(fields)).correlate(page).lateral("item")
        return _select_json(columns).select_from(page).join(item, true())

    def extended(self, shape: type[BaseModel] | type[Any], more: Mapping[str, Expression]) -> "JsonRow":
        """The same with further fields, for a model that has them after those of this one."""
        return JsonRow(self.table, shape, {**self._fields, **more})

    @staticmethod
    def _labelled(fields: Mapping[str, Any]) -> list[Label[Any]]:
        return [value.label(name) for name, value in fields.items()]


def constant(value: str) -> ColumnElement[str]:
    """The same text in every row."""
    return literal_column("'" + value.replace("'", "''") + "'", Text)


def one_of(index: Expression, names: Sequence[str]) -> ColumnElement[str]:
    """The name with that index, from 0."""
    return case(*((index == literal_column(str(i)), constant(name)) for i, name in enumerate(names)))


def _select_json(columns: Sequence[Expression]) -> Select[Any]:
    json: list[Any] = [cast(func.row_to_json(literal_column("item")), Text).label("json"), *columns]
    return select(*json)


def _written(value: Expression) -> ColumnElement[Any]:
    value = value.expression if isinstance(value, InstrumentedAttribute) else value  # a bare column can be replaced
    if not isinstance(value.type, DateTime):
        return value
    moment = func.to_char(func.timezone(literal_column("'UTC'"), value), literal_column(_RFC_3339))
    return func.replace(moment, literal_column("'.000000Z'"), literal_column("'Z'"))


def _fields(shape: type[Any]) -> list[str]:
    if issubclass(shape, BaseModel):
        return list(shape.model_fields)
    return [field.name for field in dataclasses.fields(shape)]
