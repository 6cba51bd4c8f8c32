"""Every router of the portal."""

from fastapi import APIRouter

from grove_gateway.dead_letters import endpoints as dead_letters
from grove_gateway.mails import endpoints as mails
from grove_gateway.operators import endpoints as operators
from grove_gateway.pages import endpoints as pages
from grove_gateway.reference import endpoints as reference
from grove_gateway.status import endpoints as status

ROUTERS: tuple[APIRouter, ...] = (
    pages.router,
    reference.router,
    status.router,
    operators.router,
    dead_letters.router,
    mails.router,
)
