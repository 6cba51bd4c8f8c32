"""Fields with a resolver, and what they demand of the token: the same scope as their route in REST."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import strawberry
from strawberry.extensions.field_extension import AsyncExtensionResolver, FieldExtension

from grove_resource.graphql.context import Info

F = TypeVar("F", bound=Callable[..., Any])


class _Needs(FieldExtension):
    def __init__(self, scope: str) -> None:
        self._scope = scope

    async def resolve_async(self, next_: AsyncExtensionResolver, source: Any, info: Info, **kwargs: Any) -> Any:
        await info.context.demand(self._scope)
        return await next_(source, info, **kwargs)


def field(description: str, *, needs: str | None = None) -> Callable[[F], F]:
    """Makes a resolver a field, or a mutation; Forbidden is raised where the token lacks the scope it needs."""
    if needs is None:
        return cast("Callable[[F], F]", strawberry.field(description=description))
    described = f"{description} Needs `{needs}`."
    return cast("Callable[[F], F]", strawberry.field(description=described, extensions=[_Needs(needs)]))
