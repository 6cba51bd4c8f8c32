"""Provider routes."""

from fastapi import APIRouter

from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove_provider_sync.connections.repository import failing_providers
from grove_provider_sync.deps import ConnectionReader, ReadsDep, ResourcesDep
from grove_provider_sync.providers.schemas import ProviderList, ProviderRead

router = APIRouter(prefix="/api/v1/providers", tags=["providers"], route_class=GroveRoute, responses=error_responses())


@router.get("")
async def list_providers(_: ConnectionReader, reads: ReadsDep, resources: ResourcesDep) -> ProviderList:
    """Providers that can be connected; `failing` when most of their newest runs failed."""
    failing = await failing_providers(reads)
    return ProviderList(
        items=[
            ProviderRead(
                key=found.key,
                name=found.name,
                kind=found.kind,
                scopes=list(found.scopes),
                health="failing" if found.key in failing else "ok",
            )
            for found in (provider.description for provider in resources.providers.all())
        ]
    )
