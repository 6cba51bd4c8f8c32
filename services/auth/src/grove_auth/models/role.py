"""The roles collection."""

from datetime import datetime

from beanie import Document


class Role(Document):
    """What its holders may do. Its id is its name.

    `rank`: who ranks higher may act on its holders. `touched` is raised by whoever counts on the role being as it is,
    so that a change beside it conflicts.
    """

    id: str  # type: ignore[assignment] # Beanie declares its own kind of id
    description: str
    permissions: list[str]
    rank: int = 0
    built_in: bool = False
    touched: int = 0
    created_at: datetime
    updated_at: datetime

    class Settings:
        """Collection."""

        name = "roles"
