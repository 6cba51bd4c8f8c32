"""The rules of reading the audit log."""

from typing import Any
from uuid import UUID

from grove.web.pagination import ListQuery, decode_cursor, encode_cursor, invalid_query
from grove_auth.audit import seals
from grove_auth.audit.repository import AuditRepository
from grove_auth.audit.schemas import AuditEventRead, AuditFilter, SecurityEventRead
from grove_auth.resources import Resources
from grove_auth.sessions.repository import SessionRepository

ORDER = ("-created_at",)
Entry = dict[str, Any]


class AuditService:
    """Reads the log, newest first."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._audit = AuditRepository(resources.audit_database)
        self._sessions = SessionRepository()

    async def search(self, wanted: AuditFilter) -> tuple[list[AuditEventRead], str | None]:
        """A page for an administrator, and the cursor of the next. That it was read is in the log too."""
        condition: dict[str, Any] = dict(wanted.given)
        concerned = condition.get("actor_id") or condition.get("subject_id")
        if concerned is not None:
            condition["concerns"] = concerned  # which has an index
        ids = {"$gte": wanted.from_, "$lt": wanted.to}
        limits = {operator: seals.first_id(moment) for operator, moment in ids.items() if moment is not None}
        if limits:
            condition["_id"] = limits
        found, following = await self._page(condition, wanted)
        await self._resources.audit.add("audit.read", None, filters=" ".join(sorted(wanted.given)))
        return [AuditEventRead(**entry) for entry in found], following

    async def history(self, user_id: UUID, wanted: ListQuery) -> tuple[list[SecurityEventRead], str | None]:
        """A page of what was done by an account or to it, and the cursor of the next."""
        found, following = await self._page({"concerns": str(user_id)}, wanted)
        devices = {
            session.id: _device(session.browser, session.os) for session in await self._sessions.of_user(user_id)
        }
        return [SecurityEventRead.of(entry, user_id, _device_of(entry, user_id, devices)) for entry in found], following

    async def _page(self, condition: dict[str, Any], wanted: ListQuery) -> tuple[list[Entry], str | None]:
        if wanted.page is not None:
            raise invalid_query("page", "is not taken by this list; use cursor")
        if wanted.sort != ORDER[0]:
            raise invalid_query("sort", "can be -created_at only")
        before = _position(wanted.cursor) if wanted.cursor else None
        found = await self._audit.newest_entries(condition, before, wanted.size + 1)
        shown = found[: wanted.size]
        following = encode_cursor(ORDER, [shown[-1]["_id"]]) if len(found) > wanted.size else None
        return [document["entry"] for document in shown], following


def _position(cursor: str) -> UUID:
    try:
        [position] = decode_cursor(cursor, ORDER)
        return UUID(position)
    except (ValueError, TypeError, AttributeError):
        raise invalid_query("cursor", "is not a cursor of this list") from None


def _device(browser: str, system: str) -> str | None:
    return " on ".join(part for part in (browser, system) if part) or None


def _device_of(entry: Entry, owner: UUID, devices: dict[str, str | None]) -> str | None:
    """As the entry itself tells, or the session it belongs to; never that of somebody else."""
    detail = entry["detail"]
    if "browser" in detail:
        return _device(detail["browser"], detail.get("os", ""))
    session = detail.get("session") or (entry["session_id"] if entry["actor_id"] == str(owner) else None)
    return devices.get(session) if session else None
