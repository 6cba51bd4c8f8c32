"""Routes of the pages about dead letters. What an event says is only on its letter's own page."""

from typing import Annotated

import structlog
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from grove.core.errors import GroveError
from grove.security.principal import Principal
from grove.web.body import GroveRoute
from grove_gateway.dead_letters import service as dead_letters
from grove_gateway.deps import AtHome, ResourcesDep
from grove_gateway.operators.deps import Operator, does, sees
from grove_gateway.pages.rendering import page

log = structlog.get_logger()

REPLAY = "events:replay"
EventReader = Annotated[Principal, sees("events:read")]
EventReplayer = Annotated[Principal, does(REPLAY)]
Queue = Annotated[str, Query(pattern=r"^[a-z][a-z0-9.-]{1,80}$")]

router = APIRouter(
    prefix="/operator/dead-letters", include_in_schema=False, dependencies=[AtHome], route_class=GroveRoute
)


class Wanted(BaseModel):
    """Which letters to hand back: those of `ids`, or the oldest."""

    model_config = ConfigDict(extra="forbid")

    queue: str
    ids: list[str] | None = Field(None, min_length=1, max_length=100)


@router.get("")
async def counts(_: Operator, resources: ResourcesDep) -> Response:
    """How many letters each service has."""
    return page("dead_letters.html", resources.settings, fares=await dead_letters.fares(resources))


@router.get("/{service}")
async def listed(service: str, queue: Queue, operator: EventReader, resources: ResourcesDep) -> Response:
    """The oldest letters of a queue."""
    found, problem, status = [], "", 200
    try:
        found = await dead_letters.letters(resources, service, queue)
    except GroveError as error:
        problem, status = error.message, error.status
    return page(
        "dead_letters_of.html",
        resources.settings,
        status=status,
        service=service,
        queue=queue,
        letters=found,
        shown=dead_letters.SHOWN,
        problem=problem,
        may_replay=operator.has(REPLAY),
    )


@router.get("/{service}/letter")
async def letter(
    service: str,
    queue: Queue,
    letter_id: Annotated[str, Query(alias="id", max_length=1000)],
    operator: EventReader,
    resources: ResourcesDep,
) -> Response:
    """One letter, with its event."""
    found, problem, status = None, "", 200
    try:
        found = await dead_letters.letter(resources, service, queue, letter_id)
    except GroveError as error:
        problem, status = error.message, error.status
    else:
        log.info("operator.looked_at_letter", user_id=str(operator.user_id), queue=queue, letter_id=letter_id)
    return page(
        "dead_letter.html",
        resources.settings,
        status=status,
        service=service,
        queue=queue,
        letter=found,
        problem=problem,
        may_replay=operator.has(REPLAY),
    )


@router.post("/{service}/replay")
async def replay(service: str, wanted: Wanted, operator: EventReplayer, resources: ResourcesDep) -> dict[str, int]:
    """Hand letters back to their consumer; the service logs who did."""
    return await dead_letters.replay(resources, service, wanted.queue, wanted.ids, actor=operator.user_id)
