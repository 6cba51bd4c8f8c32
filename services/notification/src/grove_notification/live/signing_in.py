"""Who connects: by header, by a subprotocol, or by a ticket, and from which page."""

from starlette.requests import HTTPConnection

from grove.core.context import current_context
from grove.core.errors import Forbidden, InvalidToken, Unauthorized
from grove.security.network import network_of
from grove.security.principal import Principal
from grove.web.auth import ANONYMOUS_LIMIT, USER_LIMIT
from grove_notification.live.tickets import Tickets
from grove_notification.resources import Resources

SCOPE = "notifications:read"
PROTOCOL = "grove.v1"
BEARER_PREFIX = "bearer."


async def sign_in(connection: HTTPConnection, resources: Resources) -> Principal:
    """Who connects. Raises Forbidden, Unauthorized, RateLimited, ServiceUnavailable."""
    _check_origin(connection, resources)
    principal = await _bearer(connection, resources)
    await resources.limiter.enforce(USER_LIMIT, str(principal.user_id))
    await resources.sign_in.authenticator.demand(principal, SCOPE)
    return principal


async def _bearer(connection: HTTPConnection, resources: Resources) -> Principal:
    authenticator = resources.sign_in.authenticator
    ticket = connection.query_params.get("ticket")
    offered: list[str] = connection.scope.get("subprotocols", [])
    bearer = next((each for each in offered if each.startswith(BEARER_PREFIX)), None)
    if ticket is None and bearer is None:
        return await authenticator.of_request(connection)
    context = current_context()
    try:
        if bearer is not None and ticket is None:
            principal = await authenticator.principal(bearer.removeprefix(BEARER_PREFIX))
        else:
            principal = await Tickets(resources.valkey).redeem(ticket or "")
            if not await authenticator.gate.admits(principal):
                raise InvalidToken
    except Unauthorized:
        await resources.limiter.enforce(ANONYMOUS_LIMIT, network_of(context.client_ip if context else None))
        raise
    if context is not None:
        context.user_id, context.session_id = principal.user_id, principal.session_id or None
    return principal


def _check_origin(connection: HTTPConnection, resources: Resources) -> None:
    """A browser names the page that connects: only ours and the configured ones may."""
    origin = connection.headers.get("origin")
    settings = resources.settings
    allowed = {*settings.cors_origins, settings.public_url, settings.public_api_url}
    if origin is not None and origin not in allowed:
        raise Forbidden(f"Pages of {origin} may not connect.")
