"""The import route."""

from typing import Annotated

from fastapi import APIRouter, Depends

from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove_auth.admin.endpoints import UserWriter
from grove_auth.deps import ResourcesDep
from grove_auth.imports.schemas import ImportAnswer, UserImport
from grove_auth.imports.service import ImportService

router = APIRouter(
    prefix="/api/v1/auth/admin/users",
    tags=["administration"],
    route_class=GroveRoute,
    responses=error_responses(409),
)


async def _service(resources: ResourcesDep) -> ImportService:
    return ImportService(resources)


Imports = Annotated[ImportService, Depends(_service)]


@router.post("/import")
async def import_users(data: UserImport, actor: UserWriter, imports: Imports) -> ImportAnswer:
    """Import up to 1,000 accounts with the password hashes that another system made.

    Each row is created, exists already, or is refused with the reason; sending it again creates nothing twice. A hash
    is replaced by one of ours when its user signs in. Nobody is mailed.
    """
    return ImportAnswer.of(await imports.run(data.users, actor))
