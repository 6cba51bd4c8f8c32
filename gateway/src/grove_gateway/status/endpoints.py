"""Routes of the status: states for everyone, reasons only on the operators' pages."""

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from grove_gateway.deps import AtHome, ResourcesDep
from grove_gateway.pages.rendering import page
from grove_gateway.status.service import StatusBoard

router = APIRouter(include_in_schema=False)

_board = StatusBoard()


@router.get("/status", dependencies=[AtHome])
async def status_page(resources: ResourcesDep) -> Response:
    """Each service's state, as a page."""
    return page("status.html", resources.settings, services=await _board.states(resources))


@router.get("/status.json")
async def status(resources: ResourcesDep) -> Response:
    """Each service's state."""
    return JSONResponse({"services": await _board.states(resources)})
