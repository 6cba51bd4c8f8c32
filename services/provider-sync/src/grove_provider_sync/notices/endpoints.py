"""Where providers tell that there is news."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from grove.core.context import current_context
from grove.security.network import network_of
from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove.web.middleware import BODY_LIMIT
from grove.web.rate_limit import Limit
from grove_provider_sync.deps import ResourcesDep
from grove_provider_sync.notices.errors import NoticeNotTaken
from grove_provider_sync.notices.service import NoticeService
from grove_provider_sync.providers.interface import NoticeRefused
from grove_provider_sync.providers.registry import ProviderNotFound

MAX_BYTES = 64 * 1024
NETWORK_LIMIT = Limit("provider_webhooks", 1200, 60)
"""A provider calls from few addresses, for all of its users."""
REFUSED_LIMIT = Limit("provider_webhooks_refused", 60, 60)
"""Of those whose signature is wrong: looking up keys for them costs calls. What is verified is not counted."""
_BODY = {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}


class _SmallBody(GroveRoute):
    """The body has MAX_BYTES at most: strangers may send one."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            request.scope[BODY_LIMIT] = MAX_BYTES
            return await handler(request)

        return handle


router = APIRouter(
    prefix="/api/v1/providers",
    tags=["providers"],
    route_class=_SmallBody,
    responses=error_responses(404, 413, 502, 504),
)


@router.post(
    "/{key}/webhooks", status_code=204, response_class=Response, openapi_extra={"requestBody": _BODY, "security": []}
)
async def take_webhook(key: Annotated[str, Path(max_length=40)], request: Request, resources: ResourcesDep) -> Response:
    """For providers: tell of news or of access that ended, signed its way. The same twice does no harm."""
    context = current_context()
    network = network_of(context.client_ip if context else None)
    await resources.limiter.enforce(NETWORK_LIMIT, network)
    provider = resources.providers.get(key)
    if not provider.description.webhooks:
        raise ProviderNotFound
    await resources.limiter.enforce(REFUSED_LIMIT, network)
    try:
        notices = await provider.notices(dict(request.headers), await request.body())
    except NoticeRefused:
        raise NoticeNotTaken from None
    await resources.limiter.give_back(REFUSED_LIMIT, network)
    await NoticeService(resources).take(provider.description, notices)
    return Response(status_code=204)
