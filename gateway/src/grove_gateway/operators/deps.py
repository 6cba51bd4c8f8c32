"""Who may see an operators' page, and who may do something there, as types."""

from typing import Annotated, Any

from fastapi import Depends, Request

from grove.core.errors import Forbidden, InvalidToken
from grove.security.principal import Principal
from grove_gateway.deps import ResourcesDep
from grove_gateway.operators.access import COOKIE
from grove_gateway.operators.errors import ForeignOrigin, NotAnOperator, SignInNeeded


async def _operator(request: Request, resources: ResourcesDep) -> Principal:
    try:
        return await resources.operators.operator(request.cookies.get(COOKIE, ""))
    except InvalidToken:
        raise SignInNeeded from None


async def _own_page(request: Request, resources: ResourcesDep) -> None:
    if request.headers.get("origin") != resources.settings.public_url:
        raise ForeignOrigin


Operator = Annotated[Principal, Depends(_operator)]
OwnPage = Depends(_own_page)
"""A change is asked for by a page of the portal, and by no other site's."""


def sees(permission: str) -> Any:
    """A dependency of a page: an operator with this permission too."""

    async def seeing(operator: Operator) -> Principal:
        if not operator.has(permission):
            raise NotAnOperator(f"Your account may not see this page: it lacks the permission {permission}.")
        return operator

    return Depends(seeing)


def does(permission: str) -> Any:
    """A dependency of what a page's script asks for: an operator with this permission too. Errors are JSON."""

    async def doing(request: Request, resources: ResourcesDep, _: Annotated[None, OwnPage]) -> Principal:
        operator = await resources.operators.operator(request.cookies.get(COOKIE, ""))
        if not operator.has(permission):
            raise Forbidden(f"Your account may not do this: it lacks the permission {permission}.")
        return operator

    return Depends(doing)
