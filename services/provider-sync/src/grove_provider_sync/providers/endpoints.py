"""Provider routes."""

import asyncio

from fastapi import APIRouter

from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove_provider_sync.connections.repository import failing_providers
from grove_provider_sync.deps import ConnectionReader, ReadsDep, ResourcesDep
from grove_provider_sync.providers.schemas import ProviderList, ProviderRead

router = APIRouter(prefix="/api/v1/providers", tags=["providers"], route_class=GroveRoute, responses=error_responses())


@router.get("")
async def list_providers(_: ConnectionReader, reads: ReadsDep, resources: ResourcesDep) -> ProviderList:
    """List the providers that can be connected, and how they are doing."""
    described = [provider.description for provider in resources.providers.all()]
    failing = await failing_providers(reads)
    pauses = await asyncio.gather(*(resources.providers.seconds_paused(found.key) for found in described))
    return ProviderList(
        items=[
            ProviderRead(
                key=found.key,
                name=found.name,
                kind=found.kind,
                scopes=list(found.scopes),
                health="failing" if found.key in failing else "paused" if seconds > 0 else "ok",
                webhooks=found.webhooks,
                consent_days=found.consent_days,
            )
            for found, seconds in zip(described, pauses, strict=True)
        ]
    )
