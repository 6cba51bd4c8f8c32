"""What is shown of a connection that its user removed."""

from uuid import UUID

from sqlalchemy import ColumnElement, SQLColumnExpression, select

from grove_provider_sync.models import Connection


def seen(connection_id: SQLColumnExpression[UUID], user_id: SQLColumnExpression[UUID]) -> ColumnElement[bool]:
    """Whether what belongs to a connection is shown: not any more once it is being erased."""
    erased = select(Connection.id).where(Connection.user_id == user_id, Connection.erasing)
    return connection_id.not_in(erased)
