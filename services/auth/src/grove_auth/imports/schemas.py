"""Imports as JSON."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field

from grove.core.clock import now
from grove.core.emails import Email
from grove.core.schema import Incoming, Moment, Outgoing
from grove_auth.registrations.schemas import Locale, Name, Timezone
from grove_auth.roles.schemas import RoleNames

MAX_ROWS = 1000


def _past(moment: Moment) -> Moment:
    if moment > now():
        raise ValueError("must not be in the future")
    return moment


class ImportedUser(Incoming):
    """One account of another system."""

    email: Email
    name: Name
    password_hash: Annotated[str, Field(max_length=300)] | None = Field(
        None, description="Argon2i, Argon2id or bcrypt; without one its user sets a password by a mailed link"
    )
    locale: Locale = "en"
    timezone: Timezone = "UTC"
    roles: RoleNames = ["user"]
    email_verified: bool = Field(True, description="Whether the other system had the address confirmed")
    created_at: Annotated[Moment, AfterValidator(_past)] | None = None


class UserImport(Incoming):
    """Accounts to import. Each is looked at by itself, so that a wrong one holds nobody up."""

    users: Annotated[
        list[Any],
        Field(min_length=1, max_length=MAX_ROWS, json_schema_extra={"items": ImportedUser.model_json_schema()}),
    ]


class ImportedRow(Outgoing):
    """What became of one account. `row` counts from 0; `reason` is set for a refused one."""

    row: int
    email: str | None
    status: Literal["created", "exists", "refused"]
    id: UUID | None = None
    reason: str | None = None


class ImportAnswer(Outgoing):
    """What became of each account, in the order they were sent."""

    created: int
    exists: int
    refused: int
    results: list[ImportedRow]

    @classmethod
    def of(cls, rows: list[ImportedRow]) -> "ImportAnswer":
        """With the counts."""
        statuses = [row.status for row in rows]
        return cls(
            created=statuses.count("created"),
            exists=statuses.count("exists"),
            refused=statuses.count("refused"),
            results=rows,
        )
