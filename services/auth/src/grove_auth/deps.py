"""Dependencies as types: an endpoint's signature says what it needs and who may call it."""

from typing import Annotated

from fastapi import Depends, Request

from grove.core.context import current_context
from grove.security.network import network_of
from grove.security.principal import Principal
from grove.web.auth import ANONYMOUS_LIMIT, require
from grove.web.rate_limit import Limit, RateLimiter
from grove_auth.resources import Resources

SESSION_LIMIT = Limit("sessions", 20, 60)
PASSWORD_LIMIT = Limit("password", 5, 60)
"""Per user, where a signed-in user proves the password again."""
CODE_LIMIT = Limit("mfa-code", 10, 3600)
"""Codes by SMS and mail, per account."""

RESEND_LIMIT = Limit("resend", 3, 3600)
"""Per address: mails that strangers can have sent to it."""

AccountReader = Annotated[Principal, require("account:read")]
CurrentUser = Annotated[Principal, require("account:read", api_keys=False)]
"""Somebody signed in; an API key is not enough."""
SessionUser = Annotated[Principal, require("account:read", limit=SESSION_LIMIT, api_keys=False)]
SteppedUpUser = Annotated[Principal, require("account:read", limit=SESSION_LIMIT, step_up=True)]


async def _resources(request: Request) -> Resources:
    found: Resources = request.app.state.resources
    return found


ResourcesDep = Annotated[Resources, Depends(_resources)]


async def _limiter(resources: ResourcesDep) -> RateLimiter:
    return resources.limiter


LimiterDep = Annotated[RateLimiter, Depends(_limiter)]


async def limit_strangers(limiter: LimiterDep) -> None:
    """For routes without a sign-in and without a limit of their own, such as those that take a mailed token.

    Raises RateLimited.
    """
    context = current_context()
    await limiter.enforce(ANONYMOUS_LIMIT, network_of(context.client_ip if context else None))
