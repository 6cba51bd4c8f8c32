"""Dependencies as types: an endpoint's signature says what it needs and who may call it."""

from typing import Annotated

from fastapi import Depends, Request

from grove.security.principal import Principal
from grove.web.auth import require
from grove.web.rate_limit import Limit, RateLimiter
from grove_auth.resources import Resources

SESSION_LIMIT = Limit("sessions", 20, 60)
PASSWORD_LIMIT = Limit("password", 5, 60)
"""Per user, where a signed-in user proves the password again."""

AccountReader = Annotated[Principal, require("account:read", limit=SESSION_LIMIT)]
SessionUser = Annotated[Principal, require("account:read", limit=SESSION_LIMIT, api_keys=False)]
"""Somebody signed in; an API key is not enough."""
SteppedUpUser = Annotated[Principal, require("account:read", limit=SESSION_LIMIT, step_up=True)]


async def _resources(request: Request) -> Resources:
    found: Resources = request.app.state.resources
    return found


ResourcesDep = Annotated[Resources, Depends(_resources)]


async def _limiter(resources: ResourcesDep) -> RateLimiter:
    return resources.limiter


LimiterDep = Annotated[RateLimiter, Depends(_limiter)]
