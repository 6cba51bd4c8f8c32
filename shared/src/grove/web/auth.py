"""Sign-in on routes: `CurrentUser = Annotated[Principal, require("tasks:read")]` says what a route needs, once."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

from fastapi import Depends, Request
from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.security.base import SecurityBase
from fastapi.security.utils import get_authorization_scheme_param
from starlette.requests import HTTPConnection

from grove.core.clock import now
from grove.core.context import current_context
from grove.core.errors import Forbidden, InvalidToken, ReauthRequired, Unauthorized
from grove.security.api_keys import is_api_key
from grove.security.mtls import identity_of
from grove.security.network import EDGE, network_of
from grove.security.principal import Principal
from grove.web.rate_limit import Limit, RateLimiter

USER_LIMIT = Limit("user", 100, 60)
ANONYMOUS_LIMIT = Limit("anonymous", 30, 60)
STEP_UP_SECONDS = 300
"""How old a sign-in may be where step-up is asked for."""


class Gate(Protocol):
    """Decides whether a verified token still counts."""

    async def admits(self, principal: Principal) -> bool:
        """False when revoked. Raises ServiceUnavailable when that can't be known."""
        ...


class Verifier(Protocol):
    """Knows the bearer of a credential."""

    async def verify(self, token: str) -> Principal:
        """Its bearer. Raises InvalidToken, or ServiceUnavailable when that can't be known."""
        ...


@dataclass(frozen=True, slots=True)
class Authenticator:
    """Everything needed to turn a bearer token into a principal. Without `api_keys` only access tokens are taken.

    `on_refused` is told, with the reason, when somebody who is signed in may not do what they ask for.
    """

    verifier: Verifier
    gate: Gate
    limiter: RateLimiter
    api_keys: Verifier | None = None
    on_refused: Callable[[Principal, str], Awaitable[None]] | None = None

    async def principal(self, token: str) -> Principal:
        """The bearer of an access token or API key. Raises InvalidToken, RateLimited or ServiceUnavailable."""
        verifier = self.api_keys if self.api_keys is not None and is_api_key(token) else self.verifier
        principal = await verifier.verify(token)
        if not await self.gate.admits(principal):
            raise InvalidToken
        return principal

    async def of_request(self, connection: HTTPConnection) -> Principal:
        """The bearer of the request's token. Raises Unauthorized, InvalidToken, RateLimited."""
        context = current_context()
        scheme, token = get_authorization_scheme_param(connection.headers.get("authorization"))
        try:
            if scheme.lower() != "bearer" or not token:
                raise Unauthorized
            principal = await self.principal(token)
        except Unauthorized:
            await self.limiter.enforce(ANONYMOUS_LIMIT, network_of(context.client_ip if context else None))
            raise
        if context is not None:
            context.user_id = principal.user_id
            context.session_id = principal.session_id or None
        return principal

    async def demand(self, principal: Principal, *scopes: str) -> None:
        """Raises Forbidden, which whoever wants to know is told, for scopes that are missing."""
        missing = sorted(scope for scope in scopes if not principal.has(scope))
        if missing:
            await self.refused(principal, "scope")
            challenge = f'Bearer realm="grove", error="insufficient_scope", scope="{" ".join(scopes)}"'
            named = f"{'scopes' if len(missing) > 1 else 'scope'} {', '.join(missing)}"
            raise Forbidden(f"The token lacks the {named}.", headers={"WWW-Authenticate": challenge})

    async def refused(self, principal: Principal, reason: str) -> None:
        """Tell whoever wants to know."""
        if self.on_refused is not None:
            await self.on_refused(principal, reason)


class _Bearer(SecurityBase):
    """Says in the OpenAPI document that a route takes a token; `of_request` checks it."""

    model = HTTPBearerModel(bearerFormat="JWT")
    scheme_name = "bearer"

    async def __call__(self) -> None:
        """Nothing: the document is all."""


BEARER = _Bearer()


def require(*scopes: str, limit: Limit | None = USER_LIMIT, step_up: bool = False, api_keys: bool = True) -> Any:
    """A dependency: signed in, with these scopes, within the limit. None: the route has a limit of its own.

    `step_up`: not longer than STEP_UP_SECONDS ago. `api_keys`: whether keys are taken beside access tokens; where
    step-up is asked for they never are.
    """

    async def signed_in(request: Request, _: Annotated[None, Depends(BEARER)]) -> Principal:
        authenticator: Authenticator = request.app.state.authenticator
        principal = await authenticator.of_request(request)
        if limit is not None:
            await authenticator.limiter.enforce(limit, str(principal.user_id))
        await authenticator.demand(principal, *scopes)
        if principal.api_key_id and (step_up or not api_keys):
            await authenticator.refused(principal, "api-key")
            raise Forbidden("API keys may not do this. Sign in and use an access token.")
        if step_up and (now() - principal.auth_time).total_seconds() > STEP_UP_SECONDS:
            await authenticator.refused(principal, "step-up")
            raise ReauthRequired(STEP_UP_SECONDS)
        return principal

    return Depends(signed_in)


def callers(*services: str) -> Any:
    """A dependency of internal routes: only processes of these services, proven by their certificates.

    Without names: every process of the suite but the edge, which speaks for strangers.
    """
    allowed = {identity_of(service) for service in services}

    async def called_by(request: Request) -> str:
        peer: str | None = getattr(request.state, "peer", None)
        if peer is None or (peer not in allowed if allowed else peer == EDGE):
            raise Forbidden("This route is for other processes of the suite.")
        return peer

    return Depends(called_by)
