"""The rules of the export."""

from uuid import UUID

from grove.core.clock import now
from grove_auth.export.exporters import EXPORTERS
from grove_auth.export.schemas import Export
from grove_auth.resources import Resources


class ExportService:
    """Asks every domain for what it has of a user."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    async def export(self, user_id: UUID) -> Export:
        """All of it. That it was given out is in the audit log, and so in the export."""
        await self._resources.audit.add("account.exported", user_id)
        parts = {name: await exporter(self._resources, user_id) for name, exporter in EXPORTERS.items()}
        return Export(exported_at=now(), **parts)
