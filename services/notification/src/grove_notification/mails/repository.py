"""Queries on mails."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from grove_notification.models import Mail


class MailRepository:
    """Rows of mails."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, mail: Mail) -> None:
        """Insert."""
        self._session.add(mail)
        await self._session.flush()

    async def claim_due(self, moment: datetime) -> Mail | None:
        """One due mail that no other sender works on, locked until the transaction ends."""
        return await self._session.scalar(
            select(Mail)
            .where(Mail.status == "queued", Mail.due_at <= moment)
            .order_by(Mail.due_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        )

    async def count(self, status: str) -> int:
        """How many have the status."""
        return await self._session.scalar(select(func.count()).select_from(Mail).where(Mail.status == status)) or 0
