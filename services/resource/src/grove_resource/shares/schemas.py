"""Shares as JSON."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from grove.core.emails import Email
from grove.core.schema import Incoming, Moment

ShareRole = Literal["viewer", "editor"]


class ShareCreate(Incoming):
    """Whom to share with, and what they may do."""

    email: Email
    role: ShareRole


@dataclass(slots=True, kw_only=True)
class ShareRead:
    """A share. Whether the address is anybody's is never told."""

    id: UUID
    email: str
    role: ShareRole
    created_at: Moment
