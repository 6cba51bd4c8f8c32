"""Dependencies as types."""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from starlette.responses import RedirectResponse, Response

from grove_gateway.resources import Resources


class Elsewhere(Exception):
    """A page was asked for under another name of the suite than the portal's: the browser is sent to the portal."""


async def _resources(request: Request) -> Resources:
    found: Resources = request.app.state.resources
    return found


ResourcesDep = Annotated[Resources, Depends(_resources)]


async def _at_home(request: Request, resources: ResourcesDep) -> None:
    settings = resources.settings
    others = {urlsplit(url).netloc for url in (settings.public_auth_url, settings.public_api_url)}
    host = request.headers.get("host", "")
    if request.method == "GET" and host in others and host != urlsplit(settings.public_url).netloc:
        raise Elsewhere


async def to_portal(request: Request, _: Exception) -> Response:
    """What Elsewhere is answered with; the fragment, with a mailed token, goes along in the browser."""
    query = f"?{request.url.query}" if request.url.query else ""
    resources: Resources = request.app.state.resources
    return RedirectResponse(f"{resources.settings.public_url}{request.url.path}{query}", status_code=307)


AtHome = Depends(_at_home)
"""A page works under the portal's own name only: its cookie, and what its scripts may call, go by that."""
