"""Routes of the status: states for everyone, reasons only on the operators' pages."""

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from grove_gateway.deps import ResourcesDep
from grove_gateway.pages.rendering import page
from grove_gateway.resources import Resources
from grove_gateway.status.service import reports

router = APIRouter(include_in_schema=False)


@router.get("/status")
async def status_page(resources: ResourcesDep) -> Response:
    """Each service's readiness, as a page."""
    return page("status.html", resources.settings, services=await _states(resources))


@router.get("/status.json")
async def status(resources: ResourcesDep) -> Response:
    """Each service's readiness."""
    return JSONResponse({"services": await _states(resources)})


async def _states(resources: Resources) -> dict[str, str]:
    return {name: str(report["status"]) for name, report in (await reports(resources)).items()}
