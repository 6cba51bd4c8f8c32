"""The base of all tables."""

from datetime import datetime
from typing import Any, ClassVar, TypeAlias
from uuid import UUID

from sqlalchemy import ColumnElement, DateTime, MetaData, Uuid
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute

Expression: TypeAlias = ColumnElement[Any] | InstrumentedAttribute[Any]
"""A column, or something made of columns."""


class Base(DeclarativeBase):
    """Times are timezone-aware, ids native UUIDs, constraints have predictable names."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: DateTime(timezone=True),
        UUID: Uuid(as_uuid=True, native_uuid=True),
    }
