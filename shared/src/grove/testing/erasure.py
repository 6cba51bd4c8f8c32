"""Whether a service's erasure misses a table."""

from sqlalchemy import MetaData, Table

from grove.service.erasure import ErasedUser, Erasure


def missed(metadata: MetaData, erasure: Erasure) -> set[str]:
    """Tables with something of a user that neither the erasure names nor a cascade reaches."""
    erased: set[str] = {column.class_.__tablename__ for column in erasure.columns} | {ErasedUser.__tablename__}
    reached = {table.name for table in metadata.sorted_tables if table.name in erased or _cascades_from(table, erased)}
    return {table.name for table in metadata.sorted_tables if _names_a_user(table)} - reached


def _names_a_user(table: Table) -> bool:
    return table.name == "users" or "user_id" in table.columns


def _cascades_from(table: Table, erased: set[str]) -> bool:
    return any(key.ondelete == "CASCADE" and key.column.table.name in erased for key in table.foreign_keys)
