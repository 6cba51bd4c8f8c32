"""Collects the services' documents; one that does not answer is left out and asked again."""

import asyncio
import time
from typing import Any

import structlog

from grove.core.errors import GroveError
from grove_gateway.reference.merging import merged
from grove_gateway.resources import Resources

log = structlog.get_logger()

KEPT_SECONDS = 60


class ReferenceService:
    """The merged document, kept for a minute when complete."""

    def __init__(self) -> None:
        self._kept: dict[str, Any] = {}
        self._until = 0.0

    async def document(self, resources: Resources) -> dict[str, Any]:
        """One OpenAPI document of all services that answer."""
        if time.monotonic() < self._until:
            return self._kept
        names = sorted(resources.clients)
        found = await asyncio.gather(*(_fetch(resources, name) for name in names))
        documents = {name: document for name, document in zip(names, found, strict=True) if document is not None}
        settings = resources.settings
        document = merged(documents, auth_url=settings.public_auth_url, api_url=settings.public_api_url)
        if len(documents) == len(names):
            self._kept, self._until = document, time.monotonic() + KEPT_SECONDS
        return document


async def _fetch(resources: Resources, name: str) -> dict[str, Any] | None:
    try:
        answer = await resources.clients[name].request("GET", "/internal/v1/openapi.json")
    except GroveError as error:
        log.warning("reference.service_missing", missing=name, reason=error.message)
        return None
    return dict(answer.json()) if answer.status_code == 200 else None
