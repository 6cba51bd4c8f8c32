"""What an account of another system must look like."""

from typing import Any

from pydantic import ValidationError

from grove.core.clock import now
from grove_auth.imports.schemas import ImportedUser
from grove_auth.models import User
from grove_auth.passwords import foreign
from grove_auth.settings import AuthSettings


def read(row: Any, settings: AuthSettings) -> User | str:
    """The account to make, or why it is refused. Takes its time: run it in the password pool."""
    try:
        data = ImportedUser.model_validate(row)
    except ValidationError as invalid:
        return "; ".join(_told(error) for error in invalid.errors(include_url=False, include_input=False))
    try:
        hashed = foreign.check(data.password_hash, settings) if data.password_hash is not None else None
    except ValueError as error:
        return f"password_hash: {error}"
    moment = now()
    return User(
        **data.model_dump(include={"email", "name", "roles", "locale", "timezone", "email_verified"}),
        password_hash=hashed,
        sequence=2 if data.email_verified else 1,
        created_at=data.created_at or moment,
        updated_at=moment,
    )


def address_of(row: Any) -> str | None:
    """The address as it was sent, for who looks for a refused row."""
    email = row.get("email") if isinstance(row, dict) else None
    return email[:254] if isinstance(email, str) else None


def _told(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"]) or "the row"
    return f"{where}: {str(error['msg']).removeprefix('Value error, ')}"
