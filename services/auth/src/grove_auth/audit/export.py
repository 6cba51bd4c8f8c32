"""The history's part of an account's export."""

from typing import Any
from uuid import UUID

from grove.web.pagination import ListQuery
from grove_auth.audit.service import AuditService
from grove_auth.resources import Resources

AT_ONCE = 100
MOST = 10_000
"""Newest first; older ones are read by `GET /security-events`."""


async def exported(resources: Resources, user_id: UUID) -> list[dict[str, Any]]:
    """What was done by the account and to it."""
    service, cursor = AuditService(resources), ""
    events: list[dict[str, Any]] = []
    while len(events) < MOST:
        page, following = await service.history(user_id, ListQuery(size=AT_ONCE, cursor=cursor))
        events += [event.model_dump(mode="json") for event in page]
        if following is None:
            break
        cursor = following
    return events
