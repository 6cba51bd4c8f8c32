"""Dependencies as types."""

from typing import Annotated

from fastapi import Depends, Request

from grove_gateway.resources import Resources


async def _resources(request: Request) -> Resources:
    found: Resources = request.app.state.resources
    return found


ResourcesDep = Annotated[Resources, Depends(_resources)]
