"""Writes the audit log, each entry with the act it tells of."""

from typing import Literal
from uuid import UUID

from pymongo.asynchronous.client_session import AsyncClientSession

from grove.security.audit import audit_entry
from grove.security.principal import Principal
from grove_auth.models import AuditEvent


class AuditLog:
    """Adds entries. Only ids go in, never addresses, names or secrets."""

    def __init__(self, **always: str) -> None:
        """`always`: details that each entry of this process bears."""
        self._always = always

    async def add(
        self,
        action: str,
        subject_id: UUID | str | None,
        transaction: AsyncClientSession | None = None,
        *,
        outcome: Literal["success", "failure"] = "success",
        actor_id: UUID | None = None,
        **detail: str,
    ) -> None:
        """Write what happened: in the transaction of the act, or alone when nothing else is written.

        `subject_id`: whose account, or what else, it was done to. `actor_id`: who did it, by default the request's
        user.
        """
        subject = str(subject_id) if subject_id is not None else None
        entry = audit_entry(action, outcome, actor_id=actor_id, subject_id=subject, **{**self._always, **detail})
        await AuditEvent.of(entry.model_dump(mode="json")).insert(session=transaction)

    async def refused(self, principal: Principal, reason: str, subject_id: UUID | None = None) -> None:
        """Somebody who is signed in may not do what they asked for: to whom, by default to themselves, and why."""
        await self.add(
            "request.refused",
            subject_id or principal.user_id,
            outcome="failure",
            actor_id=principal.user_id,
            reason=reason,
        )
